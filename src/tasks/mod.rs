//! The task domain, pure: what a task is, what a change may do, what follows from many tasks.
//!
//! It imports `error` and `names` only: no storage, no model, no clock. `today` and `now` come in as values.

mod change;
mod choice;
mod dates;
pub mod facts;
pub mod graph;
mod hours;
mod model;
pub mod plan;
mod query;
pub mod rank;
mod reach;
#[cfg(test)]
pub(crate) mod samples;
pub mod similar;
mod stored;
mod text;
pub mod work;

pub use change::Changed;
pub use choice::closest;
pub use dates::{day, due_date};
pub use model::{Draft, Field, Hours, Patch, Priority, Status, Task, TaskEvent, TaskId};
pub use query::{Cursor, Query, Sort, limit};
pub use stored::to_millis;
pub use text::{clean_line, clean_text, description, name, tag, tags, title};
