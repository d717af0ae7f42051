//! The house rules that a compiler does not hold: floors, file sizes, headers, nothing unfinished, no metric that is
//! only in a dashboard.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use taskgate::telemetry::metric_names;

/// The folders by floor, and by their own order on floor 0: each may import what stands before it and is not on its own
/// line.
const FLOORS: &[&[&str]] = &[
    &["error"],
    &["names"],
    &["chat"],
    &["request"],
    &["tasks"],
    &["policy", "settings"],
    &["store", "telemetry"],
    &["classify", "cache", "provider", "limit", "health"],
    &["gateway"],
    &["tools", "simulate"],
    &["mcp", "server"],
    &["app"],
    &["cli"],
];

/// The task domain stands alone: it is read without knowing models or requests.
const TASKS_IMPORT: &[&str] = &["error", "names", "tasks"];

const LONGEST_FILE: usize = 400;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false if path.extension().is_some_and(|found| found == extension) => found.push(path),
                false => {}
            }
        }
    }
    found.sort();
    found
}

fn sources() -> Vec<(String, String)> {
    let paths = [files("src", "rs"), files("tests", "rs"), files("benches", "rs")].concat();
    let named = |path: &PathBuf| path.strip_prefix(root()).unwrap().display().to_string();
    paths.iter().map(|path| (named(path), fs::read_to_string(path).unwrap())).collect()
}

#[track_caller]
fn nothing(problems: Vec<String>) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

fn floor(part: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&part))
}

/// The first names after each `crate::` in code: of `use crate::{a::b, c}` they are `a` and `c`.
fn imported(code: &str) -> BTreeSet<String> {
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code: String = lines.flat_map(|line| [line, "\n"]).collect();
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let names = match rest.strip_prefix('{') {
            Some(list) => top_level(list),
            None => vec![rest],
        };
        for name in names {
            let end = |character: char| !character.is_alphanumeric() && character != '_';
            found.extend(name.trim().split(end).next().map(str::to_owned));
        }
    }
    found.remove("");
    found
}

/// The items of `a::{b, c}, d}…` up to the brace that closes the list.
fn top_level(list: &str) -> Vec<&str> {
    let (mut depth, mut start, mut items) = (0, 0, Vec::new());
    for (at, character) in list.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => {
                items.push(&list[start..at]);
                return items;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                items.push(&list[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    items
}

/// Why `part` may not import `other`.
fn forbidden(part: &str, other: &str) -> Option<&'static str> {
    if part == other {
        return None;
    }
    if part == "tasks" && !TASKS_IMPORT.contains(&other) {
        return Some("the task domain imports error and names only");
    }
    match (floor(part), floor(other)) {
        (Some(own), Some(below)) if below < own => None,
        (Some(own), Some(same)) if own == same => Some("imports never go sideways: the floor above does the talking"),
        (Some(_), Some(_)) => Some("imports go down only"),
        _ => Some("no such part on the map of src/lib.rs"),
    }
}

#[test]
fn imports_go_down_only_and_never_sideways() {
    let mut problems = Vec::new();
    for (path, code) in sources() {
        let Some(inside) = path.strip_prefix("src/") else { continue };
        let part = inside.split(['/', '.']).next().unwrap().trim_end_matches("_tests");
        if matches!(part, "lib" | "main") {
            continue;
        }
        // A macro that the crate root exports is on no floor.
        for other in imported(&code) {
            if let Some(why) = forbidden(part, &other) {
                problems.push(format!("{path}: crate::{other}: {why}"));
            }
        }
    }
    nothing(problems);
}

#[test]
fn every_part_stands_on_a_floor() {
    let parts = fs::read_dir(root().join("src")).unwrap();
    let name = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().trim_end_matches("_tests").to_owned();
    let names = parts.map(|part| name(part.unwrap().path()));
    nothing(names.filter(|part| part != "lib" && part != "main" && floor(part).is_none()).collect());
}

#[test]
fn files_are_short_and_open_with_what_they_are() {
    let mut problems = Vec::new();
    for (path, code) in sources() {
        let lines = code.lines().count();
        if lines > LONGEST_FILE {
            problems.push(format!("{path}: {lines} lines, {LONGEST_FILE} are allowed"));
        }
        if !code.starts_with("//!") {
            problems.push(format!("{path}: it does not open with a //! header"));
        }
    }
    nothing(problems);
}

#[test]
fn nothing_is_unfinished_and_no_lint_is_silenced_without_a_reason() {
    // Written apart, so that this file passes itself.
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("todo", "!("), concat!("unimplemented", "!(")];
    let silenced = [concat!("[al", "low("), concat!("[ex", "pect(")];
    let mut problems = Vec::new();
    for (path, code) in sources() {
        for mark in marks.iter().filter(|mark| code.contains(**mark)) {
            problems.push(format!("{path}: {mark}"));
        }
        for (at, _) in silenced.iter().flat_map(|lint| code.match_indices(lint)) {
            let end = code[at..].find(")]").map_or(code.len(), |length| at + length);
            if !code[at..end].contains("reason") {
                problems.push(format!("{path}: a lint is silenced without a reason: #{}", &code[at..end]));
            }
        }
    }
    nothing(problems);
}

/// The metric names in a dashboard's text, as a recorder knows them.
fn named_metrics(text: &str) -> BTreeSet<&str> {
    let word = |character: char| !character.is_ascii_alphanumeric() && character != '_' && character != '-';
    let ours = text.split(word).filter(|word| word.starts_with("taskgate_") || word.starts_with("gen_ai_client_"));
    ours.map(|name| ["_bucket", "_count", "_sum"].iter().find_map(|part| name.strip_suffix(part)).unwrap_or(name))
        .collect()
}

#[test]
fn dashboards_name_no_metric_that_does_not_exist() {
    let known: BTreeSet<&str> = metric_names().collect();
    let paths = [files("dashboards", "json"), files("dashboards", "yml"), files("dashboards", "yaml")].concat();
    let mut problems = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        problems.extend(named_metrics(&text).difference(&known).map(|name| format!("{}: {name}", path.display())));
    }
    nothing(problems);
}

/// The lines that `.ci/mutants` breaks: else it stops at the first that is gone, and nobody runs it every day.
#[test]
fn every_mutation_stands_where_it_is_said_to() {
    let table = fs::read_to_string(root().join("tests/mutations.txt")).unwrap();
    let (mut file, mut code) = ("", String::new());
    let mut problems = Vec::new();
    for line in table.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if line.ends_with(".rs") {
            (file, code) = (line, fs::read_to_string(root().join(line)).unwrap());
            continue;
        }
        let (before, planted) = line.rsplit_once("{{").unwrap();
        let (planted, after) = planted.rsplit_once("}}").unwrap();
        let (there, _) = planted.split_once(" ⇒ ").unwrap();
        let times = code.matches(&format!("{before}{there}{after}")).count();
        if times != 1 {
            problems.push(format!("{file} has it {times} times: {line}"));
        }
    }
    nothing(problems);
}

#[test]
fn the_rules_see_what_they_forbid() {
    assert!(forbidden("tools", "gateway").is_none() && forbidden("gateway", "tools").is_some());
    assert!(forbidden("mcp", "server").is_some() && forbidden("tasks", "request").is_some());
    let code = "use crate::{store::Store, chat::{Tokens, Usage}};\n// crate::cli\nlet x = crate::mcp::y();";
    let seen: Vec<String> = imported(code).into_iter().collect();
    assert_eq!(seen, ["chat", "mcp", "store"]);
    let expression = r#"sum(rate(taskgate_request_duration_seconds_bucket{a="b"}[5m])) + taskgate_nothing"#;
    let known: BTreeSet<&str> = metric_names().collect();
    assert_eq!(named_metrics(expression).difference(&known).copied().collect::<Vec<_>>(), ["taskgate_nothing"]);
}
