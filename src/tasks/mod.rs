//! The task domain, pure: what a task is, what a change may do, what follows from many tasks.
//!
//! It imports `error` only: no storage, no model, no clock. `today` and `now` come in as values.

mod model;
mod query;

pub use model::{Draft, Field, Hours, Patch, Priority, Status, Task, TaskEvent, TaskId};
pub use query::{Cursor, Query, Sort};
