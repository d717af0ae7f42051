//! Recorded traffic in a form that fits into memory and is quick to go through many times: equal signals once, of each
//! question what the models that were asked did with it.
//!
//! It knows no policy.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use crate::chat::{NanoUsd, Usage};
use crate::classify::Track;
use crate::names::{ModelName, TierName};
use crate::request::{AttemptResult, Checked, Signals, Status};
use crate::store::{PastAttempt, PastRequest};

/// So many groups of questions, whose differences show how much is chance.
pub const BLOCKS: usize = 64;

/// Everything that was recorded in a span of time, or a sample of it; in the order of time once it is `finish`ed.
#[derive(Debug, Default)]
pub struct Traffic {
    pub requests: u64,
    /// No model could have been asked: create_task and its like, refused calls.
    pub logic: u64,
    /// Answered from the cache.
    pub cached: u64,
    /// Rows whose signals this version cannot read.
    pub unreadable: u64,
    pub recorded: Recorded,
    /// Requests that wanted a model, or might have under another policy.
    pub questions: Vec<Question>,
    pub situations: Vec<Situation>,
    pub tries: Vec<Try>,
    pub tools: Names<String>,
    pub models: Names<ModelName>,
    /// Tools by version of their prompt: what pass rates are counted by.
    pub wordings: Names<(String, String)>,
    /// What checks said of answers, in the order of time. Also from before the first request.
    pub checks: Vec<Check>,
    /// How many recorded requests each of these stands for; more than one in a sample.
    pub weight: f64,
    /// Situations by the hash of their text, which is several times longer than what is kept of it.
    known: HashMap<[u8; 32], Option<u32>>,
}

/// What came of the questions, as the ledger has it.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Recorded {
    pub by_tier: BTreeMap<TierName, u64>,
    /// How many were decided by each policy.
    pub by_policy: BTreeMap<String, u64>,
    pub cost: NanoUsd,
    pub escalations: u64,
    pub checked: u64,
    pub unchecked: u64,
}

/// Signals that at least one question had.
#[derive(Debug)]
pub struct Situation {
    pub signals: Signals,
    pub tool: u16,
    pub wording: u16,
}

/// A checked answer, or some of about the same time.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    pub at: Timestamp,
    pub wording: u16,
    pub model: u16,
    /// As it was when it was made.
    pub track: Track,
}

#[derive(Debug, Clone, Copy)]
pub struct Question {
    /// Its place in the order of time.
    pub number: u32,
    pub at: Timestamp,
    /// From 0 to 1, for what is left to chance: always the same for the same request.
    pub draw: f64,
    pub situation: u32,
    pub block: u8,
    tries: u8,
    first_try: u32,
}

/// What one model did with one question.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Try {
    pub model: u16,
    /// `None`: it was cancelled or not sent, which says nothing about the model.
    pub ending: Option<Ending>,
    /// All calls of the model for this question.
    pub usage: Option<Usage>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Accepted,
    Unchecked,
    Rejected,
    Failed,
}

/// Names by number, in the order in which they came.
#[derive(Debug)]
pub struct Names<T> {
    pub list: Vec<T>,
    numbers: HashMap<T, u16>,
}

impl Traffic {
    /// `run`: so many questions in a row are of one block.
    pub fn add(&mut self, request: &PastRequest, run: usize) {
        self.requests += 1;
        if request.status == Status::Cached {
            self.cached += 1;
            return;
        }
        if !is_question(request) {
            self.logic += 1;
            return;
        }
        let Some(situation) = self.situation(&request.signals) else {
            self.unreadable += 1;
            return;
        };
        let first_try = self.tries.len();
        for attempt in &request.attempts {
            self.tried(first_try, attempt);
            self.checked(situation, attempt);
        }
        self.recorded.count(request);
        self.questions.push(Question {
            number: 0,
            at: request.at,
            draw: drawn_by(&request.id),
            situation,
            block: ((self.questions.len() / run.max(1)) % BLOCKS) as u8,
            tries: u8::try_from(self.tries.len() - first_try).unwrap_or(u8::MAX),
            first_try: u32::try_from(first_try).unwrap_or(u32::MAX),
        });
    }

    /// All is read: from now on it is in the order of time. `requests`: how many there were, read or not; `before`: what
    /// checks said before the first of them, whole.
    pub fn finish(mut self, requests: u64, before: &[Checked]) -> Self {
        self.weight = requests.max(1) as f64 / self.requests.max(1) as f64;
        self.questions.sort_by_key(|question| question.at);
        for (number, question) in (0..).zip(&mut self.questions) {
            question.number = number;
        }
        // In a sample, a check stands for those of the rows that were left out, too.
        for check in &mut self.checks {
            check.track = check.track.times(self.weight);
        }
        for checked in before {
            let wording = self.wordings.number(&(checked.tool.clone(), checked.prompt_version.clone()));
            let model = self.models.number(&checked.model);
            let track = Track::new((checked.passed, checked.rejected), checked.latency, checked.usage);
            self.checks.push(Check { at: checked.at, wording, model, track });
        }
        self.checks.sort_by_key(|check| check.at);
        self
    }

    /// What each model that was asked this question did, one entry a model.
    pub fn tries(&self, question: &Question) -> &[Try] {
        let first = question.first_try as usize;
        self.tries.get(first..first + usize::from(question.tries)).unwrap_or_default()
    }

    pub fn situation_of(&self, question: &Question) -> &Situation {
        &self.situations[question.situation as usize]
    }

    fn situation(&mut self, text: &str) -> Option<u32> {
        let hash = *blake3::hash(text.as_bytes()).as_bytes();
        if let Some(known) = self.known.get(&hash) {
            return *known;
        }
        let read = serde_json::from_str::<Signals>(text).ok();
        let number = read.map(|signals| {
            let target = signals.target.as_str().to_owned();
            let tool = self.tools.number(&target);
            let wording = self.wordings.number(&(target, signals.prompt_version.clone()));
            self.situations.push(Situation { signals, tool, wording });
            self.situations.len() as u32 - 1
        });
        self.known.insert(hash, number);
        number
    }

    fn checked(&mut self, situation: u32, attempt: &PastAttempt) {
        let counts = match attempt.result {
            AttemptResult::Accepted => (1, 0),
            AttemptResult::Rejected => (0, 1),
            _ => return,
        };
        let track = Track::new(counts, attempt.latency, attempt.usage.unwrap_or_default());
        let (wording, model) = (self.situations[situation as usize].wording, self.models.number(&attempt.model));
        self.checks.push(Check { at: attempt.started_at, wording, model, track });
    }

    fn tried(&mut self, first: usize, attempt: &PastAttempt) {
        let model = self.models.number(&attempt.model);
        let (ending, usage) = (Ending::of(attempt.result), attempt.usage);
        match self.tries[first..].iter_mut().find(|known| known.model == model) {
            // A second call of the same model decides, and both were paid for.
            Some(known) => {
                known.ending = ending.or(known.ending);
                known.usage = known.usage.zip(usage).map(|(all, last)| all + last);
            }
            None => self.tries.push(Try { model, ending, usage }),
        }
    }
}

/// A number from 0 to 1 that only the request's id decides, so that a replay comes out the same each time.
fn drawn_by(id: &str) -> f64 {
    let hash = blake3::hash(id.as_bytes());
    let number = hash.as_bytes().iter().take(4).fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
    f64::from(number) / (f64::from(u32::MAX) + 1.0)
}

/// Whether there was something to ask a model: a call of create_task, or one that was refused, has no question under
/// any policy.
fn is_question(request: &PastRequest) -> bool {
    let nothing_asked = request.attempts.is_empty() && !request.answered;
    !(nothing_asked && matches!(request.status, Status::Ok | Status::Rejected))
}

impl Recorded {
    fn count(&mut self, request: &PastRequest) {
        *self.by_tier.entry(request.tier_wanted.clone()).or_default() += 1;
        match self.by_policy.get_mut(&request.policy_hash) {
            Some(count) => *count += 1,
            None => {
                self.by_policy.insert(request.policy_hash.clone(), 1);
            }
        }
        self.cost += request.cost;
        let escalations = request.attempts.iter().filter(|attempt| attempt.is_escalation());
        self.escalations += escalations.count() as u64;
        match request.attempts.last().map(|attempt| attempt.result) {
            Some(AttemptResult::Accepted) => self.checked += 1,
            Some(AttemptResult::Unchecked) => self.unchecked += 1,
            _ => {}
        }
    }
}

impl Ending {
    fn of(result: AttemptResult) -> Option<Self> {
        match result {
            AttemptResult::Accepted => Some(Self::Accepted),
            AttemptResult::Unchecked => Some(Self::Unchecked),
            AttemptResult::Rejected => Some(Self::Rejected),
            AttemptResult::RateLimited
            | AttemptResult::Timeout
            | AttemptResult::Connect
            | AttemptResult::UpstreamError
            | AttemptResult::Cut
            | AttemptResult::Auth
            | AttemptResult::Quota
            | AttemptResult::Context
            | AttemptResult::Refused => Some(Self::Failed),
            AttemptResult::Cancelled | AttemptResult::Skipped => None,
        }
    }
}

impl<T: Clone + Eq + std::hash::Hash> Names<T> {
    fn number(&mut self, name: &T) -> u16 {
        if let Some(known) = self.numbers.get(name) {
            return *known;
        }
        // Tools and models are a handful; a ledger with more names than this repeats the last number.
        let number = u16::try_from(self.list.len()).unwrap_or(u16::MAX);
        self.list.push(name.clone());
        self.numbers.insert(name.clone(), number);
        number
    }

    pub fn get(&self, name: &T) -> Option<u16> {
        self.numbers.get(name).copied()
    }
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self { list: Vec::new(), numbers: HashMap::new() }
    }
}
