//! Sums by period and counts by hour and day, from the ledger's own sums. Pure.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{RoundMode, Timestamp, ToSpan, Unit, Zoned, ZonedRound};

use super::overview::{AnswerKind, AnsweredBy, Compared, Money, Period, Slice};
use crate::gateway::{Comparison, Spending};
use crate::names::TierName;
use crate::policy::Policy;
use crate::request::Status;
use crate::store::{Groups, Stretch};

const HOURS: i64 = 24;
const DAYS: i64 = 30;

/// What is shown of time, by the policy's clocks.
pub(super) struct Times {
    /// From midnight on, and from the first of the month on.
    pub today: Stretch,
    pub month: Stretch,
    /// The oldest first; the last one is still going on.
    pub hours: Vec<Labelled>,
    pub days: Vec<Labelled>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Labelled {
    pub stretch: Stretch,
    pub label: String,
}

impl Times {
    pub fn of(now: Timestamp, zone: &TimeZone) -> Self {
        let now = now.to_zoned(zone.clone());
        let today = now.date();
        Self {
            today: since_midnight(today, zone),
            month: since_midnight(today.first_of_month(), zone),
            hours: hours(&now),
            days: Stretch::days(today.saturating_sub((DAYS - 1).days()), today, zone)
                .into_iter()
                .map(|(day, stretch)| Labelled { stretch, label: day.strftime("%b %-d").to_string() })
                .collect(),
        }
    }
}

fn since_midnight(day: Date, zone: &TimeZone) -> Stretch {
    Stretch::since(Stretch::day(day, zone).from())
}

fn hours(now: &Zoned) -> Vec<Labelled> {
    let round = ZonedRound::new().smallest(Unit::Hour).mode(RoundMode::Trunc);
    let this_hour = now.round(round).unwrap_or_else(|_| now.clone());
    let begins = (0..HOURS).rev().map(|ago| this_hour.saturating_sub(ago.hours()));
    begins
        .map(|begin| Labelled {
            stretch: Stretch::between(begin.timestamp(), begin.saturating_add(1.hour()).timestamp()),
            label: begin.strftime("%H:%M").to_string(),
        })
        .collect()
}

/// What a period came to, over all its groups, which are by model and status.
pub(super) fn period(policy: &Policy, since: Timestamp, groups: &Groups) -> Period {
    let mut spending = Spending::default();
    for (names, sums) in groups {
        if let [model, status] = names.as_slice() {
            spending.add(Spending::of(policy, (model.as_str(), status.as_str()), *sums));
        }
    }
    let (compared, known) = match spending.comparison() {
        Comparison::Nothing => (Compared::Nothing, None),
        Comparison::Unknown => (Compared::Unknown, None),
        Comparison::Known { instead, saved } => (Compared::Known, Some((instead, saved))),
        Comparison::AtLeast { instead, saved, unknown: 0 } => (Compared::About, Some((instead, saved))),
        Comparison::AtLeast { instead, saved, .. } => (Compared::Partly, Some((instead, saved))),
    };
    let Spending { sums, uncosted, .. } = spending;
    Period {
        since,
        requests: sums.requests,
        spent: spending.cost().map(Money::from),
        uncosted,
        wasted: sums.wasted.into(),
        compared,
        highest_tier: known.map(|(instead, _)| instead.into()),
        saved: known.map(|(_, saved)| saved.into()),
        cache_saved: sums.saved.into(),
    }
}

/// Logic first, then what is cheap before what is dear, and last what nobody wants to see. Tiers that the policy no longer
/// has and that answered stand behind its own.
pub(super) fn answered_by(policy: &Policy, counted: &[Groups]) -> Vec<AnsweredBy> {
    let mut tiers: Vec<&str> = policy.tiers.iter().map(|tier| tier.name.as_str()).collect();
    for (names, _) in counted.iter().flatten() {
        if let Some((AnswerKind::Tier, tier)) = answerer(names)
            && !tiers.contains(&tier)
        {
            tiers.push(tier);
        }
    }
    let by = |kind, tier: Option<&str>| AnsweredBy { kind, tier: tier.map(TierName::from) };
    [by(AnswerKind::Logic, None), by(AnswerKind::Cached, None)]
        .into_iter()
        .chain(tiers.into_iter().map(|tier| by(AnswerKind::Tier, Some(tier))))
        .chain([by(AnswerKind::Degraded, None), by(AnswerKind::Nobody, None)])
        .collect()
}

/// Requests by who answered, in the order of `answered_by`. The groups are by tier and status.
pub(super) fn slices(times: Vec<Labelled>, counted: &[Groups], answered_by: &[AnsweredBy]) -> Vec<Slice> {
    times.into_iter().zip(counted).map(|(time, groups)| slice(time, groups, answered_by)).collect()
}

fn slice(time: Labelled, groups: &Groups, answered_by: &[AnsweredBy]) -> Slice {
    let mut counts = vec![0; answered_by.len()];
    for (names, sums) in groups {
        let place = answerer(names).and_then(|(kind, tier)| {
            let fits = |by: &AnsweredBy| by.kind == kind && by.tier.as_ref().is_none_or(|own| own.as_str() == tier);
            answered_by.iter().position(fits)
        });
        if let Some(count) = place.and_then(|place| counts.get_mut(place)) {
            *count += sums.requests;
        }
    }
    Slice { begins: time.stretch.from(), label: time.label, counts }
}

/// Of a group's tier and status: who answered, and that tier.
fn answerer(names: &[String]) -> Option<(AnswerKind, &str)> {
    let [tier, status] = names else { return None };
    let kind = match Status::parse(status)? {
        Status::Ok if tier == TierName::NONE => AnswerKind::Logic,
        Status::Ok => AnswerKind::Tier,
        Status::Cached => AnswerKind::Cached,
        Status::Degraded | Status::Partial => AnswerKind::Degraded,
        Status::Rejected | Status::Failed | Status::Cancelled => AnswerKind::Nobody,
    };
    Some((kind, tier))
}

#[cfg(test)]
#[path = "figures_tests.rs"]
mod tests;
