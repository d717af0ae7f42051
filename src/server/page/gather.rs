//! Reads what the page shows, once for all who look: from the ledger, and from the gateway's view of its models.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use super::figures::Labelled;
use super::overview::{Decided, Money, Overview, PolicyProblem, PolicyRefused, Tried};
use super::remarks::Seen;
use super::{budgets, figures, models, remarks};
use crate::chat::UsageSource;
use crate::error::{Error, Kind, Result};
use crate::policy::{Problem, Refusal, Severity};
use crate::request::{Allowance, Attempt, Outcome};
use crate::server::Parts;
use crate::store::{Dimension, Groups, Store, Stretch};

const DECISIONS: u32 = 20;

/// More than that are the same mistake again; `taskgate check` shows all.
const PROBLEMS: usize = 5;

/// For so long a call that a budget kept back is told, as by the alert.
const LATELY: SignedDuration = SignedDuration::from_mins(10);

/// Three heartbeats: a process that missed all of them is gone.
const ALIVE_WITHIN: SignedDuration = SignedDuration::from_secs(45);

pub(super) async fn gather(parts: &Parts, now: Timestamp) -> Result<Overview> {
    let Parts { store, metrics, gateway, refused } = parts;
    let policy = gateway.policy();
    let times = figures::Times::of(now, &policy.time_zone);
    let (today, month) = (times.today, times.month);
    let by_status = [Dimension::Model, Dimension::Status];
    let asked: [(Stretch, &[Dimension]); 3] = [(today, &by_status[..1]), (today, &by_status), (month, &by_status)];
    let periods = store.usage_of(&asked).await?;
    let [of_models, in_day, in_month] = periods.as_slice() else {
        return Err(Error::new(Kind::Internal, "A period is missing"));
    };
    let (in_hours, in_days) = (counted(store, &times.hours).await?, counted(store, &times.days).await?);
    let allowances: Vec<Allowance> =
        policy.budgets.iter().map(|budget| budget.allowance(now, &policy.time_zone)).collect();
    let refusals = store.last_refusals(now.checked_sub(LATELY).unwrap_or(now)).await?;
    let budgets = budgets::now(&policy.budgets, &allowances, &store.standings(&allowances).await?, &refusals);
    let answered_by = figures::answered_by(&policy, &in_days);
    let decisions = store.last_decisions(DECISIONS).await?;
    let followed = store.followed_policies(now.checked_sub(ALIVE_WITHIN).unwrap_or(now)).await?;
    let policy_refused = refused.get().map(refused_policy);
    let models = models::now(&policy, &gateway.health(), &store.seen_health().await?, (of_models, now));
    let remarks = remarks::remarks(&Seen {
        models: &models,
        budgets: &budgets,
        policy_hash: &policy.hash,
        policy_is_refused: policy_refused.is_some(),
        followed: &followed,
        lost_rows: store.lost_rows(month.from()).await?.max(metrics.lost_rows()),
        lag: metrics.ledger_lag(Instant::now()),
    });
    Ok(Overview {
        version: env!("CARGO_PKG_VERSION"),
        policy_hash: policy.hash.clone(),
        policy_refused,
        time_zone: policy.time_zone.iana_name().map(str::to_owned),
        processes: followed.len(),
        verdict: remarks::verdict(&remarks),
        remarks,
        models,
        today: figures::period(&policy, today.from(), in_day),
        month: figures::period(&policy, month.from(), in_month),
        budgets,
        hours: figures::slices(times.hours, &in_hours, &answered_by),
        days: figures::slices(times.days, &in_days, &answered_by),
        answered_by,
        is_new: store.first_use().await?.is_none(),
        decisions: decisions.into_iter().map(decided).collect(),
    })
}

/// The ledger's sums by tier and status, for each of these times.
async fn counted(store: &Store, times: &[Labelled]) -> Result<Vec<Groups>> {
    let stretches: Vec<Stretch> = times.iter().map(|time| time.stretch).collect();
    store.usage_in(&stretches, &[Dimension::Tier, Dimension::Status]).await
}

fn refused_policy(refusal: Refusal) -> PolicyRefused {
    let Refusal { hash, since, problems } = refusal;
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error);
    let told = |problem: &Problem| {
        let Problem { line, message, help, .. } = problem;
        PolicyProblem { line: *line, message: message.clone(), help: help.clone() }
    };
    let mut problems: Vec<PolicyProblem> = errors.map(told).collect();
    let more = problems.len().saturating_sub(PROBLEMS);
    problems.truncate(PROBLEMS);
    PolicyRefused { hash, since, problems, more }
}

fn decided(outcome: Outcome) -> Decided {
    let Outcome { signals, decision, .. } = outcome;
    Decided {
        id: outcome.id,
        at: outcome.at,
        door: signals.door,
        tool: signals.target.as_str().to_owned(),
        route: decision.route,
        tier: decision.tier,
        complexity: decision.complexity,
        reasons: decision.reasons,
        status: outcome.status,
        model: outcome.model,
        cache: outcome.cache,
        cost: outcome.cost.into(),
        wasted: outcome.wasted.into(),
        highest_tier: outcome.counterfactual.map(Money::from),
        latency_ms: millis(outcome.latency),
        failure: outcome.failure,
        policy_hash: outcome.policy_hash,
        attempts: outcome.attempts.into_iter().map(tried).collect(),
    }
}

fn tried(attempt: Attempt) -> Tried {
    Tried {
        model: attempt.model,
        tier: attempt.tier,
        kind: attempt.kind,
        result: attempt.result,
        rejection: attempt.rejection,
        kept_back: attempt.kept_back,
        failure: attempt.failure,
        tokens: attempt.usage.input.0.saturating_add(attempt.usage.output.0),
        reported: attempt.usage_source == UsageSource::Reported,
        cost: attempt.cost.into(),
        latency_ms: millis(attempt.latency),
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
