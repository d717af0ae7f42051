//! The tools by name: what there are, and one call of one.
//!
//! Every call of a known tool leaves exactly one row in the ledger: the gateway writes it for a question to a model,
//! and is told of every other call here.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use futures_util::FutureExt;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::record::Waits;
use super::spec::ToolSpec;
use super::{
    analyze_workload, arguments, create_task, delete_task, get_task, list_tasks, plan_sprint, smart_prioritize,
    suggest_next_action, update_task,
};
use crate::chat::{Capabilities, Tokens};
use crate::error::{Error, Fault, Kind, Result};
use crate::gateway::{Gateway, Rehearsal};
use crate::names::words;
use crate::request::{Caller, Door, Measures, ProgressSink, Signals, Status, Target};
use crate::store::{Change, Store};
use crate::tasks::{Task, closest};
use crate::telemetry::ToolFigures;

/// Says what time it is.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

words!(
    /// The tools there are.
    Tool {
        CreateTask => "create_task",
        ListTasks => "list_tasks",
        UpdateTask => "update_task",
        GetTask => "get_task",
        DeleteTask => "delete_task",
        AnalyzeWorkload => "analyze_workload",
        SmartPrioritize => "smart_prioritize",
        PlanSprint => "plan_sprint",
        SuggestNextAction => "suggest_next_action",
    }
);

/// Everything that the tools need; a cheap clone.
#[derive(Clone)]
pub struct Toolbox {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    gateway: Gateway,
    clock: Clock,
    specs: Vec<ToolSpec>,
}

/// Who calls, where progress goes, and how the call is given up.
#[derive(Clone)]
pub struct CallContext {
    pub door: Door,
    pub caller: Caller,
    pub progress: ProgressSink,
    pub cancel: CancellationToken,
}

impl Toolbox {
    pub fn new(store: Store, gateway: Gateway) -> Self {
        Self::with_clock(store, gateway, Arc::new(Timestamp::now))
    }

    pub fn with_clock(store: Store, gateway: Gateway, clock: Clock) -> Self {
        let specs = Tool::ALL.iter().copied().map(Tool::spec).collect();
        Self { inner: Arc::new(Inner { store, gateway, clock, specs }) }
    }

    pub fn specs(&self) -> &[ToolSpec] {
        &self.inner.specs
    }

    /// What metrics are told of the tools.
    pub fn figures() -> impl Iterator<Item = ToolFigures> {
        Tool::ALL.iter().map(|tool| ToolFigures { name: tool.as_str(), asks_a_model: tool.asks_a_model() })
    }

    /// The result's keys, or why it cannot be done. A bug inside a tool is an error too, never a panic.
    pub async fn call(
        &self,
        name: &str,
        arguments: Map<String, Value>,
        context: CallContext,
    ) -> Result<Map<String, Value>> {
        let tool = Tool::parse(name).ok_or_else(|| unknown(name))?;
        let started = Instant::now();
        let call = self.begin(tool, context);
        let result = AssertUnwindSafe(tool.run(&call, arguments)).catch_unwind().await;
        let result = result.unwrap_or_else(|_| {
            Err(Error::new(Kind::Internal, format!("{name} failed inside taskgate"))
                .hint("Nothing is known to be wrong with the call; please report it."))
        });
        if !call.settled.load(Ordering::Acquire) {
            self.inner.gateway.note(call.signals(), status(&result), started).await;
        }
        result
    }

    /// What a call would do now: route, complexity, models in order, the most that each could cost. Nothing is called,
    /// changed or written down.
    pub async fn explain(&self, name: &str, arguments: Map<String, Value>, context: CallContext) -> Result<Rehearsal> {
        let tool = Tool::parse(name).ok_or_else(|| unknown(name))?;
        let mut call = self.begin(tool, context);
        let logic = Rehearsal {
            decision: self.inner.gateway.explain(&call.signals()),
            calls: Vec::new(),
            pass_rates: Vec::new(),
            caller: None,
        };
        if !tool.asks_a_model() {
            // What would change a task is not tried out.
            return Ok(logic);
        }
        call.rehearsal = Some(OnceLock::new());
        tool.run(&call, arguments).await?;
        Ok(call.rehearsal.as_mut().and_then(OnceLock::take).unwrap_or(logic))
    }

    fn begin(&self, tool: Tool, context: CallContext) -> Call<'_> {
        let now = (self.inner.clock)();
        let today = now.to_zoned(self.inner.gateway.policy().time_zone.clone()).date();
        let spec = self.inner.specs.iter().find(|spec| spec.name == tool.as_str());
        Call {
            tool,
            store: &self.inner.store,
            gateway: &self.inner.gateway,
            spec,
            now,
            today,
            context,
            rehearsal: None,
            settled: AtomicBool::new(false),
        }
    }
}

impl Tool {
    fn spec(self) -> ToolSpec {
        match self {
            Self::CreateTask => create_task::spec(self),
            Self::ListTasks => list_tasks::spec(self),
            Self::UpdateTask => update_task::spec(self),
            Self::GetTask => get_task::spec(self),
            Self::DeleteTask => delete_task::spec(self),
            Self::AnalyzeWorkload => analyze_workload::spec(self),
            Self::SmartPrioritize => smart_prioritize::spec(self),
            Self::PlanSprint => plan_sprint::spec(self),
            Self::SuggestNextAction => suggest_next_action::spec(self),
        }
    }

    fn asks_a_model(self) -> bool {
        match self {
            Self::CreateTask | Self::ListTasks | Self::UpdateTask | Self::GetTask | Self::DeleteTask => false,
            Self::AnalyzeWorkload | Self::SmartPrioritize | Self::PlanSprint | Self::SuggestNextAction => true,
        }
    }

    async fn run(self, call: &Call<'_>, arguments: Map<String, Value>) -> Result<Map<String, Value>> {
        match self {
            Self::CreateTask => written(create_task::run(call, arguments).await?),
            Self::ListTasks => written(list_tasks::run(call, arguments).await?),
            Self::UpdateTask => written(update_task::run(call, arguments).await?),
            Self::GetTask => written(get_task::run(call, arguments).await?),
            Self::DeleteTask => written(delete_task::run(call, arguments).await?),
            Self::AnalyzeWorkload => written(analyze_workload::run(call, arguments).await?),
            Self::SmartPrioritize => written(smart_prioritize::run(call, arguments).await?),
            Self::PlanSprint => written(plan_sprint::run(call, arguments).await?),
            Self::SuggestNextAction => written(suggest_next_action::run(call, arguments).await?),
        }
    }
}

/// One call of one tool.
pub(super) struct Call<'a> {
    pub tool: Tool,
    pub store: &'a Store,
    pub gateway: &'a Gateway,
    spec: Option<&'a ToolSpec>,
    pub now: Timestamp,
    /// In the policy's time zone.
    pub today: Date,
    pub context: CallContext,
    /// Set for `explain`: the question is taken down here instead of being asked.
    pub rehearsal: Option<OnceLock<Rehearsal>>,
    /// The gateway has written this call's row.
    settled: AtomicBool,
}

impl Call<'_> {
    pub fn read<P: DeserializeOwned>(&self, arguments: Map<String, Value>) -> Result<P> {
        let spec = self.spec.ok_or_else(|| Error::new(Kind::Internal, "A tool has no description"))?;
        arguments::read(&spec.input_schema, arguments)
    }

    /// Whether a task waits for an open one.
    pub async fn waits(&self, task: &Task) -> Result<Waits> {
        for id in &task.depends_on {
            match self.store.task(*id).await {
                Ok(other) if other.is_open() => return Ok(Waits::ForOthers),
                Ok(_) => {}
                Err(error) if error.kind == Kind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Waits::ForNothing)
    }

    pub fn change(&self) -> Change<'_> {
        Change { by: &self.context.caller.name, at: self.now }
    }

    /// What is known of a call that asks no model.
    pub fn signals(&self) -> Signals {
        Signals {
            door: self.context.door,
            caller: self.context.caller.name.clone(),
            target: Target::Tool(self.tool.as_str().to_owned()),
            projects: Vec::new(),
            needs: Capabilities::new(),
            context: Tokens::ZERO,
            measures: Measures::default(),
            conversation: None,
            prompt_version: String::new(),
        }
    }

    pub fn settled_by_gateway(&self) {
        self.settled.store(true, Ordering::Release);
    }
}

fn written<R: Serialize>(result: R) -> Result<Map<String, Value>> {
    let unwritable = || Error::new(Kind::Internal, "The result could not be written as JSON");
    match serde_json::to_value(result).map_err(|error| unwritable().source(error))? {
        Value::Object(result) => Ok(result),
        _ => Err(unwritable()),
    }
}

fn status(result: &Result<Map<String, Value>>) -> Status {
    match result {
        Ok(_) => Status::Ok,
        Err(error) if error.kind == Kind::Cancelled => Status::Cancelled,
        Err(error) if error.kind.fault() == Fault::Caller => Status::Rejected,
        Err(_) => Status::Failed,
    }
}

fn unknown(name: &str) -> Error {
    let shown = super::record::clipped(&crate::tasks::clean_line(name), 60);
    let names = || Tool::ALL.iter().map(|tool| tool.as_str());
    let message = match closest(&name.trim().to_lowercase().replace([' ', '-'], "_"), names()) {
        Some(meant) => format!("unknown tool `{shown}`, did you mean `{meant}`?"),
        None => format!("unknown tool `{shown}`"),
    };
    Error::new(Kind::UnknownTool, message).hint(format!("The tools are {}.", names().collect::<Vec<_>>().join(", ")))
}
