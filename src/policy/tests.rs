//! The policy as a whole: what a good file becomes, what is said of a bad one, what is never shown.

use super::{BUILT_IN, Compiled, Problem, Severity};

mod broken;
mod budgets;
mod callers;
mod good;
mod key_files;
mod lint_bounds;
mod lint_models;
mod lint_routes;
mod refused;
mod secrets;
mod status;

fn compile(text: &str) -> Compiled {
    super::compile(text, "routing.yaml", &|_| None)
}

fn errors(text: &str) -> Vec<Problem> {
    compile(text).problems.iter().filter(|problem| problem.severity == Severity::Error).cloned().collect()
}

/// The shipped policy with the first occurrence of a text replaced.
fn shipped_with(from: &str, to: &str) -> String {
    assert!(BUILT_IN.contains(from), "the shipped policy has no `{from}`");
    BUILT_IN.replacen(from, to, 1)
}

/// Whether a problem with these words is told of this file.
fn tells(text: &str, words: &str) -> bool {
    compile(text).problems.iter().any(|problem| problem.message.contains(words))
}

/// The rule speaks of the first file, in these words, and not of the second, its near miss. Words that name figures are
/// given in two parts around a `|`: the near miss must not be told the first one either.
#[track_caller]
fn holds(words: &str, wrong: &str, near_miss: &str) {
    let all = |text: &str| compile(text).problems.render(false);
    let rule = words.split('|').next().unwrap_or(words);
    assert!(tells(wrong, &words.replace('|', "")), "nothing is said of `{words}`:\n{}", all(wrong));
    assert!(!tells(near_miss, rule), "the near miss is told `{rule}`:\n{}", all(near_miss));
}
