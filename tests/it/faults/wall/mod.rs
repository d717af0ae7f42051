//! The fault wall: a table of upstreams that misbehave, each played twice to the built program, and for each exactly
//! what is tried, written down, remembered of the model's health, and told to the caller.
//!
//! Every row has two models of its own: `near`, which misbehaves, and `far` in the tier above it. At first `far` is
//! well; the second time it refuses everything, and what remains is said. All rows of a table run at the same time in
//! one process: a row's route is found by the project of its one task.

mod connections;
mod refusals;
mod replies;

use std::fmt::Write;

use serde_json::{Value, json};

use super::says;
use crate::binary::{Home, Session};
use crate::ledger::{AttemptRow, Ledger, RequestRow};
use crate::upstream::{Step, Upstream};

/// Tokens that the scripted upstream reports where a row does not say otherwise.
const REPORTED: Used = Used::Reported(20, 10);

/// Nano-dollars a token: in and out of `near`, and the whole good answer of `far`.
const PRICES: (i64, i64) = (1_000, 10_000);
const FAR_COSTS: i64 = 20 * 2_000 + 10 * 20_000;

const SECRET: &str = "sk-near-secret";

/// Where time is not the subject there is more of it than a busy machine needs, in the envelope too. A client waits
/// longer still.
const AMPLE: &str = "{ connect: 30s, first_token: 120s, idle: 120s, total: 150s }";
const DEADLINE: &str = "180s";

/// One upstream, and all that has to come of it.
struct Row {
    name: &'static str,
    near: Near,
    /// Other timeouts than ample ones.
    timeouts: &'static str,
    /// How each call of `near` ends, in order. Accepted: nobody else is asked.
    tried: &'static [&'static str],
    http: Option<i64>,
    /// What the last call of `near` is booked with.
    used: Used,
    health: Health,
    /// What is shown of a broken answer when nobody else answers.
    shows: Option<&'static str>,
    /// Parts of what the caller is told then: what went wrong where, and what to do.
    says: &'static [&'static str],
}

enum Near {
    /// Steps, given a good answer.
    Plays(fn(&str) -> Vec<Step>),
    /// Nobody to script there.
    At(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Used {
    Reported(i64, i64),
    /// The prompt was read, and so many bytes were heard; nobody counted.
    Heard(usize),
    /// The prompt was read and something was heard.
    Something,
    /// It never came to a model.
    Nothing,
    Unknown,
}

/// What the two requests leave behind.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Health {
    /// It is no sign of bad health.
    Well,
    /// It counts, and twice is too often.
    OpensAtTwo,
    /// The second request leaves the model alone, because of itself or of its key.
    OutAtOnce { open: bool },
}

impl Row {
    /// Refused for good in these words; `far` is asked.
    fn failing(name: &'static str, near: fn(&str) -> Vec<Step>, tried: &'static [&'static str]) -> Self {
        Self {
            name,
            near: Near::Plays(near),
            timeouts: AMPLE,
            tried,
            http: Some(200),
            used: Used::Unknown,
            health: Health::OpensAtTwo,
            shows: None,
            says: &[],
        }
    }

    /// `near` itself answers in the end.
    fn answering(name: &'static str, near: fn(&str) -> Vec<Step>, tried: &'static [&'static str]) -> Self {
        Self { used: REPORTED, health: Health::Well, ..Self::failing(name, near, tried) }
    }

    fn near_answers(&self) -> bool {
        self.tried.last() == Some(&"accepted")
    }

    /// Model, kind and result of every attempt.
    fn trail(&self, n: usize, round: Round) -> Vec<(String, &'static str, &'static str)> {
        let out = round == Round::FarRefuses && matches!(self.health, Health::OutAtOnce { .. });
        let tried = if out { &[][..] } else { self.tried };
        let kinds = std::iter::once("first").chain(std::iter::repeat("retry"));
        let mut trail: Vec<_> =
            tried.iter().zip(kinds).map(|(result, kind)| (format!("near_{n}"), kind, *result)).collect();
        if self.near_answers() {
            return trail;
        }
        let kind = match tried.last() {
            None => "first",
            Some(&"rejected") => "escalation",
            Some(_) => "fallback",
        };
        let result = if round == Round::FarAnswers { "accepted" } else { "upstream_error" };
        trail.push((format!("far_{n}"), kind, result));
        trail
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Round {
    FarAnswers,
    FarRefuses,
}

/// Plays a table, and holds everything that comes of it against it.
async fn hold(rows: Vec<Row>) {
    let upstream = Upstream::start().await;
    let home = Home::new().with("NEAR_KEY", SECRET).with("FAR_KEY", "sk-far").policy(&policy(&rows, &upstream));
    let mut session = home.mcp().await;
    for n in 1..=rows.len() {
        let task = json!({ "title": "Review budget", "assignee": whose(n), "project": whose(n) });
        assert_eq!(session.call("create_task", task).await.result()["task"]["id"], id(n));
    }
    let first = round(&rows, &upstream, &mut session, Round::FarAnswers).await;
    let ledger = home.ledger().await;
    // With all rows of the first round, however late they are.
    ledger.requests().await;
    let second = round(&rows, &upstream, &mut session, Round::FarRefuses).await;
    // What is known of health is written behind the rows, and before the end.
    let ended = session.close().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let (mut requests, attempts) = (ledger.requests().await, ledger.attempts().await);
    // Rows of one moment are written in any order, but those of the second round come after those of the first.
    assert_eq!(requests.len(), 2 * rows.len(), "one outcome a request");
    let later = requests.split_off(rows.len());
    for (n, row) in (1..).zip(&rows) {
        for (round, told, written) in
            [(Round::FarAnswers, &first[n - 1], &requests), (Round::FarRefuses, &second[n - 1], &later)]
        {
            let request = written.iter().find(|request| request.route == whose(n)).unwrap();
            let own: Vec<_> = attempts.iter().filter(|attempt| attempt.request == request.id).collect();
            booked(row, (n, round), request, &own);
            told_to_the_caller(row, (n, round), told, &own);
        }
    }
    breakers(&rows, &ledger).await;
    let everything = format!("{first:?} {second:?} {attempts:?} {}", ended.err);
    assert!(!everything.contains(SECRET), "a key was told");
}

async fn round(rows: &[Row], upstream: &Upstream, session: &mut Session, round: Round) -> Vec<Value> {
    for (n, row) in (1..).zip(rows) {
        if let Near::Plays(steps) = row.near {
            steps(&good(n)).into_iter().fold(upstream.on(&format!("near_{n}")), crate::upstream::Script::then);
        }
        let far = upstream.on(&format!("far_{n}"));
        match round {
            Round::FarAnswers => far.reply(good(n)),
            Round::FarRefuses => far.status(400),
        };
    }
    let mut asked = Vec::new();
    for n in 1..=rows.len() {
        asked.push(session.ask("suggest_next_action", json!({ "assignee": whose(n) })).await);
    }
    let mut told = Vec::new();
    for id in asked {
        told.push(session.response(id).await["result"]["structuredContent"].clone());
    }
    told
}

/// The rows of the ledger, to the token and the nano-dollar.
fn booked(row: &Row, (n, round): (usize, Round), request: &RequestRow, attempts: &[&AttemptRow]) {
    let name = row.name;
    let trail: Vec<_> =
        attempts.iter().map(|one| (one.model.clone(), one.kind.as_str(), one.result.as_str())).collect();
    assert_eq!(trail, row.trail(n, round), "{name}, {round:?}: {attempts:?}");
    let near = attempts.iter().rfind(|attempt| attempt.model == format!("near_{n}"));
    if let Some(near) = near {
        assert_eq!(near.http_status, row.http, "{name}");
        let (tokens, usage) = ((near.tokens_in, near.tokens_out), near.usage.as_str());
        let fits = match row.used {
            Used::Reported(input, output) => tokens == (input, output) && usage == "reported",
            Used::Heard(bytes) => tokens.0 > 100 && tokens.1 == bytes.div_ceil(3) as i64 && usage == "estimated",
            Used::Something => tokens.0 > 100 && tokens.1 > 0 && usage == "estimated",
            Used::Nothing => tokens == (0, 0) && usage == "estimated",
            Used::Unknown => tokens == (0, 0) && usage == "unknown",
        };
        assert!(fits, "{name}: {:?} was wanted of {near:?}", row.used);
        assert_eq!(near.cost, near.tokens_in * PRICES.0 + near.tokens_out * PRICES.1, "{name}");
        let answered = matches!(near.result.as_str(), "accepted" | "rejected");
        assert_eq!(near.failure.is_none(), answered, "{name}: {near:?}");
    }
    let near_costs: i64 = attempts.iter().filter(|one| one.model.starts_with("near")).map(|one| one.cost).sum();
    let far_answers = !row.near_answers() && round == Round::FarAnswers;
    let cost = near_costs + if far_answers { FAR_COSTS } else { 0 };
    let wasted = if row.near_answers() { 0 } else { near_costs };
    assert_eq!((request.cost, request.wasted), (cost, wasted), "{name}, {round:?}");
    let model = if row.near_answers() { Some(format!("near_{n}")) } else { far_answers.then(|| format!("far_{n}")) };
    assert_eq!((request.status.as_str(), &request.model), (row.status(round), &model), "{name}, {round:?}");
}

fn told_to_the_caller(row: &Row, (n, round): (usize, Round), told: &Value, attempts: &[&AttemptRow]) {
    let name = row.name;
    assert_eq!(told["status"], row.status(round), "{name}, {round:?}: {told}");
    assert_eq!((&told["task_id"], &told["routing"]["attempts"]), (&json!(id(n)), &json!(attempts.len())), "{name}");
    let error = told["error"].as_str().unwrap_or_default();
    if row.status(round) == "ok" {
        assert_eq!(error, "", "{name}");
        assert_eq!(
            told["suggestion"].as_str().map(|text| text.contains("Begin with the budget")),
            Some(true),
            "{name}"
        );
        return;
    }
    // Whose fault it is, and beside it that of the model that was asked in its place.
    says(error, row.says);
    says(error, &[&format!("near_{n}"), &format!("far_{n} at far does not take the request (status 400")]);
    let suggestion = told["suggestion"].as_str().unwrap_or_default();
    assert_eq!(suggestion.contains("A model had begun to say"), row.shows.is_some(), "{name}: {told}");
    says(suggestion, &[row.shows.unwrap_or_default()]);
}

async fn breakers(rows: &[Row], ledger: &Ledger) {
    let open = ledger.numbers("SELECT model, state = 'open' FROM health ORDER BY model").await;
    for (n, row) in (1..).zip(rows) {
        let model = format!("near_{n}");
        let known = open.iter().find(|(known, _)| *known == model).map(|(_, open)| *open == 1);
        let expected = match row.health {
            Health::Well | Health::OutAtOnce { open: false } => None,
            Health::OpensAtTwo | Health::OutAtOnce { open: true } => Some(true),
        };
        assert_eq!(known, expected, "{}: {open:?}", row.name);
    }
}

impl Row {
    fn status(&self, round: Round) -> &'static str {
        match (self.near_answers() || round == Round::FarAnswers, self.shows) {
            (true, _) => "ok",
            (false, Some(_)) => "partial",
            (false, None) => "degraded",
        }
    }
}

/// Two tiers a row, so that the models of one row are nobody else's fallback.
fn policy(rows: &[Row], upstream: &Upstream) -> String {
    let url = upstream.base_url();
    let mut text = format!(
        "version: 1\nbreaker: {{ failures: 2, consecutive_timeouts: 2, open: 1h, window: 1h }}\ncache: {{ ttl: 0s }}\n\
         envelope: {{ deadline: {DEADLINE} }}\n\
         retry: {{ max_per_model: 2, initial: 10ms, budget: 100%, budget_floor_per_minute: 1000 }}\nbackends:\n  \
         far: {{ base_url: \"{url}\", api_key: \"${{FAR_KEY}}\", location: hosted }}\n",
    );
    let (mut models, mut tiers, mut routes) = (String::new(), String::new(), String::new());
    for (n, row) in (1..).zip(rows) {
        let whose = whose(n);
        let at = if let Near::At(url) = row.near { url } else { &url };
        let sizes = "context_tokens: 8192, max_output_tokens: 1024, capabilities: [json_object]";
        writeln!(text, "  near_{n}: {{ base_url: \"{at}\", api_key: \"${{NEAR_KEY}}\", location: local }}").unwrap();
        writeln!(
            models,
            "  near_{n}: {{ backend: near_{n}, {sizes}, price: {{ input: 1, output: 10 }}, timeouts: {} }}\n  \
             far_{n}: {{ backend: far, {sizes}, price: {{ input: 2, output: 20 }}, timeouts: {AMPLE} }}",
            row.timeouts
        )
        .unwrap();
        writeln!(tiers, "  near_tier_{n}: [near_{n}]\n  far_tier_{n}: [far_{n}]").unwrap();
        writeln!(
            routes,
            "  - {{ name: {whose}, match: {{ projects: [{whose}] }}, tier: near_tier_{n}, max_tier: far_tier_{n}, \
             fallback: {{ upward: true, downward: false }} }}"
        )
        .unwrap();
    }
    format!("{text}models:\n{models}tiers:\n{tiers}routes:\n{routes}")
}

fn whose(n: usize) -> String {
    format!("row_{n}")
}

fn id(n: usize) -> String {
    format!("TASK-{n:04}")
}

/// A good answer about the row's task.
fn good(n: usize) -> String {
    let id = id(n);
    format!(
        "{{\"task_id\": \"{id}\", \"suggestion\": \"Begin with the budget, which is {id}.\", \"why\": \"It is the only \
         task.\", \"estimate_minutes\": 30}}"
    )
}
