//! The words for `smart_prioritize`.

use jiff::civil::Date;

use super::{COLUMNS, Prompt, data_text, row};
use crate::tasks::graph::Graph;
use crate::tasks::similar::Suggestion;
use crate::tools::record::hours;

const SYSTEM: &str = "You are TaskMaster. Analyze tasks and suggest appropriate prioritization.";

const FORM: &str = "Respond in JSON format with keys: priority, title, effort_hours, considerations. \
                    One object and nothing else, of this form:
{\"priority\": \"normal\", \"title\": \"...\", \"effort_hours\": 2.5, \"considerations\": \"...\"}
- priority: low, normal, high or urgent
- title: concise, at most 100 characters
- effort_hours: a number above 0 and at most 400
- considerations: dependencies or blockers to consider, at most 60 words";

pub(in crate::tools) fn prompt(graph: &Graph<'_>, description: &str, suggestion: &Suggestion, today: Date) -> Prompt {
    let similar = suggestion.similar.iter().filter_map(|similar| graph.task(similar.id));
    let rows: Vec<String> = similar.map(|task| row(task, graph)).collect();
    let due = suggestion.found.due.map_or_else(|| "none".to_owned(), |due| due.to_string());
    let question = format!(
        "Analyze the task described in the first fence and suggest its priority, a concise title, the effort in hours, and \
         dependencies or blockers to consider.{}\n\n\
         - Today is {}, {today}. Earliest day named in the description: {due}.\n\
         - From its words alone: priority {}, effort {}.",
        if rows.is_empty() { "" } else { " The second fence holds similar tasks that exist." },
        today.strftime("%A"),
        suggestion.priority.as_str(),
        suggestion.effort.hours,
    );
    Prompt {
        system: SYSTEM,
        question,
        text: Some(data_text(description)),
        columns: COLUMNS,
        all_rows: rows.len(),
        rows,
        // Small models copy an example's values: the computed ones do no harm.
        form: FORM.replacen("normal", suggestion.priority.as_str(), 1).replacen(
            "2.5",
            &hours(suggestion.effort.hours).to_string(),
            1,
        ),
    }
}
