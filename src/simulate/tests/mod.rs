//! The simulator on made-up ledgers: `small` is local and free, `big` is hosted and priced.

mod controls;
mod gates;
mod replays;
mod thresholds;
mod through_time;

use std::time::Duration;

use jiff::Timestamp;

use super::*;
use crate::chat::{NanoUsd, Tokens, Usage};
use crate::gateway::fixtures::{policy, signals, with_route};
use crate::policy::Policy;
use crate::request::{AttemptKind, AttemptResult, Measures, Signals, Status};
use crate::store::{PastAttempt, PastRequest};

/// What one token costs at `big`, in nano-dollars.
const IN: i64 = 1_000;
const OUT: i64 = 10_000;

/// A question of this many tasks: more make it harder. None is 0.2 of complexity or so, 200 are above 0.6.
pub fn question(tasks: u32) -> Signals {
    let measures =
        Measures { tasks, load: f64::from(tasks) / 100.0, edges: tasks / 8, depth: tasks / 30, ..Measures::default() };
    signals("plan_sprint", measures)
}

/// A row of the ledger: the models that were asked, one after the other, and how each ended.
pub fn past(signals: &Signals, attempts: &[(&str, AttemptResult)]) -> PastRequest {
    let tier = decided(signals).unwrap_or_else(|| "none".into());
    let mut rows = Vec::new();
    for (n, (model, result)) in attempts.iter().enumerate() {
        rows.push(PastAttempt {
            model: (*model).into(),
            kind: if n == 0 { AttemptKind::First } else { AttemptKind::Escalation },
            result: *result,
            usage: Some(usage(100, 10)),
            started_at: at(0),
            latency: Duration::from_secs(1),
        });
    }
    let answered = attempts.last().is_some_and(|(_, result)| *result == AttemptResult::Accepted);
    let cost = rows.iter().filter(|row| row.model.as_str() == "big").count() as i64 * (100 * IN + 10 * OUT);
    PastRequest {
        seq: 1,
        id: "one".into(),
        at: at(0),
        policy_hash: policy().hash,
        tier_wanted: tier,
        status: if answered { Status::Ok } else { Status::Degraded },
        answered,
        cost: NanoUsd(cost),
        signals: serde_json::to_string(signals).unwrap(),
        attempts: rows,
    }
}

fn decided(signals: &Signals) -> Option<crate::names::TierName> {
    Some(crate::gateway::decide(&policy(), signals, &View::default()).tier)
}

fn usage(input: u64, output: u64) -> Usage {
    Usage { input: Tokens(input), cached_input: Tokens::ZERO, output: Tokens(output) }
}

pub fn recorded(rows: &[PastRequest]) -> Traffic {
    let mut traffic = Traffic::default();
    rows.iter().for_each(|row| traffic.add(row, 1));
    traffic.finish(rows.len() as u64, &[])
}

/// So many minutes after noon of a Wednesday.
pub fn at(minutes: i64) -> Timestamp {
    Timestamp::from_second(1_790_164_800 + minutes * 60).unwrap()
}

/// The same row so many minutes later, as a request of its own.
pub fn later(row: &PastRequest, minutes: i64) -> PastRequest {
    let mut row = PastRequest { id: minutes.to_string(), at: at(minutes), ..row.clone() };
    row.attempts.iter_mut().for_each(|attempt| attempt.started_at = at(minutes));
    row
}

fn many(count: usize, row: &PastRequest) -> Vec<PastRequest> {
    vec![row.clone(); count]
}

fn compared(new: &Policy, present: &Policy, traffic: &Traffic) -> Report {
    let comparison = Comparison {
        new: Contender { name: "new.yaml".into(), policy: new, opening: Vec::new() },
        present: Contender { name: "routing.yaml".into(), policy: present, opening: Vec::new() },
        keys_as_set: false,
        since: at(0),
        requests: traffic.requests,
    };
    run(&comparison, traffic)
}

fn row(report: &Report, subject: Subject) -> &Row {
    report.rows.iter().find(|row| row.subject == subject).unwrap()
}

fn hosted(row: &Row) -> f64 {
    row.starts.iter().find(|share| share.tier.as_str() == "hosted").map_or(0.0, |share| share.share)
}

/// The same policy, where this score begins the hosted tier.
fn threshold(at: f64) -> Policy {
    with_route(policy(), |route| {
        route.thresholds.insert("hosted".into(), at);
    })
}

fn unpriced() -> Policy {
    let mut policy = policy();
    policy.models.get_mut("big").unwrap().price = None;
    policy
}

fn code<'a>(report: &'a Report, code: &str) -> Option<&'a Unknown> {
    report.unknowns.iter().find(|unknown| unknown.code == code)
}
