//! Equal requests in flight: who makes the call, and who waits for it, or reads along.
//!
//! It knows neither time nor callers: whoever waits says for how long, and whoever leads says when it stops.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::{CacheKey, CachedAnswer};
use crate::request::{Attempt, KeptBack};

/// Cheap to clone; all clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Flights(Arc<Mutex<HashMap<CacheKey, watch::Sender<Flight>>>>);

/// One call, as those see it who wait for it.
#[derive(Debug, Default)]
struct Flight {
    /// What the caller of the one who leads was shown of a stream.
    shown: Vec<Arc<str>>,
    landed: Option<Landed>,
}

/// What a call came to, for all who waited for it.
#[derive(Debug, Clone, PartialEq)]
pub enum Landed {
    Answer(Arc<CachedAnswer>),
    Failure(Arc<Failure>),
}

/// An end without an answer, as the caller of the one who leads is told it.
#[derive(Debug, PartialEq)]
pub struct Failure {
    pub why: String,
    pub attempts: Vec<Attempt>,
    /// What may be shown of a stream that broke.
    pub partial: Option<String>,
    pub kept_back: Option<KeptBack>,
}

/// What a request is among those that ask the same.
#[derive(Debug)]
pub(super) enum Place {
    Leads(Lead),
    Follows(Follower),
}

/// The one request that makes the call. When this is dropped before it has landed, its followers have nothing, and the
/// next request that joins leads.
#[derive(Debug)]
#[must_use]
pub struct Lead {
    flights: Flights,
    key: CacheKey,
    followers: watch::Sender<Flight>,
}

/// Shows those who read along what the caller of the one who leads is shown.
#[derive(Debug, Clone)]
pub struct Showing(watch::Sender<Flight>);

/// A request that waits for another's call.
#[derive(Debug)]
#[must_use]
pub struct Follower(watch::Receiver<Flight>);

/// What comes next for one who reads along.
#[derive(Debug, PartialEq)]
pub enum Next {
    Chunks(Vec<Arc<str>>),
    Landed(Landed),
    /// The call came to nothing that others can use.
    Lost,
}

impl Flights {
    pub fn join(&self, key: CacheKey) -> Place {
        let mut flights = self.lock();
        if let Some(followers) = flights.get(&key) {
            return Place::Follows(Follower(followers.subscribe()));
        }
        let followers = watch::Sender::new(Flight::default());
        flights.insert(key, followers.clone());
        Place::Leads(Lead { flights: self.clone(), key, followers })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<CacheKey, watch::Sender<Flight>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lead {
    /// Gives the answer, or the end without one, to all who wait for it.
    pub fn land(self, landed: Landed) {
        self.followers.send_modify(|flight| flight.landed = Some(landed));
    }

    /// To be dropped with this: as long as one of the two is there, the call counts as under way.
    pub fn showing(&self) -> Showing {
        Showing(self.followers.clone())
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

impl Showing {
    pub fn show(&self, chunk: Arc<str>) {
        self.0.send_modify(|flight| flight.shown.push(chunk));
    }
}

impl Follower {
    /// `None`: the request that made the call came to nothing that others can use.
    pub async fn end(mut self) -> Option<Landed> {
        self.0.wait_for(|flight| flight.landed.is_some()).await.ok()?.landed.clone()
    }

    /// What there is beyond the first `seen` chunks.
    pub async fn next(&mut self, seen: usize) -> Next {
        let flight = self.0.wait_for(|flight| flight.shown.len() > seen || flight.landed.is_some()).await;
        let Ok(flight) = flight else { return Next::Lost };
        match (flight.shown.get(seen..), &flight.landed) {
            (Some(more), _) if !more.is_empty() => Next::Chunks(more.to_vec()),
            (_, Some(landed)) => Next::Landed(landed.clone()),
            (_, None) => Next::Lost,
        }
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
        let landed = Landed::Answer(Arc::new(answer("one")));
        first.land(landed.clone());
        assert_eq!(second.end().await, Some(landed.clone()));
        assert_eq!(third.end().await, Some(landed));
        drop(lead(&flights));
    }

    #[tokio::test]
    async fn who_reads_along_sees_all_from_the_beginning_and_then_the_answer() {
        let flights = Flights::default();
        let first = lead(&flights);
        let (mut early, show) = (follow(&flights), first.showing());
        let chunks = ["a", "b", "c"].map(Arc::<str>::from);
        assert!(early.next(0).now_or_never().is_none(), "nothing was shown yet");
        chunks[..2].iter().for_each(|chunk| show.show(chunk.clone()));
        assert_eq!(early.next(0).await, Next::Chunks(chunks[..2].to_vec()));
        show.show(chunks[2].clone());
        let mut late = follow(&flights);
        let landed = Landed::Answer(Arc::new(answer("abc")));
        first.land(landed.clone());
        assert_eq!(
            (early.next(2).await, early.next(3).await),
            (Next::Chunks(chunks[2..].to_vec()), Next::Landed(landed))
        );
        assert_eq!(late.next(0).await, Next::Chunks(chunks.to_vec()));
    }

    #[tokio::test]
    async fn who_reads_along_hears_when_the_call_is_lost() {
        let flights = Flights::default();
        let first = lead(&flights);
        let (mut second, show) = (follow(&flights), first.showing());
        show.show("a".into());
        drop((first, show));
        assert_eq!((second.next(0).await, second.next(1).await), (Next::Chunks(vec!["a".into()]), Next::Lost));
    }

    #[tokio::test]
    async fn a_lead_that_comes_to_nothing_leaves_nobody_waiting() {
        let flights = Flights::default();
        let first = lead(&flights);
        let second = follow(&flights);
        drop(first);
        assert_eq!(second.end().await, None);
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
