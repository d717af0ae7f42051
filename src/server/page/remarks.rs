//! Is everything well? What a person should know now, and what to do about it. Pure.

use std::cmp::Reverse;
use std::time::Duration;

use super::overview::{BudgetNow, Level, ModelNow, ModelState, Remark};

/// Longer than the look at the ledger of a busy server takes.
const LATE: Duration = Duration::from_secs(30);

/// What remarks are made of.
pub(super) struct Seen<'a> {
    pub models: &'a [ModelNow],
    /// The one that this server follows.
    pub policy_hash: &'a str,
    /// Whether it read another since and could not take it.
    pub policy_is_refused: bool,
    pub budgets: &'a [BudgetNow],
    /// What each process on this database follows, by hash.
    pub followed: &'a [String],
    /// Requests of this server whose rows are lost.
    pub lost_rows: u64,
    /// How long ago this server last knew all of the ledger, if it looks.
    pub lag: Option<Duration>,
}

/// The worst first.
pub(super) fn remarks(seen: &Seen<'_>) -> Vec<Remark> {
    let mut remarks: Vec<Remark> = about_the_ledger(seen)
        .into_iter()
        .chain(about_the_file(seen))
        .chain(nobody(seen.models))
        .chain(seen.models.iter().filter_map(about_a_model))
        .chain(seen.budgets.iter().filter_map(about_a_budget))
        .chain(about_policies(seen))
        .collect();
    remarks.sort_by_key(|remark| Reverse(remark.level));
    remarks
}

pub(super) fn verdict(remarks: &[Remark]) -> Level {
    remarks.iter().map(|remark| remark.level).max().unwrap_or(Level::Well)
}

fn about_the_ledger(seen: &Seen<'_>) -> Vec<Remark> {
    let mut remarks = Vec::new();
    if seen.lost_rows > 0 {
        let text = "Requests could not be written to the ledger, so the sums of this month are too low. The log of the \
                    process that lost them has their cost; look at the database's disk.";
        remarks.push(remark(Level::Trouble, "rows_lost", text));
    }
    if seen.lag.is_some_and(|lag| lag >= LATE) {
        let text = "The metrics do not keep up with the ledger. Look whether another program holds the database.";
        remarks.push(remark(Level::Trouble, "ledger_behind", text));
    }
    remarks
}

fn about_the_file(seen: &Seen<'_>) -> Option<Remark> {
    let text = "The policy's file was changed and cannot be used, so it was refused as a whole and the policy from before \
                goes on. What is wrong with it stands below; as soon as it is mended, it is taken.";
    seen.policy_is_refused.then(|| remark(Level::Trouble, "policy_refused", text))
}

fn nobody(models: &[ModelNow]) -> Option<Remark> {
    let may_be_called = |model: &ModelNow| matches!(model.state, ModelState::Ready | ModelState::Probing);
    let text = "No model may be called now: every tool answers from plain logic.";
    (!models.is_empty() && !models.iter().any(may_be_called)).then(|| remark(Level::Trouble, "no_model", text))
}

fn about_a_model(model: &ModelNow) -> Option<Remark> {
    match model.state {
        ModelState::Ready => None,
        ModelState::LeftAlone => Some(remark(Level::Trouble, "left_alone", model.note.as_str())),
        ModelState::Probing => Some(remark(Level::Notice, "probing", model.note.as_str())),
        ModelState::NoKey => Some(remark(Level::Notice, "no_key", model.note.as_str())),
    }
}

fn about_a_budget(budget: &BudgetNow) -> Option<Remark> {
    let BudgetNow { name, spent, limit, per, .. } = budget;
    let (spent, limit) = (&spent.text, &limit.text);
    if budget.refuses {
        let text = format!(
            "Budget `{name}` keeps calls back: {spent} of {limit} are spent for this {per}, and what is left is less than \
             a call could cost. Raise `limit_usd` in routing.yaml, or wait for the next {per}."
        );
        return Some(remark(Level::Trouble, "budget_spent", text));
    }
    match budget.level {
        Level::Well => None,
        Level::Notice => {
            let text = format!("Budget `{name}` runs out: {spent} of {limit} are spent for this {per}.");
            Some(remark(Level::Notice, "budget_low", text))
        }
        Level::Trouble => {
            let text = format!(
                "Budget `{name}` is used up: {spent} of {limit} are spent for this {per}. Calls that cost money do not fit \
                 any more; raise `limit_usd` in routing.yaml, or wait for the next {per}."
            );
            Some(remark(Level::Trouble, "budget_spent", text))
        }
    }
}

fn about_policies(seen: &Seen<'_>) -> Option<Remark> {
    let text =
        "Another process on this database follows another policy than this server. Restart it to follow the same.";
    let differs = seen.followed.iter().any(|hash| *hash != seen.policy_hash);
    differs.then(|| remark(Level::Notice, "other_policy", text))
}

fn remark(level: Level, code: &'static str, text: impl Into<String>) -> Remark {
    Remark { level, code, text: text.into() }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::models;
    use super::*;
    use crate::chat::NanoUsd;
    use crate::gateway::{ModelHealth, fixtures};
    use crate::health::{Ailment, State};
    use crate::policy::Policy;
    use crate::store::Groups;

    fn models(policy: &Policy, own: &[ModelHealth]) -> Vec<ModelNow> {
        models::now(policy, own, &[], (&Groups::new(), Timestamp::UNIX_EPOCH))
    }

    fn codes(remarks: &[Remark]) -> Vec<&'static str> {
        remarks.iter().map(|remark| remark.code).collect()
    }

    fn seen<'a>(models: &'a [ModelNow], budgets: &'a [BudgetNow], followed: &'a [String]) -> Seen<'a> {
        Seen {
            models,
            budgets,
            policy_hash: "ours",
            policy_is_refused: false,
            followed,
            lost_rows: 0,
            lag: Some(LATE / 2),
        }
    }

    fn budget(level: Level) -> BudgetNow {
        let (limit, spent) = (NanoUsd(2_000_000_000), NanoUsd(1_900_000_000));
        BudgetNow {
            name: "month".into(),
            scope: "all".to_owned(),
            per: "month",
            limit: limit.into(),
            spent: spent.into(),
            reserved: NanoUsd::ZERO.into(),
            refuses: false,
            share: 0.95,
            level,
            ends: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn all_is_well_with_models_that_may_be_called_money_left_and_one_policy() {
        let models = models(&fixtures::policy(), &[]);
        let remarks = remarks(&seen(&models, &[budget(Level::Well)], &["ours".to_owned()]));
        assert_eq!((remarks.as_slice(), verdict(&remarks)), ([].as_slice(), Level::Well));
    }

    #[test]
    fn what_does_not_work_comes_before_what_is_worth_knowing() {
        let mut policy = fixtures::policy();
        let hosted = policy.backends.get_mut("hosted").unwrap();
        (hosted.api_key, hosted.key_variable) = (None, Some("OPENAI_API_KEY".into()));
        let own = ModelHealth { model: "small".into(), state: State::Open, ailment: Some(Ailment::Unreachable) };
        let (models, followed) = (models(&policy, &[own]), ["ours".to_owned(), "another".to_owned()]);
        let budgets = [budget(Level::Notice), budget(Level::Trouble)];
        let refused = Seen { policy_is_refused: true, ..seen(&models, &budgets, &followed) };
        let remarks = remarks(&Seen { lost_rows: 1, lag: Some(LATE), ..refused });
        let trouble = ["rows_lost", "ledger_behind", "policy_refused", "no_model", "left_alone", "budget_spent"];
        assert_eq!(codes(&remarks), [&trouble[..], &["no_key", "budget_low", "other_policy"]].concat());
        assert!(remarks[..6].iter().all(|remark| remark.level == Level::Trouble));
        assert!(
            remarks[5].text.contains("$1.90 of $2.00") && remarks[6].text.contains("OPENAI_API_KEY"),
            "{remarks:?}"
        );
        assert_eq!(verdict(&remarks), Level::Trouble);
    }

    #[test]
    fn a_missing_key_alone_is_no_trouble() {
        let mut policy = fixtures::policy();
        policy.backends.get_mut("hosted").unwrap().api_key = None;
        let models = models(&policy, &[]);
        let remarks = remarks(&Seen { lag: None, ..seen(&models, &[], &[]) });
        assert_eq!((codes(&remarks), verdict(&remarks)), (vec!["no_key"], Level::Notice));
    }
}
