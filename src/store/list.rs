//! The task list: filters as SQL, and pages by key.
//!
//! A page starts behind the last record that was shown, by sort key and id, so records that come or go elsewhere
//! neither repeat nor hide others. What is sorted by is unique together with the id.

use jiff::civil::Date;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::cells::time;
use super::{Listing, Store, rows};
use crate::error::{Error, Result};
use crate::tasks::{Cursor, Priority, Query, Sort, Task};

/// As the column `due_key` has it: behind every day.
const UNDATED: &str = "~";

const OPEN: &str = "status IN ('pending', 'in_progress')";

type Sql = QueryBuilder<Sqlite>;

impl Store {
    /// `count` and page come from the same state of the database.
    pub async fn list_tasks(&self, query: &Query, today: Date) -> Result<Listing> {
        let mut read = self.read().await?;
        let count = count(&mut read, query, today).await?;
        let mut tasks = page(&mut read, query, today).await?;
        let more = tasks.len() > query.limit as usize;
        tasks.truncate(query.limit as usize);
        let next = tasks.last().filter(|_| more).map(|last| cursor(query.sort, last));
        Ok(Listing { count, tasks, next })
    }
}

async fn count(conn: &mut SqliteConnection, query: &Query, today: Date) -> Result<u64> {
    let mut sql = Sql::new("SELECT count(*) FROM tasks WHERE ");
    push_filter(&mut sql, query, today);
    let count: i64 = sql.build_query_scalar().fetch_one(conn).await?;
    Ok(count.unsigned_abs())
}

/// One record more than the page holds, which tells whether there is a next one. Only the ids go through the sort;
/// the whole records are read for the page alone.
async fn page(conn: &mut SqliteConnection, query: &Query, today: Date) -> Result<Vec<Task>> {
    let mut sql = Sql::new(rows::select_tasks!("JOIN (SELECT id AS found FROM tasks WHERE "));
    push_filter(&mut sql, query, today);
    if let Some(after) = &query.after {
        push_after(&mut sql, query.sort, after)?;
    }
    sql.push(" ORDER BY ").push(order(query.sort)).push(" LIMIT ").push_bind(i64::from(query.limit) + 1);
    sql.push(") ON found = id ORDER BY ").push(order(query.sort));
    sql.build().fetch_all(conn).await?.iter().map(rows::task).collect()
}

fn order(sort: Sort) -> &'static str {
    match sort {
        Sort::Id => "id",
        Sort::DueDate => "due_key, id",
        Sort::Priority => "priority_rank, id",
        Sort::UpdatedAt => "updated_at DESC, id",
    }
}

fn push_filter(sql: &mut Sql, query: &Query, today: Date) {
    sql.push("deleted_at IS NULL");
    if let Some(status) = query.status {
        sql.push(" AND status = ").push_bind(status.as_str());
    }
    if let Some(priority) = query.priority {
        sql.push(" AND priority = ").push_bind(priority.as_str());
    }
    if let Some(assignee) = &query.assignee {
        sql.push(" AND assignee_key = ").push_bind(rows::assignee_key(assignee));
    }
    if let Some(project) = &query.project {
        sql.push(" AND project = ").push_bind(project.clone());
    }
    if let Some(tag) = &query.tag {
        sql.push(" AND id IN (SELECT task FROM task_tags WHERE tag = ").push_bind(tag.clone()).push(")");
    }
    if let Some(wanted) = query.open {
        sql.push(if wanted { " AND " } else { " AND NOT " }).push("(").push(OPEN).push(")");
    }
    if let Some(wanted) = query.ready {
        push_ready(sql, wanted);
    }
    if let Some(wanted) = query.overdue {
        sql.push(if wanted { " AND (" } else { " AND NOT (" }).push(OPEN);
        sql.push(" AND due_date IS NOT NULL AND due_date < ").push_bind(today.to_string()).push(")");
    }
    if let Some(day) = query.due_before {
        sql.push(" AND due_date <= ").push_bind(day.to_string());
    }
    if let Some(day) = query.due_after {
        sql.push(" AND due_date >= ").push_bind(day.to_string());
    }
}

fn push_ready(sql: &mut Sql, wanted: bool) {
    sql.push(if wanted { " AND (" } else { " AND NOT (" }).push(OPEN).push(
        " AND NOT EXISTS (SELECT 1 FROM task_dependencies d JOIN tasks n ON n.id = d.needs \
         WHERE d.task = tasks.id AND n.deleted_at IS NULL AND n.status IN ('pending', 'in_progress')))",
    );
}

/// Row values compare like the sort order does; the newest-first order runs the other way in its first part.
fn push_after(sql: &mut Sql, sort: Sort, after: &Cursor) -> Result<()> {
    let id = after.id.0;
    if after.sort != sort {
        return Err(bad_cursor());
    }
    match sort {
        Sort::Id => {
            sql.push(" AND id > ").push_bind(id);
        }
        Sort::DueDate => {
            sql.push(" AND (due_key, id) > (").push_bind(after.key.clone()).push(", ").push_bind(id).push(")");
        }
        Sort::Priority => {
            let rank = Priority::parse(&after.key).map(rank).ok_or_else(bad_cursor)?;
            sql.push(" AND (priority_rank, id) > (").push_bind(rank).push(", ").push_bind(id).push(")");
        }
        Sort::UpdatedAt => {
            sql.push(" AND (updated_at < ").push_bind(after.key.clone());
            sql.push(" OR (updated_at = ").push_bind(after.key.clone()).push(" AND id > ").push_bind(id).push("))");
        }
    }
    Ok(())
}

/// Where the page after this record starts.
fn cursor(sort: Sort, last: &Task) -> Cursor {
    let key = match sort {
        Sort::Id => String::new(),
        Sort::DueDate => last.due_date.map_or(UNDATED.to_owned(), |day| day.to_string()),
        Sort::Priority => last.priority.as_str().to_owned(),
        Sort::UpdatedAt => time(last.updated_at),
    };
    Cursor { sort, key, id: last.id }
}

/// As the column `priority_rank` has it.
fn rank(priority: Priority) -> i64 {
    match priority {
        Priority::Urgent => 0,
        Priority::High => 1,
        Priority::Normal => 2,
        Priority::Low => 3,
    }
}

fn bad_cursor() -> Error {
    Error::bad_request("`cursor` does not belong to this list").hint(
        "Pass next_cursor of the last result unchanged, with the same sort and filters, or leave it out to start over.",
    )
}
