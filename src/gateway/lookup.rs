//! Where the answer comes from: what is kept, an equal request in flight, or the candidates.
//!
//! A request that makes a call for others goes on for them when its own caller leaves; what it costs stays its own.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::dispatch::{self, Run};
use crate::cache::{CacheKey, CachedAnswer, Follower, Found, KeyParts, Lead};
use crate::request::{CacheMode, CacheUse, Progress, Verdict};

/// How the wait for another's call ended.
enum Waited {
    Answer(Arc<CachedAnswer>),
    /// The other came to nothing.
    Nothing,
    /// The caller went away, or the request's time is up.
    GivenUp,
}

impl Run<'_> {
    pub async fn find_answer(&mut self) -> (Option<CachedAnswer>, CacheUse) {
        if self.route.cache_ttl.is_zero() || !self.has_candidates() {
            return (self.ask_candidates().await, CacheUse::Bypass);
        }
        match self.ask.cache {
            CacheMode::NoStore => (self.ask_candidates().await, CacheUse::Bypass),
            CacheMode::NoCache => (self.ask_and_keep(self.key()).await, CacheUse::Bypass),
            CacheMode::Use => self.look_up(self.key()).await,
        }
    }

    /// As often as the request that was waited for comes to nothing, the next one makes the call and the others wait
    /// for that.
    async fn look_up(&mut self, key: CacheKey) -> (Option<CachedAnswer>, CacheUse) {
        let snapshot = self.snapshot;
        let answers = &snapshot.answers;
        loop {
            let (answer, found) = match answers.look(key).await {
                Found::Kept(answer) => (answer, CacheUse::Hit),
                Found::Nothing(lead) => return (self.lead(key, lead).await, CacheUse::Miss),
                Found::InFlight(follower) => match self.follow(follower).await {
                    Waited::Answer(answer) => (answer, CacheUse::Shared),
                    Waited::Nothing => continue,
                    Waited::GivenUp => {
                        self.fail("An equal request that was in flight did not answer in time.");
                        return (None, CacheUse::Miss);
                    }
                },
            };
            if self.accepts(&answer) {
                return (Some(CachedAnswer::clone(&answer)), found);
            }
            // From before a change that the request does not show, and wrong by now.
            answers.forget(key, &answer).await;
        }
    }

    /// Makes the call for all who ask the same. The caller going away ends it only when nobody else waits.
    async fn lead(&mut self, key: CacheKey, lead: Lead) -> Option<CachedAnswer> {
        let stop = CancellationToken::new();
        let caller = std::mem::replace(&mut self.cancel, stop.clone());
        let abandoned = async {
            caller.cancelled().await;
            lead.unwanted().await;
            stop.cancel();
            std::future::pending().await
        };
        let answer = tokio::select! {
            answer = self.ask_and_keep(key) => answer,
            // Never: the call itself ends when it is stopped, and still settles.
            answer = abandoned => answer,
        };
        self.cancel = caller;
        if let Some(answer) = answer.as_ref().filter(|answer| dispatch::is_whole(answer)) {
            lead.land(Arc::new(answer.clone()));
        }
        answer
    }

    /// Waits for another's call, as long as this request has time and a caller of its own.
    async fn follow(&self, follower: Follower) -> Waited {
        (self.ask.progress)(Progress::Note("Waiting for the answer to the same question…".to_owned()));
        tokio::select! {
            answer = follower.answer() => answer.map_or(Waited::Nothing, Waited::Answer),
            () = self.cancel.cancelled() => Waited::GivenUp,
            () = tokio::time::sleep(self.time_left()) => Waited::GivenUp,
        }
    }

    /// Asks, whatever is kept, and keeps the new answer in its place.
    async fn ask_and_keep(&mut self, key: CacheKey) -> Option<CachedAnswer> {
        let answer = self.ask_candidates().await;
        if let Some(answer) = answer.as_ref().filter(|answer| dispatch::is_whole(answer)) {
            self.snapshot.answers.keep(key, answer.clone()).await;
        }
        answer
    }

    fn accepts(&self, kept: &CachedAnswer) -> bool {
        self.ask.check.as_ref().is_none_or(|check| check(&kept.reply) == Verdict::Accepted)
    }

    fn key(&self) -> CacheKey {
        CacheKey::of(&KeyParts {
            caller: &self.ask.caller.name,
            target: self.ask.signals.target.as_str(),
            policy_hash: &self.policy.hash,
            prompt_version: &self.ask.signals.prompt_version,
            requests: self.first_requests(),
        })
    }
}

#[cfg(test)]
#[path = "lookup_tests.rs"]
mod tests;
