//! A policy that changes under the built program: each way to save a file, files that are wrong, requests in flight, and
//! what other processes can see of it.
//!
//! Nothing here sleeps and hopes: what is expected is waited for, in the metrics, in the log, or in the process's row.

mod keys;
mod requests;
mod server;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::binary::Home;
use crate::ledger::Ledger;

/// Above every timer of the program, so that only what is broken reaches it.
const PATIENCE: Duration = Duration::from_secs(180);

/// One local model that is asked for everything but bookkeeping; `plan_sprint` would rather go to the hosted one.
const POLICY: &str = "version: 1
backends:
  local: { base_url: \"${LITELLM_PROXY_URL}\", location: local }
  openai: { base_url: \"${OPENAI_BASE_URL:-https://api.openai.com/v1}\", api_key: \"${OPENAI_API_KEY:-}\", location: hosted }
models:
  small: { backend: local, context_tokens: 4096, max_output_tokens: 1024, price: { input: 0, output: 0 } }
  large: { backend: openai, context_tokens: 128000, max_output_tokens: 4096, price: { input: 2.50, output: 10.00 } }
tiers: { local: [small], hosted: [large] }
routes:
  - { name: logic, match: { tools: [create_task, list_tasks, update_task, get_task, delete_task] }, tier: none }
  - { name: thinking, match: { tools: [\"*\"] }, tier: local }
retry: { max_per_model: 1 }
fallback: { upward: false, downward: true }
breaker: { failures: 1, open: 1h }
cache: { ttl: 0s }
";

/// What a good model says of the one task.
const GOOD: &str = r#"{"assessment": "manageable", "priorities": ["TASK-0001"],
    "analysis": "One task is open and nothing is late: begin with TASK-0001."}"#;

/// The policy with one line more, so that its hash is another.
fn version(n: u32) -> String {
    format!("{POLICY}# version {n}\n")
}

fn hash(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex()[..12].to_owned()
}

/// As an editor saves: a new file takes the old one's name.
fn save(file: &Path, text: &str) {
    let new = file.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(new, file).unwrap();
}

async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until a process says in its row that it follows this policy.
async fn follows(ledger: &Ledger, pid: u32, text: &str) {
    let (wanted, pid) = ((hash(text), i64::from(pid)), pid);
    until(&format!("process {pid} to follow {}", wanted.0), || async {
        let rows = ledger.numbers("SELECT policy_hash, pid FROM processes").await;
        rows.contains(&wanted).then_some(())
    })
    .await;
}

fn policy_file(home: &Home) -> std::path::PathBuf {
    home.path("routing.yaml")
}
