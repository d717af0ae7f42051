//! The recorder's handles, kept: a request finds its counters by one look-up and makes no key again.
//!
//! There are as many as there are series. Labels are small closed sets, so this needs no limit of its own.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use metrics::{Key, Label};

use super::families::Family;

/// Handles of one kind: counters, gauges or histograms.
pub(super) struct Handles<H>(RwLock<HashMap<String, H>>);

impl<H: Clone> Handles<H> {
    /// The handle of these labels; `make` is asked for it the first time.
    pub fn of<const N: usize>(&self, family: &Family<N>, labels: [&str; N], make: impl FnOnce(&Key) -> H) -> H {
        let place = place(family, labels);
        if let Some(known) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&place) {
            return known.clone();
        }
        // Two at once make the same: a recorder gives equal keys one series.
        let new = make(&key(family, labels));
        self.0.write().unwrap_or_else(PoisonError::into_inner).entry(place).or_insert(new).clone()
    }
}

impl<H> Default for Handles<H> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

/// No name and no word has that character.
fn place<const N: usize>(family: &Family<N>, labels: [&str; N]) -> String {
    let length = family.name.len() + labels.iter().map(|label| label.len() + 1).sum::<usize>();
    let mut place = String::with_capacity(length);
    place.push_str(family.name);
    for label in labels {
        place.push('\u{1f}');
        place.push_str(label);
    }
    place
}

/// An empty label is an absent one, in Prometheus as here.
fn key<const N: usize>(family: &Family<N>, values: [&str; N]) -> Key {
    let labels = family.labels.iter().zip(values).filter(|(_, value)| !value.is_empty());
    Key::from_parts(family.name, labels.map(|(name, value)| Label::new(*name, value.to_owned())).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::super::families;
    use super::*;

    #[test]
    fn the_recorder_is_asked_once_for_each_set_of_labels() {
        let (handles, mut made) = (Handles::default(), Vec::new());
        for labels in [["a", "b"], ["ab", ""], ["a", "b"], ["", "ab"], ["ab", ""]] {
            handles.of(&families::COST, labels, |key| made.push(key.clone()));
        }
        let asked: Vec<String> = made.iter().map(|key| format!("{:?}", key.labels().collect::<Vec<_>>())).collect();
        assert_eq!(asked.len(), 3, "{asked:?}");
        assert!(made[0].labels().len() == 2 && made[1].labels().len() == 1, "{asked:?}");
    }
}
