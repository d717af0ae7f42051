//! `taskgate demo`: a believable project in a scratch database, every tool run on it, and for each the answer, the
//! decision and the cost. It touches no real data, and it calls the models that the policy names, as a client would.

use std::path::Path;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use super::{output, render, story};
use crate::app::App;
use crate::policy::Policy;
use crate::request::{Caller, Door, Outcome, Status};
use crate::tools::CallContext;

/// Prose is easier to read in lines of a book's width.
const WIDTH: usize = 92;

pub(super) async fn run(policy: Arc<Policy>) -> anyhow::Result<()> {
    let scratch = Scratch::new()?;
    let app = App::open("demo", policy, &scratch.0.join("demo.db")).await?;
    let told = tell(&app).await;
    app.close().await;
    told
}

async fn tell(app: &App) -> anyhow::Result<()> {
    let today = Timestamp::now().to_zoned(app.policy().time_zone.clone()).date();
    heading("A product launch, in a scratch database")?;
    let mut seen = 0;
    for task in launch(today) {
        call(app, "create_task", task).await?;
    }
    output::result(&format!("{} tasks created, each in one line of the ledger.\n", launch(today).len()))?;
    advance(app, &mut seen).await?;

    let mut outcomes = Vec::new();
    for step in STEPS {
        heading(step.question)?;
        let arguments = serde_json::from_str(step.arguments)?;
        let body = call(app, step.tool, arguments).await?;
        output::result(&answer(step, &body))?;
        for outcome in advance(app, &mut seen).await? {
            output::result(&decision_lines(step, &outcome, &app.policy()))?;
            outcomes.push(outcome);
        }
    }
    closing(&outcomes)
}

/// One tool call of the tour, and the keys of its result that a person wants to see.
struct Step {
    question: &'static str,
    tool: &'static str,
    arguments: &'static str,
    shows: &'static [&'static str],
}

const STEPS: &[Step] = &[
    Step {
        question: "Which tasks can be started now?",
        tool: "list_tasks",
        arguments: r#"{"ready": true, "sort": "due_date", "limit": 5}"#,
        shows: &["tasks"],
    },
    Step {
        question: "How heavy is the week?",
        tool: "analyze_workload",
        arguments: r#"{"time_horizon": "week"}"#,
        shows: &["analysis"],
    },
    Step {
        question: "What about this one: how urgent, how long?",
        tool: "smart_prioritize",
        arguments: r#"{"task_description": "The checkout fails for customers in Norway since this morning, fix it today"}"#,
        shows: &["recommendation"],
    },
    Step {
        question: "What fits into a two-week sprint of 60 hours?",
        tool: "plan_sprint",
        arguments: r#"{"sprint_name": "Launch", "duration_days": 14, "team_capacity_hours": 60}"#,
        shows: &["plan"],
    },
    Step { question: "What should I do next?", tool: "suggest_next_action", arguments: "{}", shows: &["suggestion"] },
    Step {
        question: "Done: write it down",
        tool: "update_task",
        arguments: r#"{"task_id": "TASK-0001", "status": "completed"}"#,
        shows: &["message"],
    },
];

async fn call(app: &App, tool: &str, arguments: Map<String, Value>) -> anyhow::Result<Map<String, Value>> {
    let progress = Arc::new(|progress: crate::request::Progress| {
        if output::is_for_a_person() {
            output::remark(&format!("  {progress}"));
        }
    });
    let context = CallContext { door: Door::Cli, caller: Caller::local(), progress, cancel: CancellationToken::new() };
    Ok(app.toolbox.call(tool, arguments, context).await?)
}

/// The outcomes that were written down since the last look.
async fn advance(app: &App, seen: &mut i64) -> anyhow::Result<Vec<Outcome>> {
    let recorded = app.store.outcomes_after(*seen, 100).await?;
    *seen = recorded.last().map_or(*seen, |last| last.seq);
    Ok(recorded.into_iter().map(|recorded| recorded.outcome).collect())
}

fn heading(text: &str) -> anyhow::Result<()> {
    output::result(&format!("\n━━ {text} {}", "━".repeat(WIDTH.saturating_sub(text.chars().count() + 4))))
}

fn answer(step: &Step, body: &Map<String, Value>) -> String {
    let shown: Map<String, Value> =
        step.shows.iter().filter_map(|key| Some(((*key).to_owned(), body.get(*key)?.clone()))).collect();
    match shown.values().next() {
        Some(Value::String(text)) => render::wrapped(&readable(text), WIDTH),
        _ => render::result(&shown),
    }
}

/// JSON in a text is laid out; prose stays as it is.
fn readable(text: &str) -> String {
    let value: Option<Value> = serde_json::from_str(text).ok().filter(Value::is_object);
    value.and_then(|value| serde_json::to_string_pretty(&value).ok()).unwrap_or_else(|| text.to_owned())
}

fn decision_lines(step: &Step, outcome: &Outcome, policy: &Policy) -> String {
    let lines = story::outcome(outcome, policy).join("\n");
    let wide = WIDTH.saturating_sub(4);
    let indented = textwrap::indent(&render::wrapped(&lines, wide), "  │ ");
    format!("  ┌ {}: {}\n{indented}", step.tool, outcome.status.as_str())
}

fn closing(outcomes: &[Outcome]) -> anyhow::Result<()> {
    heading("In short")?;
    let asked: Vec<_> = outcomes.iter().filter(|outcome| !outcome.decision.tier.is_none()).collect();
    let answered = asked.iter().filter(|outcome| outcome.status == Status::Ok).count();
    let cost: crate::chat::NanoUsd = outcomes.iter().map(|outcome| outcome.cost).sum();
    let models = match (answered, asked.len()) {
        (0, all) => format!("Logic alone answered all {all} questions that a model could have answered."),
        (some, all) => format!("Models answered {some} of {all} questions; checks and logic stood behind them."),
    };
    output::result(&format!("{models} All of it cost {cost}.\n"))?;
    if answered == 0 {
        output::result(
            "To give it a model: start Ollama (or LiteLLM on http://localhost:4000) with a model named\n\
             task-api-model, or set OPENAI_API_KEY, and run this again.",
        )?;
    }
    output::result(
        "To use it in Claude Desktop, see README.md; to see how a call is routed: taskgate explain plan_sprint.",
    )
}

/// A directory of its own, removed at the end.
struct Scratch(std::path::PathBuf);

impl Scratch {
    fn new() -> std::io::Result<Self> {
        let path: &Path = &std::env::temp_dir().join(format!("taskgate-demo-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir(path)?;
        Ok(Self(path.to_owned()))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            output::remark(&format!("the scratch directory {} could not be removed: {error}", self.0.display()));
        }
    }
}

/// Thirteen tasks of a small team that launches a shop, due around `today`.
fn launch(today: Date) -> Vec<Map<String, Value>> {
    let day = |days: i64| today.checked_add(days.days()).unwrap_or(today).to_string();
    let task = |title: &str, priority: &str, due: i64, hours: f64, who: &str, after: &[u32]| {
        let after: Vec<String> = after.iter().map(|number| format!("TASK-{number:04}")).collect();
        let value = json!({"title": title, "priority": priority, "due_date": day(due), "estimate_hours": hours,
            "assignee": who, "depends_on": after, "project": "shop launch"});
        value.as_object().cloned().unwrap_or_default()
    };
    vec![
        task("Fix the double charge on card retries", "urgent", -1, 5.0, "Mira", &[]),
        task("Write the launch announcement", "high", 4, 3.0, "Jonas", &[]),
        task("Translate the checkout into Norwegian", "normal", 9, 8.0, "Ana", &[]),
        task("Load-test the order service", "high", 3, 6.0, "Mira", &[1]),
        task("Sign the contract with the second carrier", "urgent", 2, 2.0, "Jonas", &[]),
        task("Show delivery dates in the cart", "high", 6, 12.0, "Ana", &[5]),
        task("Move the product images to the new storage", "normal", 8, 10.0, "Mira", &[]),
        task("Rehearse the rollback", "high", 5, 4.0, "Mira", &[4]),
        task("Answer the accessibility review", "normal", 7, 7.0, "Ana", &[]),
        task("Prepare the support team's first-day notes", "normal", 6, 4.0, "Jonas", &[2]),
        task("Switch the shop on", "urgent", 7, 2.0, "Mira", &[4, 8]),
        task("Collect feedback from the first hundred orders", "low", 14, 6.0, "Jonas", &[11]),
        task("Tidy up the feature flags", "low", 20, 5.0, "Ana", &[11]),
    ]
}
