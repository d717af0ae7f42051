//! Budgets are held to the nano-dollar when many ask at once, over the real database: a thousand requests of one process,
//! and of two that share a file.
//!
//! In real time, because the database works on threads of its own.

use std::collections::BTreeSet;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::fixtures::{ask, budget, noon, policy, with_route};
use super::{Gateway, Upstream};
use crate::chat::{Finish, NanoUsd, Reply, Tokens, Usage};
use crate::policy::{Budget, Policy};
use crate::provider::{Answer, Call, Listener};
use crate::request::{Ask, AttemptResult, RequestId, Scope, Target};
use crate::store::Store;
use crate::telemetry::Metrics;

/// Takes any part of what it is allowed, up to all of it, and reports it.
struct Honest;

impl Upstream for Honest {
    fn send<'a>(
        &'a self,
        call: Call<'a>,
        _: &'a mut dyn Listener,
    ) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(fastrand::u64(0..20))).await;
            let some = |most: Tokens| Tokens(fastrand::u64(0..=most.0));
            let (input, output) = (some(call.request.input_at_most()), some(call.request.max_output));
            let usage = Some(Usage { input, cached_input: some(input), output });
            let reply = Reply { text: "fine".into(), finish: Finish::Stop, usage, model: None };
            Answer { result: Ok(reply), partial: None, unshown: 0, http_status: Some(200), ttft: None }
        })
    }
}

/// Room for fifty to a hundred of the calls that are asked for.
const LIMIT: i64 = 50_000_000;

/// One that counts all, and narrower ones that run out sooner.
fn budgets() -> Vec<Budget> {
    vec![
        budget("all", Scope::All, LIMIT),
        budget("planning", Scope::Tool("plan_sprint".into()), LIMIT / 3),
        budget("ann", Scope::Caller("ann".into()), LIMIT / 4),
    ]
}

async fn process(database: &Path) -> (Gateway, Store) {
    let hosted_first = with_route(policy(), |route| route.thresholds = [("hosted".into(), 0.0)].into());
    let policy = Policy { budgets: budgets(), time_zone: noon(), ..hosted_first };
    let store = Store::open(database).await.unwrap();
    let ledger = Box::new(store.clone());
    (Gateway::with_parts(Arc::new(policy), Box::new(Honest), ledger, Metrics::for_tests()), store)
}

/// A third of all plan a sprint, another third are Ann's. They come within a second, so that some find what others did
/// not need.
async fn ask_many(gateway: &Gateway, number: usize) -> Vec<RequestId> {
    let requests = (0..number).map(|n| {
        let gateway = gateway.clone();
        let mut ask: Ask = ask(CancellationToken::new());
        if n % 3 == 1 {
            ask.signals.target = Target::Tool("plan_sprint".into());
        } else if n % 3 == 2 {
            ask.signals.caller = "ann".into();
        }
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(fastrand::u64(0..1_000))).await;
            gateway.complete(ask).await.0
        })
    });
    let mut asked = Vec::new();
    for outcome in futures_util::future::join_all(requests).await {
        let outcome = outcome.unwrap();
        asked.push(outcome.id);
        let answered = outcome.attempts.last().map(|attempt| attempt.result);
        assert_eq!(
            answered,
            Some(AttemptResult::Accepted),
            "who cannot be paid for goes to the free model: {outcome:?}"
        );
    }
    // An answer does not wait long for its row.
    gateway.drain(Duration::from_secs(240)).await;
    asked
}

/// Rows that were given up, because the machine was too busy for its database: what they had set aside is spent. If there
/// are none, nothing is set aside any more.
async fn settle_lost(store: &Store, asked: &[RequestId]) {
    let rows = store.outcomes_after(0, u32::MAX).await.unwrap();
    let kept: BTreeSet<String> = rows.iter().map(|row| row.outcome.id.0.to_string()).collect();
    let lost: Vec<String> = asked.iter().map(|id| id.0.to_string()).filter(|id| !kept.contains(id)).collect();
    if lost.is_empty() {
        return;
    }
    // Long after their leases, and a minute later.
    for minutes in [60, 61] {
        for id in store.settle_lost(Timestamp::now() + Duration::from_secs(60 * minutes)).await.unwrap() {
            assert!(lost.contains(&id.0.to_string()), "{id} has a row, and had money set aside");
        }
    }
}

/// The ledger and the sums say the same, within every limit.
async fn is_exact(store: &Store, asked: &[RequestId]) {
    settle_lost(store, asked).await;
    let (now, zone) = (Timestamp::now(), noon());
    let rows = store.outcomes_after(0, u32::MAX).await.unwrap();
    for budget in budgets() {
        let allowance = budget.allowance(now, &zone);
        let standing = store.standings(&[allowance]).await.unwrap()[0];
        let calls = rows.iter().flat_map(|row| row.outcome.attempts.iter().map(|call| (&row.outcome.signals, call)));
        let ledger: NanoUsd =
            calls.filter(|(by, call)| budget.scope.covers(by, &call.model)).map(|(_, call)| call.cost).sum();
        assert_eq!(standing.spent, ledger, "{}", budget.name);
        assert_eq!(standing.reserved, NanoUsd::ZERO, "{}", budget.name);
        assert!(ledger <= budget.limit, "{}: {ledger} of {}", budget.name, budget.limit);
        // If all come before the first has ended, half of the worst cases is what is spent, more or less.
        assert!(ledger.0 > budget.limit.0 / 8, "{}: {ledger} of {} were used", budget.name, budget.limit);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_requests_at_once_keep_within_every_budget() {
    let folder = tempfile::tempdir().unwrap();
    let (gateway, store) = process(&folder.path().join("taskgate.db")).await;
    let asked = ask_many(&gateway, 1_000).await;
    is_exact(&store, &asked).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn so_do_two_processes_that_share_a_database() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("taskgate.db");
    let ((one, store), (other, _)) = tokio::join!(process(&database), process(&database));
    let (asked, more) = tokio::join!(ask_many(&one, 500), ask_many(&other, 500));
    is_exact(&store, &[asked, more].concat()).await;
}
