//! The policy that a process read last, if it was refused: what the page, the process's row and `check --running` tell of it.
//!
//! Whoever follows the files writes it, whoever shows the process reads it. Problems have no secret in them (`mask`).

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use super::Problems;

#[derive(Debug, Clone)]
pub struct Refusal {
    /// Of the text that was refused.
    pub hash: String,
    /// Since when no file could be used; mistakes that follow each other are one time.
    pub since: Timestamp,
    pub problems: Problems,
}

/// Clones share it.
#[derive(Debug, Clone, Default)]
pub struct LastRefusal(Arc<Mutex<Option<Refusal>>>);

impl LastRefusal {
    /// `None`: the policy that was read last is in use.
    pub fn get(&self) -> Option<Refusal> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn refuse(&self, hash: String, problems: Problems, now: Timestamp) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = last.as_ref().map_or(now, |earlier| earlier.since);
        *last = Some(Refusal { hash, since, problems });
    }

    /// A policy was taken.
    pub fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::compile;

    #[test]
    fn mistakes_that_follow_each_other_are_one_time_and_the_last_one_is_told() {
        let (refusal, at) = (LastRefusal::default(), |second| Timestamp::from_second(second).unwrap());
        let problems = |text: &str| compile(text, "routing.yaml", &|_| None).problems;
        assert!(refusal.get().is_none());
        refusal.refuse("first".to_owned(), problems("version: 2\n"), at(10));
        refusal.refuse("second".to_owned(), problems("version: 3\n"), at(20));
        let told = refusal.clone().get().unwrap();
        assert_eq!((told.hash.as_str(), told.since), ("second", at(10)));
        assert!(told.problems.to_string().contains('3'), "{}", told.problems);
        refusal.clear();
        refusal.refuse("third".to_owned(), problems("version: 2\n"), at(30));
        assert_eq!(refusal.get().unwrap().since, at(30));
    }
}
