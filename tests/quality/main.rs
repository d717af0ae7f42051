//! How well the classifier's score tells prompts for a strong model from prompts for a weak one, on files with the
//! graded answers of both, beside prompt length and chance:
//! `cargo run --release --example quality -- FILE.jsonl…`; `--scores FILE…` prints each prompt's score and signals.
//!
//! A line of a file is `{"id": …, "prompt": …, "weak_score": 0..1, "strong_score": 0..1}`; lines without a strong score are
//! left out. `docs/routing-quality.md` has the results and what they mean.

#![expect(clippy::print_stdout, clippy::expect_used, reason = "it prints, and stops at the first surprise")]

mod measure;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use taskgate::classify::{chat_signals, score};
use taskgate::request::{Complexity, Door};

use measure::{Graded, Quality, by_chance, quality};

#[derive(Deserialize)]
struct Row {
    id: Value,
    prompt: String,
    weak_score: f64,
    strong_score: Option<f64>,
}

fn main() {
    let mut paths: Vec<String> = std::env::args().skip(1).collect();
    let prints_scores = paths.first().is_some_and(|first| first == "--scores");
    if prints_scores {
        paths.remove(0);
    }
    for path in &paths {
        let rows = read(path);
        if prints_scores { rows.iter().for_each(print_score) } else { print_table(path, &rows) }
    }
}

fn read(path: &str) -> Vec<Row> {
    let text = std::fs::read_to_string(path).expect("a file of lines");
    let rows = text.lines().filter(|line| !line.trim().is_empty());
    rows.map(|line| serde_json::from_str(line).expect("id, prompt, weak_score, strong_score")).collect()
}

fn complexity(row: &Row) -> Complexity {
    let body = json!({"messages": [{"role": "user", "content": row.prompt}]});
    score(&chat_signals(Door::HttpChat, "bench", &body), &BTreeMap::new())
}

fn print_score(row: &Row) {
    let complexity = complexity(row);
    let shares = complexity.contributions.iter().map(|part| (part.signal.clone(), json!(part.share)));
    let shares: Map<String, Value> = shares.collect();
    println!("{}", json!({"id": row.id, "score": complexity.score, "shares": shares}));
}

fn print_table(path: &str, rows: &[Row]) {
    let graded = |score: &dyn Fn(&Row) -> f64| -> Vec<Graded> {
        let graded = rows
            .iter()
            .filter_map(|row| Some(Graded { score: score(row), weak: row.weak_score, strong: row.strong_score? }));
        graded.collect()
    };
    let ours = graded(&|row| complexity(row).score);
    let reaches = |threshold: f64| {
        let above = ours.iter().filter(|row| row.score >= threshold).count();
        100.0 * above as f64 / ours.len() as f64
    };
    println!("{path}: {} prompts, {:.1}% of them score 0.60 or more", ours.len(), reaches(0.6));
    print_row("chance", &by_chance(&ours));
    print_row("prompt length", &quality(&graded(&|row| row.prompt.len() as f64)));
    print_row("taskgate", &quality(&ours));
}

fn print_row(name: &str, quality: &Quality) {
    let Quality { apgr, cpt50, cpt80 } = quality;
    println!("  {name:14} APGR {apgr:6.3}   CPT50 {cpt50:5.1}%   CPT80 {cpt80:5.1}%");
}
