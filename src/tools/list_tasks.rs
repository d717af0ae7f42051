//! `list_tasks`: a page of the tasks that match, small enough for every host.

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::arguments::word;
use super::record::{TaskLine, TaskRecord, Waits, within};
use super::spec::{About, Annotations, ToolSpec, spec as tool_spec};
use super::toolbox::{Call, Tool};
use crate::error::Result;
use crate::store::Listing;
use crate::tasks::{Cursor, Priority, Query, Sort, Status, Task};

/// Bytes of a page's records as JSON: under the 60 KB that no result may pass, with room for the keys around them.
const PAGE_BYTES: usize = 48_000;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// Only this status
    #[schemars(extend("enum" = ["pending", "in_progress", "completed", "cancelled"]))]
    status: Option<String>,
    /// Only this priority
    #[schemars(extend("enum" = ["low", "normal", "high", "urgent"]))]
    priority: Option<String>,
    /// Only this person's
    assignee: Option<String>,
    /// Only this project's
    project: Option<String>,
    /// Only with this tag
    tag: Option<String>,
    /// true: pending or in progress
    open: Option<bool>,
    /// true: open and not waiting for another task
    ready: Option<bool>,
    /// true: open and past the due day
    overdue: Option<bool>,
    /// Due on or before this day (YYYY-MM-DD or a phrase)
    due_before: Option<String>,
    /// Due on or after this day
    due_after: Option<String>,
    /// Default id; undated tasks come last by due_date
    #[schemars(extend("enum" = ["id", "due_date", "priority", "updated_at"]))]
    sort: Option<String>,
    /// Default concise; full shows every field
    #[schemars(extend("enum" = ["concise", "full"]))]
    detail: Option<String>,
    /// Default 20
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
    /// next_cursor of the page before
    cursor: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Listed {
    /// All that match, not only this page.
    count: u64,
    tasks: Vec<Row>,
    /// Pass it as cursor to get the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
    /// Descriptions or tasks were cut to keep the answer small.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

/// A task at the detail that was asked for.
#[derive(Serialize)]
#[serde(untagged)]
enum Row {
    Concise(TaskLine),
    Full(Box<TaskRecord>),
}

impl JsonSchema for Row {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Row".into()
    }

    /// The keys of the concise form are those that every row has.
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        TaskLine::json_schema(generator)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
    Concise,
    Full,
}

pub(super) fn spec(tool: Tool) -> ToolSpec {
    let about = About {
        title: "List tasks",
        description: "List tasks, filtered and sorted; use it to find ids and to answer what is open, due or overdue. All \
                      filters given must hold. Concise by default, 20 a page; count is the total. For one task in full \
                      use get_task; for what to do next, suggest_next_action. \
                      Example: {\"open\": true, \"due_before\": \"end of month\", \"sort\": \"due_date\"}",
        annotations: Annotations::READS,
    };
    tool_spec::<Params, Listed>(tool, about)
}

pub(super) async fn run(call: &Call<'_>, arguments: Map<String, Value>) -> Result<Listed> {
    let params: Params = call.read(arguments)?;
    let detail = match params.detail.as_deref().map(|given| word("detail", given, &["concise", "full"])).transpose()? {
        Some("full") => Detail::Full,
        _ => Detail::Concise,
    };
    let mut query = query(params, call.today)?;
    let mut listing = call.store.list_tasks(&query, call.today).await?;
    let mut rows = rows(call, &listing.tasks, detail).await?;
    let all = rows.len();
    rows = within(rows, PAGE_BYTES);
    let cut = rows.len() < all;
    if cut {
        // Asked again with fewer, so that the cursor stands behind the last row that is shown.
        // One record always fits: the longest there can be is smaller than a result may be.
        query.limit = u32::try_from(rows.len().max(1)).unwrap_or(1);
        let again = call.store.list_tasks(&query, call.today).await?;
        rows = self::rows(call, &again.tasks, detail).await?;
        listing = again;
    }
    let clipped = detail == Detail::Concise && listing.tasks.iter().any(TaskLine::is_cut);
    Ok(Listed {
        count: listing.count,
        hint: hint(cut, clipped, &listing),
        tasks: rows,
        next_cursor: listing.next.as_ref().map(Cursor::encode),
        truncated: cut || clipped,
    })
}

fn query(params: Params, today: Date) -> Result<Query> {
    use crate::tasks::{day, name};
    let sort = params.sort.map(|word| Sort::read("sort", &word)).transpose()?.unwrap_or(Sort::Id);
    let default = Query::default();
    Ok(Query {
        status: params.status.map(|word| Status::read("status", &word)).transpose()?,
        priority: params.priority.map(|word| Priority::read("priority", &word)).transpose()?,
        assignee: params.assignee.map(|text| name("assignee", &text)).transpose()?,
        project: params.project.map(|text| name("project", &text)).transpose()?,
        tag: params.tag.map(|text| name("tag", &text)).transpose()?,
        open: params.open,
        ready: params.ready,
        overdue: params.overdue,
        due_before: params.due_before.map(|text| day("due_before", &text, today)).transpose()?,
        due_after: params.due_after.map(|text| day("due_after", &text, today)).transpose()?,
        sort,
        limit: params.limit.unwrap_or(default.limit),
        after: params.cursor.map(|text| Cursor::decode(&text, sort)).transpose()?,
    })
}

async fn rows(call: &Call<'_>, tasks: &[Task], detail: Detail) -> Result<Vec<Row>> {
    let linked = tasks.iter().any(|task| task.is_open() && !task.depends_on.is_empty());
    let all = if linked { call.store.tasks().await? } else { Vec::new() };
    let open: std::collections::HashSet<_> = all.iter().filter(|task| task.is_open()).map(|task| task.id).collect();
    let row = |task: &Task| {
        let waits =
            if task.depends_on.iter().any(|id| open.contains(id)) { Waits::ForOthers } else { Waits::ForNothing };
        match detail {
            Detail::Concise => Row::Concise(TaskLine::new(task, waits, call.today)),
            Detail::Full => Row::Full(Box::new(TaskRecord::new(task, waits, call.today))),
        }
    };
    Ok(tasks.iter().map(row).collect())
}

fn hint(cut: bool, clipped: bool, listing: &Listing) -> Option<String> {
    if cut {
        let shown = listing.tasks.len();
        return Some(format!(
            "Only {shown} tasks fit into one answer: pass next_cursor as cursor for more, add a filter, or use detail concise."
        ));
    }
    clipped.then(|| "Long descriptions are cut: get_task shows one whole.".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::samples::task;

    fn full(count: u32, letters: usize) -> Vec<Row> {
        let today = jiff::civil::date(2026, 11, 23);
        let rows = (1..=count).map(|number| {
            let mut task = task(number);
            task.description = Some("é".repeat(letters));
            Row::Full(Box::new(TaskRecord::new(&task, Waits::ForNothing, today)))
        });
        rows.collect()
    }

    #[test]
    fn a_page_of_huge_descriptions_stays_under_the_limit() {
        let rows = full(100, 10_000);
        let rows = within(rows, PAGE_BYTES);
        assert_eq!(rows.len(), 2);
        assert!(serde_json::to_string(&rows).unwrap().len() < 60_000);
    }

    #[test]
    fn a_page_of_small_tasks_is_left_whole() {
        assert_eq!(within(full(100, 10), PAGE_BYTES).len(), 100);
    }

    #[test]
    fn a_concise_page_by_default_is_small() {
        let today = jiff::civil::date(2026, 11, 23);
        let lines: Vec<TaskLine> = full(20, 1)
            .iter()
            .enumerate()
            .map(|(at, _)| {
                let mut task = task(at as u32 + 1);
                task.description = Some("d".repeat(10_000));
                TaskLine::new(&task, Waits::ForNothing, today)
            })
            .collect();
        assert!(serde_json::to_string(&lines).unwrap().len() / 4 < 5_000);
    }
}
