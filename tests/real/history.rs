//! A month of a small team's requests in the ledger, the same each time but for the date: some from logic, most of the
//! others from the local model, some escalated, a few in vain.

use std::path::Path;
use std::time::Duration;

use jiff::{Timestamp, ToSpan};
use taskgate::chat::{NanoUsd, Price, Tokens, Usage, UsageSource};
use taskgate::names::TierName;
use taskgate::request::{
    Attempt, AttemptKind, AttemptResult, CacheUse, Complexity, Contribution, Decision, Door, Measures, Outcome, Reason,
    Rejection, RejectionCode, RequestId, Signals, Status, Target, answering,
};
use taskgate::store::Store;
use uuid::Uuid;

const DAYS: i64 = 30;
const LOCAL: (&str, &str) = ("task-api-model", "local");
const HOSTED: (&str, &str) = ("gpt-4o", "hosted");
const TOOLS: [&str; 4] = ["smart_prioritize", "suggest_next_action", "plan_sprint", "analyze_workload"];

/// How a request went.
#[derive(Clone, Copy)]
enum Way {
    Logic,
    Local,
    Escalated,
    Hosted,
    Cached,
    Degraded,
}

/// Twenty requests of this team, in the proportion in which they occur.
const WAYS: [Way; 20] = {
    use Way::*;
    [
        Logic, Local, Logic, Local, Cached, Logic, Local, Logic, Escalated, Logic, Local, Logic, Cached, Hosted, Logic,
        Local, Logic, Local, Degraded, Logic,
    ]
};

/// How many requests there are now. The last one came in a few seconds ago.
pub async fn fill(database: &Path) -> u64 {
    let store = Store::open(database).await.unwrap();
    let (now, mut written) = (Timestamp::now(), 0_usize);
    let begin = now - (24 * (DAYS - 1)).hours();
    for hour in 0..24 * (DAYS - 1) {
        let at = begin + hour.hours();
        let (clock, day) = (at.as_second() / 3_600 % 24, at.as_second() / 86_400 % 7);
        // Days that an office works, and a night shift of one.
        let busy = if (8..19).contains(&clock) { 4 + (hour * 7 + day * 5) % 6 } else { hour % 2 };
        let many = if matches!(day, 2 | 3) { busy / 4 } else { busy };
        for n in 0..many {
            let minutes = 60 * (n + 1) / (many + 1);
            store
                .record(&outcome(WAYS[(written * 7 + written / 20) % WAYS.len()], at + minutes.minutes(), written))
                .await
                .unwrap();
            written += 1;
        }
    }
    for (way, ago) in
        [(Way::Local, 340), (Way::Degraded, 190), (Way::Cached, 95), (Way::Escalated, 41), (Way::Local, 8)]
    {
        store.record(&outcome(way, now - i64::from(ago).seconds(), written)).await.unwrap();
        written += 1;
    }
    store.close().await;
    written as u64
}

fn outcome(way: Way, at: Timestamp, n: usize) -> Outcome {
    let (status, cache) = match way {
        Way::Logic => (Status::Ok, CacheUse::Bypass),
        Way::Cached => (Status::Cached, CacheUse::Hit),
        Way::Degraded => (Status::Degraded, CacheUse::Miss),
        Way::Local | Way::Escalated | Way::Hosted => (Status::Ok, CacheUse::Miss),
    };
    let attempts = attempts(way, at, n);
    let cost: NanoUsd = attempts.iter().map(|attempt| attempt.cost).sum();
    let answered = answering(status, &attempts);
    let latency = attempts.iter().map(|attempt| attempt.latency).sum::<Duration>() + Duration::from_millis(4);
    Outcome {
        id: RequestId(Uuid::now_v7()),
        at,
        signals: signals(way, n),
        policy_hash: "c0ffee123456".to_owned(),
        decision: decision(way, n),
        status,
        model: answered
            .map(|attempt| attempt.model.clone())
            .or_else(|| (status == Status::Cached).then(|| LOCAL.0.into())),
        usage: attempts.iter().map(|attempt| attempt.usage).fold(Usage::default(), |sum, usage| sum + usage),
        cost,
        wasted: cost - answered.map_or(NanoUsd::ZERO, |attempt| attempt.cost),
        kept_back: None,
        shared: Vec::new(),
        saved: NanoUsd::ZERO,
        counterfactual: answered.map(|attempt| price().cost(attempt.usage)),
        cache,
        latency,
        ttft: None,
        failure: (status == Status::Degraded).then(|| "No model gave an accepted answer.".to_owned()),
        attempts,
    }
}

fn signals(way: Way, n: usize) -> Signals {
    let tool = match way {
        Way::Logic => ["create_task", "list_tasks", "update_task"][n % 3],
        _ => TOOLS[n % TOOLS.len()],
    };
    Signals {
        door: Door::Stdio,
        caller: "local".to_owned(),
        target: Target::Tool(tool.to_owned()),
        projects: Vec::new(),
        needs: Default::default(),
        context: Tokens(900),
        measures: Measures::default(),
        conversation: None,
        prompt_version: String::new(),
    }
}

fn decision(way: Way, n: usize) -> Decision {
    let matched = Reason::new("route", format!("Route `analysis` matches {}.", TOOLS[n % TOOLS.len()]));
    let (tier, score, chosen) = match way {
        Way::Logic => {
            let logic = Reason::new("logic", "The route asks for logic alone: no model is called.");
            return Decision {
                route: "tasks".into(),
                tier: TierName::none(),
                complexity: Complexity::default(),
                candidates: Vec::new(),
                reasons: vec![logic],
            };
        }
        Way::Hosted => (HOSTED.1, 0.72, "Complexity 0.72 reaches 0.60, where tier `hosted` begins."),
        _ => (LOCAL.1, 0.34, "Complexity 0.34 is below 0.60, where tier `hosted` begins."),
    };
    let part = |signal: &str, share: f64| Contribution {
        signal: signal.to_owned(),
        value: 12.0,
        share,
        weight: score,
        contribution: share * score,
    };
    let contributions = vec![part("tasks", 0.5), part("depth", 0.3), part("output_items", 0.2)];
    let code = if score < 0.6 { "complexity_below" } else { "complexity_reaches" };
    let reasons = vec![matched, Reason::new(code, chosen)];
    Decision {
        route: "analysis".into(),
        tier: tier.into(),
        complexity: Complexity { score, contributions },
        candidates: Vec::new(),
        reasons,
    }
}

fn attempts(way: Way, at: Timestamp, n: usize) -> Vec<Attempt> {
    let ids = Rejection::new(RejectionCode::UnknownTask, "Task 99 does not exist. The ids are 1 to 12.");
    let shape = Rejection::new(RejectionCode::WrongShape, "The answer has no field `priority`.");
    let (first, up) = (AttemptKind::First, AttemptKind::Escalation);
    match way {
        Way::Logic | Way::Cached => Vec::new(),
        Way::Local => vec![attempt((LOCAL, first), None, at, n)],
        Way::Hosted => vec![attempt((HOSTED, first), None, at, n)],
        Way::Escalated => vec![attempt((LOCAL, first), Some(ids), at, n), attempt((HOSTED, up), None, at, n)],
        Way::Degraded => vec![attempt((LOCAL, first), Some(ids), at, n), attempt((HOSTED, up), Some(shape), at, n)],
    }
}

fn attempt(
    ((model, tier), kind): ((&str, &str), AttemptKind),
    rejection: Option<Rejection>,
    at: Timestamp,
    n: usize,
) -> Attempt {
    let usage = Usage {
        input: Tokens(600 + (n as u64 * 37) % 900),
        cached_input: Tokens::ZERO,
        output: Tokens(90 + (n as u64 * 13) % 160),
    };
    let cost = if tier == HOSTED.1 { price().cost(usage) } else { NanoUsd::ZERO };
    Attempt {
        n: if kind == AttemptKind::First { 1 } else { 2 },
        model: model.into(),
        tier: tier.into(),
        kind,
        result: if rejection.is_some() { AttemptResult::Rejected } else { AttemptResult::Accepted },
        rejection,
        kept_back: None,
        budget: None,
        failure: None,
        usage,
        usage_source: UsageSource::Reported,
        reserved: cost,
        cost,
        started_at: at,
        ttft: Some(Duration::from_millis(300)),
        latency: Duration::from_millis(900 + (n as u64 * 211) % 2_600),
        http_status: Some(200),
    }
}

/// gpt-4o's.
fn price() -> Price {
    Price { input: NanoUsd(2_500_000_000), cached_input: NanoUsd(1_250_000_000), output: NanoUsd(10_000_000_000) }
}
