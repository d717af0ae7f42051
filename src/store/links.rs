//! What tasks say of each other: that the tasks they name exist, and that neither `depends_on` nor `parent_id` closes
//! a circle. Asked inside the transaction that writes, so nothing can change in between.

use std::collections::{HashMap, HashSet, VecDeque};

use sqlx::SqliteConnection;

use super::rows::id_list;
use crate::error::{Error, Kind, Result};
use crate::tasks::{Task, TaskId};

/// A longer circle is told by its beginning and its end.
const CIRCLE_SHOWN: usize = 12;

/// Whether `task` may be written with the tasks that it names. `before` is what it was; nothing leads back to a task
/// that was not, so a new one closes no circle.
pub(super) async fn check(conn: &mut SqliteConnection, before: Option<&Task>, task: &Task) -> Result<()> {
    if before.is_none_or(|before| before.depends_on != task.depends_on) {
        known(conn, "depends_on", &task.depends_on).await?;
        if before.is_some() {
            no_circle("depends_on", task.id, dependency_path(conn, task).await?)?;
        }
    }
    if let Some(parent) = task.parent_id
        && before.is_none_or(|before| before.parent_id != task.parent_id)
    {
        known(conn, "parent_id", &[parent]).await?;
        if before.is_some() {
            no_circle("parent_id", task.id, parent_path(conn, task.id, parent).await?)?;
        }
    }
    Ok(())
}

async fn known(conn: &mut SqliteConnection, field: &str, ids: &[TaskId]) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let missing: Vec<u32> = sqlx::query_scalar(
        "SELECT value FROM json_each(?) AS named WHERE NOT EXISTS \
         (SELECT 1 FROM tasks WHERE tasks.id = named.value AND deleted_at IS NULL)",
    )
    .bind(id_list(ids)?)
    .fetch_all(conn)
    .await?;
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = missing.iter().map(|id| TaskId(*id).to_string()).collect();
    let verb = if names.len() == 1 { "does" } else { "do" };
    Err(Error::new(Kind::NotFound, format!("`{field}` names {}, which {verb} not exist", names.join(", ")))
        .hint("Call list_tasks to see the ids."))
}

/// The shortest way from what the task will depend on back to the task itself, if there is one.
async fn dependency_path(conn: &mut SqliteConnection, task: &Task) -> Result<Option<Vec<TaskId>>> {
    let edges: Vec<(u32, u32)> = sqlx::query_as(
        "WITH RECURSIVE reach (id) AS ( \
             SELECT value FROM json_each(?1) \
             UNION SELECT d.needs FROM task_dependencies d JOIN reach ON d.task = reach.id) \
         SELECT d.task, d.needs FROM task_dependencies d JOIN reach ON d.task = reach.id",
    )
    .bind(id_list(&task.depends_on)?)
    .fetch_all(conn)
    .await?;
    let mut needs: HashMap<TaskId, Vec<TaskId>> = HashMap::new();
    for (from, to) in edges {
        needs.entry(TaskId(from)).or_default().push(TaskId(to));
    }
    Ok(shortest_path(&needs, &task.depends_on, task.id))
}

fn shortest_path(edges: &HashMap<TaskId, Vec<TaskId>>, starts: &[TaskId], goal: TaskId) -> Option<Vec<TaskId>> {
    let mut came_from: HashMap<TaskId, TaskId> = HashMap::new();
    let mut seen: HashSet<TaskId> = starts.iter().copied().collect();
    let mut queue: VecDeque<TaskId> = starts.iter().copied().collect();
    while let Some(at) = queue.pop_front() {
        if at == goal {
            let mut path: Vec<TaskId> = std::iter::successors(Some(at), |at| came_from.get(at).copied()).collect();
            path.reverse();
            return Some(path);
        }
        for next in edges.get(&at).into_iter().flatten().copied() {
            if seen.insert(next) {
                came_from.insert(next, at);
                queue.push_back(next);
            }
        }
    }
    None
}

/// The way up from the new parent to the task itself, if it leads there. There is no circle above yet, so it ends.
async fn parent_path(conn: &mut SqliteConnection, task: TaskId, parent: TaskId) -> Result<Option<Vec<TaskId>>> {
    let path: Vec<u32> = sqlx::query_scalar(
        "WITH RECURSIVE up (id, height) AS ( \
             SELECT ?1, 0 \
             UNION ALL SELECT t.parent_id, up.height + 1 FROM up JOIN tasks t ON t.id = up.id \
             WHERE t.parent_id IS NOT NULL AND up.id <> ?2) \
         SELECT id FROM up ORDER BY height",
    )
    .bind(parent.0)
    .bind(task.0)
    .fetch_all(conn)
    .await?;
    let closes = path.last() == Some(&task.0);
    Ok(closes.then(|| path.into_iter().map(TaskId).collect()))
}

fn no_circle(field: &str, task: TaskId, path: Option<Vec<TaskId>>) -> Result<()> {
    let Some(path) = path else { return Ok(()) };
    if path.len() == 1 {
        return Err(Error::bad_request(format!("`{field}` of {task} names {task} itself"))
            .hint("Leave it out: a task cannot wait for itself or contain itself."));
    }
    let mut names: Vec<String> = [task].iter().chain(&path).map(TaskId::to_string).collect();
    if names.len() > CIRCLE_SHOWN {
        let (head, left_out) = (CIRCLE_SHOWN / 2, names.len() - CIRCLE_SHOWN);
        names.splice(head..head + left_out, [format!("({left_out} more)")]);
    }
    Err(Error::bad_request(format!("`{field}` would form a cycle: {}", names.join(" -> ")))
        .hint(format!("Leave out {}, or first take one of the other links away with update_task.", path[0])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(numbers: impl IntoIterator<Item = u32>) -> Vec<TaskId> {
        numbers.into_iter().map(TaskId).collect()
    }

    #[test]
    fn the_shortest_of_two_ways_is_told() {
        let edges = HashMap::from([
            (TaskId(2), ids([3, 4])),
            (TaskId(3), ids([4])),
            (TaskId(4), ids([1])),
            (TaskId(5), ids([6])),
        ]);
        assert_eq!(shortest_path(&edges, &ids([5, 2]), TaskId(1)), Some(ids([2, 4, 1])));
        assert_eq!(shortest_path(&edges, &ids([5]), TaskId(1)), None);
    }

    #[test]
    fn a_long_circle_is_cut_in_the_middle() {
        let error = no_circle("depends_on", TaskId(1), Some(ids((2..=40).chain([1])))).unwrap_err();
        assert!(error.message.contains("TASK-0006 -> (29 more) -> TASK-0036"), "{}", error.message);
        assert!(error.message.ends_with("TASK-0040 -> TASK-0001"), "{}", error.message);
    }
}
