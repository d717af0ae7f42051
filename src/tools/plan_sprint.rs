//! `plan_sprint`: the selection from the planner, the text, the risks and perhaps a better swap from a model.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::answer;
use super::checks::{broken_off, existing};
use super::consult::{Consulted, Given, Question, consult, measures, projects};
use super::degraded;
use super::known::Known;
use super::plan_answer::{Dropped, Ground, Judged, judge};
use super::prompts;
use super::record::{clipped, hours};
use super::routing::{Routing, State};
use super::spec::{About, Annotations, ToolSpec, spec as tool_spec};
use super::toolbox::{Call, Tool};
use crate::chat::Reply;
use crate::error::{Error, Result};
use crate::request::Rejection;
use crate::tasks::graph::Graph;
use crate::tasks::plan::{Deferred, Plan, Planned, Sprint, plan};
use crate::tasks::{Hours, Task, clean_line, facts};

const DEFAULT_DAYS: u32 = 14;
const DEFAULT_CAPACITY: u32 = 80;
const MAX_NAME: usize = 100;
/// Rows of a result; the counts beside them are of all.
const SELECTED_SHOWN: usize = 40;
const DEFERRED_SHOWN: usize = 15;
/// Lines of the text that is written without a model.
const LINES: usize = 15;
const TITLE_SHOWN: usize = 80;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// Such as "Sprint 12", up to 100 characters
    sprint_name: String,
    /// Days from today; default 14
    #[schemars(range(min = 1, max = 365))]
    duration_days: Option<u32>,
    /// Hours of the whole team; default 80
    #[schemars(range(min = 1, max = 10000))]
    team_capacity_hours: Option<u32>,
    /// true: ask again instead of using a kept answer
    fresh: Option<bool>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Planning {
    sprint: String,
    duration_days: u32,
    capacity_hours: u32,
    /// Tasks whose status is pending.
    available_tasks: u32,
    plan: String,
    status: State,
    first_day: String,
    last_day: String,
    /// In an order that can be worked through.
    selected: Vec<Chosen>,
    selected_count: usize,
    selected_hours: f64,
    spare_hours: f64,
    deferred: Vec<LeftOut>,
    deferred_count: usize,
    /// No other selection is worth more: proven.
    optimal: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    risks: Vec<String>,
    /// Changes to the computed plan that the model proposed and that hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    swaps: Vec<SwapMade>,
    /// Proposed changes that would have broken the plan.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    swaps_dropped: Vec<SwapDropped>,
    /// Not all selected or deferred tasks are listed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    /// Why no model's answer was used, and what to start.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    routing: Routing,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Chosen {
    id: String,
    title: String,
    priority: String,
    hours: f64,
    /// Nobody estimated it: it counts 4 hours.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    assumed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    due_date: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct LeftOut {
    id: String,
    title: String,
    why: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct SwapMade {
    out: String,
    r#in: String,
    why: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct SwapDropped {
    #[serde(skip_serializing_if = "Option::is_none")]
    out: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#in: Option<String>,
    reason: String,
}

pub(super) fn spec(tool: Tool) -> ToolSpec {
    let about = About {
        title: "Plan a sprint",
        description: "Choose the open tasks of greatest value that fit a team's hours, dependencies kept, and explain the plan \
                      with its risks; use it to plan a sprint or a stretch of days. Tasks without an estimate count 4 hours. It \
                      changes no task. For one person's next step use suggest_next_action. A model writes the text; without \
                      one it is computed (status degraded). Up to 40 s. \
                      Example: {\"sprint_name\": \"Sprint 12\", \"team_capacity_hours\": 60}",
        annotations: Annotations::ASKS,
    };
    tool_spec::<Params, Planning>(tool, about)
}

pub(super) async fn run(call: &Call<'_>, arguments: Map<String, Value>) -> Result<Planning> {
    let params: Params = call.read(arguments)?;
    let capacity_hours = params.team_capacity_hours.unwrap_or(DEFAULT_CAPACITY);
    let sprint = Sprint {
        start: call.today,
        duration_days: params.duration_days.unwrap_or(DEFAULT_DAYS),
        capacity: Hours::whole(capacity_hours),
    };
    let wanted = Wanted { name: name(&params.sprint_name)?, sprint, capacity_hours };
    let tasks = Arc::new(call.store.tasks().await?);
    let graph = Graph::new(&tasks);
    let computed = plan(&graph, &sprint);
    if computed.selected.is_empty() {
        return Ok(empty(&wanted, &graph, computed));
    }
    let load = facts::ratio(facts::open_hours(&graph), sprint.capacity);
    let ground = Arc::new(Ground { tasks: tasks.clone(), known: Known::new(&graph), sprint, plan: computed.clone() });
    let question = Question {
        prompt: prompts::plan_sprint::prompt(&graph, &wanted.name, &sprint, &computed),
        judge: Arc::new({
            let ground = ground.clone();
            move |reply: &Reply| -> Result<Judged, Rejection> { judge(reply, &ground) }
        }),
        salvage: Arc::new({
            let ground = ground.clone();
            move |text: &str| readable(text, &ground)
        }),
        measures: measures(facts::measure(&graph, call.today, load), computed.selected.len()),
        projects: projects(graph.open()),
        note: match graph.open().len() {
            1 => "Planning 1 task…".to_owned(),
            many => format!("Planning {many} tasks…"),
        },
        fresh: params.fresh.unwrap_or(false),
    };
    let consulted = consult(call, question).await?;
    Ok(answered(&wanted, &graph, &ground, consulted, call))
}

struct Wanted {
    name: String,
    sprint: Sprint,
    capacity_hours: u32,
}

fn name(text: &str) -> Result<String> {
    let name = clean_line(text);
    let length = name.chars().count();
    if (1..=MAX_NAME).contains(&length) {
        return Ok(name);
    }
    Err(Error::bad_request(format!("`sprint_name` must be text of 1 to {MAX_NAME} characters, not of {length}"))
        .hint("A short name such as \"Sprint 12\" will do."))
}

fn answered(
    wanted: &Wanted,
    graph: &Graph<'_>,
    ground: &Ground,
    consulted: Consulted<Judged>,
    call: &Call<'_>,
) -> Planning {
    let error = || Some(degraded::error(&consulted.outcome, &call.gateway.policy()));
    let of_facts = |text: String| Judged {
        text,
        plan: ground.plan.clone(),
        risks: Vec::new(),
        applied: Vec::new(),
        dropped: Vec::new(),
    };
    // A model that answered was there; what was wrong with its answer stands in `error`.
    let heard = consulted.outcome.attempts.iter().any(|attempt| attempt.rejection.is_some());
    let why = if heard { "No model's plan was accepted." } else { "Model unavailable." };
    let computed = || format!("{why} This plan is computed.\n{}", plain_text(wanted, graph, &ground.plan));
    let routing = Routing::of(&consulted.outcome);
    let (status, judged, error) = match consulted.given {
        Given::Accepted(judged) => (State::Ok, judged, None),
        Given::Partial(so_far) => (State::Partial, of_facts(so_far), error()),
        Given::Nothing => (State::Degraded, of_facts(computed()), error()),
    };
    Planning { status, error, ..result(wanted, graph, judged, routing) }
}

/// What a broken answer had said of the plan, if nothing in it is wrong.
fn readable(text: &str, ground: &Ground) -> Option<String> {
    let text = answer::so_far(text, "plan")?;
    let selected = ground.plan.selected.iter().map(|planned| planned.id).collect();
    let fine = existing(&text, &ground.known).and_then(|()| super::plan_text::agrees(&text, &selected)).is_ok();
    fine.then(|| broken_off(&text))
}

fn result(wanted: &Wanted, graph: &Graph<'_>, judged: Judged, routing: Routing) -> Planning {
    let Judged { plan, text, risks, applied, dropped } = judged;
    let task = |id| graph.task(id);
    let truncated = plan.selected.len() > SELECTED_SHOWN || plan.deferred.len() > DEFERRED_SHOWN;
    Planning {
        sprint: wanted.name.clone(),
        duration_days: wanted.sprint.duration_days,
        capacity_hours: wanted.capacity_hours,
        available_tasks: plan.available,
        plan: text,
        status: State::Ok,
        first_day: wanted.sprint.start.to_string(),
        last_day: wanted.sprint.last_day().to_string(),
        selected: plan.selected.iter().take(SELECTED_SHOWN).filter_map(|row| Some(chosen(row, task(row.id)?))).collect(),
        selected_count: plan.selected.len(),
        selected_hours: hours(plan.hours),
        spare_hours: hours(plan.spare),
        deferred: plan.deferred.iter().take(DEFERRED_SHOWN).filter_map(|row| Some(left_out(row, task(row.id)?))).collect(),
        deferred_count: plan.deferred.len(),
        optimal: plan.optimal,
        risks,
        swaps: applied
            .into_iter()
            .map(|swap| SwapMade { out: swap.leaves.to_string(), r#in: swap.enters.to_string(), why: swap.why })
            .collect(),
        swaps_dropped: dropped
            .into_iter()
            .map(|Dropped { out, enters, reason }| SwapDropped { out, r#in: enters, reason })
            .collect(),
        truncated,
        hint: truncated.then(|| {
            format!("At most {SELECTED_SHOWN} selected and {DEFERRED_SHOWN} deferred tasks are listed; list_tasks shows all.")
        }),
        error: None,
        routing,
    }
}

fn chosen(planned: &Planned, task: &Task) -> Chosen {
    Chosen {
        id: task.id.to_string(),
        title: clipped(&task.title, TITLE_SHOWN),
        priority: task.priority.as_str().to_owned(),
        hours: hours(planned.effort.hours),
        assumed: planned.effort.assumed,
        due_date: task.due_date.map(|due| due.to_string()),
    }
}

fn left_out(deferred: &Deferred, task: &Task) -> LeftOut {
    LeftOut { id: task.id.to_string(), title: clipped(&task.title, TITLE_SHOWN), why: deferred.why.to_string() }
}

/// The plan in words, from the numbers alone.
fn plain_text(wanted: &Wanted, graph: &Graph<'_>, plan: &Plan) -> String {
    let title = |id| graph.task(id).map_or_else(String::new, |task: &Task| clipped(&task.title, TITLE_SHOWN));
    let taken = match plan.selected.len() {
        0 => format!("no task fits into {}", plan.capacity),
        1 => format!("1 task takes {} of {}", plan.hours, plan.capacity),
        many => format!("{many} tasks take {} of {}", plan.hours, plan.capacity),
    };
    let (name, sprint) = (&wanted.name, &wanted.sprint);
    let mut lines = vec![format!("{name} ({} to {}): {taken}.", sprint.start, sprint.last_day())];
    if plan.assumed > 0 {
        lines.push(format!("Tasks without an estimate, counted as 4 h each: {}.", plan.assumed));
    }
    if !plan.selected.is_empty() {
        lines.push("Selected, in this order:".to_owned());
    }
    for planned in plan.selected.iter().take(LINES) {
        lines.push(format!("- {} {} ({})", planned.id, title(planned.id), planned.effort.hours));
    }
    if plan.selected.len() > LINES {
        lines.push(format!("- and {} more", plan.selected.len() - LINES));
    }
    if !plan.deferred.is_empty() {
        lines.push("Deferred to the backlog:".to_owned());
    }
    for deferred in plan.deferred.iter().take(LINES) {
        lines.push(format!("- {} {}: {}", deferred.id, title(deferred.id), deferred.why));
    }
    if plan.deferred.len() > LINES {
        lines.push(format!("- and {} more", plan.deferred.len() - LINES));
    }
    lines.join("\n")
}

/// Nothing is open, or nothing fits: no model could help.
fn empty(wanted: &Wanted, graph: &Graph<'_>, plan: Plan) -> Planning {
    let text = match (graph.tasks().is_empty(), plan.deferred.is_empty()) {
        (true, _) => "No tasks to plan. Create some tasks first.".to_owned(),
        (false, true) => "Nothing to plan: all tasks are completed or cancelled.".to_owned(),
        (false, false) => plain_text(wanted, graph, &plan),
    };
    let routing = Routing::logic("There is nothing to ask a model about.");
    let judged = Judged { plan, text, risks: Vec::new(), applied: Vec::new(), dropped: Vec::new() };
    Planning { status: State::Empty, ..result(wanted, graph, judged, routing) }
}

#[cfg(test)]
#[path = "plan_sprint_tests.rs"]
mod tests;
