//! The task domain, pure: what a task is, what a change may do, what follows from many tasks.
//!
//! It imports `error` only: no storage, no model, no clock. `today` and `now` come in as values.

pub mod facts;
pub mod graph;
mod model;
pub mod plan;
mod query;
pub mod rank;
mod reach;
#[cfg(test)]
mod samples;
pub mod similar;
pub mod work;

pub use model::{Draft, Field, Hours, Patch, Priority, Status, Task, TaskEvent, TaskId};
pub use query::{Cursor, Query, Sort};
