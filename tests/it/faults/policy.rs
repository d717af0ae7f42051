//! A policy with ten mistakes: all ten are told at once, each with its place, and nothing starts.

use crate::binary::Home;

/// One mistake a line marked with the words that have to be said of it.
const MISTAKES: &str = "version: 1
time_zone: Mars/Olympus             #! unknown time zone
backends:
  local: { base_url: ftp://x/v1, location: local }                                 #! is not an http:// or https:// URL
  openai: { base_url: https://api.openai.com/v1, api_key: sk-1, location: cloud }  #! `cloud` is not known
models:
  small: { backend: nowhere, context_tokens: 4096, max_output_tokens: 512 }        #! unknown backend `nowhere`
  big: { backend: openai, context_tokens: many, max_output_tokens: 512 }           #! a whole number
tiers:
  local: [small]
  hosted: [big, huge]               #! unknown model `huge`
classifier:
  thresholds: { hosted: 1.5 }       #! threshold 1.5 is out of range
routes:
  - name: planning
    match: { tools: [plan_sprints] }     #! unknown tool `plan_sprints`
    tier: cheap                     #! unknown tier `cheap`
envelope: { deadline: 40 }          #! `40` is not a duration
";

/// The lines with a mistake, counted from 1, and what is said of each.
fn mistakes() -> Vec<(usize, &'static str)> {
    (1..).zip(MISTAKES.lines()).filter_map(|(n, line)| Some((n, line.split_once("#! ")?.1))).collect()
}

#[track_caller]
fn tells_all(told: &str) {
    assert_eq!(mistakes().len(), 10);
    for (line, words) in mistakes() {
        let place = format!("routing.yaml:{line}:");
        let problem = told.split("error: ").find(|problem| problem.contains(&place));
        let problem = problem.unwrap_or_else(|| panic!("nothing is said of line {line}:\n{told}"));
        // The message ends where the place begins; the line itself is shown after it.
        let message = problem.split("-->").next().unwrap();
        assert!(message.contains(words), "line {line}, `{words}`:\n{problem}");
    }
}

#[tokio::test]
async fn ten_mistakes_are_told_at_once_by_check() {
    let home = Home::new().policy(MISTAKES);
    let ended = home.run(&["check"], b"").await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    tells_all(&ended.out);
    assert!(ended.out.trim_end().ends_with("routing.yaml: 10 errors"), "{}", ended.out);
    let named = home.run(&["check", home.path("routing.yaml").to_str().unwrap()], b"").await;
    assert_eq!((named.code, named.out), (Some(1), ended.out));
}

#[tokio::test]
async fn nothing_starts_with_them() {
    let home = Home::new().policy(MISTAKES);
    for arguments in [&["mcp"][..], &["call", "list_tasks"], &["serve"]] {
        let ended = home.run(arguments, b"").await;
        assert_eq!((ended.code, ended.out.as_str()), (Some(1), ""), "standard output belongs to the protocol");
        tells_all(&ended.err);
        assert!(ended.err.contains("taskgate check"), "{}", ended.err);
        assert!(!home.database().exists(), "{arguments:?} must not make a database before it knows its policy");
    }
}

#[tokio::test]
async fn a_corrected_policy_starts() {
    let home = Home::new().policy(super::POLICY);
    let ended = home.run(&["check"], b"").await;
    assert_eq!(ended.code, Some(0), "{}", ended.out);
    assert_eq!(home.run(&["call", "list_tasks"], b"").await.json()["count"], 0);
}

#[tokio::test]
async fn a_policy_that_is_not_there_is_told_with_its_path() {
    let home = Home::new().with("TASKGATE_POLICY", "/nowhere/routing.yaml");
    let ended = home.run(&["mcp"], b"").await;
    assert_eq!((ended.code, ended.out.as_str()), (Some(1), ""));
    assert!(
        ended.err.contains("/nowhere/routing.yaml does not exist") && ended.err.contains("TASKGATE_POLICY"),
        "{ended:?}"
    );
}
