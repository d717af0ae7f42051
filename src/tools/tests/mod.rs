//! The tools as a door calls them: a real store in a file, the real gateway, a scripted upstream, a clock that stands.

mod asks;
mod budget;
mod crud;

use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};
use crate::gateway::Gateway;
use crate::gateway::fixtures::{Script, Step, policy};
use crate::policy::Policy;
use crate::request::{Caller, Door};
use crate::store::{Recorded, Store};
use crate::telemetry::Metrics;
use crate::tools::{CallContext, Toolbox};

struct World {
    toolbox: Toolbox,
    store: Store,
    script: Arc<Script>,
    progress: Arc<Mutex<Vec<String>>>,
    cancel: CancellationToken,
    _files: TempDir,
}

/// A Monday morning.
const NOW: &str = "2026-11-23T09:30:00.123456Z";

impl World {
    async fn new<const N: usize>(steps: [(&str, Vec<Step>); N]) -> Self {
        Self::with_policy(policy(), steps).await
    }

    async fn with_policy<const N: usize>(policy: Policy, steps: [(&str, Vec<Step>); N]) -> Self {
        let files = tempfile::tempdir().unwrap();
        let store = Store::open(&files.path().join("tasks.db")).await.unwrap();
        let script = Script::new(steps);
        let (upstream, ledger) = (Box::new(script.clone()), Box::new(store.clone()));
        let gateway = Gateway::with_parts(Arc::new(policy), upstream, ledger, Metrics::for_tests());
        let now: Timestamp = NOW.parse().unwrap();
        let toolbox = Toolbox::with_clock(store.clone(), gateway, Arc::new(move || now));
        let (progress, cancel) = (Arc::default(), CancellationToken::new());
        Self { toolbox, store, script, progress, cancel, _files: files }
    }

    async fn try_call(&self, name: &str, arguments: Value) -> Result<Map<String, Value>> {
        let told = self.progress.clone();
        let context = CallContext {
            door: Door::Stdio,
            caller: Caller::local(),
            progress: Arc::new(move |progress| told.lock().unwrap().push(progress.to_string())),
            cancel: self.cancel.clone(),
        };
        self.toolbox.call(name, arguments.as_object().unwrap().clone(), context).await
    }

    /// The result, held against the tool's own output schema.
    async fn call(&self, name: &str, arguments: Value) -> Value {
        let result = Value::Object(self.try_call(name, arguments).await.unwrap());
        let spec = self.toolbox.specs().iter().find(|spec| spec.name == name).unwrap();
        let validator = jsonschema::validator_for(spec.output_schema.as_value()).unwrap();
        let faults: Vec<String> = validator.iter_errors(&result).map(|fault| fault.to_string()).collect();
        assert!(faults.is_empty(), "{name}: {faults:?} in {result}");
        assert!(result.to_string().len() < 60_000);
        result
    }

    async fn error(&self, name: &str, arguments: Value) -> Error {
        self.try_call(name, arguments).await.unwrap_err()
    }

    /// One urgent task due tomorrow, one that waits for it, one that is done, one low.
    async fn with_board(self) -> Self {
        self.call("create_task", json!({"title": "Fix the login", "priority": "urgent", "due_date": "tomorrow"})).await;
        self.call("create_task", json!({"title": "Release", "depends_on": ["TASK-0001"], "estimate_hours": 2})).await;
        self.call("create_task", json!({"title": "Write notes"})).await;
        self.call("create_task", json!({"title": "Tidy up", "priority": "low", "estimate_hours": 3})).await;
        self.call("update_task", json!({"task_id": "TASK-0003", "status": "completed"})).await;
        self
    }

    async fn ledger(&self) -> Vec<Recorded> {
        self.store.outcomes_after(0, 1_000).await.unwrap()
    }

    fn told(&self) -> Vec<String> {
        self.progress.lock().unwrap().clone()
    }

    /// The user message of each request that was sent.
    fn prompts(&self) -> Vec<String> {
        self.script.calls.lock().unwrap().iter().map(|(_, request)| request.messages[1].content.clone()).collect()
    }
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_else(|| panic!("{key} in {value}"))
}
