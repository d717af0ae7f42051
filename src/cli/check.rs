//! `taskgate check [FILE]`: everything that is wrong with a policy, and what it means for what leaves the machine.

use std::path::Path;

use jiff::Timestamp;

use crate::chat::NanoUsd;
use crate::error::Result;
use crate::policy::{self, BUILT_IN_NAME, Budget, Environment, Policy, Severity};
use crate::request::{Allowance, Standing};
use crate::store::Store;

/// What a command prints and ends with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub text: String,
    pub exit_code: u8,
    /// Of the policy, if it can be used.
    pub hash: Option<String>,
}

/// Checks the policy in this file, or the built-in one. `color` only on a terminal.
pub fn check(file: Option<&Path>, environment: &Environment<'_>, color: bool) -> Report {
    let compiled = policy::read(file, environment);
    let name = file.map_or_else(|| BUILT_IN_NAME.to_owned(), |file| file.display().to_string());
    let problems = &compiled.problems;
    let counts: Vec<String> = [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Hint, "hint")]
        .into_iter()
        .map(|(severity, word)| (problems.count(severity), word))
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| counted(count, word))
        .collect();
    let counts = counts.join(", ");
    let summary = match &compiled.policy {
        Some(policy) if counts.is_empty() => format!("{name}: ok, {}\n", sizes(policy)),
        Some(policy) => format!("{name}: ok, {}; {counts}\n", sizes(policy)),
        None => format!("{name}: {counts}\n"),
    };
    let exit_code = u8::from(compiled.policy.is_none());
    let hash = compiled.policy.map(|policy| policy.hash);
    Report { text: problems.render(color) + &summary, exit_code, hash }
}

/// Budgets whose money is gone, or nearly: nothing is wrong with the policy, but calls will be held back. Only a database
/// that is there already is asked.
pub async fn spent(file: Option<&Path>, environment: &Environment<'_>, database: &Path) -> Result<String> {
    let Some(policy) = policy::read(file, environment).policy.filter(|policy| !policy.budgets.is_empty()) else {
        return Ok(String::new());
    };
    if !database.is_file() {
        return Ok(String::new());
    }
    let (store, now) = (Store::open(database).await?, Timestamp::now());
    let allowances: Vec<Allowance> =
        policy.budgets.iter().map(|budget| budget.allowance(now, &policy.time_zone)).collect();
    let standings = store.standings(&allowances).await;
    store.close().await;
    let told = |(budget, (allowance, standing)): (&Budget, (&Allowance, &Standing))| {
        let anew = allowance.ends.to_zoned(policy.time_zone.clone()).date();
        let ([spent, limit], name) = (NanoUsd::apart([standing.spent, budget.limit]), &budget.name);
        let line = format!("budget `{name}` has spent {spent} of {limit} and begins anew on {anew}\n");
        budget.is_low(standing.spent).then_some(line)
    };
    Ok(policy.budgets.iter().zip(allowances.iter().zip(&standings?)).filter_map(told).collect())
}

fn sizes(policy: &Policy) -> String {
    let models = counted(policy.models.len(), "model");
    let tiers = counted(policy.tiers.len(), "tier");
    let routes = counted(policy.routes.len(), "route");
    format!("{models} in {tiers}, {routes}, hash {}", policy.hash)
}

fn counted(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_key(name: &str) -> Option<String> {
        (name == "OPENAI_API_KEY").then(|| "sk-test".to_owned())
    }

    #[test]
    fn the_built_in_policy_is_fine_and_says_what_leaves_the_machine() {
        let report = check(None, &with_key, false);
        assert_eq!(report.exit_code, 0, "{}", report.text);
        assert!(report.text.contains("may go to `openai` (api.openai.com)"), "{}", report.text);
        assert!(report.text.contains(": ok, 2 models in 2 tiers, 5 routes, hash "), "{}", report.text);
        assert!(report.text.ends_with("; 1 hint\n"), "{}", report.text);
    }

    #[test]
    fn a_missing_key_is_a_warning_and_no_error() {
        let report = check(None, &|_| None, false);
        assert_eq!(report.exit_code, 0, "{}", report.text);
        assert!(report.text.contains("help: set OPENAI_API_KEY"), "{}", report.text);
        assert!(report.text.ends_with("; 1 warning, 1 hint\n"), "{}", report.text);
    }

    #[test]
    fn mistakes_end_with_their_number_and_exit_code_1() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mine.yaml");
        std::fs::write(&file, policy::BUILT_IN.replace("version: 1", "version: 2").replace("escalate:", "escalat:"))
            .unwrap();
        let report = check(Some(&file), &with_key, false);
        assert_eq!(report.exit_code, 1);
        assert!(report.text.ends_with("mine.yaml: 2 errors\n"), "{}", report.text);
    }

    #[test]
    fn a_file_that_is_not_there_or_not_text_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let missing = check(Some(&folder.path().join("none.yaml")), &with_key, false);
        assert!(missing.exit_code == 1 && missing.text.contains("the policy can't be read"), "{}", missing.text);
        let binary = folder.path().join("binary.yaml");
        std::fs::write(&binary, b"version: 1\n\xff\xfe").unwrap();
        let report = check(Some(&binary), &with_key, false);
        assert!(report.text.contains("not UTF-8 text: byte 12"), "{}", report.text);
    }

    #[test]
    fn colors_appear_only_when_asked_for() {
        assert!(!check(None, &|_| None, false).text.contains('\u{1b}'));
        assert!(check(None, &|_| None, true).text.contains('\u{1b}'));
    }
}
