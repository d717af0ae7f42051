//! The ledger: outcomes come back equal, sums are right, leases are held by one.

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use sqlx::Row;
use uuid::Uuid;

use super::*;
use crate::chat::{Capability, NanoUsd, Tokens, Usage, UsageSource};
use crate::error::Kind;
use crate::names::{BudgetName, ModelName, RouteName, TierName};
use crate::request::*;
use crate::store::Process;

fn text() -> impl Strategy<Value = String> {
    select(&["", "task-api-model", "a 'quoted' \"word\"", "Ünïcode \u{1f680}\n", "{\"json\": null}"][..])
        .prop_map(str::to_owned)
}

fn instant() -> impl Strategy<Value = Timestamp> {
    (0_i64..4_000_000_000, 0_i32..1_000_000_000).prop_map(|(second, nano)| Timestamp::new(second, nano).unwrap())
}

fn span() -> impl Strategy<Value = Duration> {
    (0_u64..1_000_000_000_000_000).prop_map(Duration::from_nanos)
}

fn amount() -> impl Strategy<Value = NanoUsd> {
    prop_oneof![Just(i64::MAX), Just(0), any::<i64>()].prop_map(NanoUsd)
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![0.0..1.0_f64, -1e300..1e300_f64, Just(0.1 + 0.2)]
}

fn usage() -> impl Strategy<Value = Usage> {
    let tokens = || (0..i64::MAX as u64).prop_map(Tokens);
    (tokens(), tokens(), tokens()).prop_map(|(input, cached_input, output)| Usage { input, cached_input, output })
}

prop_compose! {
    fn signals()(
        door in select(Door::ALL), caller in text(), tool in text(), endpoint in proptest::option::of(select(Endpoint::ALL)),
        projects in proptest::collection::vec(text(), 0..3),
        needs in proptest::collection::btree_set(select(&[Capability::Tools, Capability::JsonSchema][..]), 0..3),
        context in any::<u64>(), tasks in any::<u32>(), load in number(), words in proptest::option::of(any::<u32>()),
        prompt_version in text(),
    ) -> Signals {
        let target = endpoint.map_or(Target::Tool(tool), Target::Endpoint);
        let measures = Measures { tasks, load, edges: 3, ..Measures::default() };
        let conversation = words.map(|words| Conversation { instruction: words, max_output: Some(Tokens(context)), ..Conversation::default() });
        Signals { door, caller, target, projects, needs, context: Tokens(context), measures, conversation, prompt_version }
    }
}

prop_compose! {
    fn decision()(
        route in text(), tier in text(), score in number(), value in number(), share in number(), weight in number(),
        candidates in proptest::collection::vec((text(), proptest::option::of(Just(Exclusion::NoKey))), 0..4),
        reasons in proptest::collection::vec(text(), 0..3),
    ) -> Decision {
        let part = Contribution { signal: "tasks".to_owned(), value, share, weight, contribution: share * 0.5 };
        Decision {
            route: RouteName::from(route),
            tier: TierName::from(tier.clone()),
            complexity: Complexity { score, contributions: vec![part] },
            candidates: candidates
                .into_iter()
                .map(|(model, excluded)| Candidate { model: model.into(), tier: tier.clone().into(), excluded })
                .collect(),
            reasons: reasons.into_iter().map(|text| Reason::new("class", text)).collect(),
        }
    }
}

prop_compose! {
    fn attempt()(
        (model, tier) in (text(), text()), kind in select(AttemptKind::ALL), result in select(AttemptResult::ALL),
        rejection in proptest::option::of((select(RejectionCode::ALL), text())), failure in proptest::option::of(text()),
        kept_back in proptest::option::of(select(Limit::ALL)), budget in proptest::option::of(text()), usage in usage(), source in select(&[UsageSource::Reported, UsageSource::Estimated, UsageSource::Unknown][..]),
        (reserved, cost) in (amount(), amount()), started_at in instant(), ttft in proptest::option::of(span()),
        latency in span(), http_status in proptest::option::of(any::<u16>()),
    ) -> Attempt {
        Attempt {
            n: 1, model: model.into(), tier: tier.into(), kind, result,
            rejection: rejection.map(|(code, why)| Rejection::new(code, why)),
            kept_back, budget: budget.map(BudgetName::from), failure, usage, usage_source: source, reserved, cost, started_at, ttft, latency, http_status,
        }
    }
}

prop_compose! {
    pub(super) fn outcome()(
        id in any::<u128>(), at in instant(), signals in signals(), decision in decision(), policy_hash in text(),
        status in select(Status::ALL), model in proptest::option::of(text()),
        mut attempts in proptest::collection::vec(attempt(), 0..4),
        usage in usage(), (cost, wasted, saved) in (amount(), amount(), amount()), counterfactual in proptest::option::of(amount()),
        (cache, latency, ttft) in (select(CacheUse::ALL), span(), proptest::option::of(span())),
        failure in proptest::option::of(text()),
        kept_back in proptest::option::of((select(Limit::ALL), proptest::option::of(span()))),
    ) -> Outcome {
        for (n, attempt) in (1..).zip(&mut attempts) {
            attempt.n = n;
        }
        Outcome {
            id: RequestId(Uuid::from_u128(id)), at, signals, policy_hash, decision, status,
            model: model.map(ModelName::from), attempts, usage, cost, wasted, counterfactual, cache, saved, latency,
            ttft, failure, kept_back: kept_back.map(|(limit, wait)| KeptBack { limit, wait }),
            shared: Vec::new(),
        }
    }
}

/// One outcome of that strategy, for tests that set what matters themselves.
pub(super) fn some_outcome(attempts: Vec<(&str, i64, i64)>) -> Outcome {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut new = |strategy: BoxedStrategy<Attempt>| strategy.new_tree(&mut runner).unwrap().current();
    let attempts: Vec<Attempt> = (1..)
        .zip(attempts)
        .map(|(n, (model, cost, minute))| Attempt {
            n,
            model: model.into(),
            cost: NanoUsd(cost),
            started_at: moment(minute),
            ..new(attempt().boxed())
        })
        .collect();
    let outcome = outcome().new_tree(&mut runner).unwrap().current();
    Outcome { id: RequestId(Uuid::now_v7()), attempts, ..outcome }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn outcomes_come_back_equal_and_in_order(outcomes in proptest::collection::vec(outcome(), 1..8), page in 1_u32..4) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let kept = Fixture::new().await;
            let process = kept.store.register_process(77, "mcp", "abc", moment(0)).await.unwrap();
            for outcome in &outcomes {
                kept.store.record(outcome).await.unwrap();
            }
            let (mut found, mut after) = (Vec::new(), 0);
            loop {
                let rows = kept.store.outcomes_after(after, page).await.unwrap();
                assert!(rows.len() <= page as usize);
                let Some(last) = rows.last() else { break };
                assert!(rows.iter().all(|row| row.process == process && row.seq > after));
                after = last.seq;
                found.extend(rows.into_iter().map(|row| row.outcome));
            }
            assert_eq!(found, outcomes);
        });
    }
}

#[tokio::test]
async fn numbers_that_json_cannot_say_do_not_stop_the_reader() {
    let kept = Fixture::new().await;
    let mut outcome = some_outcome(vec![]);
    outcome.signals.measures.load = f64::INFINITY;
    outcome.decision.complexity.score = f64::NAN;
    outcome.decision.complexity.contributions[0].value = f64::NEG_INFINITY;
    kept.store.record(&outcome).await.unwrap();
    let back = kept.store.outcomes_after(0, 10).await.unwrap().remove(0).outcome;
    assert_eq!((back.signals.measures.load, back.decision.complexity.score), (f64::MAX, 0.0));
    assert_eq!(back.decision.complexity.contributions[0].value, f64::MIN);
}

#[tokio::test]
async fn a_request_is_recorded_once_and_whole() {
    let kept = Fixture::new().await;
    let mut outcome = some_outcome(vec![("a", 1, 0), ("b", 2, 0)]);
    outcome.attempts[1].n = 1;
    let error = kept.store.record(&outcome).await.unwrap_err();
    assert_eq!(error.kind, Kind::Storage);
    assert_eq!(kept.store.outcomes_after(0, 10).await.unwrap(), [], "no request without its attempts");
    outcome.attempts[1].n = 2;
    kept.store.record(&outcome).await.unwrap();
    kept.store.record(&outcome).await.unwrap_err();
    assert_eq!(kept.store.outcomes_after(0, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_columns_hold_what_their_names_say() {
    let kept = Fixture::new().await;
    let mut outcome = some_outcome(vec![("task-api-model", 5, 0)]);
    outcome.latency = Duration::from_micros(1_500);
    outcome.decision.route = "planning".into();
    outcome.signals.target = Target::Tool("plan_sprint".to_owned());
    kept.store.record(&outcome).await.unwrap();
    let row = sqlx::query("SELECT * FROM requests").fetch_one(&kept.store.reader).await.unwrap();
    assert_eq!(row.get::<f64, _>("latency_ms"), 1.5);
    assert_eq!(row.get::<&str, _>("route"), "planning");
    assert_eq!(row.get::<&str, _>("tool"), "plan_sprint");
    assert_eq!(row.get::<i64, _>("attempts"), 1);
    assert_eq!((row.get::<Option<&str>, _>("prompt"), row.get::<Option<i64>, _>("process")), (None, None));
}

#[tokio::test]
async fn a_process_registers_and_beats() {
    let kept = Fixture::new().await;
    assert_eq!(kept.store.heartbeat(moment(1), "abc", None, 0).await.unwrap_err().kind, Kind::Internal);
    let first = kept.store.register_process(41, "mcp", "abc", moment(0)).await.unwrap();
    let second =
        Store::open(&kept.path()).await.unwrap().register_process(42, "serve", "abc", moment(0)).await.unwrap();
    assert_ne!(first, second);
    kept.store.clone().heartbeat(moment(2), "def", Some("ghi"), 0).await.unwrap();
    let one = Process {
        pid: 41,
        command: "mcp".into(),
        started: moment(0),
        heartbeat: moment(2),
        policy_hash: "def".into(),
        refused: Some("ghi".into()),
    };
    assert_eq!(kept.store.processes(moment(1)).await.unwrap(), [one], "the other one was not heard for long");
    assert_eq!(kept.store.processes(moment(0)).await.unwrap().len(), 2);
    kept.store.end_process(moment(3), 0).await.unwrap();
    let left = kept.store.processes(moment(0)).await.unwrap();
    assert_eq!(left.iter().map(|process| process.pid).collect::<Vec<_>>(), [42]);
}

#[tokio::test]
async fn a_lease_is_held_by_one_and_its_cursor_goes_on_with_the_next() {
    let kept = Fixture::new().await;
    let (one, two) = (kept.store.clone(), Store::open(&kept.path()).await.unwrap());
    let minute = Duration::from_secs(60);
    assert_eq!(one.lease_cursor("tail").await.unwrap(), 0);
    assert!(one.take_lease("tail", moment(0), minute).await.unwrap());
    assert!(!two.take_lease("tail", moment(0), minute).await.unwrap());
    assert!(two.take_lease("other", moment(0), minute).await.unwrap());
    one.set_lease_cursor("tail", 17).await.unwrap();
    assert_eq!(two.set_lease_cursor("tail", 3).await.unwrap_err().kind, Kind::Conflict);
    assert!(one.take_lease("tail", moment(0), minute * 2).await.unwrap(), "the holder keeps it longer");
    assert!(!two.take_lease("tail", moment(1), minute).await.unwrap());
    assert!(two.take_lease("tail", moment(2), minute).await.unwrap());
    assert_eq!(one.set_lease_cursor("tail", 18).await.unwrap_err().kind, Kind::Conflict);
    assert_eq!(two.lease_cursor("tail").await.unwrap(), 17);
}
