//! Tasks for tests: one plain open task to change as a case needs it, and short ways to say what depends on what.

use jiff::Timestamp;

use super::{Hours, Priority, Status, Task, TaskId};

/// Pending, normal, undated, without an estimate.
pub(crate) fn task(id: u32) -> Task {
    Task {
        id: TaskId(id),
        title: format!("Task number {id}"),
        description: None,
        priority: Priority::Normal,
        status: Status::Pending,
        due_date: None,
        created_at: Timestamp::UNIX_EPOCH,
        updated_at: Timestamp::UNIX_EPOCH,
        completed_at: None,
        assignee: None,
        estimate: None,
        tags: Vec::new(),
        project: None,
        parent_id: None,
        depends_on: Vec::new(),
        version: 1,
    }
}

/// Tasks 1 to `count`, where `links` says (task, what it depends on).
pub(super) fn linked(count: u32, links: &[(u32, u32)]) -> Vec<Task> {
    let mut tasks: Vec<Task> = (1..=count).map(task).collect();
    for &(from, to) in links {
        tasks[from as usize - 1].depends_on.push(TaskId(to));
    }
    tasks
}

pub(super) fn hours(hours: u32) -> Option<Hours> {
    Some(Hours { minutes: hours * 60 })
}

pub(super) fn ids(numbers: &[u32]) -> Vec<TaskId> {
    numbers.iter().copied().map(TaskId).collect()
}
