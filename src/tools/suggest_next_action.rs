//! `suggest_next_action`: the ranking from plain logic, the choice among the ready tasks from a model.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::civil::DateTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::answer;
use super::checks::{broken_off, existing, id_in_field, ids_in, prose};
use super::consult::{Given, Question, consult, measures, projects};
use super::degraded;
use super::known::Known;
use super::prompts;
use super::record::{clipped, time};
use super::routing::{Routing, State};
use super::spec::{About, Annotations, ToolSpec, spec as tool_spec};
use super::toolbox::{Call, Tool};
use crate::chat::Reply;
use crate::error::Result;
use crate::request::{Rejection, RejectionCode};
use crate::tasks::graph::Graph;
use crate::tasks::rank::{Ranked, Ranking, Wish, rank};
use crate::tasks::work::counted;
use crate::tasks::{Hours, Task, TaskId, facts};

/// A month of working days: no single action takes longer.
const MAX_MINUTES: f64 = 10_000.0;
const OUTPUT_ITEMS: usize = 5;
const TITLE_SHOWN: usize = 100;
const AFTER_SHOWN: usize = 300;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// Only tasks of this person
    assignee: Option<String>,
    /// Time at hand, in minutes
    #[schemars(range(min = 1, max = 1440))]
    available_minutes: Option<u32>,
    /// true: ask again instead of using a kept answer
    fresh: Option<bool>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Suggested {
    suggestion: String,
    /// All tasks, whatever their status.
    task_count: usize,
    generated_at: String,
    reasoning: String,
    status: State,
    /// Open and not blocked.
    #[serde(skip_serializing_if = "Option::is_none")]
    task_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    estimate_minutes: Option<u32>,
    /// What to do after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<String>,
    /// Why no model's answer was used, and what to start.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    routing: Routing,
}

#[derive(Debug, Clone, PartialEq)]
struct Judged {
    task: TaskId,
    suggestion: String,
    why: String,
    estimate_minutes: u32,
    after: Option<String>,
}

pub(super) fn spec(tool: Tool) -> ToolSpec {
    let about = About {
        title: "Suggest the next action",
        description: "Choose the one task to work on now, with the reason, the time it takes and what comes after; use it for \
                      \"what should I do next?\". Blocked tasks are never chosen. For the whole picture use analyze_workload, \
                      for lists list_tasks. Asks a model; without one it answers from a computed ranking (status degraded). \
                      Up to 40 s. Example: {\"available_minutes\": 60}",
        annotations: Annotations::ASKS,
    };
    tool_spec::<Params, Suggested>(tool, about)
}

pub(super) async fn run(call: &Call<'_>, arguments: Map<String, Value>) -> Result<Suggested> {
    let params: Params = call.read(arguments)?;
    let assignee = params.assignee.map(|text| crate::tasks::name("assignee", &text)).transpose()?;
    let tasks = call.store.tasks().await?;
    let at = Moment { count: tasks.len(), generated_at: time(call.now) };
    if tasks.is_empty() {
        return Ok(at.empty("No tasks found. Start by creating some tasks!", "Empty task list"));
    }
    let graph = Graph::new(&tasks);
    let wish = Wish { assignee: assignee.as_deref(), available_minutes: params.available_minutes };
    let ranking = rank(&graph, call.today, &wish, usize::MAX);
    let Some(best) = ranking.next() else { return Ok(at.nothing_to_start(&ranking, assignee.is_some())) };
    let known = Known::new(&graph);
    let question = Question {
        prompt: prompts::suggest_next_action::prompt(&graph, &ranking, params.available_minutes, local(call)),
        judge: Arc::new({
            let known = known.clone();
            let asked_about: HashSet<TaskId> = ranking.tasks.iter().map(|ranked| ranked.id).collect();
            move |reply: &Reply| judge(reply, &known, &asked_about)
        }),
        salvage: Arc::new({
            let known = known.clone();
            move |text: &str| readable(text, &known)
        }),
        measures: measures(facts::measure(&graph, call.today, 0.0), OUTPUT_ITEMS),
        projects: projects(ranking.tasks.iter().filter_map(|ranked| graph.task(ranked.id))),
        note: format!("Ranking {}…", counted(ranking.considered, "task", "tasks")),
        fresh: params.fresh.unwrap_or(false),
    };
    let consulted = consult(call, question).await?;
    let error = degraded::error(&consulted.outcome, &call.gateway.policy());
    let settled = settle(consulted.given, from_facts(&graph, &ranking, best), error);
    Ok(at.result(&graph, settled, Routing::of(&consulted.outcome)))
}

fn local(call: &Call<'_>) -> DateTime {
    call.now.to_zoned(call.gateway.policy().time_zone.clone()).datetime()
}

/// A task that may be begun and that was asked about, in words that agree with it, with a time above nothing.
fn judge(reply: &Reply, known: &Known, asked_about: &HashSet<TaskId>) -> Result<Judged, Rejection> {
    let object = answer::object(reply)?;
    let named = object.get("task_id").and_then(Value::as_str).unwrap_or("");
    let Some(task) = id_in_field(named)? else {
        return Err(Rejection::new(RejectionCode::WrongShape, "\"task_id\" must be the id of a task"));
    };
    known.ready(task)?;
    if !asked_about.contains(&task) {
        let why = format!("The answer chose {task}, which is not among the tasks that were asked about");
        return Err(Rejection::new(RejectionCode::Contradiction, why));
    }
    let suggestion = prose("suggestion", answer::text(&object, "suggestion"), known)?;
    let why = prose("why", answer::text(&object, "why"), known)?;
    let spoken_of = ids_in(&suggestion)?;
    if !spoken_of.is_empty() && !spoken_of.contains(&task) {
        let why = format!("The suggestion speaks of {}, but \"task_id\" is {task}", spoken_of[0]);
        return Err(Rejection::new(RejectionCode::Contradiction, why));
    }
    let minutes =
        answer::number(&object, "estimate_minutes").filter(|minutes| *minutes >= 1.0 && *minutes <= MAX_MINUTES);
    let Some(minutes) = minutes else {
        let why = format!("\"estimate_minutes\" must be a number from 1 to {MAX_MINUTES}");
        return Err(Rejection::new(RejectionCode::OutOfRange, why));
    };
    let after = answer::text(&object, "after");
    existing(after.as_deref().unwrap_or(""), known)?;
    let after = after.map(|text| clipped(&text, AFTER_SHOWN));
    // In range, so the conversion loses only a fraction of a minute.
    Ok(Judged { task, suggestion, why, estimate_minutes: minutes.round() as u32, after })
}

/// The best of the ranking, in words.
fn from_facts(graph: &Graph<'_>, ranking: &Ranking, best: &Ranked) -> Judged {
    let title = |id: TaskId| graph.task(id).map_or("", |task| task.title.as_str());
    let next = ranking.tasks.get(1).filter(|next| !next.blocked);
    let assumed = if best.effort.assumed { " (assumed, it has no estimate)" } else { "" };
    let (begin, takes) = (clipped(title(best.id), TITLE_SHOWN), best.effort.hours);
    let suggestion = if ranking.nothing_fits {
        format!("Nothing fits into the time at hand. Begin with {}: {begin}. It takes {takes}{assumed}.", best.id)
    } else {
        format!("Work on {} now: {begin}. It takes {takes}{assumed}.", best.id)
    };
    Judged {
        task: best.id,
        suggestion,
        why: sentence(&best.reason),
        estimate_minutes: best.effort.hours.minutes,
        after: next.map(|next| format!("{}: {}", next.id, clipped(title(next.id), TITLE_SHOWN))),
    }
}

/// "due tomorrow, urgent" as a sentence.
fn sentence(reason: &str) -> String {
    let mut letters = reason.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

/// What is said in the end, and why it is not a model's if it is not.
struct Settled {
    status: State,
    judged: Judged,
    error: Option<String>,
}

fn settle(given: Given<Judged>, of_facts: Judged, error: String) -> Settled {
    match given {
        Given::Accepted(judged) => Settled { status: State::Ok, judged, error: None },
        Given::Partial(so_far) => {
            let suggestion = format!("{}\n\nA model had begun to say: {so_far}", of_facts.suggestion);
            Settled { status: State::Partial, judged: Judged { suggestion, ..of_facts }, error: Some(error) }
        }
        Given::Nothing => Settled { status: State::Degraded, judged: of_facts, error: Some(error) },
    }
}

/// What stands in every result.
struct Moment {
    count: usize,
    generated_at: String,
}

impl Moment {
    fn result(self, graph: &Graph<'_>, settled: Settled, routing: Routing) -> Suggested {
        let Settled { status, judged, error } = settled;
        Suggested {
            suggestion: worded(&judged),
            task_count: self.count,
            generated_at: self.generated_at,
            reasoning: judged.why,
            status,
            title: graph.task(judged.task).map(|task: &Task| clipped(&task.title, TITLE_SHOWN)),
            task_id: Some(judged.task.to_string()),
            estimate_minutes: Some(judged.estimate_minutes),
            after: judged.after,
            error,
            routing,
        }
    }

    /// Nothing can be begun: all is done, or what there is waits for others.
    fn nothing_to_start(self, ranking: &Ranking, of_one_person: bool) -> Suggested {
        let whose = if of_one_person { " of this person" } else { "" };
        match ranking.tasks.first() {
            None => self.empty(&format!("No task{whose} is open. Create one, or enjoy the day."), "No open tasks"),
            Some(first) => {
                let text = format!(
                    "Every open task{whose} waits for others; the most pressing is {}: {}.",
                    first.id, first.reason
                );
                self.empty(&text, "All open tasks are blocked")
            }
        }
    }

    fn empty(self, suggestion: &str, reasoning: &str) -> Suggested {
        Suggested {
            suggestion: suggestion.to_owned(),
            task_count: self.count,
            generated_at: self.generated_at,
            reasoning: reasoning.to_owned(),
            status: State::Empty,
            task_id: None,
            title: None,
            estimate_minutes: None,
            after: None,
            error: None,
            routing: Routing::logic("There is nothing to ask a model about."),
        }
    }
}

/// The whole of it as one text, as the lesson's clients show it.
fn worded(judged: &Judged) -> String {
    let mut text = format!("{}\n\nWhy: {}", judged.suggestion, judged.why);
    let time = Hours { minutes: judged.estimate_minutes };
    text.push_str(&format!("\nEstimated time: {time}"));
    if let Some(after) = &judged.after {
        text.push_str(&format!("\nAfter that: {after}"));
    }
    text
}

/// What a broken answer had suggested, if nothing in it is wrong.
fn readable(text: &str, known: &Known) -> Option<String> {
    let text = answer::so_far(text, "suggestion")?;
    existing(&text, known).is_ok().then(|| broken_off(&text))
}

#[cfg(test)]
#[path = "suggest_next_action_tests.rs"]
mod tests;
