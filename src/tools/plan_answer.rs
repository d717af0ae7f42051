//! A model's answer about a sprint: read, and held against the computed plan.
//!
//! Swaps that would break the plan are dropped and told; a text that is wrong about tasks rejects the answer.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::answer;
use super::checks::{existing, id_in_field, ids_in, prose};
use super::known::Known;
use super::plan_text;
use super::record::clipped;
use crate::chat::Reply;
use crate::request::Rejection;
use crate::tasks::graph::Graph;
use crate::tasks::plan::{DroppedSwap, Plan, Sprint, Swap, apply_swaps};
use crate::tasks::{Task, clean_line};

const MOST_SWAPS: usize = 10;
const MOST_RISKS: usize = 5;
const RISK_CHARS: usize = 300;
const WHY_CHARS: usize = 200;

/// What the answer is held against.
pub(super) struct Ground {
    pub tasks: Arc<Vec<Task>>,
    pub known: Known,
    pub sprint: Sprint,
    pub plan: Plan,
}

/// A plan as a model left it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Judged {
    pub plan: Plan,
    pub text: String,
    pub risks: Vec<String>,
    pub applied: Vec<Swap>,
    pub dropped: Vec<Dropped>,
}

/// A swap that was not made. The sides stand as the model wrote them, when they are ids.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Dropped {
    pub out: Option<String>,
    pub enters: Option<String>,
    pub reason: String,
}

pub(super) fn judge(reply: &Reply, ground: &Ground) -> Result<Judged, Rejection> {
    let object = answer::object(reply)?;
    let text = prose("plan", answer::text(&object, "plan"), &ground.known)?;
    ids_in(&text)?.into_iter().try_for_each(|id| ground.known.open(id).map(|_| ()))?;
    let risks = risks(&object, &ground.known)?;
    let (swaps, mut dropped) = swaps(&object, &ground.known);
    let (plan, applied) = if swaps.is_empty() {
        (ground.plan.clone(), Vec::new())
    } else {
        let swapped = apply_swaps(&Graph::new(&ground.tasks), &ground.sprint, &ground.plan, &swaps);
        dropped.extend(swapped.dropped.into_iter().map(Dropped::from));
        (swapped.plan, swapped.applied)
    };
    let selected: HashSet<_> = plan.selected.iter().map(|planned| planned.id).collect();
    plan_text::agrees(&text, &selected)?;
    Ok(Judged { plan, text, risks, applied, dropped })
}

/// Short sentences; models also write one text, or none.
fn risks(object: &Map<String, Value>, known: &Known) -> Result<Vec<String>, Rejection> {
    let risks = match object.get("risks") {
        Some(Value::String(risk)) => vec![risk.as_str()],
        Some(Value::Array(risks)) => {
            // {"risk": "…"} and the like say the same.
            let first_text = |risk: &'_ Value| -> Option<String> {
                let text = risk.as_str().or_else(|| risk.as_object()?.values().find_map(Value::as_str));
                text.map(str::to_owned)
            };
            let texts: Vec<String> = risks.iter().filter_map(first_text).collect();
            return checked_risks(texts.iter().map(String::as_str), known);
        }
        _ => Vec::new(),
    };
    checked_risks(risks.into_iter(), known)
}

fn checked_risks<'t>(risks: impl Iterator<Item = &'t str>, known: &Known) -> Result<Vec<String>, Rejection> {
    let risks = risks.map(|risk| clipped(&clean_line(risk), RISK_CHARS)).filter(|risk| !risk.is_empty());
    risks.take(MOST_RISKS).map(|risk| existing(&risk, known).map(|()| risk)).collect()
}

/// The swaps that can be read, and those that cannot.
fn swaps(object: &Map<String, Value>, known: &Known) -> (Vec<Swap>, Vec<Dropped>) {
    let proposed = object.get("swaps").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let (mut swaps, mut dropped) = (Vec::new(), Vec::new());
    for (at, swap) in proposed.iter().enumerate() {
        let side = |key: &str| swap.get(key).and_then(Value::as_str).map(id_in_field);
        let (out, enters) = (side("out"), side("in"));
        let why = swap.get("why").and_then(Value::as_str).map(clean_line).unwrap_or_default();
        let drop = |reason: &str| {
            let shown = |side: &Option<Result<Option<crate::tasks::TaskId>, Rejection>>| match side {
                Some(Ok(Some(id))) => Some(id.to_string()),
                _ => None,
            };
            Dropped { out: shown(&out), enters: shown(&enters), reason: reason.to_owned() }
        };
        match (&out, &enters) {
            _ if at >= MOST_SWAPS => dropped.push(drop("too many swaps were proposed")),
            _ if existing(&why, known).is_err() => dropped.push(drop("its reason names a task that does not exist")),
            (Some(Ok(Some(leaves))), Some(Ok(Some(enters)))) => {
                swaps.push(Swap { leaves: *leaves, enters: *enters, why: clipped(&why, WHY_CHARS) });
            }
            _ => dropped.push(drop("it does not name a task to take out and one to take in")),
        }
        if dropped.len() > MOST_SWAPS {
            break;
        }
    }
    (swaps, dropped)
}

impl From<DroppedSwap> for Dropped {
    fn from(dropped: DroppedSwap) -> Self {
        Self {
            out: Some(dropped.swap.leaves.to_string()),
            enters: Some(dropped.swap.enters.to_string()),
            reason: dropped.reason,
        }
    }
}

#[cfg(test)]
#[path = "plan_answer_tests.rs"]
mod tests;
