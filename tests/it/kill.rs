//! `taskgate mcp` is killed at random moments under load: whatever it had answered is in the database, whole, and the
//! sums fit the rows. Hosts do end their servers like that.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::binary::{Home, Session};
use crate::ledger::Ledger;
use crate::upstream::{Step, Upstream};

/// How often, and how it is chosen when; both are printed when it fails.
const ROUNDS: &str = "TASKGATE_KILL_ROUNDS";
const SEED: &str = "TASKGATE_KILL_SEED";

/// Calls that are under way at once.
const AT_ONCE: usize = 6;

const POLICY: &str = "version: 1
backends:
  local: { base_url: \"${LITELLM_PROXY_URL}\", location: local }
models:
  task-api-model:
    backend: local
    context_tokens: 32000
    max_output_tokens: 512
    price: { input: 2.50, output: 10.00 }
    capabilities: [json_object]
tiers: { local: [task-api-model] }
routes:
  - { name: logic, match: { tools: [create_task, get_task] }, tier: none }
  - { name: all, tier: local }
cache: { ttl: 0s }
";

/// A figure over the whole time, once for each span that it is kept of.
macro_rules! sums {
    ($figure:literal) => {
        concat!(
            "(SELECT sum(",
            $figure,
            ") AS s FROM rollups GROUP BY span UNION ALL SELECT sum(",
            $figure,
            ") FROM totals GROUP BY span)"
        )
    };
}

/// Each of these is zero, or "ok": no half of a request, no sum that lies.
const HOLDS: &[(&str, &str)] = &[
    ("attempts without a request", "SELECT count(*) FROM attempts WHERE request NOT IN (SELECT id FROM requests)"),
    (
        "requests without their attempts",
        "SELECT count(*) FROM requests r WHERE attempts <> (SELECT count(*) FROM attempts WHERE request = r.id)",
    ),
    ("requests in the sums", concat!("SELECT sum(s <> (SELECT count(*) FROM requests)) FROM ", sums!("requests"))),
    ("attempts in the sums", concat!("SELECT sum(s <> (SELECT count(*) FROM attempts)) FROM ", sums!("attempts"))),
    ("money in the sums", concat!("SELECT sum(s <> (SELECT sum(cost) FROM attempts)) FROM ", sums!("cost"))),
    (
        "tokens in the sums",
        concat!(
            "SELECT sum(s <> (SELECT sum(tokens_in + tokens_out) FROM attempts)) FROM ",
            sums!("tokens_in + tokens_out")
        ),
    ),
    ("damaged pages", "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"),
    ("dangling references", "SELECT count(*) FROM pragma_foreign_key_check"),
];

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// What was answered, by tool.
#[derive(Default)]
struct Answered {
    creates: Vec<Value>,
    analyses: i64,
    gets: i64,
}

impl Answered {
    fn take(&mut self, tool: &str, response: &Value) {
        let result = &response["result"]["structuredContent"];
        assert!(result.is_object() && response["result"]["isError"] != true, "{response}");
        match tool {
            "create_task" => self.creates.push(result["task"]["id"].clone()),
            "analyze_workload" => self.analyses += 1,
            _ => self.gets += 1,
        }
    }
}

/// Calls all the time, for as long as the process lives.
async fn load(session: &mut Session, random: &mut fastrand::Rng, answered: &mut Answered) {
    let mut under_way = std::collections::VecDeque::new();
    loop {
        while under_way.len() < AT_ONCE {
            let (tool, arguments) = match random.u32(..4) {
                0 => ("analyze_workload", json!({})),
                1 => ("get_task", json!({"task_id": "TASK-0001"})),
                _ => ("create_task", json!({"title": format!("Task {}", random.u32(..)), "tags": ["load"]})),
            };
            under_way.push_back((tool, session.ask(tool, arguments).await));
        }
        if let Some((tool, id)) = under_way.pop_front() {
            let response = session.response(id).await;
            answered.take(tool, &response);
        }
    }
}

async fn holds(ledger: &Ledger, answered: &Answered, told: &str) {
    for (what, sql) in HOLDS {
        assert_eq!(ledger.number(sql).await, 0, "{what}: {told}");
    }
    let rows = |tool: &'static str| async move {
        let rows =
            ledger.numbers("SELECT tool, count(*) FROM requests WHERE status IN ('ok', 'degraded') GROUP BY 1").await;
        rows.into_iter().find(|(name, _)| name == tool).map_or(0, |(_, count)| count)
    };
    let creates = i64::try_from(answered.creates.len()).unwrap();
    for (tool, number) in
        [("create_task", creates), ("analyze_workload", answered.analyses), ("get_task", answered.gets)]
    {
        let rows = rows(tool).await;
        assert!(rows >= number, "{number} calls of {tool} were answered, {rows} are in the ledger: {told}");
    }
}

#[tokio::test]
async fn killing_a_session_loses_nothing_that_it_answered() {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let (rounds, seed) = (number(ROUNDS).unwrap_or(10), number(SEED).unwrap_or(since_1970.subsec_nanos().into()));
    let again = format!("again with {SEED}={seed} {ROUNDS}={rounds}");
    let mut random = fastrand::Rng::with_seed(seed);
    let upstream = Upstream::start().await;
    upstream.on("task-api-model").answer(|_| Step::reply(crate::faults::GOOD));
    let home = Home::new().with("LITELLM_PROXY_URL", upstream.base_url()).with("TASKGATE_LOG", "warn").policy(POLICY);
    let mut answered = Answered::default();
    for round in 0..rounds {
        let mut session = home.mcp().await;
        let lives = Duration::from_micros(random.u64(5_000..250_000));
        let mut calls = fastrand::Rng::with_seed(random.u64(..));
        if round == 0 {
            let first = session.call("create_task", json!({"title": "The first"})).await;
            answered.creates.push(first.result()["task"]["id"].clone());
        }
        let died = tokio::time::timeout(lives, load(&mut session, &mut calls, &mut answered)).await;
        assert!(died.is_err(), "the load never ends by itself");
        session.kill().await;
        holds(&home.ledger().await, &answered, &format!("round {round}, {again}")).await;
    }
    let tasks = home.ledger().await.number("SELECT count(*) FROM tasks").await;
    assert!(tasks >= i64::try_from(answered.creates.len()).unwrap(), "every task that was answered is there");
    assert!(answered.analyses > 0 && answered.creates.len() > 10, "a load that does nothing shows nothing");
}
