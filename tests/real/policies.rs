//! The policies that these tests run by: the shipped one's models, smaller and stricter where a test needs it.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// What a test changes.
pub struct Knobs {
    /// What the local model may write.
    pub local_max_output: u32,
    /// What the policy claims that the local model's server can do.
    pub local_capabilities: &'static str,
    /// The routes that stand before the last one, which sends every tool to the local tier.
    pub routes: &'static str,
}

impl Default for Knobs {
    fn default() -> Self {
        Self { local_max_output: 400, local_capabilities: "json_object", routes: "" }
    }
}

/// A time zone in which it is noon: no day, week or month ends while a test runs, and nothing of it depends on where the
/// machine stands.
pub fn noon() -> String {
    let east = 12 - Timestamp::now().to_zoned(TimeZone::UTC).hour();
    // In these names the sign is the other way round.
    format!("Etc/GMT{:+}", -east)
}

/// The local model has the context that its real server was started with, a few seconds' worth of output on a small
/// machine, and the price of nothing; the hosted one has its real price. What is tested is the answers, not the
/// machine, which may be busy: so there is more time than a host would give.
pub fn policy(knobs: &Knobs) -> String {
    let Knobs { local_max_output, local_capabilities, routes } = knobs;
    let time_zone = noon();
    format!(
        "version: 1
time_zone: {time_zone}
backends:
  local:
    base_url: ${{LITELLM_PROXY_URL:-http://localhost:4000/v1}}
    api_key: ${{LITELLM_API_KEY:-sk-local-dev-key}}
    location: local
  openai:
    base_url: ${{OPENAI_BASE_URL:-https://api.openai.com/v1}}
    api_key: ${{OPENAI_API_KEY:-}}
    location: hosted
models:
  task-api-model:
    backend: local
    context_tokens: 2048
    max_output_tokens: {local_max_output}
    capabilities: [{local_capabilities}]
    price: {{ input: 0, output: 0 }}
    limits: {{ concurrency: 1 }}
    timeouts: {{ connect: 10s, first_token: 400s, idle: 120s, total: 500s }}
  gpt-4o:
    backend: openai
    context_tokens: 128000
    max_output_tokens: 4096
    capabilities: [tools, vision, json_object, json_schema]
    price: {{ input: 2.50, cached_input: 1.25, output: 10.00 }}
    timeouts: {{ connect: 10s, first_token: 60s, idle: 60s, total: 80s }}
tiers:
  local: [task-api-model]
  hosted: [gpt-4o]
classifier:
  thresholds: {{ hosted: 0.60 }}
routes:
  - name: logic
    match: {{ tools: [create_task, list_tasks, update_task, get_task, delete_task] }}
    tier: none
{routes}
  - name: local_first
    match: {{ tools: [\"*\"] }}
    tier: local
envelope: {{ deadline: 560s }}
retry: {{ max_per_model: 2, initial: 50ms, max: 200ms }}
"
    )
}
