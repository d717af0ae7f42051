//! What the figures say after known outcomes, read from the text that Prometheus scrapes.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use proptest::prelude::*;
use uuid::Uuid;

use super::super::families;
use super::super::metrics::{Metrics, Period};
use super::super::zero::ToolFigures;
use crate::chat::{NanoUsd, Tokens, Usage, UsageSource};
use crate::names::TierName;
use crate::policy;
use crate::request::{
    Allowance, Attempt, AttemptKind, AttemptResult, CacheUse, Complexity, Decision, Door, KeptBack, Limit, Measures,
    Outcome, Rejection, RejectionCode, RequestId, Scope, Signals, Standing, Status, Target,
};

fn attempt(n: u32, model: &str, kind: AttemptKind, result: AttemptResult) -> Attempt {
    let tier = if model == "gpt-4o" { "hosted" } else { "local" };
    let rejected = result == AttemptResult::Rejected;
    Attempt {
        n,
        model: model.into(),
        tier: tier.into(),
        kind,
        result,
        rejection: rejected.then(|| Rejection::new(RejectionCode::UnknownTask, "TASK-0099 does not exist")),
        kept_back: None,
        budget: None,
        failure: None,
        usage: Usage { input: Tokens(100), cached_input: Tokens(40), output: Tokens(10) },
        usage_source: UsageSource::Reported,
        reserved: NanoUsd::ZERO,
        cost: if tier == "hosted" { NanoUsd(350_000) } else { NanoUsd::ZERO },
        started_at: Timestamp::UNIX_EPOCH,
        ttft: Some(Duration::from_millis(300)),
        latency: Duration::from_secs(2),
        http_status: Some(200),
    }
}

#[test]
fn what_a_budget_kept_back_counts_for_it() {
    let metrics = Metrics::for_tests();
    metrics.set_policy(&policy::compile(policy::BUILT_IN, "routing.yaml", &|_| None).policy.unwrap());
    assert_line(&metrics.render(), r#"taskgate_budget_refusals_total{budget="month"} 0"#);
    let kept_back = |budget: &str| Attempt {
        kept_back: Some(Limit::Budget),
        budget: Some(budget.into()),
        ..attempt(1, "gpt-4o", AttemptKind::First, AttemptResult::Skipped)
    };
    metrics.observe(&outcome(vec![kept_back("month"), kept_back("month"), kept_back("another's")], Status::Degraded));
    let text = metrics.render();
    assert_line(&text, r#"taskgate_budget_refusals_total{budget="month"} 2"#);
    assert_line(&text, r#"taskgate_budget_refusals_total{budget="other"} 1"#);
    assert_line(&text, r#"taskgate_limit_rejections_total{limit="budget"} 3"#);
}

#[test]
fn what_was_reported_beyond_what_was_set_aside_counts_for_the_budgets_that_paid() {
    let all = "  - { name: month, ";
    let more = "  - { name: mine, scope: model:gpt-4o, limit_usd: 1, per: day }\n  \
                - { name: other, scope: model:task-api-model, limit_usd: 1, per: day }\n";
    let policy = policy::compile(&policy::BUILT_IN.replace(all, &format!("{more}{all}")), "routing.yaml", &|_| None)
        .policy
        .unwrap();
    let metrics = Metrics::for_tests();
    metrics.set_policy(&policy);
    let call = |reserved| Attempt {
        reserved: NanoUsd(reserved),
        ..attempt(1, "gpt-4o", AttemptKind::First, AttemptResult::Accepted)
    };
    metrics.observe(&outcome(vec![call(350_000), call(349_993)], Status::Ok));
    let text = metrics.render();
    for (budget, overrun) in [("month", 7), ("mine", 7), ("other", 0)] {
        let line = format!("taskgate_budget_overrun_nanousd_total{{budget=\"{budget}\"}} {overrun}\n");
        assert!(text.contains(&line), "{line}: {text}");
    }
}

fn outcome(attempts: Vec<Attempt>, status: Status) -> Outcome {
    let answered = [AttemptResult::Accepted, AttemptResult::Unchecked];
    let model = attempts.iter().find(|attempt| answered.contains(&attempt.result)).map(|found| found.model.clone());
    Outcome {
        id: RequestId(Uuid::nil()),
        at: Timestamp::UNIX_EPOCH,
        signals: Signals {
            door: Door::Stdio,
            caller: "local".to_owned(),
            target: Target::Tool("analyze_workload".to_owned()),
            projects: Vec::new(),
            needs: Default::default(),
            context: Tokens::ZERO,
            measures: Measures::default(),
            conversation: None,
            prompt_version: String::new(),
        },
        policy_hash: "abc".to_owned(),
        decision: Decision {
            route: "default".into(),
            tier: if attempts.is_empty() { TierName::none() } else { "local".into() },
            complexity: Complexity { score: 0.3, contributions: Vec::new() },
            candidates: Vec::new(),
            reasons: Vec::new(),
        },
        status,
        model,
        usage: Usage::default(),
        cost: attempts.iter().map(|attempt| attempt.cost).sum(),
        wasted: NanoUsd::ZERO,
        counterfactual: Some(NanoUsd(700_000)),
        cache: CacheUse::Miss,
        saved: NanoUsd::ZERO,
        latency: Duration::from_secs(2) * attempts.len() as u32 + Duration::from_millis(3),
        ttft: None,
        failure: None,
        kept_back: None,
        shared: Vec::new(),
        attempts,
    }
}

fn rendered(outcomes: &[Outcome]) -> String {
    let metrics = Metrics::install().unwrap();
    outcomes.iter().for_each(|outcome| metrics.observe(outcome));
    metrics.render()
}

#[track_caller]
fn assert_line(text: &str, line: &str) {
    let name = line.split(['{', ' ']).next().unwrap();
    let found: Vec<&str> = text.lines().filter(|line| line.starts_with(name)).collect();
    assert!(found.contains(&line), "no `{line}` in:\n{}", found.join("\n"));
}

#[test]
fn a_rejected_answer_that_went_up_is_counted_once_in_each_family() {
    let text = rendered(&[outcome(
        vec![
            attempt(1, "task-api-model", AttemptKind::First, AttemptResult::Rejected),
            attempt(2, "gpt-4o", AttemptKind::Escalation, AttemptResult::Accepted),
        ],
        Status::Ok,
    )]);
    let tool = r#"tool="analyze_workload""#;
    assert_line(
        &text,
        &format!(r#"taskgate_requests_total{{door="stdio",{tool},route="default",tier="hosted",status="ok"}} 1"#),
    );
    assert_line(&text, r#"taskgate_attempts_total{model="gpt-4o",kind="escalation",result="accepted"} 1"#);
    assert_line(&text, &format!(r#"taskgate_checks_total{{{tool},model="task-api-model",result="rejected"}} 1"#));
    assert_line(&text, r#"taskgate_escalations_total{from="local",to="hosted",reason="unknown_task"} 1"#);
    assert_line(&text, r#"taskgate_cost_nanousd_total{model="gpt-4o",route="default"} 350000"#);
    assert_line(&text, r#"taskgate_counterfactual_cost_nanousd_total{route="default"} 700000"#);
    assert_line(&text, r#"taskgate_tokens_total{model="gpt-4o",type="input",usage="reported"} 60"#);
    assert_line(&text, r#"taskgate_tokens_total{model="gpt-4o",type="cached_input",usage="reported"} 40"#);
    assert_line(&text, r#"taskgate_overhead_seconds_bucket{door="stdio",le="0.0025"} 0"#);
    assert_line(&text, r#"taskgate_overhead_seconds_bucket{door="stdio",le="0.005"} 1"#);
    assert!(!text.contains("taskgate_fallbacks_total{"), "an escalation is no fallback");
    assert!(!text.contains("taskgate_wasted_cost_nanousd_total{"), "a free rejected answer wasted nothing");
}

#[test]
fn a_step_over_a_skipped_model_starts_where_something_was_sent() {
    let text = rendered(&[outcome(
        vec![
            attempt(1, "task-api-model", AttemptKind::First, AttemptResult::Timeout),
            attempt(2, "task-api-model", AttemptKind::Retry, AttemptResult::Connect),
            Attempt {
                kept_back: Some(Limit::RequestsPerMinute),
                ..attempt(3, "spare", AttemptKind::Fallback, AttemptResult::Skipped)
            },
            attempt(4, "gpt-4o", AttemptKind::Fallback, AttemptResult::Accepted),
        ],
        Status::Ok,
    )]);
    assert_line(&text, r#"taskgate_retries_total{model="task-api-model",reason="timeout"} 1"#);
    assert_line(&text, r#"taskgate_fallbacks_total{from="task-api-model",to="gpt-4o",reason="connect"} 1"#);
    assert_line(&text, r#"taskgate_attempts_total{model="spare",kind="fallback",result="skipped"} 1"#);
    assert_line(&text, r#"taskgate_limit_rejections_total{limit="requests_per_minute"} 1"#);
    assert!(!text.contains(r#"taskgate_price_lookups_total{model="spare""#), "nothing was sent to it");
}

#[test]
fn what_a_callers_limit_turned_away_counts_by_the_limit_and_a_budgets_refusal_once() {
    let kept_back = |limit| Some(KeptBack { limit, wait: None });
    let turned_away =
        Outcome { kept_back: kept_back(Limit::CallerTokensPerMinute), ..outcome(Vec::new(), Status::Rejected) };
    let attempt =
        Attempt { kept_back: Some(Limit::Budget), ..attempt(1, "gpt-4o", AttemptKind::First, AttemptResult::Skipped) };
    let over_budget = Outcome { kept_back: kept_back(Limit::Budget), ..outcome(vec![attempt], Status::Rejected) };
    let text = rendered(&[turned_away, over_budget]);
    assert_line(&text, r#"taskgate_limit_rejections_total{limit="caller_tokens_per_minute"} 1"#);
    assert_line(&text, r#"taskgate_limit_rejections_total{limit="budget"} 1"#);
    assert_line(&text, r#"taskgate_limit_rejections_total{limit="caller_concurrency"} 0"#);
}

#[test]
fn what_logic_answered_is_a_request_of_the_tier_none_and_asks_no_cache() {
    let text = rendered(&[outcome(Vec::new(), Status::Ok)]);
    assert!(text.contains(r#"tier="none",status="ok"} 1"#));
    assert!(!text.contains("taskgate_cache_requests_total{") && !text.contains("taskgate_complexity_bucket"));
}

#[test]
fn what_a_kept_answer_saves_is_told_and_a_second_try_that_was_not_made_counts_as_kept_back() {
    let given = Outcome { cache: CacheUse::Hit, saved: NanoUsd(350_000), ..outcome(Vec::new(), Status::Cached) };
    let refused = Attempt {
        kept_back: Some(Limit::Retries),
        ..attempt(2, "task-api-model", AttemptKind::Retry, AttemptResult::Skipped)
    };
    let first = attempt(1, "task-api-model", AttemptKind::First, AttemptResult::RateLimited);
    let text = rendered(&[given.clone(), given, outcome(vec![first, refused], Status::Degraded)]);
    assert_line(&text, r#"taskgate_cache_saved_nanousd_total{route="default"} 700000"#);
    assert_line(&text, r#"taskgate_limit_rejections_total{limit="retries"} 1"#);
    assert_line(&text, r#"taskgate_attempts_total{model="task-api-model",kind="retry",result="skipped"} 1"#);
    assert!(!text.contains("taskgate_retries_total{"), "no second try was made");
}

#[test]
fn usage_that_nobody_reported_is_told_and_never_summed_as_reported() {
    let mut silent = attempt(1, "task-api-model", AttemptKind::First, AttemptResult::Accepted);
    silent.usage_source = UsageSource::Estimated;
    let text = rendered(&[outcome(vec![silent], Status::Ok)]);
    assert_line(&text, r#"taskgate_usage_missing_total{model="task-api-model"} 1"#);
    assert!(text.contains(r#"usage="estimated"} 60"#) && !text.contains(r#"usage="reported""#));
}

#[test]
fn money_for_nothing_is_counted_by_how_it_was_lost() {
    let cut = attempt(1, "gpt-4o", AttemptKind::First, AttemptResult::Cut);
    let text = rendered(&[outcome(vec![cut], Status::Degraded)]);
    assert_line(&text, r#"taskgate_wasted_cost_nanousd_total{model="gpt-4o",reason="cut"} 350000"#);
    assert_line(&text, r#"taskgate_tool_cost_nanousd_total{tool="analyze_workload"} 350000"#);
    assert!(text.contains(r#"error_type="cut""#));
    // A check that broke left an answer that nobody read.
    let unread = attempt(1, "gpt-4o", AttemptKind::First, AttemptResult::Unchecked);
    let text = rendered(&[outcome(vec![unread], Status::Degraded)]);
    assert_line(&text, r#"taskgate_wasted_cost_nanousd_total{model="gpt-4o",reason="unchecked"} 350000"#);
}

#[test]
fn a_server_that_lost_sight_of_the_ledger_shows_for_how_long() {
    let metrics = Metrics::install().unwrap();
    let lag = |text: &str| {
        let line = text.lines().find(|line| line.starts_with("taskgate_ledger_lag_seconds "))?;
        line.split(' ').nth(1)?.parse::<f64>().ok()
    };
    assert_eq!(lag(&metrics.render()), None, "a process that does not look has nothing to say");
    metrics.ledger_level(Instant::now().checked_sub(Duration::from_secs(90)).unwrap());
    assert!(lag(&metrics.render()).unwrap() >= 90.0);
    metrics.ledger_level(Instant::now());
    assert!(lag(&metrics.render()).unwrap() < 60.0);
    metrics.ledger_failed();
    assert_line(&metrics.render(), "taskgate_ledger_failures_total 1");
}

#[test]
fn a_policys_models_are_told_with_where_they_are_and_their_money_begins_at_zero() {
    let policy = |text: &str| policy::compile(text, "routing.yaml", &|_| None).policy.unwrap();
    let metrics = Metrics::install().unwrap();
    metrics.set_tools([ToolFigures { name: "plan_sprint", asks_a_model: true }]);
    metrics.set_policy(&policy(policy::BUILT_IN));
    let info = |text: &str, model: &str, backend: &str, rest: &str| {
        assert_line(text, &format!(r#"taskgate_model_info{{model="{model}",backend="{backend}",{rest}"#));
    };
    let text = metrics.render();
    info(&text, "gpt-4o", "openai", r#"location="hosted",price="priced"} 1"#);
    info(&text, "task-api-model", "local", r#"location="local",price="free"} 1"#);
    assert_line(&text, r#"taskgate_tool_cost_nanousd_total{tool="plan_sprint"} 0"#);
    assert_line(&text, r#"taskgate_price_lookups_total{model="gpt-4o",status="priced"} 0"#);
    let unpriced = policy::BUILT_IN.replace("    price: { input: 2.50, cached_input: 1.25, output: 10.00 }\n", "");
    metrics.set_policy(&policy(&unpriced));
    let text = metrics.render();
    info(&text, "gpt-4o", "openai", r#"location="hosted",price="priced"} 0"#);
    info(&text, "gpt-4o", "openai", r#"location="hosted",price="unpriced"} 1"#);
    info(&text, "task-api-model", "local", r#"location="local",price="free"} 1"#);
}

#[test]
fn however_often_the_policy_changes_only_the_present_one_is_told() {
    let policy =
        |n: u32| policy::compile(&format!("{}# {n}\n", policy::BUILT_IN), "routing.yaml", &|_| None).policy.unwrap();
    let metrics = Metrics::install().unwrap();
    let told = || {
        let text = metrics.render();
        let mentions = text.lines().filter(|line| line.contains("taskgate_config_info"));
        mentions.filter(|line| !line.starts_with('#')).map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(told().is_empty());
    for n in 0..20 {
        metrics.set_policy(&policy(n));
        assert_eq!(told(), [format!("taskgate_config_info{{hash=\"{}\"}} 1", policy(n).hash)]);
    }
}

#[test]
fn every_family_is_described_once_and_follows_the_naming_rules() {
    let mut names: Vec<&str> = families::metric_names().collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), families::ALL.len());
    for family in families::ALL {
        let counter = matches!(family.kind, families::Kind::Counter);
        assert_eq!(family.name.ends_with("_total"), counter, "{}", family.name);
        assert!(family.help.ends_with('.'), "{}", family.name);
    }
}

#[test]
fn gauges_show_what_was_set_and_what_is_in_flight() {
    let metrics = Metrics::install().unwrap();
    metrics.set_spend(Period::Day, &[("gpt-4o".into(), NanoUsd(1_250_000_000))]);
    metrics.set_tasks(&[(crate::tasks::Status::Pending, 3)]);
    let held = metrics.request_started(Door::Cli);
    let text = metrics.render();
    assert_line(&text, r#"taskgate_spend_nanousd{model="gpt-4o",period="day"} 1250000000"#);
    assert_line(&text, r#"taskgate_tasks{status="pending"} 3"#);
    assert_line(&text, r#"taskgate_tasks{status="completed"} 0"#);
    assert_line(&text, r#"taskgate_in_flight{door="cli"} 1"#);
    let ends = "1970-01-08T00:00:00Z".parse().unwrap();
    let week = Allowance {
        budget: "week".into(),
        scope: Scope::All,
        limit: NanoUsd(500),
        begins: Timestamp::UNIX_EPOCH,
        ends,
    };
    metrics.set_budgets(&[week], &[Standing { spent: NanoUsd(400), reserved: NanoUsd(50) }]);
    let text = metrics.render();
    assert_line(&text, r#"taskgate_budget_limit_nanousd{budget="week"} 500"#);
    assert_line(&text, r#"taskgate_budget_spent_nanousd{budget="week"} 400"#);
    assert_line(&text, r#"taskgate_budget_resets_timestamp_seconds{budget="week"} 604800"#);
    metrics.set_budgets(&[], &[]);
    let gone = metrics.render();
    assert_line(&gone, r#"taskgate_budget_limit_nanousd{budget="week"} 0"#);
    assert_line(&gone, r#"taskgate_budget_spent_nanousd{budget="week"} 0"#);
    metrics.set_spend(Period::Day, &[]);
    assert_line(&metrics.render(), r#"taskgate_spend_nanousd{model="gpt-4o",period="day"} 0"#);
    drop(held);
    assert_line(&metrics.render(), r#"taskgate_in_flight{door="cli"} 0"#);
    assert!(text.contains("process_resident_memory_bytes") && text.contains("taskgate_build_info{version="));
}

proptest! {
    /// What Prometheus shows is what the ledger holds, to the nano-dollar, however the costs are spread.
    #[test]
    fn the_cost_counter_is_the_sum_of_the_attempts(costs in prop::collection::vec(0i64..1 << 50, 1..20)) {
        let metrics = Metrics::install().unwrap();
        for cost in &costs {
            let mut paid = attempt(1, "gpt-4o", AttemptKind::First, AttemptResult::Accepted);
            paid.cost = NanoUsd(*cost);
            metrics.observe(&outcome(vec![paid], Status::Ok));
        }
        let line = format!(r#"taskgate_cost_nanousd_total{{model="gpt-4o",route="default"}} {}"#, costs.iter().sum::<i64>());
        prop_assert!(metrics.render().lines().any(|shown| shown == line));
    }
}
