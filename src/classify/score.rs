//! The score: each signal is put on a scale from 0 to 1 and weighed; the sum is the complexity.
//!
//! For a tool call the shape of the question says more than its words do, so the signals are the tool's class, the size
//! and the knots of the task graph, hours against capacity, and how much has to be read and written. Of a conversation
//! only its words and their structure are known; `docs/routing-quality.md` says how little that tells.

use std::collections::BTreeMap;

use crate::request::{
    Complexity, Contribution, Measures, Signal, Signals, Target, WEIGHTS_OF_A_CONVERSATION, WEIGHTS_OF_A_TOOL,
};

/// How much judgement a tool asks of a model, from 0 (pick a label) to 1 (weigh many things against each other).
const TOOL_CLASSES: [(&str, f64); 4] =
    [("smart_prioritize", 0.1), ("suggest_next_action", 0.3), ("analyze_workload", 0.5), ("plan_sprint", 1.0)];

/// A tool or an endpoint that is not in the table.
const OTHER_CLASS: f64 = 0.5;

/// The complexity of a request. `weights` overrides the defaults, signal by signal. The score stays within 0 and 1.
pub fn score(signals: &Signals, weights: &BTreeMap<Signal, f64>) -> Complexity {
    let seen: &[(Signal, f64)] =
        if signals.conversation.is_some() { &WEIGHTS_OF_A_CONVERSATION } else { &WEIGHTS_OF_A_TOOL };
    let contributions: Vec<Contribution> = seen
        .iter()
        .map(|(signal, default)| {
            let (value, share) = measure(*signal, signals);
            let weight = weights.get(signal).copied().unwrap_or(*default);
            Contribution { signal: signal.as_str().to_owned(), value, share, weight, contribution: share * weight }
        })
        .collect();
    let sum: f64 = contributions.iter().map(|part| part.contribution).sum();
    Complexity { score: sum.clamp(0.0, 1.0), contributions }
}

/// A signal's value as seen, and its place between "plainly easy" (0) and "as hard as it gets" (1): where a further task,
/// edge or word no longer makes the question harder.
fn measure(signal: Signal, signals: &Signals) -> (f64, f64) {
    let Measures { tasks, edges, depth, load, conflicts, people, output_items } = signals.measures;
    let said = signals.conversation.unwrap_or_default();
    let (value, share) = match signal {
        Signal::Class => (class(&signals.target), class(&signals.target)),
        Signal::Tasks => logarithmic(tasks.into(), 200.0),
        // Small models lose the thread somewhere past a few pages.
        Signal::Context => (signals.context.0 as f64, signals.context.0 as f64 / 8_000.0),
        Signal::Edges => linear(edges, 20.0),
        Signal::Depth => linear(depth, 6.0),
        // Below 80% of capacity everything fits anyhow; at twice the capacity nothing is left to weigh.
        Signal::Load => (load, (load - 0.8) / 1.2),
        Signal::Conflicts => linear(conflicts, 5.0),
        Signal::People => (people.into(), (f64::from(people) - 1.0) / 7.0),
        Signal::OutputItems => linear(output_items, 20.0),
        Signal::Instruction => logarithmic(said.instruction.into(), 300.0),
        Signal::Attached => logarithmic(said.attached as f64, 20_000.0),
        Signal::Turns => (said.turns.into(), (f64::from(said.turns) - 1.0) / 10.0),
        Signal::Questions => linear(said.questions, 4.0),
        Signal::Steps => linear(said.steps, 6.0),
        Signal::Constraints => linear(said.constraints, 6.0),
        Signal::Reasoning => linear(said.reasoning, 3.0),
        Signal::Numbers => linear(said.numbers, 10.0),
        Signal::Maths => linear(said.maths, 10.0),
        Signal::Code => linear(said.code, 40.0),
        Signal::Tables => linear(said.tables, 20.0),
        Signal::Tools => linear(said.tools, 10.0),
        Signal::Schema => linear(u32::from(said.schema), 1.0),
        Signal::Images => linear(said.images, 4.0),
    };
    (value, share.clamp(0.0, 1.0))
}

fn class(target: &Target) -> f64 {
    let known = TOOL_CLASSES.iter().find(|(tool, _)| *tool == target.as_str());
    known.map_or(OTHER_CLASS, |(_, class)| *class)
}

fn linear(count: u32, full: f64) -> (f64, f64) {
    (count.into(), f64::from(count) / full)
}

/// Ten tasks are much harder than one; a hundred and ten are hardly harder than a hundred.
fn logarithmic(value: f64, full: f64) -> (f64, f64) {
    (value, (1.0 + value).ln() / (1.0 + full).ln())
}

#[cfg(test)]
#[path = "score_tests.rs"]
mod tests;
