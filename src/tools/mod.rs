//! What a tool does: facts, ask, check, result. One file a tool; the prompts of those that ask a model beside them.
//!
//! It knows no door: arguments come in as JSON, results go out as JSON, failures are `error::Error`. It decides nothing
//! about models: the gateway does. Read `toolbox` first, then `plan_sprint` for the longest way through.

mod answer;
mod arguments;
mod checks;
mod consult;
mod degraded;
mod known;
mod plan_answer;
mod plan_text;
mod prompts;
mod record;
mod routing;
mod spec;
mod toolbox;

mod analyze_workload;
mod create_task;
mod delete_task;
mod get_task;
mod list_tasks;
mod plan_sprint;
mod smart_prioritize;
mod suggest_next_action;
mod update_task;

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

pub use spec::{Annotations, ToolSpec};
pub use toolbox::{CallContext, Clock, Toolbox};
