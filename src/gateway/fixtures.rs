//! What the gateway's tests share: a policy of two tiers, signals, an upstream that does as it is told.

mod kept;
mod streams;
mod world;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Map;
use tokio_util::sync::CancellationToken;

use super::Upstream;
use crate::chat::{ChatRequest, Finish, Format, Message, ModelSpec, NanoUsd, Price, Reply, Tokens, Usage, UsageSource};
use crate::error::{Error, Kind};
use crate::policy::{
    Backend, Breaker, Budget, ChatCheck, Classifier, Envelope, Escalate, Fallback, Limits, Location, Match, Model,
    Period, Policy, Retry, Route, RouteTier, Sticky, Tier, Timeouts, WhenSpent,
};
use crate::provider::{Answer, Call, Listener, Said};
use crate::request::{
    Ask, Attempt, AttemptKind, AttemptResult, CacheMode, Caller, Conversation, Delivery, Door, Endpoint, Measures,
    Rejection, RejectionCode, Scope, Signals, Target, Verdict,
};

pub use kept::{Kept, SetAside};
pub use streams::{Beat, STATUS, Tail, Told, read, read_into};
pub use world::{World, text, trail, world};

const SECOND: Duration = Duration::from_secs(1);

/// Where it is noon, so that no day ends while a test runs by the clock of the machine.
pub fn noon() -> TimeZone {
    let east = 12 - Timestamp::now().to_zoned(TimeZone::UTC).hour();
    TimeZone::fixed(jiff::tz::offset(east))
}

/// `small` (local, free) below `big` (hosted, a dollar per million tokens in, ten out).
pub fn policy() -> Policy {
    let dollar = NanoUsd(1_000_000_000);
    let price = Price { input: dollar, cached_input: dollar, output: NanoUsd(10_000_000_000) };
    Policy {
        hash: "0123456789ab".into(),
        time_zone: TimeZone::UTC,
        backends: [backend("local", Location::Local), backend("hosted", Location::Hosted)].into(),
        models: [model("small", "local", Some(Price::default())), model("big", "hosted", Some(price))].into(),
        tiers: vec![tier("local", "small"), tier("hosted", "big")],
        classifier: Classifier { thresholds: BTreeMap::new(), weights: BTreeMap::new(), explore: 0.05 },
        routes: vec![route()],
        callers: BTreeMap::new(),
        budgets: Vec::new(),
        retry: Retry {
            max_per_model: 2,
            initial: SECOND / 4,
            max: 8 * SECOND,
            max_retry_after: 15 * SECOND,
            budget: 0.2,
            budget_floor_per_minute: 10,
        },
        breaker: Breaker { failures: 5, window: 30 * SECOND, consecutive_timeouts: 2, open: 15 * SECOND, probes: 1 },
        cache_max_bytes: 1 << 20,
        retain: Duration::from_secs(90 * 86_400),
    }
}

/// A budget of a day, in nano-dollars.
pub fn budget(name: &str, scope: Scope, limit: i64) -> Budget {
    let (limit, when_spent) = (NanoUsd(limit), WhenSpent::FreeOnly);
    Budget { name: name.into(), scope, limit, per: Period::Day, when_spent, warn_at: 0.8 }
}

pub fn with_route(mut policy: Policy, change: impl FnOnce(&mut Route)) -> Policy {
    change(&mut policy.routes[0]);
    policy
}

fn route() -> Route {
    Route {
        name: "all".into(),
        matches: Match::default(),
        tier: RouteTier::Auto,
        max_tier: None,
        thresholds: BTreeMap::from([("hosted".into(), 0.6)]),
        temperature: Some(0.7),
        sticky: Sticky::None,
        check: ChatCheck::Record,
        escalate: Escalate { on_rejected: true },
        fallback: Fallback { upward: true, downward: true },
        envelope: Envelope { deadline: 40 * SECOND, max_attempts: 5, max_cost: NanoUsd(250_000_000) },
        cache_ttl: Duration::ZERO,
    }
}

fn backend(name: &str, location: Location) -> (crate::names::BackendName, Backend) {
    let backend = Backend {
        name: name.into(),
        base_url: "http://127.0.0.1:9/v1".into(),
        api_key: Some("key".into()),
        key_variable: None,
        key_file: None,
        location,
        status: None,
        prewarm: false,
    };
    (name.into(), backend)
}

fn model(name: &str, tier: &str, price: Option<Price>) -> (crate::names::ModelName, Model) {
    let spec = ModelSpec {
        name: name.into(),
        context: Tokens(4_096),
        max_output: Tokens(1_024),
        capabilities: BTreeSet::new(),
    };
    let timeouts = Timeouts { connect: 2 * SECOND, first_token: 20 * SECOND, idle: 15 * SECOND, total: 120 * SECOND };
    let model = Model {
        spec,
        backend: tier.into(),
        tier: tier.into(),
        upstream: name.into(),
        price,
        limits: Limits::default(),
        timeouts,
    };
    (name.into(), model)
}

fn tier(name: &str, model: &str) -> Tier {
    Tier { name: name.into(), models: vec![model.into()] }
}

pub fn signals(tool: &str, measures: Measures) -> Signals {
    Signals {
        door: Door::Stdio,
        caller: "local".into(),
        target: Target::Tool(tool.into()),
        projects: vec![],
        needs: Default::default(),
        context: Tokens(100),
        measures,
        conversation: None,
        prompt_version: "1".into(),
    }
}

/// A question of a conversation whose prompt has so many tokens.
pub fn chat_signals(context: u64) -> Signals {
    Signals {
        target: Target::Endpoint(Endpoint::Chat),
        context: Tokens(context),
        conversation: Some(Conversation { instruction: 5, turns: 1, ..Conversation::default() }),
        prompt_version: String::new(),
        ..signals("", Measures::default())
    }
}

/// A question whose answers are accepted unless they say "bad".
pub fn ask(cancel: CancellationToken) -> Ask {
    Ask {
        signals: signals("smart_prioritize", Measures::default()),
        caller: Caller::local(),
        conversation: None,
        render: Arc::new(|_, rejections| Ok(question(rejections))),
        check: Some(Arc::new(|reply| {
            if reply.text.contains("bad") {
                return Verdict::Rejected(Rejection::new(RejectionCode::WrongShape, "The answer was bad."));
            }
            Verdict::Accepted
        })),
        salvage: Arc::new(|text| (!text.contains("secret")).then(|| text.to_owned())),
        answers_anyway: true,
        cache: CacheMode::Use,
        delivery: Delivery::Whole,
        progress: Arc::new(|_| {}),
        cancel,
    }
}

fn question(rejections: &[Rejection]) -> ChatRequest {
    let told = rejections.iter().map(|rejection| rejection.why.as_str()).collect::<Vec<_>>().join(" ");
    ChatRequest {
        messages: vec![Message::user(format!("What next? {told}"))],
        temperature: None,
        max_output: Tokens(100),
        format: Format::Text,
        extra: Map::new(),
    }
}

/// An answer of `small` that a check did not accept, just now.
pub fn rejected_attempt(n: u32) -> Attempt {
    Attempt {
        n,
        model: "small".into(),
        tier: "local".into(),
        kind: AttemptKind::First,
        result: AttemptResult::Rejected,
        rejection: Some(Rejection::new(RejectionCode::WrongShape, "The answer was bad.")),
        kept_back: None,
        budget: None,
        failure: None,
        usage: REPORTED,
        usage_source: UsageSource::Reported,
        reserved: NanoUsd::ZERO,
        cost: NanoUsd::ZERO,
        started_at: Timestamp::now(),
        ttft: None,
        latency: SECOND,
        http_status: Some(200),
    }
}

/// What the fake upstream does with one call.
#[derive(Debug, Clone)]
pub enum Step {
    Says(&'static str),
    /// Says this, and reports what it likes; `None`: nothing.
    Reports(&'static str, Option<Usage>),
    /// Ten tokens in and five out are reported, then it fails.
    Fails(Kind),
    Busy(Duration),
    /// Says this much, then the stream is cut.
    Cut(&'static str),
    /// Says this much, and its allowance ends it.
    Long(&'static str),
    /// Says this much, and a content filter ends it.
    Filtered(&'static str),
    /// Takes so long, then answers.
    Slow(Duration),
    Never,
    Streams(Vec<Beat>, Tail),
}

/// Plays a script per model; past its end it answers "fine".
#[derive(Default)]
pub struct Script {
    steps: Mutex<BTreeMap<String, VecDeque<Step>>>,
    pub calls: Mutex<Vec<(String, ChatRequest)>>,
    /// What whole answers reported.
    pub reported: Mutex<Vec<Usage>>,
    /// The chunks of each stream, heard or not.
    streams: Mutex<Vec<Vec<Arc<str>>>>,
    /// Calls under way, and the most that there were.
    at_once: Mutex<(u32, u32)>,
}

/// What every answer reports that does not lie.
pub const REPORTED: Usage = Usage { input: Tokens(10), cached_input: Tokens(0), output: Tokens(5) };

impl Script {
    pub fn new<const N: usize>(steps: [(&str, Vec<Step>); N]) -> Arc<Self> {
        let steps = steps.into_iter().map(|(model, steps)| (model.to_owned(), steps.into())).collect();
        Arc::new(Self { steps: Mutex::new(steps), ..Self::default() })
    }

    pub fn called(&self) -> Vec<String> {
        self.calls.lock().unwrap().iter().map(|(model, _)| model.clone()).collect()
    }

    /// The most calls that were under way at the same time.
    pub fn most_at_once(&self) -> u32 {
        self.at_once.lock().unwrap().1
    }

    async fn play_one(&self, call: Call<'_>, listener: &mut dyn Listener) -> Answer {
        {
            let mut at_once = self.at_once.lock().unwrap();
            at_once.0 += 1;
            at_once.1 = at_once.1.max(at_once.0);
        }
        let answer = self.play(call, listener).await;
        self.at_once.lock().unwrap().0 -= 1;
        let told = answer.result.as_ref().ok().and_then(|reply| reply.usage);
        self.reported.lock().unwrap().extend(told);
        answer
    }

    async fn play(&self, call: Call<'_>, listener: &mut dyn Listener) -> Answer {
        let name = call.model.spec.name.as_str().to_owned();
        let step = self.steps.lock().unwrap().get_mut(&name).and_then(VecDeque::pop_front);
        self.calls.lock().unwrap().push((name, call.request.clone()));
        if let Some(Step::Streams(beats, tail)) = step {
            return self.play_stream(call, (beats, tail), listener).await;
        }
        let heard = |text| Said { chunk: None, text, content: true };
        let said = |text: &str| Reply { text: text.into(), finish: Finish::Stop, usage: Some(REPORTED), model: None };
        let answer = |result| Answer { result, partial: None, unshown: 0, http_status: None, ttft: None };
        let waits = match step {
            Some(Step::Slow(time)) => time,
            Some(Step::Never) => Duration::MAX,
            _ => Duration::from_millis(5),
        };
        tokio::select! {
            () = tokio::time::sleep(waits.min(call.timeouts.total)) => {}
            () = call.cancel.cancelled() => return answer(Err(Error::new(Kind::Cancelled, "cancelled"))),
        }
        if waits >= call.timeouts.total {
            return answer(Err(Error::new(Kind::UpstreamTimeout, "too slow")));
        }
        match step {
            None | Some(Step::Slow(_) | Step::Never | Step::Streams(..)) => answer(Ok(said("fine"))),
            Some(Step::Says(text)) => {
                listener.hear(heard(text)).await;
                answer(Ok(said(text)))
            }
            Some(Step::Reports(text, usage)) => answer(Ok(Reply { usage, ..said(text) })),
            Some(Step::Fails(kind)) => answer(Err(Error::new(kind, "failed"))),
            Some(Step::Busy(wait)) => answer(Err(Error::new(Kind::UpstreamBusy, "busy").retry_after(Some(wait)))),
            Some(Step::Long(text)) => answer(Ok(Reply { finish: Finish::Length, ..said(text) })),
            Some(Step::Filtered(text)) => answer(Ok(Reply { finish: Finish::ContentFilter, ..said(text) })),
            Some(Step::Cut(text)) => {
                listener.hear(heard(text)).await;
                let partial = Reply { usage: None, ..said(text) };
                Answer { partial: Some(partial), ..answer(Err(Error::new(Kind::UpstreamCut, "cut"))) }
            }
        }
    }
}

impl Upstream for Arc<Script> {
    fn send<'a>(
        &'a self,
        call: Call<'a>,
        listener: &'a mut dyn Listener,
    ) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>> {
        Box::pin(self.play_one(call, listener))
    }
}
