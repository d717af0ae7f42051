//! What a replay cannot know, said plainly and with counts: whoever reads the figures should read these too.

use std::collections::{BTreeMap, BTreeSet};

use super::evidence::{Evidence, FEW};
use super::path::{Paths, Step};
use super::report::Unknown;
use super::totals::Totals;
use super::traffic::{Question, Traffic};
use super::{Comparison, Contender};
use crate::names::ModelName;
use crate::policy::{Policy, RouteTier, Sticky};

/// `new`: what the new policy would do.
pub(super) fn of(
    comparison: &Comparison<'_>,
    traffic: &Traffic,
    evidence: &Evidence,
    new: (&Paths, &Totals),
) -> Vec<Unknown> {
    let (paths, totals) = new;
    let asked = Asked::of(paths, traffic, evidence);
    let guessed = [
        sampled(comparison, traffic),
        never_seen(totals),
        asked.without_outcomes(),
        asked.with_few_outcomes(),
        without_tokens(totals),
        asked.unpriced(totals),
        redefined(comparison),
    ];
    let left_out = [
        cached(traffic),
        unreadable(traffic),
        other_policies(traffic, &comparison.present),
        keys(comparison),
        pass_rates(comparison, traffic),
        budgets(comparison, traffic),
        conversations(comparison, traffic),
        Some(Unknown {
            code: "feedback",
            count: None,
            text: "What a policy changes in turn is not replayed: models that are busy or left alone after failures, \
                   rate limits that are used up, answers that land in the cache."
                .to_owned(),
        }),
    ];
    guessed.into_iter().chain(left_out).flatten().collect()
}

/// The models that the new policy asks for each tool, and on how much they are known.
struct Asked<'a> {
    tools: &'a [String],
    /// By model and tool; `0` questions seen means that the rates are those of other models or tools.
    seen: BTreeMap<(&'a ModelName, u16), u64>,
    unpriced: BTreeSet<&'a ModelName>,
}

impl<'a> Asked<'a> {
    fn of(paths: &'a Paths, traffic: &'a Traffic, evidence: &Evidence) -> Self {
        let mut asked = Self { tools: &traffic.tools.list, seen: BTreeMap::new(), unpriced: BTreeSet::new() };
        for path in &paths.list {
            for Step { name, model, price, .. } in &path.steps {
                asked.seen.insert((name, path.tool), evidence.rates(path.tool, *model).seen);
                asked.unpriced.extend(price.is_none().then_some(name));
            }
        }
        asked
    }

    fn without_outcomes(&self) -> Option<Unknown> {
        let known: BTreeSet<_> =
            self.seen.iter().filter(|(_, seen)| **seen > 0).map(|((model, _), _)| *model).collect();
        let unknown: BTreeSet<_> = self.seen.keys().map(|(model, _)| *model).filter(|it| !known.contains(it)).collect();
        let names: Vec<&str> = unknown.iter().map(|name| name.as_str()).collect();
        (!names.is_empty()).then(|| Unknown {
            code: "models_without_outcomes",
            count: Some(names.len() as u64),
            text: format!(
                "No outcome is recorded of {}: taken to be as good as the others together.",
                names.join(", ")
            ),
        })
    }

    fn with_few_outcomes(&self) -> Option<Unknown> {
        let few: Vec<String> = self
            .seen
            .iter()
            .filter(|(_, seen)| (1..FEW).contains(*seen))
            .map(|((model, tool), seen)| {
                format!("{} at {model} ({seen})", self.tools.get(usize::from(*tool)).map_or("?", String::as_str))
            })
            .collect();
        (!few.is_empty()).then(|| Unknown {
            code: "few_outcomes",
            count: Some(few.len() as u64),
            text: format!("Fewer than {FEW} outcomes are recorded of {}.", few.join(", ")),
        })
    }

    fn unpriced(&self, totals: &Totals) -> Option<Unknown> {
        let names: Vec<&str> = self.unpriced.iter().map(|name| name.as_str()).collect();
        (totals.sum.unpriced > 0.0).then(|| Unknown {
            code: "unpriced",
            count: Some(whole(totals.sum.unpriced)),
            text: format!(
                "{} have no price, and about {} calls would go there: the cost is unknown.",
                names.join(", "),
                whole(totals.sum.unpriced)
            ),
        })
    }
}

fn sampled(comparison: &Comparison<'_>, traffic: &Traffic) -> Option<Unknown> {
    (traffic.requests < comparison.requests).then(|| Unknown {
        code: "sampled",
        count: Some(traffic.requests),
        text: format!(
            "{} of {} requests were replayed, evenly spread runs of them, and costs are of these; what was checked and spent \
             between them is taken to be like it. --all replays every one.",
            traffic.requests, comparison.requests
        ),
    })
}

fn never_seen(totals: &Totals) -> Option<Unknown> {
    let (guessed, calls, beyond) = (totals.sum.guessed_results, totals.sum.calls, whole(totals.sum.beyond));
    let larger = match beyond {
        0 => String::new(),
        beyond => format!(" {beyond} of them are larger than any that it was asked, and likely harder."),
    };
    (whole(guessed) > 0).then(|| Unknown {
        code: "never_asked",
        count: Some(whole(guessed)),
        text: format!(
            "About {} of {} calls go to a model that was never asked that question: what it would have said is \
             taken from its record on other questions, which may have been easier or harder.{larger}",
            whole(guessed),
            whole(calls)
        ),
    })
}

fn without_tokens(totals: &Totals) -> Option<Unknown> {
    (whole(totals.sum.guessed_tokens) > 0).then(|| Unknown {
        code: "tokens_estimated",
        count: Some(whole(totals.sum.guessed_tokens)),
        text: format!(
            "The tokens of about {} calls are estimated from other questions of the same tool.",
            whole(totals.sum.guessed_tokens)
        ),
    })
}

/// The same name for another model: the record is of the old one.
fn redefined(comparison: &Comparison<'_>) -> Option<Unknown> {
    let (new, present) = (comparison.new.policy, comparison.present.policy);
    let is_other = |name: &&ModelName| {
        let pair = new.models.get(*name).zip(present.models.get(*name));
        pair.is_some_and(|(one, other)| new.identity(one) != present.identity(other))
    };
    let other: Vec<&str> = new.models.keys().filter(is_other).map(ModelName::as_str).collect();
    (!other.is_empty()).then(|| Unknown {
        code: "redefined_models",
        count: Some(other.len() as u64),
        text: format!("{} is another model or place in the new policy; its record is the old one's.", other.join(", ")),
    })
}

fn cached(traffic: &Traffic) -> Option<Unknown> {
    (traffic.cached > 0).then(|| Unknown {
        code: "cached",
        count: Some(traffic.cached),
        text: format!(
            "{} answers came from the cache and are left out: how often equal questions come again is taken as given.",
            traffic.cached
        ),
    })
}

fn unreadable(traffic: &Traffic) -> Option<Unknown> {
    (traffic.unreadable > 0).then(|| Unknown {
        code: "unreadable",
        count: Some(traffic.unreadable),
        text: format!("The signals of {} requests cannot be read by this version.", traffic.unreadable),
    })
}

fn other_policies(traffic: &Traffic, present: &Contender<'_>) -> Option<Unknown> {
    let others = traffic.recorded.by_policy.iter().filter(|(hash, _)| **hash != present.policy.hash);
    let others: u64 = others.map(|(_, count)| count).sum();
    (others > 0).then(|| Unknown {
        code: "other_policies",
        count: Some(others),
        text: format!(
            "{others} questions were decided by other policies than the present one, so the present policy's replay \
             and what was recorded differ."
        ),
    })
}

fn keys(comparison: &Comparison<'_>) -> Option<Unknown> {
    let policies = [comparison.new.policy, comparison.present.policy];
    let without: BTreeSet<&str> = policies
        .iter()
        .flat_map(|policy| policy.backends.values())
        .filter(|backend| !backend.is_usable())
        .map(|backend| backend.name.as_str())
        .collect();
    let names: Vec<&str> = without.into_iter().collect();
    (!names.is_empty()).then(|| Unknown {
        code: "keys",
        count: Some(names.len() as u64),
        text: if comparison.keys_as_set {
            format!("No key is set here for {}: left out.", names.join(", "))
        } else {
            format!("No key is set here for {}: replayed as if it were; --keys-as-set leaves it out.", names.join(", "))
        },
    })
}

/// Which checks there are is the doing of the policies of that time.
fn pass_rates(comparison: &Comparison<'_>, traffic: &Traffic) -> Option<Unknown> {
    let chooses = |policy: &Policy| policy.routes.iter().any(|route| route.tier == RouteTier::Auto);
    let concerned = chooses(comparison.new.policy) || chooses(comparison.present.policy);
    let first = traffic.questions.first().map(|question| question.at);
    let counted = traffic.checks.iter().filter(|check| first.is_some_and(|first| check.at >= first)).count();
    (concerned && counted > 0).then(|| Unknown {
        code: "pass_rates",
        count: Some(counted as u64),
        text: "Each request is decided by the pass rates of the checks recorded before it, which the policies of that time \
               brought about: answers that a policy would have got in their place move no rate, a model without checks \
               is never passed over, and who begins below all the same (`explore`) is drawn anew, the same in each run."
            .to_owned(),
    })
}

fn budgets(comparison: &Comparison<'_>, traffic: &Traffic) -> Option<Unknown> {
    let count = comparison.new.policy.budgets.len().max(comparison.present.policy.budgets.len());
    let sampled = if traffic.weight > 1.0 {
        format!(" Each request of the sample counts for {:.1}.", traffic.weight)
    } else {
        String::new()
    };
    (count > 0).then(|| Unknown {
        code: "budgets",
        count: Some(count as u64),
        text: format!(
            "Budgets spend what calls are expected to cost, and begin with what was recorded of the period that was under \
             way; what is set aside for calls at the same moment, and a caller who asks again later, is not known.{sampled}"
        ),
    })
}

fn conversations(comparison: &Comparison<'_>, traffic: &Traffic) -> Option<Unknown> {
    let keeps = |policy: &Policy| policy.routes.iter().any(|route| route.sticky == Sticky::Conversation);
    let concerned = keeps(comparison.new.policy) || keeps(comparison.present.policy);
    let in_one = |question: &&Question| traffic.situation_of(question).signals.conversation.is_some();
    let count = traffic.questions.iter().filter(in_one).count() as u64;
    (concerned && count > 0).then(|| Unknown {
        code: "conversations",
        count: Some(count),
        text: format!(
            "Which requests belong to one conversation is not written down: {count} are replayed each by itself, although \
             `sticky: conversation` would keep a conversation at its model."
        ),
    })
}

/// A count for people: expectations have fractions.
fn whole(count: f64) -> u64 {
    count.round().max(0.0) as u64
}
