//! Where the answer comes from: what is kept, an equal request in flight, or the candidates.
//!
//! A request that makes a call for others goes on for them when its own caller leaves; what it costs stays its own. Whoever
//! reads a stream reads along with the request that makes the call: its first words are there at once, also when the last
//! ones come later than its own time would allow it to wait for them. Where it comes to no answer, all who waited end as it
//! does: they would pay for the same failure one after another.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::dispatch::Run;
use crate::cache::{CacheKey, CachedAnswer, Failure, Follower, Found, KeyParts, Landed, Lead, Next};
use crate::names::ModelName;
use crate::request::{Attempt, AttemptResult, CacheMode, CacheUse, Piece, Progress, Sink, Verdict};

/// How the wait for another's call ended.
enum Waited {
    Answer(Arc<CachedAnswer>),
    /// The other has no answer, and this one would have none.
    Failure(Arc<Failure>),
    /// The other came to nothing, for a reason of its own.
    Nothing,
    /// The caller went away, or the request's time is up.
    GivenUp,
    /// The other broke off, and the caller had been shown what came of it.
    Broken,
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

    /// As often as the request that was waited for comes to nothing for a reason of its own, the next one makes the call
    /// and the others wait for that.
    async fn look_up(&mut self, key: CacheKey) -> (Option<CachedAnswer>, CacheUse) {
        let snapshot = self.snapshot;
        let answers = &snapshot.answers;
        loop {
            let (answer, found) = match answers.look(key).await {
                Found::Kept(answer) => (answer, CacheUse::Hit),
                Found::Nothing(lead) => return (self.lead(key, lead).await, CacheUse::Miss),
                Found::InFlight(follower) => match self.follow(follower).await {
                    Waited::Answer(answer) => (answer, CacheUse::Shared),
                    Waited::Failure(failure) => {
                        self.end_as(&failure);
                        return (None, CacheUse::Shared);
                    }
                    Waited::Nothing => continue,
                    Waited::GivenUp => {
                        self.fail("An equal request that was in flight did not answer in time.");
                        return (None, CacheUse::Miss);
                    }
                    Waited::Broken => {
                        self.partial = Some(String::new());
                        self.fail("The answer to an equal request, which was shared, broke off.");
                        return (None, CacheUse::Miss);
                    }
                },
            };
            if self.reading.begun || answer.ttl.is_zero() || self.accepts(&answer) {
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
        self.reading.showing = Some(lead.showing());
        let answer = tokio::select! {
            answer = self.ask_and_keep(key) => answer,
            // Never: the call itself ends when it is stopped, and still settles.
            answer = abandoned => answer,
        };
        let failure = self.end_of_all();
        self.cancel = caller;
        self.reading.showing = None;
        match (&answer, failure) {
            (Some(answer), _) => lead.land(Landed::Answer(Arc::new(answer.clone()))),
            (None, Some(failure)) => lead.land(Landed::Failure(Arc::new(failure))),
            (None, None) => {}
        }
        answer
    }

    /// How this request ended without an answer, if whoever asks the same would end so too: calls were made, and failed
    /// or were rejected. Its own it is when nobody wanted it any more, its time was over, its caller was shown what broke
    /// off, or nothing was sent for it.
    fn end_of_all(&self) -> Option<Failure> {
        let is_own = self.cancel.is_cancelled() || self.reading.begun || self.time_left().is_zero();
        if is_own || !self.attempts.iter().any(Attempt::was_sent) {
            return None;
        }
        let (attempts, partial) = (self.attempts.clone(), self.partial.clone());
        Some(Failure { why: self.failure.clone()?, attempts, partial, kept_back: self.kept_back })
    }

    /// Another's end is this one's: told alike, and paid for once.
    fn end_as(&mut self, failure: &Failure) {
        self.partial = failure.partial.clone().filter(|_| !self.reads_along());
        self.shared.clone_from(&failure.attempts);
        self.kept_back = failure.kept_back;
        self.fail(failure.why.clone());
    }

    /// Waits for another's call, as long as this request has time and a caller of its own.
    async fn follow(&mut self, follower: Follower) -> Waited {
        let ask = self.ask;
        (ask.progress)(Progress::Note("Waiting for the answer to the same question…".to_owned()));
        if let Some(sink) = ask.delivery.sink().filter(|_| self.reads_along()) {
            return self.read_along(follower, sink).await;
        }
        let end = tokio::select! {
            end = follower.end() => end,
            () = self.cancel.cancelled() => return Waited::GivenUp,
            () = tokio::time::sleep(self.time_left()) => return Waited::GivenUp,
        };
        match end {
            Some(Landed::Answer(answer)) => Waited::Answer(answer),
            Some(Landed::Failure(failure)) => Waited::Failure(failure),
            None => Waited::Nothing,
        }
    }

    /// Shows what the caller of the other request is shown, from its beginning. Only the wait for that ends with this
    /// request's time; the rest ends with the call.
    async fn read_along(&mut self, mut follower: Follower, sink: &Sink) -> Waited {
        let mut seen = 0;
        let mut late = pin!(tokio::time::sleep(self.time_left()));
        loop {
            let next = tokio::select! {
                biased;
                () = self.cancel.cancelled() => return Waited::GivenUp,
                next = follower.next(seen) => next,
                () = &mut late, if seen == 0 => return Waited::GivenUp,
            };
            let chunks = match next {
                Next::Landed(Landed::Answer(answer)) => return Waited::Answer(answer),
                Next::Landed(Landed::Failure(failure)) if seen == 0 => return Waited::Failure(failure),
                Next::Lost if seen == 0 => return Waited::Nothing,
                Next::Landed(Landed::Failure(_)) | Next::Lost => return Waited::Broken,
                Next::Chunks(chunks) => chunks,
            };
            self.reading.begun = true;
            seen += chunks.len();
            for chunk in chunks {
                if !self.push(sink, Piece::Chunk(chunk)).await {
                    self.cancel.cancel();
                    return Waited::GivenUp;
                }
            }
        }
    }

    /// Asks, whatever is kept, and keeps the new answer in its place.
    async fn ask_and_keep(&mut self, key: CacheKey) -> Option<CachedAnswer> {
        self.reading.keeps = true;
        let answer = self.ask_candidates().await?;
        let answer = CachedAnswer { ttl: self.good_for(&answer), ..answer };
        if !answer.ttl.is_zero() {
            self.snapshot.answers.keep(key, answer.clone()).await;
        }
        Some(answer)
    }

    /// One that is not whole, or that a check rejected, is for those alone who asked while it was under way. One that
    /// stands in for another model's is kept as long as that one would be left alone: while it is down, the same question
    /// costs no second call, and soon after it is well again it is asked.
    fn good_for(&self, answer: &CachedAnswer) -> Duration {
        let rejected = self.attempts.last().is_some_and(|last| last.result == AttemptResult::Rejected);
        if rejected || !answer.is_whole() {
            return Duration::ZERO;
        }
        let ttl = self.route.cache_ttl;
        if self.stands_in(&answer.model) { ttl.min(self.policy.breaker.open) } else { ttl }
    }

    /// Whether another model was to answer before this one, and could not for the moment. One whose answer was rejected,
    /// or whose context is too small for the question, would not do better at another.
    fn stands_in(&self, model: &ModelName) -> bool {
        let others = self.attempts.iter().filter(|attempt| attempt.model != *model);
        let mut last_of_each = others.filter(|attempt| {
            let later = self.attempts.iter().skip(attempt.n as usize);
            later.into_iter().all(|later| later.model != attempt.model)
        });
        let failed = |row: &Attempt| !matches!(row.result, AttemptResult::Rejected | AttemptResult::Context);
        last_of_each.any(failed) || self.passed_over(model)
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
