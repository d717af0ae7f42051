//! Tasks for tests of the tools.

use jiff::civil::{Date, date};

use crate::chat::{Finish, ModelSpec, Reply, Tokens};
pub(super) use crate::tasks::samples::task;
use crate::tasks::{Priority, Status, Task, TaskId};

/// A Monday.
pub(super) const TODAY: Date = date(2026, 11, 23);

/// 1 urgent and due tomorrow, 2 waits for 1, 3 is done, 4 is low and large.
pub(super) fn board() -> Vec<Task> {
    let mut tasks: Vec<Task> = (1..=4).map(task).collect();
    tasks[0].priority = Priority::Urgent;
    tasks[0].due_date = Some(date(2026, 11, 24));
    tasks[1].depends_on = vec![TaskId(1)];
    tasks[2].status = Status::Completed;
    tasks[3].priority = Priority::Low;
    tasks[3].estimate = Some(crate::tasks::Hours::whole(40));
    tasks
}

pub(super) fn reply(text: impl Into<String>) -> Reply {
    Reply { text: text.into(), finish: Finish::Stop, usage: None, model: None }
}

pub(super) fn spec(context: u64, max_output: u64) -> ModelSpec {
    ModelSpec {
        name: "model".into(),
        context: Tokens(context),
        max_output: Tokens(max_output),
        capabilities: [crate::chat::Capability::JsonObject].into(),
    }
}
