//! What makes a question hard, and what does not.

use proptest::prelude::*;

use super::*;
use crate::chat::Tokens;
use crate::request::{Conversation, Door, Measures};

fn signals(tool: &str, measures: Measures, context: u64) -> Signals {
    Signals {
        door: Door::Stdio,
        caller: "local".into(),
        target: Target::Tool(tool.into()),
        projects: vec![],
        needs: Default::default(),
        context: Tokens(context),
        measures,
        conversation: None,
        prompt_version: String::new(),
    }
}

fn of(tool: &str, measures: Measures, context: u64) -> f64 {
    score(&signals(tool, measures, context), &BTreeMap::new()).score
}

#[test]
fn the_default_weights_add_up_and_every_signal_is_weighed_somewhere() {
    let sum = |of: &[(Signal, f64)]| of.iter().map(|(_, weight)| weight).sum::<f64>();
    assert!((sum(&WEIGHTS_OF_A_TOOL) - 1.0).abs() < 1e-9 && (sum(&WEIGHTS_OF_A_CONVERSATION) - 2.0).abs() < 1e-9);
    let weighed =
        |signal: &Signal| WEIGHTS_OF_A_TOOL.iter().chain(&WEIGHTS_OF_A_CONVERSATION).any(|(known, _)| known == signal);
    assert!(Signal::ALL.iter().all(weighed));
}

#[test]
fn a_signal_is_weighed_only_where_it_can_be_seen() {
    let mut said = signals("x", Measures::default(), 100);
    let names = |signals: &Signals| -> Vec<String> {
        score(signals, &BTreeMap::new()).contributions.into_iter().map(|part| part.signal).collect()
    };
    assert!(names(&said).contains(&"class".to_owned()) && !names(&said).contains(&"instruction".to_owned()));
    said.conversation = Some(Conversation { instruction: 30, ..Conversation::default() });
    assert!(!names(&said).contains(&"class".to_owned()) && names(&said).contains(&"instruction".to_owned()));
}

#[test]
fn a_short_label_is_easy_and_a_knotted_sprint_is_hard() {
    let label = of("smart_prioritize", Measures { tasks: 3, ..Measures::default() }, 200);
    let small_plan = of("plan_sprint", Measures { tasks: 5, load: 0.5, output_items: 5, ..Measures::default() }, 500);
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
