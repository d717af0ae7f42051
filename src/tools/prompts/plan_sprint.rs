//! The words for `plan_sprint`.

use std::collections::HashSet;

use super::{MOST_ROWS, Prompt, data, row};
use crate::tasks::TaskId;
use crate::tasks::graph::Graph;
use crate::tasks::plan::{Plan, Sprint};

const SYSTEM: &str = "You are TaskMaster, an expert Agile coach and sprint planner. \
                      The plan is computed: it fits the capacity and keeps dependencies. Explain it; change it only for a good reason.";

/// `plan` says whether a task is in the computed sprint.
const COLUMNS: &str = "plan|id|status|priority|due|est h|assignee|blocked by|title";

const FORM: &str = "Answer with one JSON object and nothing else, of this form:
{\"plan\": \"...\", \"risks\": [\"...\"], \"swaps\": []}
- plan: at most 150 words for the team: the goal, the order of work, related tasks grouped
- risks: up to 3 short sentences about risks and dependencies
- swaps: only where clearly better: {\"out\": id in the sprint, \"in\": id not in it, \"why\": reason}
Name only ids from the table. In the plan text, call only tasks of the sprint selected, and only tasks outside it deferred.";

pub(in crate::tools) fn prompt(graph: &Graph<'_>, name: &str, sprint: &Sprint, plan: &Plan) -> Prompt {
    let chosen: HashSet<TaskId> = plan.selected.iter().map(|planned| planned.id).collect();
    let order = plan.selected.iter().map(|planned| planned.id).chain(plan.deferred.iter().map(|deferred| deferred.id));
    let tasks = order.filter_map(|id| graph.task(id));
    let rows = tasks.take(MOST_ROWS).map(|task| {
        let side = if chosen.contains(&task.id) { "in" } else { "out" };
        format!("{side}|{}", row(task, graph))
    });
    let question = format!(
        "Create a sprint plan. The sprint's name stands in the first fence, the tasks in the second: those in the sprint \
         first, in an order that can be worked through.\n\n\
         - Duration: {} days, {} to {}. Team capacity: {}.\n\
         - In the sprint: {} tasks, {}{}. Spare: {}.\n\
         - Deferred to the backlog: {} tasks.",
        sprint.duration_days,
        sprint.start,
        sprint.last_day(),
        sprint.capacity,
        plan.selected.len(),
        plan.hours,
        if plan.assumed > 0 {
            format!(" ({} without an estimate count 4 h each)", plan.assumed)
        } else {
            String::new()
        },
        plan.spare,
        plan.deferred.len(),
    );
    Prompt {
        system: SYSTEM,
        question,
        text: Some(data(name)),
        columns: COLUMNS,
        rows: rows.collect(),
        all_rows: plan.selected.len() + plan.deferred.len(),
        form: FORM.to_owned(),
    }
}
