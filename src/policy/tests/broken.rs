//! What is said of ten files, each with a mistake that people make. The snapshots are what `taskgate check` prints.

use crate::policy::{BUILT_IN, Severity, compile};

const FILES: &[(&str, &str)] = &[
    ("answer_fills_context", include_str!("broken/answer_fills_context.yaml")),
    ("backwards_thresholds", include_str!("broken/backwards_thresholds.yaml")),
    ("catch_all_first", include_str!("broken/catch_all_first.yaml")),
    ("everything_retried", include_str!("broken/everything_retried.yaml")),
    ("key_in_the_file", include_str!("broken/key_in_the_file.yaml")),
    ("misspelled", include_str!("broken/misspelled.yaml")),
    ("price_of_one_token", include_str!("broken/price_of_one_token.yaml")),
    ("proxy_marked_local", include_str!("broken/proxy_marked_local.yaml")),
    ("slow_local_model", include_str!("broken/slow_local_model.yaml")),
    ("small_model_last", include_str!("broken/small_model_last.yaml")),
];

/// Every key is set, so that only the file is spoken of.
fn environment(name: &str) -> Option<String> {
    name.ends_with("_API_KEY").then(|| "sk-test".to_owned())
}

#[test]
fn each_broken_file_is_told_with_lines_and_fixes() {
    for (name, text) in FILES {
        let problems = compile(text, "routing.yaml", &environment).problems;
        let worse = problems.count(Severity::Error) + problems.count(Severity::Warning);
        assert!(worse > 0, "{name}: {}", problems.render(false));
        assert!(problems.iter().all(|problem| problem.line.is_some()), "{name}: {problems}");
        insta::assert_snapshot!(*name, problems.render(false));
    }
}

/// The whole of what is said of the shipped policy, with a key and without.
#[test]
fn no_rule_speaks_of_the_shipped_policy() {
    let said = |environment: &crate::policy::Environment<'_>| {
        let problems = compile(BUILT_IN, "routing.yaml", environment).problems;
        problems.iter().map(|problem| problem.message.clone()).collect::<Vec<_>>()
    };
    let routes = "by the routes `planning`, `analysis`, `chat`, `default`";
    assert_eq!(said(&environment), [format!("task text may go to `openai` (api.openai.com) {routes}")]);
    assert_eq!(
        said(&|_| None),
        [
            "hosted backend `openai` has no key: its models are skipped".to_owned(),
            format!("with a key, task text could go to `openai` (api.openai.com) {routes}"),
        ]
    );
}
