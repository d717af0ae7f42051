//! `taskgate check [FILE]`: everything that is wrong with a policy, what it means for what leaves the machine, and which
//! of its budgets hold calls back now.

use std::path::Path;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::chat::NanoUsd;
use crate::error::Result;
use crate::policy::{self, BUILT_IN_NAME, Budget, Compiled, Environment, Findings, Place, Policy, Severity, WhenSpent};
use crate::request::Allowance;
use crate::store::Store;

/// What a command prints and ends with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub text: String,
    pub exit_code: u8,
    /// Of the policy, if it can be used.
    pub hash: Option<String>,
    /// What could not be looked up.
    pub remark: Option<String>,
}

/// Checks the policy in this file, or the built-in one. `color` only on a terminal.
pub async fn check(file: Option<&Path>, environment: &Environment<'_>, database: &Path, color: bool) -> Report {
    let mut compiled = policy::read(file, environment);
    let remark = match spent(&compiled, database).await {
        Ok(found) => {
            compiled.problems.add(found);
            None
        }
        Err(error) => Some(format!("what the budgets have spent is not known: {error}")),
    };
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
    Report { text: problems.render(color) + &summary, exit_code, hash, remark }
}

/// Budgets whose money is gone, or nearly: nothing is wrong with the policy, but calls will be held back. Only a database
/// that is there already is asked.
async fn spent(compiled: &Compiled, database: &Path) -> Result<Findings> {
    let mut found = Findings::default();
    let policy = compiled.policy.as_ref().filter(|policy| !policy.budgets.is_empty());
    let Some(policy) = policy.filter(|_| database.is_file()) else { return Ok(found) };
    let (store, now) = (Store::open(database).await?, Timestamp::now());
    let allowances: Vec<Allowance> =
        policy.budgets.iter().map(|budget| budget.allowance(now, &policy.time_zone)).collect();
    let standings = store.standings(&allowances).await;
    store.close().await;
    let limits = policy.budgets.iter().zip(&compiled.limits);
    for ((budget, place), (allowance, standing)) in limits.zip(allowances.iter().zip(&standings?)) {
        let anew = allowance.ends.to_zoned(policy.time_zone.clone()).date();
        tell(&mut found, place, budget, (standing.spent, anew));
    }
    Ok(found)
}

fn tell(found: &mut Findings, place: &Place, budget: &Budget, (spent, anew): (NanoUsd, Date)) {
    let ([amount, limit], name) = (NanoUsd::apart([spent, budget.limit]), &budget.name);
    let told = format!("budget `{name}` has spent {amount} of {limit} and begins anew on {anew}");
    if spent >= budget.limit {
        let then = match budget.when_spent {
            WhenSpent::FreeOnly => "until then only models that cost nothing are asked",
            WhenSpent::Reject => "until then its requests end at the first model that costs something",
        };
        found.warning(place.clone(), format!("{told}: {then}")).help("raise `limit_usd`, or wait until then");
    } else if budget.is_low(spent) {
        found.hint(place.clone(), told).help("raise `limit_usd` if the rest will not do until then");
    }
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
    use crate::policy::BUILT_IN;

    const NO_DATABASE: &str = "nowhere/taskgate.db";

    fn with_key(name: &str) -> Option<String> {
        (name == "OPENAI_API_KEY").then(|| "sk-test".to_owned())
    }

    #[tokio::test]
    async fn the_built_in_policy_is_fine_and_says_what_leaves_the_machine() {
        let report = check(None, &with_key, Path::new(NO_DATABASE), false).await;
        assert_eq!(report.exit_code, 0, "{}", report.text);
        assert!(report.text.contains("may go to `openai` (api.openai.com)"), "{}", report.text);
        assert!(report.text.contains(": ok, 2 models in 2 tiers, 5 routes, hash "), "{}", report.text);
        assert!(report.text.ends_with("; 1 hint\n"), "{}", report.text);
    }

    #[tokio::test]
    async fn a_missing_key_is_a_warning_and_no_error() {
        let report = check(None, &|_| None, Path::new(NO_DATABASE), false).await;
        assert_eq!(report.exit_code, 0, "{}", report.text);
        assert!(report.text.contains("help: set OPENAI_API_KEY"), "{}", report.text);
        assert!(report.text.ends_with("; 1 warning, 1 hint\n"), "{}", report.text);
    }

    #[tokio::test]
    async fn mistakes_end_with_their_number_and_exit_code_1() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mine.yaml");
        std::fs::write(&file, policy::BUILT_IN.replace("version: 1", "version: 2").replace("escalate:", "escalat:"))
            .unwrap();
        let report = check(Some(&file), &with_key, Path::new(NO_DATABASE), false).await;
        assert_eq!(report.exit_code, 1);
        assert!(report.text.ends_with("mine.yaml: 2 errors\n"), "{}", report.text);
    }

    #[tokio::test]
    async fn a_file_that_is_not_there_or_not_text_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let missing = check(Some(&folder.path().join("none.yaml")), &with_key, Path::new(NO_DATABASE), false).await;
        assert!(missing.exit_code == 1 && missing.text.contains("the policy can't be read"), "{}", missing.text);
        let binary = folder.path().join("binary.yaml");
        std::fs::write(&binary, b"version: 1\n\xff\xfe").unwrap();
        let report = check(Some(&binary), &with_key, Path::new(NO_DATABASE), false).await;
        assert!(report.text.contains("not UTF-8 text: byte 12"), "{}", report.text);
    }

    #[tokio::test]
    async fn colors_appear_only_when_asked_for() {
        assert!(!check(None, &|_| None, Path::new(NO_DATABASE), false).await.text.contains('\u{1b}'));
        assert!(check(None, &|_| None, Path::new(NO_DATABASE), true).await.text.contains('\u{1b}'));
    }

    #[test]
    fn a_budget_is_told_where_its_limit_stands_by_how_much_of_it_is_gone() {
        let low = "budget `month` has spent $16.00 of $20.00 and begins anew on 2026-12-01";
        let cases = [
            (15_999_999_999, WhenSpent::FreeOnly, None),
            (16_000_000_000, WhenSpent::FreeOnly, Some((Severity::Hint, low.to_owned()))),
            (
                20_000_000_000,
                WhenSpent::FreeOnly,
                Some((
                    Severity::Warning,
                    low.replace("16", "20") + ": until then only models that cost nothing are asked",
                )),
            ),
            (
                22_000_000_000,
                WhenSpent::Reject,
                Some((
                    Severity::Warning,
                    low.replace("16", "22") + ": until then its requests end at the first model that costs something",
                )),
            ),
        ];
        let (line, text) = BUILT_IN.lines().enumerate().find(|(_, line)| line.contains("limit_usd: 20,")).unwrap();
        let column = text.find("20,").unwrap() + 1;
        for (spent, when_spent, expected) in cases {
            let mut compiled = policy::read(None, &with_key);
            let before = compiled.problems.iter().count();
            let budget = Budget { when_spent, ..compiled.policy.as_ref().unwrap().budgets[0].clone() };
            let mut found = Findings::default();
            tell(&mut found, &compiled.limits[0], &budget, (NanoUsd(spent), "2026-12-01".parse().unwrap()));
            compiled.problems.add(found);
            let told = compiled.problems.iter().find(|problem| problem.message.contains("has spent"));
            assert_eq!(told.map(|told| (told.severity, told.message.clone())), expected);
            assert!(told.is_none_or(|told| told.help.is_some() && told.line == Some(line + 1)), "{told:?}");
            assert!(told.is_none_or(|told| told.column == Some(column)), "{told:?}");
            assert_eq!(compiled.problems.iter().count(), before + usize::from(expected.is_some()));
        }
    }

    #[tokio::test]
    async fn a_database_that_cannot_be_read_is_a_remark_beside_the_report() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("taskgate.db");
        std::fs::write(&file, "no database").unwrap();
        let report = check(None, &with_key, &file, false).await;
        assert!(report.remark.unwrap().starts_with("what the budgets have spent is not known: "));
        assert!(report.exit_code == 0 && report.text.contains(": ok, "), "{}", report.text);
    }
}
