//! The score: each signal is put on a scale from 0 to 1 and weighed; the sum is the complexity.
//!
//! For a tool call the shape of the question says more than its words do, so the signals are the tool's class, the size
//! and the knots of the task graph, hours against capacity, and how much has to be read and written.

use std::collections::BTreeMap;

use crate::request::{Complexity, Contribution, Signals, Target};

pub use crate::request::Signal;

/// How much judgement a tool asks of a model, from 0 (pick a label) to 1 (weigh many things against each other).
const TOOL_CLASSES: [(&str, f64); 4] =
    [("smart_prioritize", 0.1), ("suggest_next_action", 0.3), ("analyze_workload", 0.5), ("plan_sprint", 1.0)];

/// A tool or an endpoint that is not in the table.
const OTHER_CLASS: f64 = 0.5;

/// The complexity of a request. `weights` overrides the defaults, signal by signal. The score stays within 0 and 1.
pub fn score(signals: &Signals, weights: &BTreeMap<Signal, f64>) -> Complexity {
    let contributions: Vec<Contribution> = Signal::ALL
        .iter()
        .map(|&signal| {
            let (value, share) = measure(signal, signals);
            let weight = weights.get(&signal).copied().unwrap_or_else(|| default_weight(signal));
            Contribution { signal: signal.as_str().to_owned(), value, share, weight, contribution: share * weight }
        })
        .collect();
    let sum: f64 = contributions.iter().map(|part| part.contribution).sum();
    Complexity { score: sum.clamp(0.0, 1.0), contributions }
}

/// The defaults add up to 1, so that a question that is extreme in every way scores 1.
fn default_weight(signal: Signal) -> f64 {
    match signal {
        Signal::Class => 0.25,
        Signal::Tasks => 0.20,
        Signal::Edges | Signal::Depth | Signal::Load | Signal::Conflicts | Signal::Context => 0.10,
        Signal::People => 0.03,
        Signal::OutputItems => 0.02,
    }
}

/// A signal's value as seen, and its place between "plainly easy" (0) and "as hard as it gets" (1).
fn measure(signal: Signal, signals: &Signals) -> (f64, f64) {
    let measures = &signals.measures;
    // Where a further task, edge or person no longer makes the question harder.
    let (value, share) = match signal {
        Signal::Class => return (class(&signals.target), class(&signals.target)),
        Signal::Tasks => return (f64::from(measures.tasks), logarithmic(f64::from(measures.tasks), 200.0)),
        // Small models lose the thread somewhere past a few pages.
        Signal::Context => (signals.context.0 as f64, signals.context.0 as f64 / 8_000.0),
        Signal::Edges => (measures.edges.into(), f64::from(measures.edges) / 20.0),
        Signal::Depth => (measures.depth.into(), f64::from(measures.depth) / 6.0),
        // Below 80% of capacity everything fits anyhow; at twice the capacity nothing is left to weigh.
        Signal::Load => (measures.load, (measures.load - 0.8) / 1.2),
        Signal::Conflicts => (measures.conflicts.into(), f64::from(measures.conflicts) / 5.0),
        Signal::People => (measures.people.into(), (f64::from(measures.people) - 1.0) / 7.0),
        Signal::OutputItems => (measures.output_items.into(), f64::from(measures.output_items) / 20.0),
    };
    (value, share.clamp(0.0, 1.0))
}

fn class(target: &Target) -> f64 {
    let known = TOOL_CLASSES.iter().find(|(tool, _)| *tool == target.as_str());
    known.map_or(OTHER_CLASS, |(_, class)| *class)
}

/// Ten tasks are much harder than one; a hundred and ten are hardly harder than a hundred.
fn logarithmic(value: f64, full: f64) -> f64 {
    ((1.0 + value.max(0.0)).ln() / (1.0 + full).ln()).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::chat::Tokens;
    use crate::request::{Door, Measures};

    fn signals(tool: &str, measures: Measures, context: u64) -> Signals {
        Signals {
            door: Door::Stdio,
            caller: "local".into(),
            target: Target::Tool(tool.into()),
            projects: vec![],
            needs: Default::default(),
            context: Tokens(context),
            measures,
        }
    }

    fn of(tool: &str, measures: Measures, context: u64) -> f64 {
        score(&signals(tool, measures, context), &BTreeMap::new()).score
    }

    #[test]
    fn the_default_weights_add_up_to_one() {
        let sum: f64 = Signal::ALL.iter().map(|signal| default_weight(*signal)).sum();
        assert!((sum - 1.0).abs() < 1e-9, "{sum}");
    }

    #[test]
    fn a_short_label_is_easy_and_a_knotted_sprint_is_hard() {
        let label = of("smart_prioritize", Measures { tasks: 3, ..Measures::default() }, 200);
        let small_plan =
            of("plan_sprint", Measures { tasks: 5, load: 0.5, output_items: 5, ..Measures::default() }, 500);
        let knots = Measures { tasks: 60, edges: 25, depth: 6, load: 1.8, conflicts: 4, people: 5, output_items: 20 };
        let large_plan = of("plan_sprint", knots, 6_000);
        assert!(label < 0.25, "{label}");
        assert!((0.25..0.45).contains(&small_plan), "{small_plan}");
        assert!(large_plan > 0.75, "{large_plan}");
    }

    #[test]
    fn a_weight_of_zero_takes_its_signal_out_and_the_contributions_add_up() {
        let signals = signals("plan_sprint", Measures { tasks: 10, ..Measures::default() }, 100);
        let whole = score(&signals, &BTreeMap::new());
        let without = score(&signals, &BTreeMap::from([(Signal::Class, 0.0)]));
        assert!((whole.score - without.score - 0.25).abs() < 1e-9);
        let sum: f64 = whole.contributions.iter().map(|part| part.contribution).sum();
        assert!((sum - whole.score).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn more_of_anything_never_makes_a_question_easier(tasks in 0u32..500, more in 0u32..500, edges in 0u32..100) {
            let small = Measures { tasks, edges, ..Measures::default() };
            let large = Measures { tasks: tasks + more, edges: edges + more, ..Measures::default() };
            prop_assert!(of("plan_sprint", small, 100) <= of("plan_sprint", large, 100));
        }

        #[test]
        fn the_score_stays_in_its_range(load in -10.0f64..1e9, weight in -5.0f64..50.0) {
            let signals = signals("x", Measures { load, ..Measures::default() }, u64::MAX);
            let score = score(&signals, &BTreeMap::from([(Signal::Load, weight)])).score;
            prop_assert!((0.0..=1.0).contains(&score));
        }
    }
}
