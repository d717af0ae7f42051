//! What the gateway's tests share: a policy of two tiers, signals, an upstream that does as it is told.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Map;
use tokio_util::sync::CancellationToken;

use super::{Ledger, Upstream};
use crate::chat::{ChatRequest, Finish, Format, Message, ModelSpec, NanoUsd, Price, Reply, Tokens, Usage};
use crate::error::{Error, Kind};
use crate::names::ModelName;
use crate::policy::{
    Backend, Breaker, ChatCheck, Classifier, Envelope, Escalate, Fallback, Limits, Location, Match, Model, Policy,
    Retry, Route, RouteTier, Tier, Timeouts,
};
use crate::provider::{Answer, Call};
use crate::request::{Ask, Caller, Door, Measures, Outcome, Rejection, RejectionCode, Signals, Target, Verdict};

const SECOND: Duration = Duration::from_secs(1);

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
        classifier: Classifier { thresholds: BTreeMap::new(), weights: BTreeMap::new() },
        routes: vec![route()],
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
    }
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
        location,
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
    }
}

/// A question whose answers are accepted unless they say "bad".
pub fn ask(cancel: CancellationToken) -> Ask {
    Ask {
        signals: signals("smart_prioritize", Measures::default()),
        caller: Caller::local(),
        render: Arc::new(|_, rejections| Ok(question(rejections))),
        check: Some(Arc::new(|reply| {
            if reply.text.contains("bad") {
                return Verdict::Rejected(Rejection::new(RejectionCode::WrongShape, "The answer was bad."));
            }
            Verdict::Accepted
        })),
        prompt_version: "1",
        salvage: Arc::new(|text| (!text.contains("secret")).then(|| text.to_owned())),
        answers_anyway: true,
        fresh: false,
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

/// What the fake upstream does with one call.
#[derive(Debug, Clone)]
pub enum Step {
    Says(&'static str),
    /// Ten tokens in and five out are reported, then it fails.
    Fails(Kind),
    Busy(Duration),
    /// Says this much, then the stream is cut.
    Cut(&'static str),
    /// Says this much, and a content filter ends it.
    Filtered(&'static str),
    /// Takes so long, then answers.
    Slow(Duration),
    Never,
}

/// Plays a script per model; past its end it answers "fine".
#[derive(Default)]
pub struct Script {
    steps: Mutex<BTreeMap<String, VecDeque<Step>>>,
    pub calls: Mutex<Vec<(String, ChatRequest)>>,
}

pub const REPORTED: Usage = Usage { input: Tokens(10), cached_input: Tokens(0), output: Tokens(5) };

impl Script {
    pub fn new<const N: usize>(steps: [(&str, Vec<Step>); N]) -> Arc<Self> {
        let steps = steps.into_iter().map(|(model, steps)| (model.to_owned(), steps.into())).collect();
        Arc::new(Self { steps: Mutex::new(steps), calls: Mutex::default() })
    }

    pub fn called(&self) -> Vec<String> {
        self.calls.lock().unwrap().iter().map(|(model, _)| model.clone()).collect()
    }

    async fn play(&self, call: Call<'_>, on_text: &mut (dyn FnMut(&str) + Send)) -> Answer {
        let name = call.model.spec.name.as_str().to_owned();
        let step = self.steps.lock().unwrap().get_mut(&name).and_then(VecDeque::pop_front);
        self.calls.lock().unwrap().push((name, call.request.clone()));
        let said = |text: &str| Reply { text: text.into(), finish: Finish::Stop, usage: Some(REPORTED), model: None };
        let answer = |result| Answer { result, partial: None, http_status: None, ttft: None };
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
            None | Some(Step::Slow(_) | Step::Never) => answer(Ok(said("fine"))),
            Some(Step::Says(text)) => {
                on_text(text);
                answer(Ok(said(text)))
            }
            Some(Step::Fails(kind)) => answer(Err(Error::new(kind, "failed"))),
            Some(Step::Busy(wait)) => answer(Err(Error::new(Kind::UpstreamBusy, "busy").retry_after(Some(wait)))),
            Some(Step::Filtered(text)) => answer(Ok(Reply { finish: Finish::ContentFilter, ..said(text) })),
            Some(Step::Cut(text)) => {
                on_text(text);
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
        on_text: &'a mut (dyn FnMut(&str) + Send),
    ) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>> {
        Box::pin(self.play(call, on_text))
    }
}

/// Keeps the outcomes in memory.
#[derive(Default)]
pub struct Kept(pub Mutex<Vec<Outcome>>, pub Mutex<Vec<Turn>>);

/// A breaker that opened until then, or closed.
pub type Turn = (ModelName, Option<Timestamp>);

impl Ledger for Arc<Kept> {
    fn record<'a>(
        &'a self,
        outcome: &'a Outcome,
    ) -> Pin<Box<dyn Future<Output = crate::error::Result<()>> + Send + 'a>> {
        Box::pin(async move {
            self.0.lock().unwrap().push(outcome.clone());
            Ok(())
        })
    }

    fn keep_turn<'a>(
        &'a self,
        model: &'a ModelName,
        open_until: Option<Timestamp>,
    ) -> Pin<Box<dyn Future<Output = crate::error::Result<()>> + Send + 'a>> {
        Box::pin(async move {
            self.1.lock().unwrap().push((model.clone(), open_until));
            Ok(())
        })
    }
}
