//! `smart_prioritize`: priority, title and effort for a task that is only described.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::answer;
use super::checks::existing;
use super::consult::{Given, Question, consult, projects};
use super::degraded;
use super::known::Known;
use super::prompts;
use super::record::{clipped, hours, rounded};
use super::routing::{Routing, State};
use super::spec::{About, Annotations, ToolSpec, spec as tool_spec};
use super::toolbox::{Call, Tool};
use crate::chat::Reply;
use crate::error::{Error, Result};
use crate::request::{Measures, Rejection, RejectionCode};
use crate::tasks::graph::Graph;
use crate::tasks::similar::{self, Suggestion};
use crate::tasks::{Priority, clean_line, clean_text};

const MAX_DESCRIPTION: usize = 10_000;
const MAX_TITLE: usize = 100;
const CONSIDERATIONS_SHOWN: usize = 1_000;
const MAX_EFFORT: f64 = 400.0;
/// The keys of the answer.
const OUTPUT_ITEMS: u32 = 4;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// The task in your own words, 1-10,000 characters
    task_description: String,
    /// true: ask again instead of using a kept answer
    fresh: Option<bool>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Prioritized {
    input: String,
    /// The suggestion as JSON text with the keys priority, title, effort_hours, considerations.
    recommendation: String,
    status: State,
    suggested: Suggested,
    /// Existing tasks like it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    similar: Vec<SimilarTask>,
    /// Why no model's answer was used, and what to start.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    routing: Routing,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
struct Suggested {
    #[schemars(extend("enum" = ["low", "normal", "high", "urgent"]))]
    priority: String,
    title: String,
    effort_hours: f64,
    considerations: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct SimilarTask {
    id: String,
    title: String,
    /// Shared words, in percent.
    percent: u8,
}

pub(super) fn spec(tool: Tool) -> ToolSpec {
    let about = About {
        title: "Suggest a priority",
        description: "Suggest priority, title, effort in hours and blockers for a task that is only described; use it before \
                      create_task when the user is unsure. It creates nothing. For tasks that exist use analyze_workload. \
                      Asks a model; without one it answers from words, dates and similar tasks (status degraded). Up to 40 s. \
                      Example: {\"task_description\": \"Prepare the board slides by friday\"}",
        annotations: Annotations::ASKS,
    };
    tool_spec::<Params, Prioritized>(tool, about)
}

pub(super) async fn run(call: &Call<'_>, arguments: Map<String, Value>) -> Result<Prioritized> {
    let params: Params = call.read(arguments)?;
    let description = description(&params.task_description)?;
    let tasks = call.store.tasks().await?;
    let graph = Graph::new(&tasks);
    let suggestion = similar::suggest(&tasks, &description, call.today);
    let known = Known::new(&graph);
    let alike = || suggestion.similar.iter().filter_map(|similar| graph.task(similar.id));
    let question = Question {
        prompt: prompts::smart_prioritize::prompt(&graph, &description, &suggestion, call.today),
        judge: Arc::new(move |reply: &Reply| judge(reply, &known)),
        // Half a JSON object is no recommendation.
        salvage: Arc::new(|_| None),
        measures: Measures { tasks: 1, people: 1, output_items: OUTPUT_ITEMS, ..Measures::default() },
        projects: projects(alike()),
        note: "Looking at the description…".to_owned(),
        fresh: params.fresh.unwrap_or(false),
    };
    let consulted = consult(call, question).await?;
    let (status, suggested, error) = match consulted.given {
        Given::Accepted(suggested) => (State::Ok, suggested, None),
        Given::Partial(_) | Given::Nothing => {
            let error = degraded::error(&consulted.outcome, &call.gateway.policy());
            (State::Degraded, from_facts(&suggestion), Some(error))
        }
    };
    let similar = suggestion.similar.iter().filter_map(|similar| {
        let title = clipped(&graph.task(similar.id)?.title, MAX_TITLE);
        Some(SimilarTask { id: similar.id.to_string(), title, percent: similar.percent })
    });
    Ok(Prioritized {
        input: description,
        recommendation: json!(suggested).to_string(),
        status,
        suggested,
        similar: similar.collect(),
        error,
        routing: Routing::of(&consulted.outcome),
    })
}

fn description(text: &str) -> Result<String> {
    let text = clean_text(text);
    let length = text.chars().count();
    if (1..=MAX_DESCRIPTION).contains(&length) {
        return Ok(text);
    }
    Err(Error::bad_request(format!(
        "`task_description` must be text of 1 to {MAX_DESCRIPTION} characters, not of {length}"
    ))
    .hint("Say in a sentence or two what has to be done."))
}

/// JSON with a known priority, a title and an effort in range, and considerations whose ids exist.
fn judge(reply: &Reply, known: &Known) -> Result<Suggested, Rejection> {
    let object = answer::object(reply)?;
    let word = object.get("priority").and_then(Value::as_str).unwrap_or("").trim().to_lowercase();
    let Some(priority) = Priority::parse(&word) else {
        let why = "\"priority\" must be low, normal, high or urgent";
        return Err(Rejection::new(RejectionCode::WrongShape, why));
    };
    let title = clean_line(object.get("title").and_then(Value::as_str).unwrap_or(""));
    let length = title.chars().count();
    if length == 0 {
        return Err(Rejection::new(RejectionCode::WrongShape, "\"title\" is missing"));
    }
    if length > MAX_TITLE {
        let why = format!("\"title\" has {length} characters, at most {MAX_TITLE} are allowed");
        return Err(Rejection::new(RejectionCode::OutOfRange, why));
    }
    let Some(effort) = answer::number(&object, "effort_hours") else {
        return Err(Rejection::new(RejectionCode::WrongShape, "\"effort_hours\" must be a number"));
    };
    if effort <= 0.0 || effort > MAX_EFFORT {
        let why = format!("\"effort_hours\" is {}, it must be above 0 and at most {MAX_EFFORT}", rounded(effort));
        return Err(Rejection::new(RejectionCode::OutOfRange, why));
    }
    let Some(considerations) = considerations(&object) else {
        return Err(Rejection::new(RejectionCode::WrongShape, "\"considerations\" must be text or a list of texts"));
    };
    existing(&title, known)?;
    existing(&considerations, known)?;
    let considerations = clipped(&considerations, CONSIDERATIONS_SHOWN);
    // A minute is the least there is.
    let effort_hours = rounded(effort).max(0.02);
    Ok(Suggested { priority: priority.as_str().to_owned(), title, effort_hours, considerations })
}

/// Text, also an empty one or a list: that there is nothing to consider is an answer.
fn considerations(object: &Map<String, Value>) -> Option<String> {
    match object.get("considerations")? {
        Value::Null => Some(String::new()),
        Value::String(text) => Some(clean_text(text)),
        Value::Array(texts) if texts.is_empty() => Some(String::new()),
        _ => answer::text(object, "considerations").map(|text| text.replace('\n', "; ")),
    }
}

fn from_facts(suggestion: &Suggestion) -> Suggested {
    let mut considerations = format!("{} {}", suggestion.priority_reason, suggestion.effort_reason);
    // When the priority follows from the day, the day is told already.
    if let Some(due) = suggestion.found.due.filter(|_| suggestion.found.priority.is_some()) {
        considerations.push_str(&format!(" It seems to be due on {due}."));
    }
    Suggested {
        priority: suggestion.priority.as_str().to_owned(),
        title: suggestion.title.clone(),
        effort_hours: hours(suggestion.effort.hours).clamp(0.02, MAX_EFFORT),
        considerations,
    }
}

#[cfg(test)]
#[path = "smart_prioritize_tests.rs"]
mod tests;
