//! One candidate: admit, write the request, call, classify the result, check the answer. The same model again only for
//! a short fault of its own, never after a rejection.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::decide::Setback;
use super::dispatch::{End, Run, fitted};
use super::meter::Exhausted;
use super::retry::{self, Step};
use super::used::used;
use crate::cache::CachedAnswer;
use crate::chat::{ChatRequest, Finish, NanoUsd, Price, Reply, Tokens, Usage, UsageSource};
use crate::error::{Error, Kind};
use crate::health::{Admission, Evidence};
use crate::limit::{Patience, Permit};
use crate::names::ModelName;
use crate::policy::{Backend, ChatCheck, Model};
use crate::provider::Call;
use crate::request::{Attempt, AttemptKind, AttemptResult, Candidate, Limit, Verdict};

/// How one call ended: with a reply that is whole as far as the wire goes, or with an error.
type Called = Result<Reply, Error>;

impl Run<'_> {
    pub(super) async fn try_candidate(&mut self, candidate: &Candidate, kind: AttemptKind, more: bool) -> End {
        let found = self.policy.models.get(&candidate.model);
        let Some((model, backend)) = found.and_then(|model| Some((model, self.policy.backend_of(model)?))) else {
            return End::Stop { why: format!("The policy has no model `{}`.", candidate.model) };
        };
        let (mut kind, mut calls) = (kind, 0);
        loop {
            let request = match self.written_for(model, kind) {
                Ok(request) => request,
                Err(end) => return end,
            };
            let worst_case = worst_case(model, &request);
            if let Err(end) = self.admitted(model, kind, worst_case) {
                return end;
            }
            let expected = request.estimated_input() + request.max_output;
            let mut permit = match self.permitted(model, kind, expected, more).await {
                Ok(permit) => permit,
                Err(end) => return end,
            };
            let (attempt, admission) = match self.ready(model, kind, worst_case, more).await {
                Ok(ready) => ready,
                Err(end) => {
                    permit.used(Tokens::ZERO);
                    return end;
                }
            };
            calls += 1;
            self.meter.attempted();
            let (called, evidence) = self.call((model, backend), &request, attempt, more).await;
            self.heard(&model.spec.name, admission, evidence);
            if let Some(used) = self.used_by_last() {
                permit.used(used);
            }
            drop(permit);
            let error = match called {
                Ok(reply) => return self.judge(candidate, reply),
                // Past the commit point: whoever read along would see two answers.
                Err(error) if self.reading.begun => return End::Stop { why: told(&error) },
                Err(error) => error,
            };
            kind = AttemptKind::Retry;
            if error.kind == Kind::FormatRefused
                && self.inner.formats.refused(self.policy.identity(model), &request.format)
            {
                self.settle_last().await;
                continue;
            }
            let left = self.meter.attempt_time(Instant::now(), more);
            match retry::after(&error, calls, &self.policy.retry, fastrand::f64(), left) {
                Step::Again { wait } if self.may_retry(model).await => {
                    self.settle_last().await;
                    self.pause(wait).await;
                }
                Step::Again { .. } | Step::Other => {
                    return End::Setback { setback: Setback::Failed, why: told(&error) };
                }
                Step::Stop => return End::Stop { why: told(&error) },
            }
        }
    }

    /// Money is set aside, and after the waits for it and for a place the call may still be made.
    async fn ready(
        &mut self,
        model: &Model,
        kind: AttemptKind,
        worst_case: NanoUsd,
        more: bool,
    ) -> Result<(Attempt, Admission), End> {
        let patience = self.meter.attempt_time(Instant::now(), more);
        let attempt = self.paid_for(model, kind, worst_case, patience).await?;
        let may = self.admitted(model, kind, worst_case).and_then(|()| self.awake_enough(model, kind, more));
        // Last of all: a probe is one only once it is sent.
        let may = may.and_then(|()| self.well_enough(model, kind));
        match may {
            Ok(admission) => Ok((attempt, admission)),
            Err(end) => {
                self.give_back(&attempt).await;
                Err(end)
            }
        }
    }

    /// A model that has just been given up, and a process that has made its share of second tries, go on elsewhere.
    async fn may_retry(&mut self, model: &Model) -> bool {
        if !self.snapshot.is_well(&model.spec.name) {
            return false;
        }
        let granted = self.inner.retries().take(&self.policy.retry, Instant::now());
        if !granted {
            // Before its row is no longer the last one.
            self.settle_last().await;
            let why =
                format!("{} is not asked again: this process has made its share of second tries.", model.spec.name);
            self.keep_back(model, AttemptKind::Retry, Limit::Retries, why);
        }
        granted
    }

    async fn pause(&self, wait: Duration) {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = self.cancel.cancelled() => {}
        }
    }

    /// The request as this model gets it: fitted to its context, in a format that its backend takes.
    fn written_for(&mut self, model: &Model, kind: AttemptKind) -> Result<ChatRequest, End> {
        match (self.ask.render)(&model.spec, &self.rejections) {
            Ok(request) => {
                let spec = &model.spec;
                let format =
                    self.inner.formats.fitting(self.policy.identity(model), &spec.capabilities, request.format.clone());
                Ok(ChatRequest { format, ..self.dressed(fitted(model, request)) })
            }
            Err(long) => {
                let why = format!(
                    "The question needs {} tokens, and {} has room for {}.",
                    long.needed.0, model.spec.name, long.room.0
                );
                Err(self.skip(model, kind, AttemptResult::Context, why))
            }
        }
    }

    fn admitted(&mut self, model: &Model, kind: AttemptKind, worst_case: NanoUsd) -> Result<(), End> {
        let envelope = &self.route.envelope;
        match self.meter.admits(worst_case, Instant::now()) {
            Ok(()) => Ok(()),
            Err(Exhausted::Time) => {
                Err(End::Stop { why: format!("The {} s for this request are used up.", envelope.deadline.as_secs()) })
            }
            Err(Exhausted::Attempts) => {
                Err(End::Stop { why: format!("The {} attempts of this request are used up.", envelope.max_attempts) })
            }
            Err(Exhausted::Money) => {
                let name = &model.spec.name;
                let [cost, left, limit] = NanoUsd::apart([worst_case, self.meter.unspent(), envelope.max_cost]);
                let why = format!("{name} could cost {cost}; this request has {left} of {limit} left.");
                Err(self.skip(model, kind, AttemptResult::Skipped, why))
            }
        }
    }

    /// Leave to make one call, as the model's own limits give it. A caller who is gone waits for no place, and no call
    /// is begun, or paid for, on its behalf.
    async fn permitted(
        &mut self,
        model: &Model,
        kind: AttemptKind,
        expected: Tokens,
        more: bool,
    ) -> Result<Permit, End> {
        let time = self.meter.attempt_time(Instant::now(), more);
        // No longer than a backend may ask for, and half of the time is the call's own. A place is worth a longer wait only
        // where nobody else could answer sooner.
        let rate = self.policy.retry.max_retry_after.min(time / 2);
        let patience = Patience { place: if more { rate } else { time }, rate };
        let admitted = tokio::select! {
            biased;
            () = self.cancel.cancelled() => return Err(End::Stop { why: "The request was cancelled.".to_owned() }),
            admitted = self.snapshot.limiter.admit(&model.spec.name, expected, patience) => admitted,
        };
        admitted.map_err(|refusal| {
            let limit = refusal.limit();
            let why = format!("{} is at its limit of {}.", model.spec.name, limit.as_str().replace('_', " "));
            self.keep_back(model, kind, limit, why)
        })
    }

    /// A limit of ours: nothing is sent, and the row says which.
    pub(super) fn keep_back(&mut self, model: &Model, kind: AttemptKind, limit: Limit, why: String) -> End {
        let end = self.skip(model, kind, AttemptResult::Skipped, why);
        if let Some(row) = self.attempts.last_mut() {
            row.kept_back = Some(limit);
        }
        end
    }

    /// Nothing is sent; the row says why.
    pub(super) fn skip(&mut self, model: &Model, kind: AttemptKind, result: AttemptResult, why: String) -> End {
        self.attempts.push(Attempt {
            n: self.next_number(),
            model: model.spec.name.clone(),
            tier: model.tier.clone(),
            kind,
            result,
            rejection: None,
            kept_back: None,
            budget: None,
            failure: Some(why.clone()),
            usage: Usage::default(),
            usage_source: UsageSource::Estimated,
            reserved: NanoUsd::ZERO,
            cost: NanoUsd::ZERO,
            started_at: Timestamp::now(),
            ttft: None,
            latency: Duration::ZERO,
            http_status: None,
        });
        End::Setback { setback: Setback::Failed, why }
    }

    async fn call(
        &mut self,
        (model, backend): (&Model, &Backend),
        request: &ChatRequest,
        attempt: Attempt,
        more: bool,
    ) -> (Called, Evidence) {
        // Before the call: a panic in it must not lose the row.
        self.attempts.push(attempt);
        let started = Instant::now();
        let was_asleep = self.snapshot.asleep(model).is_some();
        let timeouts = self.times(model, self.meter.attempt_time(started, more));
        let mut ear = self.ear(&model.spec.name);
        let call = Call { backend, model, request, timeouts, stream: true, cancel: &self.cancel };
        let answer = self.inner.upstream.send(call, &mut ear).await;
        self.reading = ear.into_reading();
        let evidence = self.evidence(&answer, model.timeouts, timeouts);
        let evidence = self.unless_asleep(model, was_asleep, &answer, evidence);
        let (usage, usage_source) = used(&answer, request, &model.spec);
        let cost = model.price.map_or(NanoUsd::ZERO, |price: Price| price.cost(usage));
        self.meter.spend(cost);
        let called = unfiltered(answer.result, &model.spec.name);
        if let Some(attempt) = self.attempts.last_mut() {
            *attempt = Attempt {
                result: result(&called),
                failure: called.as_ref().err().map(told),
                usage,
                usage_source,
                cost,
                ttft: answer.ttft,
                latency: started.elapsed(),
                http_status: answer.http_status,
                ..attempt.clone()
            };
        }
        // After the row: what a tool makes of the text may panic, and the row must not be lost with it.
        self.keep_partial(&called, answer.partial);
        (called, evidence)
    }

    /// What the last call took of the minute's tokens, as far as anyone knows.
    fn used_by_last(&self) -> Option<Tokens> {
        let known = self.attempts.last().filter(|attempt| attempt.usage_source != UsageSource::Unknown)?;
        Some(known.usage.input + known.usage.output)
    }

    /// The verdict goes into the row of the attempt that was just made.
    fn judge(&mut self, candidate: &Candidate, reply: Reply) -> End {
        let checks = self.route.verdict(&self.ask.signals.target);
        let verdict = self.ask.check.as_ref().filter(|_| checks != ChatCheck::Off).map(|check| check(&reply));
        let (result, rejection) = match verdict {
            None => (AttemptResult::Unchecked, None),
            Some(Verdict::Accepted) => (AttemptResult::Accepted, None),
            Some(Verdict::Rejected(rejection)) => (AttemptResult::Rejected, Some(rejection)),
        };
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.result = result;
            attempt.rejection = rejection.clone();
        }
        match rejection.filter(|_| checks == ChatCheck::Hold) {
            None => End::Answer(Box::new(CachedAnswer {
                model: candidate.model.clone(),
                tier: candidate.tier.clone(),
                reply,
                chunks: self.take_chunks(),
                cost: self.attempts.iter().map(|attempt| attempt.cost).sum(),
                ttl: self.route.cache_ttl,
            })),
            Some(rejection) => {
                let why = rejection.why.clone();
                self.rejections.push(rejection);
                End::Setback { setback: Setback::Rejected, why }
            }
        }
    }

    pub(super) fn next_number(&self) -> u32 {
        u32::try_from(self.attempts.len()).unwrap_or(u32::MAX).saturating_add(1)
    }
}

/// An answer that a content filter stopped is none.
fn unfiltered(called: Called, name: &ModelName) -> Called {
    match called {
        Ok(reply) if reply.finish == Finish::ContentFilter => {
            Err(Error::new(Kind::ContentRefused, format!("{name} refused to answer (content filter)")))
        }
        called => called,
    }
}

/// The message alone, as a sentence. What to do about it depends on who reads it: tools and doors say that.
fn told(error: &Error) -> String {
    format!("{}.", error.message.trim_end_matches('.'))
}

/// The price of the longest prompt and the longest answer that this request can turn into. Free models cost nothing.
pub(super) fn worst_case(model: &Model, request: &ChatRequest) -> NanoUsd {
    model.price.map_or(NanoUsd::ZERO, |price| price.cost(request.usage_at_most()))
}

fn result(called: &Called) -> AttemptResult {
    let error = match called {
        Ok(_) => return AttemptResult::Unchecked,
        Err(error) => error,
    };
    match error.kind {
        Kind::UpstreamBusy | Kind::RateLimited => AttemptResult::RateLimited,
        Kind::UpstreamTimeout | Kind::DeadlineExceeded => AttemptResult::Timeout,
        Kind::UpstreamUnreachable => AttemptResult::Connect,
        Kind::UpstreamCut => AttemptResult::Cut,
        Kind::UpstreamAuth => AttemptResult::Auth,
        Kind::UpstreamQuota => AttemptResult::Quota,
        Kind::ContextTooLong => AttemptResult::Context,
        Kind::ContentRefused => AttemptResult::Refused,
        Kind::Cancelled => AttemptResult::Cancelled,
        _ => AttemptResult::UpstreamError,
    }
}

#[cfg(test)]
#[path = "call_tests.rs"]
mod tests;
