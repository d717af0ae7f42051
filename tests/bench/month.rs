//! A month of made-up traffic: the same for the same seed, with a working week's ups and downs, and a mixture of tools,
//! models, tiers, statuses and costs as a team of a dozen would make it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use taskgate::chat::{NanoUsd, Price, Tokens, Usage, UsageSource};
use taskgate::names::TierName;
use taskgate::request::{
    Attempt, AttemptKind, AttemptResult, CacheUse, Candidate, Complexity, Contribution, Decision, Door, Endpoint,
    Measures, Outcome, Reason, Rejection, RejectionCode, RequestId, Signals, Status, Target, answering,
};
use uuid::Uuid;

pub const DAYS: i64 = 30;
const MINUTES: usize = DAYS as usize * 24 * 60;

const LOGIC: [&str; 6] = ["create_task", "list_tasks", "list_tasks", "update_task", "update_task", "get_task"];
const ANALYSIS: [&str; 4] = ["analyze_workload", "smart_prioritize", "plan_sprint", "suggest_next_action"];
const CALLERS: [&str; 12] =
    ["ann", "bo", "chi", "dee", "eli", "fay", "gus", "hal", "ida", "jo", "build-server", "support-bot"];

struct Known {
    name: &'static str,
    tier: &'static str,
    /// Dollars for a million tokens in and out.
    price: (i64, i64),
    seconds: f64,
}

const MODELS: [Known; 4] = [
    Known { name: "task-api-model", tier: "local", price: (0, 0), seconds: 6.0 },
    Known { name: "qwen-coder", tier: "local", price: (0, 0), seconds: 9.0 },
    Known { name: "gpt-4o-mini", tier: "hosted", price: (150, 600), seconds: 1.5 },
    Known { name: "gpt-4o", tier: "hosted", price: (2_500, 10_000), seconds: 3.0 },
];

/// Outcomes in the order of time, from `start` on.
pub struct Month {
    random: fastrand::Rng,
    start: Timestamp,
    /// The share of all requests that has come in by the end of each minute.
    share: Vec<f64>,
    minute: usize,
    made: u64,
    requests: u64,
}

impl Month {
    pub fn new(seed: u64, start: Timestamp, requests: u64) -> Self {
        let mut sum = 0.0;
        let mut share: Vec<f64> = (0..MINUTES)
            .map(|minute| {
                sum += weight(minute);
                sum
            })
            .collect();
        share.iter_mut().for_each(|share| *share /= sum);
        Self { random: fastrand::Rng::with_seed(seed), start, share, minute: 0, made: 0, requests }
    }
}

/// Nights and weekends are quiet.
fn weight(minute: usize) -> f64 {
    let (day, hour) = (minute / 1_440, minute % 1_440 / 60);
    let weekday = if day % 7 < 5 { 1.0 } else { 0.15 };
    weekday
        * match hour {
            8..=11 | 13..=17 => 1.0,
            7 | 12 | 18 => 0.6,
            19..=22 => 0.2,
            _ => 0.05,
        }
}

impl Iterator for Month {
    type Item = Outcome;

    fn next(&mut self) -> Option<Outcome> {
        if self.made == self.requests {
            return None;
        }
        let share = self.made as f64 / self.requests as f64;
        while self.minute + 1 < MINUTES && self.share[self.minute] < share {
            self.minute += 1;
        }
        self.made += 1;
        let into = SignedDuration::from_secs(self.minute as i64 * 60)
            + SignedDuration::from_millis(self.random.i64(0..60_000));
        Some(self.outcome(self.start + into))
    }
}

impl Month {
    fn outcome(&mut self, at: Timestamp) -> Outcome {
        match self.random.u32(0..100) {
            0..45 => self.logic(at),
            kind => self.asked(at, kind < 70),
        }
    }

    /// Plain bookkeeping: no model is wanted.
    fn logic(&mut self, at: Timestamp) -> Outcome {
        let tool = LOGIC[self.random.usize(0..LOGIC.len())];
        let door = if self.random.bool() { Door::Stdio } else { Door::HttpMcp };
        let signals = self.signals(door, Target::Tool(tool.to_owned()));
        let failed = self.random.u32(0..80) == 0;
        let decision = decision("logic", TierName::none(), 0.0);
        let took = Duration::from_micros(self.random.u64(200..4_000));
        let status = if failed { Status::Rejected } else { Status::Ok };
        finished(at, signals, decision, (status, CacheUse::Bypass), (Vec::new(), took))
    }

    /// A question to a model: from the cache, from the first, from the next one up, or from nobody.
    fn asked(&mut self, at: Timestamp, chat: bool) -> Outcome {
        let (door, target) = match chat {
            true => (Door::HttpChat, Target::Endpoint(Endpoint::Chat)),
            false => {
                let tool = ANALYSIS[self.random.usize(0..ANALYSIS.len())];
                (if self.random.bool() { Door::Stdio } else { Door::HttpMcp }, Target::Tool(tool.to_owned()))
            }
        };
        let signals = self.signals(door, target);
        let score = self.random.f64();
        let hosted = score > 0.8;
        let route = if chat { "chat" } else { "analysis" };
        let decision = decision(route, TierName::from(if hosted { "hosted" } else { "local" }), score);
        let first = if hosted { 2 } else { 0 } + self.random.usize(0..2);
        if self.random.u32(0..100) < 6 {
            let took = Duration::from_micros(self.random.u64(300..2_000));
            let outcome = finished(at, signals, decision, (Status::Cached, CacheUse::Hit), (Vec::new(), took));
            return Outcome { model: Some(MODELS[first].name.into()), ..outcome };
        }
        let mut attempts: Vec<Attempt> = Vec::new();
        let mut next = Some((first, AttemptKind::First));
        while let Some((model, kind)) = next {
            let attempt = self.attempt(at, (model, kind), &attempts);
            next = match attempt.result {
                AttemptResult::Rejected if model < 2 => Some((3, AttemptKind::Escalation)),
                AttemptResult::Timeout | AttemptResult::UpstreamError if attempts.is_empty() => {
                    Some(((model + 2) % MODELS.len(), AttemptKind::Fallback))
                }
                _ => None,
            };
            attempts.push(attempt);
        }
        let answered = attempts
            .last()
            .is_some_and(|last| matches!(last.result, AttemptResult::Accepted | AttemptResult::Unchecked));
        let status = match (answered, chat) {
            (true, _) => Status::Ok,
            (false, true) => Status::Failed,
            (false, false) => Status::Degraded,
        };
        let took = attempts.iter().map(|attempt| attempt.latency).sum();
        finished(at, signals, decision, (status, CacheUse::Miss), (attempts, took))
    }

    fn attempt(&mut self, at: Timestamp, (model, kind): (usize, AttemptKind), before: &[Attempt]) -> Attempt {
        let known = &MODELS[model];
        let result = match self.random.u32(0..100) {
            0..3 => AttemptResult::Timeout,
            3..5 => AttemptResult::UpstreamError,
            5..14 if model < 2 => AttemptResult::Rejected,
            14..35 => AttemptResult::Unchecked,
            _ => AttemptResult::Accepted,
        };
        let broken = matches!(result, AttemptResult::Timeout | AttemptResult::UpstreamError);
        let input = self.random.u64(200..6_000);
        let usage = Usage {
            input: Tokens(input),
            cached_input: Tokens(if model > 1 { input / 3 } else { 0 }),
            output: Tokens(if broken { 0 } else { self.random.u64(30..900) }),
        };
        let usage_source = match (result, self.random.u32(0..20)) {
            (AttemptResult::UpstreamError, _) => UsageSource::Unknown,
            (AttemptResult::Timeout, _) | (_, 0) => UsageSource::Estimated,
            _ => UsageSource::Reported,
        };
        let usage = if usage_source == UsageSource::Unknown { Usage::default() } else { usage };
        let waited: Duration = before.iter().map(|attempt| attempt.latency).sum();
        let latency = Duration::from_secs_f64(known.seconds * (0.3 + 1.4 * self.random.f64()));
        Attempt {
            n: before.len() as u32 + 1,
            model: known.name.into(),
            tier: known.tier.into(),
            kind,
            result,
            rejection: (result == AttemptResult::Rejected)
                .then(|| Rejection::new(RejectionCode::UnknownTask, "TASK-0999 is not among the open tasks.")),
            kept_back: None,
            budget: None,
            failure: broken.then(|| format!("{} did not answer in time.", known.name)),
            usage,
            usage_source,
            reserved: price(known).cost(Usage { output: Tokens(1_024), ..usage }),
            cost: price(known).cost(usage),
            started_at: at + SignedDuration::try_from(waited).unwrap_or_default(),
            ttft: (!broken).then(|| latency / 4),
            latency,
            http_status: (!broken).then_some(200),
        }
    }

    fn signals(&mut self, door: Door, target: Target) -> Signals {
        // A few call much more than the others.
        let caller = CALLERS[self.random.usize(0..CALLERS.len()).min(self.random.usize(0..CALLERS.len()))];
        Signals {
            door,
            caller: if door == Door::Stdio { "local" } else { caller }.to_owned(),
            target,
            projects: vec!["shop launch".to_owned()],
            needs: Default::default(),
            context: Tokens(self.random.u64(100..6_000)),
            measures: Measures { tasks: self.random.u32(1..200), edges: 12, depth: 4, ..Measures::default() },
            conversation: None,
            prompt_version: "1".to_owned(),
        }
    }
}

fn price(known: &Known) -> Price {
    // A dollar for a million tokens is a thousand nano-dollars for one.
    let million = |thousandths: i64| NanoUsd(thousandths * 1_000_000);
    let (input, output) = known.price;
    Price { input: million(input), cached_input: million(input / 2), output: million(output) }
}

fn decision(route: &str, tier: TierName, score: f64) -> Decision {
    let candidate = |known: &Known| Candidate { model: known.name.into(), tier: known.tier.into(), excluded: None };
    let part = |signal: &str| Contribution {
        signal: signal.to_owned(),
        value: 12.0,
        share: score,
        weight: 0.2,
        contribution: 0.2 * score,
    };
    let asks = !tier.is_none();
    Decision {
        route: route.into(),
        tier,
        complexity: Complexity {
            score,
            contributions: if asks {
                ["class", "tasks", "edges", "depth", "context"].map(part).to_vec()
            } else {
                Vec::new()
            },
        },
        candidates: if asks { MODELS.iter().map(candidate).collect() } else { Vec::new() },
        reasons: vec![
            Reason::new("route", format!("Route `{route}` is the first that matches.")),
            Reason::new("complexity", format!("Complexity {score:.2} against a threshold of 0.80.")),
        ],
    }
}

fn finished(
    at: Timestamp,
    signals: Signals,
    decision: Decision,
    (status, cache): (Status, CacheUse),
    (attempts, latency): (Vec<Attempt>, Duration),
) -> Outcome {
    let answered = answering(status, &attempts);
    let cost: NanoUsd = attempts.iter().map(|attempt| attempt.cost).sum();
    let bought = answered.map_or(NanoUsd::ZERO, |attempt| attempt.cost);
    Outcome {
        id: RequestId(Uuid::now_v7()),
        at,
        policy_hash: "0123456789ab".to_owned(),
        model: answered.map(|attempt| attempt.model.clone()),
        usage: attempts.iter().map(|attempt| attempt.usage).fold(Usage::default(), |sum, usage| sum + usage),
        cost,
        wasted: cost - bought,
        counterfactual: answered.map(|attempt| price(&MODELS[3]).cost(attempt.usage)),
        ttft: answered.and_then(|attempt| attempt.ttft),
        failure: (status == Status::Degraded).then(|| "No model gave an answer that was accepted.".to_owned()),
        signals,
        decision,
        status,
        attempts,
        cache,
        kept_back: None,
        shared: Vec::new(),
        saved: NanoUsd::ZERO,
        latency,
    }
}
