//! The candidate loop: who is tried next, and what the request has used so far. One candidate is `call`'s matter.

use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::callers::Leave;
use super::decide::{Setback, may_follow};
use super::deliver::Reading;
use super::meter::Meter;
use super::parts::{Beginning, Inner, Snapshot};
use crate::cache::CachedAnswer;
use crate::chat::ChatRequest;
use crate::names::ModelName;
use crate::policy::{Model, Policy, Route};
use crate::request::{Ask, Attempt, AttemptKind, Candidate, Decision, KeptBack, Progress, Rejection};

/// What one request is doing and has done.
pub(super) struct Run<'a> {
    pub inner: &'a Arc<Inner>,
    pub snapshot: &'a Snapshot,
    pub policy: &'a Policy,
    pub route: &'a Route,
    pub ask: &'a Ask,
    pub cancel: CancellationToken,
    pub meter: Meter,
    pub attempts: Vec<Attempt>,
    /// What was wrong with the answers so far, for the next model.
    pub rejections: Vec<Rejection>,
    /// The longest text that may be shown of a stream that broke.
    pub partial: Option<String>,
    pub decision: &'a Decision,
    pub beginning: Beginning,
    pub reading: Reading,
    /// The caller's place, until the request is over.
    pub leave: Option<Leave>,
    /// The limit of the caller's that ended the request.
    pub kept_back: Option<KeptBack>,
    /// What an equal request tried, whose end this one shares.
    pub shared: Vec<Attempt>,
    pub failure: Option<String>,
}

/// How one candidate ended.
pub(super) enum End {
    Answer(Box<CachedAnswer>),
    Setback {
        setback: Setback,
        why: String,
    },
    /// The envelope is used up or the caller is gone: nobody else is asked.
    Stop {
        why: String,
    },
}

/// What is left when a request is over.
pub(super) struct Spent {
    pub attempts: Vec<Attempt>,
    pub partial: Option<String>,
    pub failure: Option<String>,
    pub kept_back: Option<KeptBack>,
    pub shared: Vec<Attempt>,
}

impl<'a> Run<'a> {
    pub fn new(
        inner: &'a Arc<Inner>,
        (snapshot, route): (&'a Snapshot, &'a Route),
        ask: &'a Ask,
        decision: &'a Decision,
        (cancel, beginning): (CancellationToken, Beginning),
    ) -> Self {
        Self {
            inner,
            snapshot,
            policy: &snapshot.policy,
            route,
            ask,
            cancel,
            meter: Meter::new(route.envelope, beginning.started),
            attempts: Vec::new(),
            rejections: Vec::new(),
            partial: None,
            decision,
            beginning,
            reading: Reading::default(),
            leave: None,
            kept_back: None,
            shared: Vec::new(),
            failure: None,
        }
    }

    pub fn candidates(&self) -> impl Iterator<Item = &'a Candidate> + use<'a> {
        self.decision.admitted()
    }

    pub fn time_left(&self) -> std::time::Duration {
        self.meter.left(Instant::now())
    }

    pub fn fail(&mut self, why: impl Into<String>) {
        self.failure = Some(why.into());
    }

    pub fn finish(self) -> Spent {
        let kept_back = self.limit_of_the_caller();
        if let Some(leave) = self.leave {
            leave.settle(&self.attempts);
        }
        let Self { attempts, partial, failure, shared, .. } = self;
        Spent { attempts, partial, failure, kept_back, shared }
    }

    /// Whether there is anyone to ask, now or at a better moment.
    pub fn has_candidates(&self) -> bool {
        self.decision.admitted().chain(self.decision.left_alone()).next().is_some()
    }

    /// What each candidate would be sent first: what the cache key is made of. Models that are left alone for a moment
    /// count, in their usual places: an answer that was kept is good also while its model is not.
    pub fn first_requests(&self) -> Vec<(&'a ModelName, ChatRequest)> {
        let written = |candidate: &'a Candidate| {
            let spec = &self.policy.models.get(&candidate.model)?.spec;
            let request = (self.ask.render)(spec, &[]).ok()?;
            Some((&candidate.model, self.dressed(request)))
        };
        let mut asked: Vec<&Candidate> = self.decision.admitted().chain(self.decision.left_alone()).collect();
        asked.sort_by_key(|candidate| self.usual_place(candidate));
        asked.into_iter().filter_map(written).collect()
    }

    /// Where a candidate stands when every model is well: below the starting tier, how far from it, which of its tier.
    fn usual_place(&self, candidate: &Candidate) -> (bool, usize, usize) {
        let rank = |tier| self.policy.rank(tier).unwrap_or(0);
        let (start, own) = (rank(&self.decision.tier), rank(&candidate.tier));
        let models = self.policy.tiers.get(own).map_or(&[][..], |tier| &tier.models);
        let place = models.iter().position(|model| *model == candidate.model).unwrap_or(models.len());
        (own < start, own.abs_diff(start), place)
    }

    /// Whether a model that is left alone for the moment would usually have been asked before this one.
    pub fn passed_over(&self, model: &ModelName) -> bool {
        let own = self.candidates().find(|candidate| candidate.model == *model);
        let own = own.map(|candidate| self.usual_place(candidate));
        own.is_some_and(|own| self.decision.left_alone().any(|other| self.usual_place(other) < own))
    }

    /// The route's temperature, where the request has none of its own.
    pub fn dressed(&self, request: ChatRequest) -> ChatRequest {
        ChatRequest { temperature: request.temperature.or(self.route.temperature), ..request }
    }

    /// Tries the candidates in order until one gives an answer that is accepted, as far as the policy and the envelope
    /// let it go.
    pub async fn ask_candidates(&mut self) -> Option<CachedAnswer> {
        let candidates: Vec<&Candidate> = self.candidates().collect();
        self.inner.retries().request(Instant::now());
        let mut next = (!candidates.is_empty()).then_some((0, AttemptKind::First));
        while let Some((at, kind)) = next {
            let candidate = candidates.get(at)?;
            let more = [Setback::Failed, Setback::Rejected]
                .iter()
                .any(|setback| self.after(*setback, at, &candidates).is_some());
            (self.ask.progress)(Progress::Asking(candidate.model.clone()));
            match self.try_candidate(candidate, kind, more).await {
                End::Answer(answer) => return Some(*answer),
                End::Stop { why } => {
                    self.fail(why);
                    return None;
                }
                End::Setback { setback, why } => {
                    self.settle_last().await;
                    next = self.after(setback, at, &candidates);
                    let following = next.and_then(|(at, _)| candidates.get(at)).map(|next| next.model.clone());
                    (self.ask.progress)(progress(setback, candidate, &why, following));
                    self.fail(why);
                }
            }
        }
        None
    }

    /// The next candidate that may be asked after this setback. Nobody is asked twice.
    fn after(&self, setback: Setback, at: usize, candidates: &[&Candidate]) -> Option<(usize, AttemptKind)> {
        let rank = |at: usize| candidates.get(at).and_then(|candidate| self.policy.rank(&candidate.tier));
        let from = rank(at)?;
        let kind = match setback {
            Setback::Rejected => AttemptKind::Escalation,
            Setback::Failed => AttemptKind::Fallback,
        };
        let may = |next: &usize| rank(*next).is_some_and(|to| may_follow(self.route, setback, from, to));
        (at + 1..candidates.len()).find(may).map(|next| (next, kind))
    }
}

fn progress(setback: Setback, candidate: &Candidate, why: &str, next: Option<ModelName>) -> Progress {
    let (model, why) = (candidate.model.clone(), why.to_owned());
    match setback {
        Setback::Rejected => Progress::Rejected { model, why, next },
        Setback::Failed => Progress::Failed { model, why, next },
    }
}

/// No model is asked for more than it can give.
pub(super) fn fitted(model: &Model, request: ChatRequest) -> ChatRequest {
    ChatRequest { max_output: request.max_output.min(model.spec.max_output), ..request }
}
