//! The linter's rules about routes, tiers and thresholds: a file that each speaks of, and a near miss.

use super::{compile, errors, holds, shipped_with, tells};
use crate::policy::BUILT_IN;

const PLANNING: &str = "tools: [plan_sprint, decompose_task, balance_workload]";

/// The shipped policy with a third tier of its own model.
fn three_tiers() -> String {
    let model = "  big:\n    backend: openai\n    context_tokens: 200000\n    max_output_tokens: 4096\n    \
                 capabilities: [tools, vision, json_object, json_schema]\n    price: { input: 1, output: 5 }\n";
    shipped_with("\ntiers:", &format!("{model}\ntiers:"))
        .replace("  hosted: [gpt-4o]\n", "  hosted: [gpt-4o]\n  top: [big]\n")
        .replace("max_attempts: 5", "max_attempts: 6")
}

#[test]
fn matches_that_hold_for_nothing() {
    holds(
        "route `planning` matches nothing: no request is a tool's and an endpoint's at once",
        &shipped_with(PLANNING, "tools: [plan_sprint], endpoints: [chat]"),
        &shipped_with(PLANNING, "endpoints: [chat]"),
    );
    for key in ["callers", "endpoints"] {
        let wrong = shipped_with(PLANNING, &format!("tools: [plan_sprint], {key}: []"));
        assert!(errors(&wrong).iter().any(|error| error.message == format!("`{key}: []` matches nothing")), "{key}");
    }
    holds(
        "the names beside it say nothing",
        &shipped_with("[\"*\"]", "[\"*\", plan_sprint]"),
        &shipped_with("[\"*\"]", "[\"*\"]"),
    );
}

#[test]
fn keys_of_chat_on_a_route_of_tools() {
    for (key, word, harmless) in [("sticky", "conversation", "none"), ("check", "hold", "record")] {
        holds(
            &format!("`{key}: {word}` does nothing on route `planning`: it matches tools"),
            &shipped_with("temperature: 0.2", &format!("{key}: {word}")),
            &shipped_with("temperature: 0.2", &format!("{key}: {harmless}")),
        );
    }
}

#[test]
fn a_route_of_endpoints_that_another_one_takes() {
    let above = "  - { name: first, match: { endpoints: [chat, responses] } }\n  - name: chat";
    let covered = shipped_with("  - name: chat", above).replace("[chat, responses, embeddings]", "[chat]");
    assert_eq!(
        errors(&covered)[0].message,
        "route `chat` is never reached: `first` above it matches all that it matches"
    );
    assert!(errors(&shipped_with("  - name: chat", above)).is_empty(), "embeddings are left for it");
}

#[test]
fn tools_that_a_route_above_takes() {
    holds(
        "route `planning` never gets `undo`: `logic` above takes it",
        &shipped_with(PLANNING, "tools: [plan_sprint, undo]"),
        &shipped_with(PLANNING, "tools: [plan_sprint]"),
    );
    let two = |last: &str| {
        let routes = format!("  - name: both\n    match: {{ tools: [plan_sprint, undo{last}] }}\n  - name: analysis");
        shipped_with("  - name: analysis", &routes)
    };
    let words = "route `both` is never reached: `planning` and `logic` take all that it matches";
    holds(words, &two(""), &two(", smart_prioritize"));
    assert!(compile(&two("")).policy.is_none(), "dead text is an error, as where one route takes it all");
    // A route for one project takes the tool from no other project.
    let some =
        shipped_with("    enabled: false\n", "").replace("projects: [payroll]", "tools: [plan_sprint], projects: [x]");
    assert!(!tells(&some, "never gets"), "{}", compile(&some).problems);
}

#[test]
fn thresholds_out_of_order_and_out_of_reach() {
    let words = "`hosted` is never chosen: `top` above it has no higher threshold";
    let with = |thresholds: &str| three_tiers().replace("{ hosted: 0.60 }", thresholds);
    holds(words, &with("{ hosted: 0.6, top: 0.6 }"), &with("{ hosted: 0.6, top: 0.61 }"));
    let own = |top: &str| with("{ hosted: 0.3, top: 0.7 }").replace("{ hosted: 0.45 }", top);
    holds(words, &own("{ hosted: 0.7 }"), &own("{ hosted: 0.69 }"));
    holds(
        "no request begins in `local`: every score reaches 0, where `hosted` begins",
        &shipped_with("{ hosted: 0.60 }", "{ hosted: 0 }"),
        &shipped_with("{ hosted: 0.60 }", "{ hosted: 0.01 }"),
    );
    holds(
        "hardly any request begins in `hosted`",
        &shipped_with("{ hosted: 0.60 }", "{ hosted: 1 }"),
        &shipped_with("{ hosted: 0.60 }", "{ hosted: 0.99 }"),
    );
    holds(
        "these thresholds choose nothing: route `planning` names tier `hosted`",
        &shipped_with("tier: auto                     #", "tier: hosted #"),
        BUILT_IN,
    );
    holds(
        "route `planning` never begins in `hosted`: its `max_tier` is `local`",
        &shipped_with("temperature: 0.2", "max_tier: local"),
        &shipped_with("temperature: 0.2", "max_tier: hosted"),
    );
}

#[test]
fn thresholds_that_the_weights_never_reach() {
    let weights = |class: f64| {
        let none = "tasks: 0, edges: 0, depth: 0, load: 0, conflicts: 0, people: 0, output_items: 0";
        shipped_with("weights: {}", &format!("weights: {{ class: {class}, context: 0.1, {none} }}"))
    };
    // Of a conversation other weights are left, so `chat` and the route for everything else still get there.
    let words = "no request of `analysis` begins in `hosted`: the weights of its signals add up to |0.59";
    holds(words, &weights(0.49), &weights(0.5));
    assert!(tells(&weights(0.34), "no request of `planning` begins in `hosted`"), "by a threshold of its own");
    assert!(!tells(&weights(0.35), "no request of `planning`"));
    assert!(
        tells(&weights(-3.0), "add up to 0.1, and `hosted` begins at 0.6"),
        "what is below 0 takes from the others"
    );
    let capped = weights(0.0).replace("    temperature: 0.7", "    max_tier: local\n    temperature: 0.7");
    assert!(!tells(&capped, "no request of `analysis`"), "it does not want to");
    assert!(!tells(&shipped_with("weights: {}", "weights: { class: 0.1 }"), "add up to"), "the others are enough");
}

#[test]
fn tiers_that_nothing_leads_to() {
    let open = three_tiers();
    let closed = open.replace("upward: true", "upward: false").replace("on_rejected: true", "on_rejected: false");
    holds("tier `top` is never used: no route gets there", &closed, &open);
    // Of two equal thresholds the higher tier's wins.
    let shut = closed.replace("downward: true", "downward: false");
    let both = |top: &str| {
        shut.replace("    thresholds: { hosted: 0.45 }\n", "")
            .replace("{ hosted: 0.60 }", &format!("{{ hosted: 0.6, top: {top} }}"))
    };
    holds("tier `hosted` is never used", &both("0.6"), &both("0.61"));
    holds(
        "no request begins in tier `top`: it is only asked after another tier did not do",
        &open,
        &open.replace("{ hosted: 0.60 }", "{ hosted: 0.60, top: 0.9 }"),
    );
}

#[test]
fn a_single_model_that_nobody_stands_in_for() {
    holds(
        "when `gpt-4o` and `task-api-model` fail, nobody else is asked: `fallback` is off",
        &shipped_with("upward: true, downward: true", "upward: false, downward: false"),
        BUILT_IN,
    );
    holds(
        "when `task-api-model` fails, nobody else is asked",
        &shipped_with("upward: true", "upward: false"),
        &shipped_with("    enabled: false\n", ""),
    );
}

#[test]
fn what_is_held_back_is_named() {
    let capped = shipped_with("    enabled: false\n", "");
    let help = |text: &str| compile(text).problems.iter().find_map(|problem| problem.help.clone()).unwrap_or_default();
    let with_key = capped.replace("${OPENAI_API_KEY:-}", "${OPENAI_API_KEY:-sk-x}");
    assert_eq!(help(&with_key), "nothing of `private` goes there: `max_tier` holds it back");
    assert_eq!(help(&BUILT_IN.replace("${OPENAI_API_KEY:-}", "${OPENAI_API_KEY:-sk-x}")), "");
}
