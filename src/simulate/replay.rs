//! One policy from the first question to the last: each is decided with what was known by then, as the gateway decides.
//! Pure.
//!
//! Pass rates are of the recorded checks, the same for every policy. Money is what this policy would have spent, so
//! that the questions go by one after the other; the decisions of a stretch are worked out on all cores before.

use super::evidence::Evidence;
use super::known::{History, Known};
use super::money::{BudgetReport, Ledger};
use super::path::{Builder, Key, Paths, in_parts, key};
use super::traffic::{Question, Traffic};
use super::walk::{Case, Event, expected};
use super::{Comparison, Contender};
use crate::gateway::{View, decide};
use crate::limit::Spent;
use crate::names::BudgetName;
use crate::policy::Policy;

/// So many questions are worked on at a stretch.
const STRETCH: usize = 4_096;

pub struct Replay {
    pub paths: Paths,
    pub budgets: Vec<BudgetReport>,
    /// Questions that began above a tier because of its pass rates, and those that began there all the same.
    pub passed_over: u64,
    pub explored: u64,
}

/// A decision, as far as a replay looks at it.
struct Decided {
    key: Key,
    passed_over: bool,
    explored: bool,
}

pub(super) fn replay(
    comparison: &Comparison<'_>,
    contender: &Contender<'_>,
    traffic: &Traffic,
    evidence: &Evidence,
) -> Replay {
    let policy = contender.policy;
    let view = comparison.view(policy);
    let mut builder = Builder::new(policy, traffic, evidence);
    let alone = builder.of_situations(&view);
    let mut history = History::of(traffic);
    let mut ledger = Ledger::open(policy, comparison.since, &contender.opening, traffic.weight);
    let mut numbers = Vec::with_capacity(traffic.questions.len());
    let (mut passed_over, mut explored) = (0, 0);
    for stretch in traffic.questions.chunks(STRETCH) {
        let asked: Vec<(&Question, Known)> =
            stretch.iter().map(|question| (question, history.before(question))).collect();
        let usually = in_parts(&asked, |(question, known)| {
            // Without pass rates that could change anything, a question is decided like all of its kind.
            known.is_some().then(|| decided(policy, traffic, question, learned(&view, question, known)))
        });
        for ((question, known), before) in asked.iter().zip(usually) {
            ledger.comes(question.at);
            let usual = match &before {
                Some(decided) => builder.number(decided.key.clone()),
                None => alone[question.situation as usize],
            };
            let spent: Vec<(BudgetName, Spent)> = ledger.spent().collect();
            let now = if spent.is_empty() {
                before
            } else {
                let view = View { spent: spent.into_iter().collect(), ..learned(&view, question, known) };
                Some(decided(policy, traffic, question, view))
            };
            passed_over += u64::from(now.as_ref().is_some_and(|decided| decided.passed_over));
            explored += u64::from(now.as_ref().is_some_and(|decided| decided.explored));
            let number = now.map_or(usual, |decided| builder.number(decided.key));
            numbers.push(number);
            settle(&mut ledger, question, (&builder, usual, number));
        }
    }
    let (money, budgets) = ledger.close();
    Replay { paths: builder.paths(numbers, money), budgets, passed_over, explored }
}

fn learned(view: &View, question: &Question, known: &Known) -> View {
    let tracks = known.as_ref().map(|tracks| tracks.as_ref().clone()).unwrap_or_default();
    View { tracks, draw: Some(question.draw), ..view.clone() }
}

fn decided(policy: &Policy, traffic: &Traffic, question: &Question, view: View) -> Decided {
    let situation = traffic.situation_of(question);
    let decision = decide(policy, &situation.signals, &view);
    let explored = decision.reasons.iter().any(|reason| reason.code == "explore");
    let passed_over = !explored && decision.reasons.iter().any(|reason| reason.code == "pass_rate");
    Decided { key: key(policy, &decision, situation), passed_over, explored }
}

/// Money is spent on the path that is taken. What budgets keep back shows on the usual one: a decision that knows them to
/// be spent leaves out what they would not pay for.
fn settle(ledger: &mut Ledger<'_>, question: &Question, (builder, usual, taken): (&Builder<'_>, u32, u32)) {
    let (traffic, evidence) = (builder.traffic, builder.evidence);
    if builder.policy.budgets.is_empty() {
        return;
    }
    let signals = &traffic.situation_of(question).signals;
    let (mut paid, mut kept_back) = (Vec::new(), Vec::new());
    let case = Case::of(question, traffic, ledger.purse());
    expected(builder.path(taken), case, evidence, &mut |event| match event {
        Event::Paid { model, cost } => paid.push((model, cost)),
        Event::KeptBack { budget, chance } => kept_back.push((budget, chance)),
    });
    if taken != usual {
        kept_back.clear();
        expected(builder.path(usual), case, evidence, &mut |event| {
            if let Event::KeptBack { budget, chance } = event {
                kept_back.push((budget, chance));
            }
        });
    }
    for (model, cost) in paid {
        ledger.paid(signals, model, cost);
    }
    for (budget, chance) in kept_back {
        ledger.kept_back(budget, chance, question.at);
    }
}
