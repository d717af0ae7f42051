//! `analyze_workload`: the hours and knots of the open tasks from plain logic, what to make of them from a model.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::answer;
use super::arguments::word;
use super::checks::{broken_off, existing, id_in_field, prose};
use super::consult::{Consulted, Given, Question, consult, measures, projects};
use super::degraded::{self, UNAVAILABLE};
use super::known::Known;
use super::prompts;
use super::record::{clipped, hours, ids, rounded};
use super::routing::{Routing, State};
use super::spec::{About, Annotations, ToolSpec, spec as tool_spec};
use super::toolbox::{Call, Tool};
use crate::chat::Reply;
use crate::error::Result;
use crate::request::{Rejection, RejectionCode};
use crate::tasks::facts::{self, Assessment, Horizon, Workload};
use crate::tasks::graph::Graph;
use crate::tasks::work::counted;
use crate::tasks::{Task, TaskId};

const HORIZONS: &[&str] = &["day", "week", "month"];
const PRIORITIES: usize = 3;
const PEOPLE_SHOWN: usize = 10;
const TITLE_SHOWN: usize = 100;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// How far ahead: today, 7 days (default) or 30 days
    #[schemars(extend("enum" = ["day", "week", "month"]))]
    time_horizon: Option<String>,
    /// true: ask again instead of using a kept answer
    fresh: Option<bool>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Analysis {
    summary: Summary,
    analysis: String,
    time_horizon: String,
    status: State,
    /// Hours due over hours available: below 0.8 manageable, below 1 heavy, else overloaded; a model may judge one step off.
    #[serde(skip_serializing_if = "Option::is_none")]
    assessment: Option<String>,
    /// What to focus on first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    priorities: Vec<Focus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    facts: Option<Facts>,
    /// Why no model's answer was used, and what to start.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    routing: Routing,
}

/// All tasks; pending by status, urgent and high by priority.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
struct Summary {
    total: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pending: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    urgent: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    high: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
struct Focus {
    id: String,
    title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

/// Computed, exact.
#[derive(Debug, Serialize, JsonSchema)]
struct Facts {
    last_day: String,
    open: u32,
    in_progress: u32,
    blocked: u32,
    overdue: u32,
    due: u32,
    undated: u32,
    due_hours: f64,
    available_hours: f64,
    /// `due_hours` over `available_hours`.
    ratio: f64,
    assessment: String,
    people: u32,
    /// Due tasks without an estimate; they count 4 hours each.
    assumed_estimates: u32,
    load: Vec<Load>,
    /// Tasks that have to be done one after another, the longest chains.
    chains: Vec<Vec<String>>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Load {
    /// Left out for tasks that nobody has.
    #[serde(skip_serializing_if = "Option::is_none")]
    assignee: Option<String>,
    open: u32,
    overdue: u32,
    hours: f64,
    due_hours: f64,
}

/// A model's judgement, checked.
#[derive(Debug, Clone, PartialEq)]
struct Judged {
    assessment: Assessment,
    priorities: Vec<TaskId>,
    analysis: String,
}

pub(super) fn spec(tool: Tool) -> ToolSpec {
    let about = About {
        title: "Analyze the workload",
        description: "Assess the open work of a day, week or month (manageable, heavy, overloaded) with what to focus on and \
                      what is at risk; use it for questions such as \"how does my week look?\". For the one next task use \
                      suggest_next_action, for a plan plan_sprint. Asks a model; without one it answers from computed facts \
                      (status degraded). Up to 40 s. Example: {\"time_horizon\": \"week\"}",
        annotations: Annotations::ASKS,
    };
    tool_spec::<Params, Analysis>(tool, about)
}

pub(super) async fn run(call: &Call<'_>, arguments: Map<String, Value>) -> Result<Analysis> {
    let params: Params = call.read(arguments)?;
    let horizon = match params.time_horizon.as_deref().map(|given| word("time_horizon", given, HORIZONS)).transpose()? {
        Some(word) => Horizon::parse(word).unwrap_or(Horizon::Week),
        None => Horizon::Week,
    };
    let tasks = Arc::new(call.store.tasks().await?);
    if tasks.is_empty() {
        return Ok(empty(&tasks, horizon, "No tasks to analyze. Create some tasks first."));
    }
    let graph = Graph::new(&tasks);
    let workload = facts::workload(&graph, call.today, horizon);
    if workload.open == 0 {
        let text = match tasks.len() {
            1 => "Nothing is open: the only task is completed or cancelled.".to_owned(),
            all => format!("Nothing is open: all {all} tasks are completed or cancelled."),
        };
        return Ok(empty(&tasks, horizon, &text));
    }
    let known = Known::new(&graph);
    let computed = workload.assessment;
    let question = Question {
        prompt: prompts::analyze_workload::prompt(&graph, &workload, call.today),
        judge: Arc::new({
            let known = known.clone();
            move |reply: &Reply| judge(reply, &known, computed)
        }),
        salvage: Arc::new({
            let known = known.clone();
            move |text: &str| readable(text, &known)
        }),
        measures: measures(facts::measure(&graph, call.today, workload.ratio), PRIORITIES),
        projects: projects(graph.open()),
        note: format!("Analyzing {}…", counted(workload.open, "task", "tasks")),
        fresh: params.fresh.unwrap_or(false),
    };
    let consulted = consult(call, question).await?;
    Ok(result(&graph, &workload, consulted, call))
}

/// The answer's JSON, its assessment within one step of the computed one, its ids open, its text readable.
fn judge(reply: &Reply, known: &Known, computed: Assessment) -> Result<Judged, Rejection> {
    let object = answer::object(reply)?;
    let word = object.get("assessment").and_then(Value::as_str).unwrap_or("").trim().to_lowercase();
    let Some(assessment) = Assessment::parse(&word) else {
        let why = "\"assessment\" must be manageable, heavy or overloaded";
        return Err(Rejection::new(RejectionCode::WrongShape, why));
    };
    if !assessment.is_within_one_step(computed) {
        let (said, computed) = (assessment.as_str(), computed.as_str());
        let why = format!("The assessment {said} contradicts the hours, by which the workload is {computed}");
        return Err(Rejection::new(RejectionCode::Contradiction, why));
    }
    let priorities = priorities(&object, known)?;
    let analysis = prose("analysis", answer::text(&object, "analysis"), known)?;
    Ok(Judged { assessment, priorities, analysis })
}

fn priorities(object: &Map<String, Value>, known: &Known) -> Result<Vec<TaskId>, Rejection> {
    let wrong = || Rejection::new(RejectionCode::WrongShape, "\"priorities\" must be a list of up to 3 task ids");
    let mut ids = Vec::new();
    for named in object.get("priorities").and_then(Value::as_array).ok_or_else(wrong)? {
        // Some models write {"id": "TASK-0001", …} where an id was asked for.
        let text = named.as_str().or_else(|| named.get("id")?.as_str()).ok_or_else(wrong)?;
        let id = id_in_field(text)?.ok_or_else(wrong)?;
        known.open(id)?;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    if ids.len() > PRIORITIES {
        let why = format!("The answer named {} priorities, at most {PRIORITIES} were asked for", ids.len());
        return Err(Rejection::new(RejectionCode::OutOfRange, why));
    }
    if ids.is_empty() {
        return Err(Rejection::new(RejectionCode::WrongShape, "The answer named no priorities, though tasks are open"));
    }
    Ok(ids)
}

fn result(graph: &Graph<'_>, workload: &Workload, consulted: Consulted<Judged>, call: &Call<'_>) -> Analysis {
    let routing = Routing::of(&consulted.outcome);
    let error = || Some(degraded::error(&consulted.outcome, &call.gateway.policy()));
    let computed: Vec<TaskId> = workload.priorities.iter().take(PRIORITIES).map(|first| first.id).collect();
    let of_facts = Judged { assessment: workload.assessment, priorities: computed, analysis: basic_summary(workload) };
    let (status, judged, error) = match consulted.given {
        Given::Accepted(judged) => (State::Ok, judged, None),
        Given::Partial(analysis) => (State::Partial, Judged { analysis, ..of_facts }, error()),
        Given::Nothing => (State::Degraded, of_facts, error()),
    };
    Analysis {
        summary: summary(workload),
        analysis: judged.analysis,
        time_horizon: workload.horizon.as_str().to_owned(),
        status,
        assessment: Some(judged.assessment.as_str().to_owned()),
        priorities: judged.priorities.iter().filter_map(|id| focus(graph, workload, *id)).collect(),
        facts: Some(shown(workload)),
        error,
        routing,
    }
}

/// The analysis so far, if nothing in it is wrong.
fn readable(text: &str, known: &Known) -> Option<String> {
    let text = answer::so_far(text, "analysis")?;
    existing(&text, known).is_ok().then(|| broken_off(&text))
}

fn summary(workload: &Workload) -> Summary {
    let facts::Summary { total, pending, urgent, high } = workload.summary;
    Summary { total, pending: Some(pending), urgent: Some(urgent), high: Some(high) }
}

fn focus(graph: &Graph<'_>, workload: &Workload, id: TaskId) -> Option<Focus> {
    let why = workload.priorities.iter().find(|first| first.id == id).map(|first| first.reason.clone());
    Some(Focus { id: id.to_string(), title: clipped(&graph.task(id)?.title, TITLE_SHOWN), why })
}

fn shown(workload: &Workload) -> Facts {
    let load = workload.load.iter().take(PEOPLE_SHOWN).map(|load| Load {
        assignee: load.assignee.clone(),
        open: load.open,
        overdue: load.overdue,
        hours: hours(load.hours),
        due_hours: hours(load.due_hours),
    });
    Facts {
        last_day: workload.last_day.to_string(),
        open: workload.open,
        in_progress: workload.in_progress,
        blocked: workload.blocked,
        overdue: workload.overdue,
        due: workload.due,
        undated: workload.undated,
        due_hours: hours(workload.due_hours),
        available_hours: hours(workload.available),
        ratio: rounded(workload.ratio),
        assessment: workload.assessment.as_str().to_owned(),
        people: workload.people,
        assumed_estimates: workload.assumed,
        load: load.collect(),
        chains: workload.chains.iter().map(|chain| ids(&chain.ids)).collect(),
    }
}

/// What can be said without a model.
fn basic_summary(workload: &Workload) -> String {
    let horizon = match workload.horizon {
        Horizon::Day => "today".to_owned(),
        Horizon::Week | Horizon::Month => format!("by {}", workload.last_day),
    };
    let mut text = format!(
        "{UNAVAILABLE} {} of {} {} open: {} overdue, {} due {horizon}, {} blocked, {} without a due day. \
         The work that is due takes {}, {} are available: {}.",
        workload.open,
        counted(workload.summary.total, "task", "tasks"),
        if workload.open == 1 { "is" } else { "are" },
        workload.overdue,
        workload.due,
        workload.blocked,
        workload.undated,
        workload.due_hours,
        workload.available,
        workload.assessment.as_str()
    );
    if workload.assumed > 0 {
        text.push_str(&format!(" Due tasks without an estimate, counted as 4 h each: {}.", workload.assumed));
    }
    let first = workload.priorities.iter().take(PRIORITIES).map(|first| format!("{} ({})", first.id, first.reason));
    let first: Vec<String> = first.collect();
    if !first.is_empty() {
        text.push_str(&format!(" Focus first on {}.", first.join("; ")));
    }
    text
}

fn empty(tasks: &[Task], horizon: Horizon, text: &str) -> Analysis {
    let facts::Summary { total, pending, urgent, high } = facts::summary(tasks);
    let counts = |count| (total > 0).then_some(count);
    Analysis {
        summary: Summary { total, pending: counts(pending), urgent: counts(urgent), high: counts(high) },
        analysis: text.to_owned(),
        time_horizon: horizon.as_str().to_owned(),
        status: State::Empty,
        assessment: None,
        priorities: Vec::new(),
        facts: None,
        error: None,
        routing: Routing::logic("There is nothing to ask a model about."),
    }
}

#[cfg(test)]
#[path = "analyze_workload_tests.rs"]
mod tests;
