//! Recorded traffic in a form that fits into memory and is quick to go through many times: equal signals once, of each
//! question what the models that were asked did with it.
//!
//! It knows no policy.

use std::collections::{BTreeMap, HashMap};

use crate::chat::{NanoUsd, Usage};
use crate::names::{ModelName, TierName};
use crate::request::{AttemptKind, AttemptResult, Signals, Status};
use crate::store::{PastAttempt, PastRequest};

/// So many groups of questions, whose differences show how much is chance.
pub const BLOCKS: usize = 64;

/// Everything that was recorded in a span of time, or a sample of it.
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
}

#[derive(Debug, Clone, Copy)]
pub struct Question {
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
        }
        self.recorded.count(request);
        self.questions.push(Question {
            situation,
            block: ((self.questions.len() / run.max(1)) % BLOCKS) as u8,
            tries: u8::try_from(self.tries.len() - first_try).unwrap_or(u8::MAX),
            first_try: u32::try_from(first_try).unwrap_or(u32::MAX),
        });
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
            let tool = self.tools.number(&signals.target.as_str().to_owned());
            self.situations.push(Situation { signals, tool });
            self.situations.len() as u32 - 1
        });
        self.known.insert(hash, number);
        number
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
        let escalations = request.attempts.iter().filter(|attempt| attempt.kind == AttemptKind::Escalation);
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
