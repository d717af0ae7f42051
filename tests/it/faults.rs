//! What goes wrong, through the built program: every fault gets a message that says whose it is and what to do, nothing
//! that was kept is lost, and the process lives on.

mod arguments;
mod callers;
mod disk;
mod escalation;
mod lines;
mod models;
mod money;
mod pass_rates;
mod policy;
mod recovery;
mod shared;
mod wall;

use serde_json::{Value, json};

use crate::binary::{Home, Session};
use crate::ledger::{AttemptRow, RequestRow};
use crate::upstream::{Script, Upstream};

/// The shipped policy's models with one attempt each and time enough, so that a test's own fault is the only one.
/// `plan_sprint` starts at the hosted model, everything else at the local one.
const POLICY: &str = "version: 1
backends:
  local: { base_url: \"${LITELLM_PROXY_URL}\", location: local }
  openai: { base_url: \"${OPENAI_BASE_URL:-https://api.openai.com/v1}\", api_key: \"${OPENAI_API_KEY:-}\", location: hosted }
models:
  task-api-model:
    backend: local
    context_tokens: 4096
    max_output_tokens: 1024
    capabilities: [json_object]
    price: { input: 0, output: 0 }
    timeouts: { connect: 30s, first_token: 100s, idle: 100s, total: 120s }
  gpt-4o:
    backend: openai
    context_tokens: 128000
    max_output_tokens: 4096
    capabilities: [json_object, json_schema]
    price: { input: 2.50, cached_input: 1.25, output: 10.00 }
    timeouts: { connect: 30s, first_token: 100s, idle: 100s, total: 120s }
tiers:
  local: [task-api-model]
  hosted: [gpt-4o]
routes:
  - { name: logic, match: { tools: [create_task, list_tasks, update_task, get_task, delete_task] }, tier: none }
  - { name: planning, match: { tools: [plan_sprint] }, tier: hosted }
  - { name: local_first, match: { tools: [\"*\"] }, tier: local }
envelope: { deadline: 150s }
retry: { max_per_model: 1 }
cache: { ttl: 0s }
";

/// What a good model says of the one task.
pub const GOOD: &str = r#"{"assessment": "manageable", "priorities": ["TASK-0001"],
    "analysis": "One task is open and nothing is late: begin with TASK-0001."}"#;

/// A running program with one task in it, and the upstream that plays its models.
struct Scene {
    upstream: Upstream,
    home: Home,
    session: Session,
    task: Value,
}

impl Scene {
    /// With the local model alone.
    async fn local(policy: &str) -> Self {
        Self::start(policy, |home, _| home).await
    }

    /// With both models behind the same scripted upstream.
    async fn both(policy: &str) -> Self {
        let keyed = |home: Home, upstream: &Upstream| {
            home.with("OPENAI_BASE_URL", upstream.base_url()).with("OPENAI_API_KEY", "sk-scripted")
        };
        Self::start(policy, keyed).await
    }

    async fn start(policy: &str, dress: impl FnOnce(Home, &Upstream) -> Home) -> Self {
        let upstream = Upstream::start().await;
        let home = Home::new().with("LITELLM_PROXY_URL", upstream.base_url()).policy(policy);
        let home = dress(home, &upstream);
        let mut session = home.mcp().await;
        let task = first_task(&mut session).await;
        Self { upstream, home, session, task }
    }

    fn local_model(&self) -> Script {
        self.upstream.on("task-api-model")
    }

    fn hosted_model(&self) -> Script {
        self.upstream.on("gpt-4o")
    }

    async fn analyze(&mut self) -> Value {
        self.session.call("analyze_workload", json!({})).await.result()
    }

    /// The only request that wanted a model, and its attempts.
    async fn only_row(&self) -> (RequestRow, Vec<AttemptRow>) {
        let ledger = self.home.ledger().await;
        let mut requests = ledger.requests().await;
        assert_eq!(requests.len(), 1, "exactly one row a request: {requests:?}");
        let (request, attempts) = (requests.remove(0), ledger.attempts().await);
        assert_eq!(request.attempts, i64::try_from(attempts.len()).unwrap());
        assert!(attempts.iter().all(|attempt| attempt.request == request.id));
        (request, attempts)
    }

    /// Nothing was lost, and the process still answers.
    async fn keeps_its_task(&mut self) {
        let kept = self.session.call("get_task", json!({"task_id": "TASK-0001"})).await.result();
        assert_eq!(kept["task"], self.task);
    }

    /// Beyond that, a model that is well again is asked again.
    async fn lives_on(mut self) {
        self.keeps_its_task().await;
        self.local_model().reply(GOOD);
        let analysis = self.analyze().await;
        assert_eq!((&analysis["status"], &analysis["routing"]["model"]), (&json!("ok"), &json!("task-api-model")));
        assert_eq!(self.session.close().await.code, Some(0));
    }
}

async fn first_task(session: &mut Session) -> Value {
    let arguments = json!({"title": "Review budget", "priority": "high", "tags": ["q3"], "estimate_hours": 2});
    session.call("create_task", arguments).await.result()["task"].clone()
}

/// Model, kind and result of each attempt.
fn told(attempts: &[AttemptRow]) -> Vec<(&str, &str, &str)> {
    attempts.iter().map(|attempt| (attempt.model.as_str(), attempt.kind.as_str(), attempt.result.as_str())).collect()
}

/// All these parts stand in the text.
#[track_caller]
fn says(text: &str, parts: &[&str]) {
    let missing: Vec<_> = parts.iter().filter(|part| !text.contains(**part)).collect();
    assert!(missing.is_empty(), "{missing:?} are missing in: {text}");
}
