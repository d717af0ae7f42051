//! When a new policy is too much of a change: limits that a pipeline sets, and by how much they are passed. Pure.

use serde::Serialize;

use super::report::{Report, Row, Subject};

/// What is allowed; shares from 0 to 1. `None`: anything.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Gates {
    /// Of the present cost.
    pub max_cost_increase: Option<f64>,
    /// Of the questions.
    pub max_escalation_increase: Option<f64>,
    /// Of the questions.
    pub max_checked_drop: Option<f64>,
    /// Of the questions, in the lowest tier.
    pub min_local_share: Option<f64>,
    /// A cost that nobody knows passes.
    pub allow_unknown_cost: bool,
}

/// A gate that does not let the policy pass, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Breach {
    pub gate: &'static str,
    pub why: String,
}

impl Gates {
    /// Every gate that fails. Gates look at the expected values, not at what noise might make of them: a limit that is
    /// passed by chance is passed again tomorrow by the same record.
    pub fn judge(&self, report: &Report) -> Vec<Breach> {
        let asked = [self.max_cost_increase, self.max_escalation_increase, self.max_checked_drop, self.min_local_share];
        if asked.iter().all(Option::is_none) {
            return Vec::new();
        }
        if report.questions == 0 {
            let why = "no recorded request could have asked a model, so nothing is known of this policy".to_owned();
            return vec![Breach { gate: "traffic", why }];
        }
        let escalations = self.max_escalation_increase.and_then(|most| {
            over(
                "max-escalation-increase",
                "escalations per 100 questions would rise",
                report.change.escalations.value,
                most,
            )
        });
        let checked = self.max_checked_drop.and_then(|most| {
            over("max-checked-drop", "checked answers per 100 questions would fall", -report.change.checked.value, most)
        });
        let local = self.min_local_share.and_then(|least| local_share(report, least));
        [self.cost(report), escalations, checked, local].into_iter().flatten().collect()
    }

    fn cost(&self, report: &Report) -> Option<Breach> {
        let most = self.max_cost_increase?;
        let breach = |why: String| Some(Breach { gate: "max-cost-increase", why });
        let cost = |subject| report.rows.iter().find(|row: &&Row| row.subject == subject)?.cost_nanousd;
        let (Some(new), Some(present)) = (cost(Subject::New), cost(Subject::Present)) else {
            if self.allow_unknown_cost {
                return None;
            }
            return breach(
                "the cost is unknown, because a model without a price would be asked; give it a price, or pass \
                 --allow-unknown-cost"
                    .to_owned(),
            );
        };
        // In whole nano-dollars, so that rounding alone never fails a policy that changes nothing.
        let allowed = present.0 as f64 * (1.0 + most);
        if new.0 as f64 <= allowed.ceil() {
            return None;
        }
        let by = match present.0 {
            0 => String::new(),
            present => format!(", {:+.1}%", (new.0 as f64 / present as f64 - 1.0) * 100.0),
        };
        breach(format!("the expected cost would go from {present} to {new}{by}; {:.1}% more is allowed", most * 100.0))
    }
}

fn over(gate: &'static str, what: &str, change: f64, most: f64) -> Option<Breach> {
    (change > most + 1e-9)
        .then(|| Breach { gate, why: format!("{what} by {:.1}; {:.1} is allowed", change * 100.0, most * 100.0) })
}

fn local_share(report: &Report, least: f64) -> Option<Breach> {
    let new = report.rows.iter().find(|row| row.subject == Subject::New)?;
    let lowest = new.starts.first()?;
    (lowest.share < least - 1e-9).then(|| Breach {
        gate: "min-local-share",
        why: format!(
            "{:.1}% of the questions would start in tier `{}`; at least {:.1}% is asked for",
            lowest.share * 100.0,
            lowest.tier,
            least * 100.0
        ),
    })
}
