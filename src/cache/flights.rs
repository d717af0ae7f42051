//! Equal requests in flight: who makes the call, and who waits for it.
//!
//! It knows neither time nor callers: whoever waits says for how long, and whoever leads says when it stops.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::{CacheKey, CachedAnswer};

/// Cheap to clone; all clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Flights(Arc<Mutex<HashMap<CacheKey, watch::Sender<Landed>>>>);

/// The answer, once it is there.
type Landed = Option<Arc<CachedAnswer>>;

/// What a request is among those that ask the same.
#[derive(Debug)]
pub(super) enum Place {
    Leads(Lead),
    Follows(Follower),
}

/// The one request that makes the call. When this is dropped without an answer, its followers have none, and the next
/// request that joins leads.
#[derive(Debug)]
#[must_use]
pub struct Lead {
    flights: Flights,
    key: CacheKey,
    followers: watch::Sender<Landed>,
}

/// A request that waits for another's call.
#[derive(Debug)]
#[must_use]
pub struct Follower(watch::Receiver<Landed>);

impl Flights {
    pub fn join(&self, key: CacheKey) -> Place {
        let mut flights = self.lock();
        if let Some(followers) = flights.get(&key) {
            return Place::Follows(Follower(followers.subscribe()));
        }
        let followers = watch::Sender::new(None);
        flights.insert(key, followers.clone());
        Place::Leads(Lead { flights: self.clone(), key, followers })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<CacheKey, watch::Sender<Landed>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lead {
    /// Gives the answer to all who wait for it.
    pub fn land(self, answer: Arc<CachedAnswer>) {
        self.followers.send_replace(Some(answer));
    }

    /// Ends when nobody waits for this call. Somebody may come later, and then finds no answer.
    pub async fn unwanted(&self) {
        self.followers.closed().await;
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        self.flights.lock().remove(&self.key);
    }
}

impl Follower {
    /// `None`: the request that made the call came to no answer that others can use.
    pub async fn answer(mut self) -> Landed {
        self.0.wait_for(Option::is_some).await.ok()?.clone()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::super::entries::tests::{answer, key};
    use super::*;

    fn lead(flights: &Flights) -> Lead {
        match flights.join(key("a")) {
            Place::Leads(lead) => lead,
            Place::Follows(_) => panic!("somebody leads already"),
        }
    }

    fn follow(flights: &Flights) -> Follower {
        match flights.join(key("a")) {
            Place::Follows(follower) => follower,
            Place::Leads(_) => panic!("nobody leads"),
        }
    }

    #[tokio::test]
    async fn all_who_wait_get_the_one_answer_and_the_next_one_leads() {
        let flights = Flights::default();
        let first = lead(&flights);
        let (second, third) = (follow(&flights), follow(&flights));
        assert!(matches!(flights.join(key("b")), Place::Leads(_)), "another question is another flight");
        let landed = Arc::new(answer("one"));
        first.land(landed.clone());
        assert_eq!(second.answer().await, Some(landed.clone()));
        assert_eq!(third.answer().await, Some(landed));
        drop(lead(&flights));
    }

    #[tokio::test]
    async fn a_lead_that_comes_to_nothing_leaves_nobody_waiting() {
        let flights = Flights::default();
        let first = lead(&flights);
        let second = follow(&flights);
        drop(first);
        assert_eq!(second.answer().await, None);
        assert!(flights.lock().is_empty());
    }

    #[tokio::test]
    async fn a_call_is_unwanted_when_the_last_follower_has_gone() {
        let flights = Flights::default();
        let first = lead(&flights);
        assert_eq!(first.unwanted().now_or_never(), Some(()));
        let (second, third) = (follow(&flights), follow(&flights));
        drop(second);
        assert_eq!(first.unwanted().now_or_never(), None);
        drop(third);
        assert_eq!(first.unwanted().now_or_never(), Some(()));
    }
}
