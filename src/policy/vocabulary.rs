//! Names that a policy may use but does not define: the tools. And the nearest of a set of names.
//!
//! The tools stand on a higher floor; a test there holds that what they have is listed here.

/// Every tool of version 1, also those that come later: a route may already name them.
pub const TOOLS: &[&str] = &[
    "analyze_workload",
    "assess_deadline_risk",
    "balance_workload",
    "create_task",
    "create_tasks",
    "decompose_task",
    "delete_task",
    "explain_route",
    "get_task",
    "list_tasks",
    "plan_sprint",
    "search_tasks",
    "smart_prioritize",
    "suggest_next_action",
    "undo",
    "update_task",
    "update_tasks",
    "usage_report",
];

/// What was probably meant, if anything is close enough to say so.
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (written.chars().count() / 3).clamp(1, 3);
    let word = written.to_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&word, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, name)| name)
}

/// "did you mean `x`?", else the whole list.
pub fn advice<'a>(written: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    if let Some(name) = nearest(written, known.clone()) {
        return format!("did you mean `{name}`?");
    }
    let list: Vec<String> = known.into_iter().map(|name| format!("`{name}`")).collect();
    if list.is_empty() { "there are none".to_owned() } else { format!("known: {}", list.join(", ")) }
}
