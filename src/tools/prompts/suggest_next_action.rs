//! The words for `suggest_next_action`.

use jiff::civil::DateTime;

use super::{COLUMNS, MOST_ROWS, Prompt, row};
use crate::tasks::graph::Graph;
use crate::tasks::rank::Ranking;

const SYSTEM: &str = "You are TaskMaster, helping users focus on what matters most.";

const FORM: &str = "Answer with one JSON object and nothing else, of this form:
{\"task_id\": \"TASK-0000\", \"suggestion\": \"...\", \"why\": \"...\", \"estimate_minutes\": 45, \"after\": \"...\"}
- task_id: the single most important task to work on now; it must not be blocked by another task
- suggestion: what to do now, at most 50 words
- why: why this task should be prioritized, at most 50 words
- estimate_minutes: estimated time to complete it, a whole number above 0
- after: what to do after this task, at most 20 words
Name only ids from the table.";

/// The reasons for the first places that are told.
const REASONS_TOLD: usize = 5;

/// `now` is the local time. Only the part of the day is told: a minute more changes no answer, and would change every question.
pub(in crate::tools) fn prompt(graph: &Graph<'_>, ranking: &Ranking, minutes: Option<u32>, now: DateTime) -> Prompt {
    let part = match now.hour() {
        5..=11 => "morning",
        12..=17 => "afternoon",
        _ => "evening",
    };
    let mut facts = vec![format!("- Today is {}, {}, {part}.", now.strftime("%A"), now.date())];
    if let Some(minutes) = minutes {
        facts.push(format!("- Time available: {minutes} minutes."));
    }
    for ranked in ranking.tasks.iter().filter(|ranked| !ranked.blocked).take(REASONS_TOLD) {
        facts.push(format!("- {}: {}.", ranked.id, ranked.reason));
    }
    let tasks = ranking.tasks.iter().filter_map(|ranked| graph.task(ranked.id));
    Prompt {
        system: SYSTEM,
        question: format!(
            "Based on these tasks, what should the user focus on right now? The table is in a computed order, best first. \
             Consider priority levels, due dates, task dependencies and the time of day (morning: deep work, afternoon: \
             meetings and small tasks).\n\n{}",
            facts.join("\n")
        ),
        text: None,
        columns: COLUMNS,
        rows: tasks.take(MOST_ROWS).map(|task| row(task, graph)).collect(),
        all_rows: usize::try_from(ranking.considered).unwrap_or(usize::MAX),
        // Small models copy an example's values: the computed ones do no harm.
        form: match ranking.next() {
            Some(best) => FORM.replacen("45", &best.effort.hours.minutes.to_string(), 1),
            None => FORM.to_owned(),
        },
    }
}
