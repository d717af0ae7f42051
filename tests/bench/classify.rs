//! What it takes to judge how hard a request is, without asking anybody.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use taskgate::chat::Tokens;
use taskgate::classify::{chat_signals, score};
use taskgate::request::{Door, Measures, Signals, Target};

const RUNS: usize = 200;
/// One run is timed over so many, because one alone is near what a clock can tell.
const AT_ONCE: u32 = 50;

/// A sprint plan over 500 tasks that hang together.
pub fn tool_call() -> Vec<Duration> {
    let measures = Measures { tasks: 500, edges: 700, depth: 9, load: 1.4, conflicts: 6, people: 5, output_items: 40 };
    let signals = Signals {
        door: Door::Stdio,
        caller: "bench".to_owned(),
        target: Target::Tool("plan_sprint".to_owned()),
        projects: Vec::new(),
        needs: Default::default(),
        context: Tokens(9_000),
        measures,
        conversation: None,
        prompt_version: "1".to_owned(),
    };
    let weights = BTreeMap::new();
    times(|| score(black_box(&signals), &weights).score)
}

/// A conversation of twenty kilobytes: a system's prompt, three turns, code and prose in the last one.
pub fn chat() -> Vec<Duration> {
    let prose = "Compare the two plans, then explain which of them must win within 3 weeks, and why.\n";
    let code = "let total = items.iter().map(|item| item.hours * 1.5).sum::<f64>();\n";
    let last = format!("{}```rust\n{}```\n1. Derive a bound.\n2. Then prove it.\n", prose.repeat(60), code.repeat(60));
    let said = |role: &str, content: String| json!({"role": role, "content": content});
    let body = json!({"messages": [
        said("system", prose.repeat(40)),
        said("user", prose.repeat(20)),
        said("assistant", prose.repeat(60)),
        said("user", last),
    ]});
    let bytes = body.to_string().len();
    assert!((19_000..23_000).contains(&bytes), "{bytes} bytes are not what the figure says");
    times(|| decided(&body))
}

fn decided(body: &Value) -> f64 {
    score(&chat_signals(Door::HttpChat, "bench", black_box(body)), &BTreeMap::new()).score
}

fn times(mut judge: impl FnMut() -> f64) -> Vec<Duration> {
    let mut run = || {
        let started = Instant::now();
        for _ in 0..AT_ONCE {
            black_box(judge());
        }
        started.elapsed() / AT_ONCE
    };
    (0..RUNS).map(|_| run()).collect()
}
