//! Which local models lie in memory, how long loading one takes, and which are to be warmed. What is seen and when go
//! in; the same history gives the same answers.
//!
//! Everything is kept by identity, as breakers are: a model of a later policy at another place is another model.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::policy::Identity;
use crate::request::Residency;

/// How long loading is taken to last until one has been seen: a few gigabytes from a good disk.
pub const ASSUMED_LOAD: Duration = Duration::from_secs(15);

/// What was seen longer ago says nothing any more.
const STALE: Duration = Duration::from_secs(60);

/// Cheap to clone; all clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Residents {
    models: Arc<Mutex<BTreeMap<Identity, Resident>>>,
    woken: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Resident {
    /// What the backend said last, and when.
    seen: Option<(Residency, Instant)>,
    /// Since when it has been loading, as far as it was seen.
    loading: Option<Instant>,
    /// How long the last load took.
    load: Option<Duration>,
    warming: Warming,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Warming {
    #[default]
    Not,
    Wanted,
    UnderWay,
}

impl Residents {
    /// What a backend says now.
    pub fn saw(&self, model: Identity, residency: Residency, now: Instant) {
        let mut models = self.lock();
        let own = models.entry(model).or_default();
        match residency {
            Residency::Loading => {
                own.loading.get_or_insert(now);
            }
            Residency::Resident => own.loaded(now),
            // Ollama shows a model that is being loaded as if it were not there: what we know of the load stands.
            Residency::Cold if own.warming == Warming::UnderWay => {}
            Residency::Cold | Residency::Unknown => own.loading = None,
        }
        own.seen = Some((residency, now));
    }

    /// It has answered a call, so it is there, as far as anybody ever said that it was not.
    pub fn answered(&self, model: Identity, now: Instant) {
        if let Some(own) = self.lock().get_mut(&model).filter(|own| own.seen.is_some()) {
            own.seen = Some((Residency::Resident, now));
            own.loading = None;
        }
    }

    /// How long this model still needs until it can answer; `None`: it is loaded, or nobody says that it is not.
    pub fn asleep(&self, model: Identity, now: Instant) -> Option<Duration> {
        let models = self.lock();
        let own = models.get(&model)?;
        let (seen, at) = own.seen?;
        if now.saturating_duration_since(at) >= STALE {
            return None;
        }
        let load = own.load.unwrap_or(ASSUMED_LOAD);
        let begun = own.loading.map_or(Duration::ZERO, |begun| now.saturating_duration_since(begun));
        // A load that takes longer than expected is not about to end: half of what is usual is still to be waited for.
        let left = load.saturating_sub(begun).max(load / 2);
        match seen {
            Residency::Resident | Residency::Unknown => None,
            Residency::Cold if own.loading.is_none() => Some(load),
            Residency::Cold | Residency::Loading => Some(left),
        }
    }

    /// Asks for this model to be loaded. One that is being warmed already is not asked for twice.
    pub fn want(&self, model: Identity) {
        let mut models = self.lock();
        let own = models.entry(model).or_default();
        // A server that says so itself is at it already.
        let loads_itself = own.seen.is_some_and(|(seen, _)| seen == Residency::Loading);
        if own.warming == Warming::Not && !loads_itself {
            own.warming = Warming::Wanted;
            self.woken.notify_one();
        }
    }

    /// Comes back when something is wanted.
    pub async fn wanted(&self) {
        self.woken.notified().await;
    }

    /// The models that are wanted; whoever takes them warms them and says so when it is done.
    pub fn take_wanted(&self, now: Instant) -> Vec<Identity> {
        let mut models = self.lock();
        let wanted = models.iter_mut().filter(|(_, own)| own.warming == Warming::Wanted);
        let begun = wanted.map(|(model, own)| {
            own.warming = Warming::UnderWay;
            own.loading.get_or_insert(now);
            *model
        });
        begun.collect()
    }

    /// A warming has ended; `loaded`: the model answered.
    pub fn warmed(&self, model: Identity, loaded: bool, now: Instant) {
        let mut models = self.lock();
        let own = models.entry(model).or_default();
        own.warming = Warming::Not;
        if loaded {
            own.loaded(now);
            own.seen = Some((Residency::Resident, now));
        } else {
            own.loading = None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Identity, Resident>> {
        self.models.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Resident {
    /// What was seen of the load is what the next one is expected to take. One of a model that was there already took
    /// no time, and says nothing.
    fn loaded(&mut self, now: Instant) {
        let was_asleep = self.seen.is_some_and(|(seen, _)| matches!(seen, Residency::Cold | Residency::Loading));
        if let Some(begun) = self.loading.take().filter(|_| was_asleep) {
            self.load = Some(now.saturating_duration_since(begun));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn model() -> Identity {
        Identity::of([b"small"])
    }

    #[test]
    fn only_what_is_said_to_be_absent_is_asleep() {
        let (residents, now) = (Residents::default(), Instant::now());
        assert_eq!(residents.asleep(model(), now), None, "nobody says anything");
        for (residency, expected) in [
            (Residency::Unknown, None),
            (Residency::Resident, None),
            (Residency::Cold, Some(ASSUMED_LOAD)),
            (Residency::Loading, Some(ASSUMED_LOAD)),
        ] {
            residents.saw(model(), residency, now);
            assert_eq!(residents.asleep(model(), now), expected, "{residency:?}");
        }
        assert_eq!(residents.asleep(model(), now + STALE), None, "that was long ago");
    }

    #[test]
    fn a_load_that_was_seen_is_what_the_next_one_is_expected_to_take() {
        let (residents, now) = (Residents::default(), Instant::now());
        residents.saw(model(), Residency::Loading, now);
        assert_eq!(residents.asleep(model(), now + 5 * SECOND), Some(10 * SECOND));
        assert_eq!(residents.asleep(model(), now + 14 * SECOND), Some(ASSUMED_LOAD / 2), "late already");
        residents.saw(model(), Residency::Resident, now + 4 * SECOND);
        residents.saw(model(), Residency::Cold, now + 100 * SECOND);
        assert_eq!(residents.asleep(model(), now + 100 * SECOND), Some(4 * SECOND));
    }

    #[test]
    fn one_warming_at_a_time_and_its_time_is_learned() {
        let (residents, now) = (Residents::default(), Instant::now());
        residents.saw(model(), Residency::Cold, now);
        residents.want(model());
        residents.want(model());
        assert_eq!(residents.take_wanted(now), [model()]);
        residents.want(model());
        assert!(residents.take_wanted(now).is_empty(), "it is under way");
        // Ollama does not show a model that is being loaded.
        residents.saw(model(), Residency::Cold, now + SECOND);
        assert_eq!(residents.asleep(model(), now + 3 * SECOND), Some(12 * SECOND));
        residents.warmed(model(), true, now + 8 * SECOND);
        assert_eq!(residents.asleep(model(), now + 8 * SECOND), None);
        residents.saw(model(), Residency::Cold, now + 9 * SECOND);
        assert_eq!(residents.asleep(model(), now + 9 * SECOND), Some(8 * SECOND));
        residents.want(model());
        assert_eq!(residents.take_wanted(now + 9 * SECOND), [model()]);
    }

    #[test]
    fn a_model_that_was_there_already_teaches_nothing_and_a_failed_warming_neither() {
        let (residents, now) = (Residents::default(), Instant::now());
        residents.want(model());
        residents.take_wanted(now);
        residents.warmed(model(), true, now + SECOND);
        residents.saw(model(), Residency::Cold, now + SECOND);
        assert_eq!(residents.asleep(model(), now + SECOND), Some(ASSUMED_LOAD));
        residents.want(model());
        residents.take_wanted(now + SECOND);
        residents.warmed(model(), false, now + 2 * SECOND);
        assert_eq!(residents.asleep(model(), now + 3 * SECOND), Some(ASSUMED_LOAD));
    }
}
