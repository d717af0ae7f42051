//! The policy as a whole: what a good file becomes, what is said of a bad one, what is never shown.

use super::{BUILT_IN, Compiled, Problem, Severity};

mod good;
mod refused;
mod secrets;

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
