//! The words for `analyze_workload`.

use jiff::civil::Date;

use super::{COLUMNS, MOST_ROWS, Prompt, data, row};
use crate::tasks::facts::Workload;
use crate::tasks::graph::Graph;
use crate::tasks::rank;
use crate::tasks::work::counted;
use crate::tools::record::clipped;

/// People whose load is shown.
const PEOPLE_SHOWN: usize = 5;
const NAME_CHARS: usize = 24;

const SYSTEM: &str = "You are TaskMaster, an expert at workload analysis and prioritization. \
                      The facts are computed and exact: build on them and do not recompute them.";

const FORM: &str = "Answer with one JSON object and nothing else, of this form:
{\"assessment\": \"heavy\", \"priorities\": [\"TASK-0000\"], \"analysis\": \"...\"}
- assessment: manageable, heavy or overloaded
- priorities: the ids of 1 to 3 open tasks to focus on, the most important first
- analysis: at most 120 words: the assessment and why, what to do in this time, which tasks are at risk
Name only ids from the table.";

pub(in crate::tools) fn prompt(graph: &Graph<'_>, workload: &Workload, today: Date) -> Prompt {
    let tasks = rank::by_weight(graph, today);
    let people = workload.load.iter().take(PEOPLE_SHOWN).filter_map(|load| {
        let name = clipped(&data(load.assignee.as_deref()?), NAME_CHARS);
        Some(format!("load of {name}: {} open, {} overdue, {} due", load.open, load.overdue, load.due_hours))
    });
    let people: Vec<String> = if workload.people > 1 { people.collect() } else { Vec::new() };
    Prompt {
        system: SYSTEM,
        question: format!("Analyze this workload and provide recommendations.\n\n{}", facts(workload, today)),
        text: None,
        columns: COLUMNS,
        all_rows: people.len() + tasks.len(),
        rows: people.into_iter().chain(tasks.iter().take(MOST_ROWS).map(|task| row(task, graph))).collect(),
        // Small models copy an example's values: the computed ones do no harm.
        form: FORM.replacen("heavy", workload.assessment.as_str(), 1),
    }
}

fn facts(workload: &Workload, today: Date) -> String {
    let horizon = workload.horizon.as_str();
    let mut facts = vec![
        format!("Today is {}, {today}. Time horizon: {horizon}, to {}.", today.strftime("%A"), workload.last_day),
        format!(
            "Total tasks: {}. Pending: {}. Urgent priority: {}. High priority: {}.",
            workload.summary.total, workload.summary.pending, workload.summary.urgent, workload.summary.high
        ),
        format!(
            "Open: {}. Overdue: {}. Due in the horizon: {}. Blocked by other tasks: {}. Without a due day: {}.",
            workload.open, workload.overdue, workload.due, workload.blocked, workload.undated
        ),
        format!(
            "Work overdue or due: {}. Hours available: {} for {}. By the hours alone: {}.",
            workload.due_hours,
            workload.available,
            counted(workload.people, "person", "people"),
            workload.assessment.as_str()
        ),
    ];
    if workload.assumed > 0 {
        facts.push(format!("Due tasks without an estimate, counted as 4 h each: {}.", workload.assumed));
    }
    for first in workload.priorities.iter().take(3) {
        facts.push(format!("{}: {}.", first.id, first.reason));
    }
    facts.iter().map(|fact| format!("- {fact}")).collect::<Vec<_>>().join("\n")
}
