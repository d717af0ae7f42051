//! Budgets and reservations: one sum for all processes, exact whatever happens to the one that spends.

use std::time::Duration;

use uuid::Uuid;

use super::*;
use crate::chat::{NanoUsd, Usage, UsageSource};
use crate::request::*;
use crate::store::{OpenRequest, Reserved};

/// A request as its process holds it.
struct Request {
    outcome: Outcome,
}

fn request(tool: &str, caller: &str, minute: i64) -> Request {
    let target = Target::Tool(tool.to_owned());
    let signals = Signals {
        door: Door::Stdio,
        caller: caller.to_owned(),
        target,
        projects: vec![],
        needs: Default::default(),
        context: crate::chat::Tokens(1),
        measures: Measures::default(),
        conversation: None,
        prompt_version: String::new(),
    };
    let decision = Decision {
        route: "all".into(),
        tier: "hosted".into(),
        complexity: Complexity::default(),
        candidates: vec![],
        reasons: vec![Reason::new("route", "Route `all` matches.")],
    };
    let outcome = Outcome {
        id: RequestId(Uuid::now_v7()),
        at: self::minute(minute),
        signals,
        policy_hash: "abc".to_owned(),
        decision,
        status: Status::Ok,
        model: None,
        attempts: vec![],
        usage: Usage::default(),
        cost: NanoUsd::ZERO,
        wasted: NanoUsd::ZERO,
        counterfactual: None,
        cache: CacheUse::Bypass,
        saved: NanoUsd::ZERO,
        latency: Duration::ZERO,
        ttft: None,
        failure: None,
        kept_back: None,
        shared: Vec::new(),
    };
    Request { outcome }
}

/// Minutes of the period, which begins at a full quarter of an hour as every midnight does.
fn minute(minute: i64) -> Timestamp {
    Timestamp::from_second(1_789_999_200 + 60 * minute).unwrap()
}

impl Request {
    /// Asks for money for its next attempt. The lease ends an hour after the request came in.
    async fn reserve(&mut self, store: &Store, model: &str, amount: i64, allowances: &[Allowance]) -> Reserved {
        let Outcome { id, at, signals, decision, policy_hash, .. } = &self.outcome;
        let attempt = Attempt {
            n: self.outcome.attempts.len() as u32 + 1,
            model: model.into(),
            tier: "hosted".into(),
            kind: AttemptKind::First,
            result: AttemptResult::Accepted,
            rejection: None,
            kept_back: None,
            budget: None,
            failure: None,
            usage: Usage::default(),
            usage_source: UsageSource::Reported,
            reserved: NanoUsd(amount),
            cost: NanoUsd(amount),
            started_at: *at,
            ttft: None,
            latency: Duration::ZERO,
            http_status: None,
        };
        let open = OpenRequest { id: *id, at: *at, signals, decision, policy_hash };
        let lease_until = *at + SignedDuration::from_hours(1);
        let reserved = store.reserve(open, &attempt, lease_until, allowances).await.unwrap();
        if reserved.granted {
            self.outcome.attempts.push(attempt);
        }
        reserved
    }

    /// The last attempt cost this much; the request is recorded.
    async fn end(mut self, store: &Store, cost: i64) {
        self.outcome.attempts.last_mut().unwrap().cost = NanoUsd(cost);
        self.outcome.cost = self.outcome.attempts.iter().map(|attempt| attempt.cost).sum();
        store.record(&self.outcome).await.unwrap();
    }
}

/// From the tests' beginning of time on, for an hour.
fn allowance(scope: Scope, limit: i64) -> Allowance {
    Allowance { budget: "b".into(), scope, limit: NanoUsd(limit), begins: minute(0), ends: minute(60) }
}

fn all(limit: i64) -> [Allowance; 1] {
    [allowance(Scope::All, limit)]
}

async fn standing(store: &Store, scope: Scope) -> (i64, i64) {
    let found = store.standings(&[allowance(scope, 0)]).await.unwrap();
    (found[0].spent.0, found[0].reserved.0)
}

/// Rows of reservations that are left.
async fn left(store: &Store) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM reservations").fetch_one(&store.reader).await.unwrap()
}

#[tokio::test]
async fn money_is_set_aside_until_its_row_takes_its_place() {
    let kept = Fixture::new().await;
    let store = &kept.store;
    let mut first = request("a", "local", 1);
    assert!(first.reserve(store, "big", 60, &all(100)).await.granted);
    assert_eq!(standing(store, Scope::All).await, (0, 60));
    let mut second = request("a", "local", 1);
    let refused = second.reserve(store, "big", 41, &all(100)).await;
    let before = Standing { spent: NanoUsd(0), reserved: NanoUsd(60) };
    assert_eq!(refused, Reserved { granted: false, standings: vec![before] });
    first.end(store, 50).await;
    assert_eq!((standing(store, Scope::All).await, left(store).await), ((50, 0), 0));
    assert!(second.reserve(store, "big", 50, &all(100)).await.granted, "to the last nano-dollar");
    second.end(store, 50).await;
    assert!(!request("a", "local", 1).reserve(store, "big", 1, &all(100)).await.granted);
    assert!(request("a", "local", 1).reserve(store, "big", 1, &all(101)).await.granted, "a new limit applies at once");
}

#[tokio::test]
async fn what_an_attempt_did_not_need_is_free_before_its_request_ends() {
    let kept = Fixture::new().await;
    let mut first = request("a", "local", 1);
    first.reserve(&kept.store, "big", 60, &all(100)).await;
    kept.store.settle(first.outcome.id, 1, NanoUsd(10)).await.unwrap();
    assert_eq!(standing(&kept.store, Scope::All).await, (0, 10));
    assert!(request("a", "local", 1).reserve(&kept.store, "big", 90, &all(100)).await.granted);
    first.outcome.attempts[0].cost = NanoUsd(10);
    kept.store.record(&first.outcome).await.unwrap();
    assert_eq!(standing(&kept.store, Scope::All).await, (10, 90));
}

#[tokio::test]
async fn each_scope_and_period_counts_its_own() {
    let kept = Fixture::new().await;
    let store = &kept.store;
    let spend = async |tool, caller, model, minute, cost| {
        let mut request = request(tool, caller, minute);
        request.reserve(store, model, cost, &[]).await;
        request.end(store, cost).await;
    };
    let scopes = || {
        [
            Scope::All,
            Scope::Tool("a".to_owned()),
            Scope::Caller("ann".to_owned()),
            Scope::Model("big".into()),
            Scope::Model("a".into()),
        ]
    };
    let sums = async || {
        let mut sums = Vec::new();
        for scope in scopes() {
            sums.push(standing(store, scope).await.0);
        }
        sums
    };
    spend("a", "ann", "big", 1, 1).await;
    spend("a", "ann", "big", -1, 1_000).await;
    spend("a", "ann", "big", 60, 1_000).await;
    assert_eq!(sums().await, [1, 1, 1, 1, 0], "also by budgets that are new");
    spend("b", "local", "big", 0, 10).await;
    spend("a", "local", "huge", 59, 100).await;
    assert_eq!(sums().await, [111, 101, 1, 11, 0], "and since");
    spend("a", "ann", "big", -1, 1_000).await;
    spend("a", "ann", "big", 60, 1_000).await;
    assert_eq!(sums().await, [111, 101, 1, 11, 0], "other periods are other sums");
}

#[tokio::test]
async fn each_scope_counts_what_is_set_aside_for_it() {
    let kept = Fixture::new().await;
    request("a", "ann", 1).reserve(&kept.store, "big", 7, &[]).await;
    request("a", "ann", 61).reserve(&kept.store, "big", 1_000, &[]).await;
    for (scope, reserved) in [
        (Scope::All, 7),
        (Scope::Tool("a".to_owned()), 7),
        (Scope::Tool("b".to_owned()), 0),
        (Scope::Caller("ann".to_owned()), 7),
        (Scope::Caller("bob".to_owned()), 0),
        (Scope::Model("big".into()), 7),
        (Scope::Model("ann".into()), 0),
    ] {
        assert_eq!(standing(&kept.store, scope.clone()).await, (0, reserved), "{scope}");
    }
}

#[tokio::test]
async fn a_budget_without_room_refuses_for_all_and_nothing_is_set_aside() {
    let kept = Fixture::new().await;
    let allowances = |tight: usize| {
        let limit = |n: usize| if n == tight { 9 } else { 100 };
        [0, 1, 2]
            .map(|n| allowance([Scope::All, Scope::Tool("a".into()), Scope::Model("big".into())][n].clone(), limit(n)))
    };
    for tight in 0..3 {
        assert!(!request("a", "ann", 1).reserve(&kept.store, "big", 10, &allowances(tight)).await.granted, "{tight}");
    }
    assert_eq!(left(&kept.store).await, 0);
    assert!(request("a", "ann", 1).reserve(&kept.store, "big", 10, &allowances(9)).await.granted);
}

#[tokio::test]
async fn what_a_dead_process_had_set_aside_is_recorded_once_when_its_lease_ends() {
    let kept = Fixture::new().await;
    let dead = kept.store.register_process(7, "mcp", "abc", minute(0)).await.unwrap();
    let mut lost = request("a", "ann", 1);
    lost.reserve(&kept.store, "big", 60, &all(1_000)).await;
    kept.store.settle(lost.outcome.id, 1, NanoUsd(10)).await.unwrap();
    lost.reserve(&kept.store, "big", 70, &all(1_000)).await;
    let other = Store::open(&kept.path()).await.unwrap();
    let another = Store::open(&kept.path()).await.unwrap();
    for early in [60, 61, 61] {
        assert_eq!(other.settle_lost(minute(early)).await.unwrap(), [], "the lease, or a minute more");
    }
    let (one, two) = tokio::join!(other.settle_lost(minute(62)), another.settle_lost(minute(62)));
    let mut found = one.unwrap();
    found.extend(two.unwrap());
    assert_eq!(found, [lost.outcome.id], "by one of the two that noticed");
    assert_eq!((standing(&other, Scope::All).await, left(&other).await), ((80, 0), 0));
    let recorded = other.outcomes_after(0, 10).await.unwrap();
    assert_eq!((recorded.len(), recorded[0].process), (1, dead));
    let outcome = &recorded[0].outcome;
    assert_eq!((outcome.status, outcome.cost, outcome.wasted), (Status::Failed, NanoUsd(80), NanoUsd(80)));
    assert_eq!((&outcome.signals, &outcome.decision), (&lost.outcome.signals, &lost.outcome.decision));
    let rows: Vec<_> =
        outcome.attempts.iter().map(|row| (row.n, row.reserved.0, row.cost.0, row.usage_source)).collect();
    assert_eq!(rows, [(1, 60, 10, UsageSource::Unknown), (2, 70, 70, UsageSource::Unknown)]);
}

#[tokio::test]
async fn an_owner_that_slept_with_its_machine_records_its_own_end() {
    let kept = Fixture::new().await;
    let mut slept = request("a", "ann", 1);
    slept.reserve(&kept.store, "big", 60, &all(1_000)).await;
    assert_eq!(kept.store.settle_lost(minute(500)).await.unwrap(), [], "it gets a minute to wake up");
    let id = slept.outcome.id;
    slept.end(&kept.store, 2).await;
    assert_eq!(kept.store.settle_lost(minute(502)).await.unwrap(), []);
    assert_eq!((standing(&kept.store, Scope::All).await, left(&kept.store).await), ((2, 0), 0));
    assert_eq!(kept.store.outcome(id).await.unwrap().cost, NanoUsd(2));
}

#[tokio::test]
async fn a_request_that_was_given_up_for_lost_stays_as_it_was_recorded() {
    let kept = Fixture::new().await;
    let mut slept = request("a", "ann", 1);
    let id = slept.outcome.id;
    for amount in [60, 70] {
        slept.reserve(&kept.store, "big", amount, &all(1_000)).await;
        assert_eq!(lost(&kept.store).await.len(), 1);
    }
    let other = request("a", "ann", 1);
    let ended = other.outcome.id;
    slept.outcome.attempts[1].cost = NanoUsd(1);
    kept.store.record_all(&[slept.outcome, other.outcome]).await.unwrap();
    assert_eq!((standing(&kept.store, Scope::All).await, left(&kept.store).await), ((130, 0), 0));
    assert_eq!(kept.store.outcome(id).await.unwrap().cost, NanoUsd(60));
    assert_eq!(kept.store.outcome(ended).await.unwrap().cost, NanoUsd(0), "what is recorded with it is not lost");
}

/// Looks twice, far enough apart.
async fn lost(store: &Store) -> Vec<RequestId> {
    let first = store.settle_lost(minute(500)).await.unwrap();
    assert_eq!(first, []);
    store.settle_lost(minute(501)).await.unwrap()
}

#[tokio::test]
async fn sums_survive_a_restart_and_amounts_that_no_sum_can_hold() {
    let kept = Fixture::new().await;
    for cost in [i64::MAX, 5] {
        let mut request = request("a", "ann", 1);
        request.reserve(&kept.store, "big", 5, &all(10)).await;
        if request.outcome.attempts.is_empty() {
            continue;
        }
        request.end(&kept.store, cost).await;
    }
    let kept = kept.reopen().await;
    assert_eq!(standing(&kept.store, Scope::All).await, (i64::MAX, 0));
    assert!(!request("a", "ann", 1).reserve(&kept.store, "big", 1, &all(i64::from(u32::MAX))).await.granted);
}
