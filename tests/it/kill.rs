//! `taskgate mcp` is killed at random moments under load: whatever it had answered is in the database, whole, and the
//! sums fit the rows. Hosts do end their servers like that.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use serde_json::{Value, json};
use taskgate::store::Store;

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
budgets:
  - { name: all, limit_usd: 1000, per: month }
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
    (
        "money set aside for what is recorded",
        "SELECT count(*) FROM reservations WHERE request IN (SELECT id FROM requests)",
    ),
    ("damaged pages", "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"),
    ("dangling references", "SELECT count(*) FROM pragma_foreign_key_check"),
];

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// How long an answer waits for its row at most: on a disk that is busy for longer, the row follows the answer, and may
/// be lost.
const ROW_FIRST: Duration = Duration::from_secs(1);

/// What was answered, by tool; and of how many of these the row came first.
#[derive(Default)]
struct Answered {
    creates: Vec<Value>,
    analyses: i64,
    all: usize,
    rows: BTreeMap<&'static str, i64>,
}

impl Answered {
    fn take(&mut self, tool: &'static str, response: &Value, took: Duration) {
        let result = &response["result"]["structuredContent"];
        assert!(result.is_object() && response["result"]["isError"] != true, "{response}");
        match tool {
            "create_task" => self.creates.push(result["task"]["id"].clone()),
            "analyze_workload" => self.analyses += 1,
            _ => {}
        }
        self.all += 1;
        *self.rows.entry(tool).or_default() += i64::from(took < ROW_FIRST);
    }
}

/// Calls all the time, so many at once.
struct Load {
    random: fastrand::Rng,
    under_way: VecDeque<(&'static str, Instant, i64)>,
}

impl Load {
    /// Until so many calls were answered.
    async fn until(&mut self, session: &mut Session, answered: &mut Answered, number: usize) {
        while answered.all < number {
            while self.under_way.len() < AT_ONCE {
                let (tool, arguments) = match self.random.u32(..4) {
                    0 => ("analyze_workload", json!({})),
                    1 => ("get_task", json!({"task_id": "TASK-0001"})),
                    _ => ("create_task", json!({"title": format!("Task {}", self.random.u32(..)), "tags": ["load"]})),
                };
                let asked = Instant::now();
                self.under_way.push_back((tool, asked, session.ask(tool, arguments).await));
            }
            if let Some((tool, asked, id)) = self.under_way.pop_front() {
                let response = session.response(id).await;
                answered.take(tool, &response, asked.elapsed());
            }
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
    for (tool, number) in &answered.rows {
        let rows = rows(tool).await;
        assert!(rows >= *number, "{number} calls of {tool} were answered, {rows} are in the ledger: {told}");
    }
}

/// What was set aside for the calls that the kills cut off is what they cost in the end, however often one looks.
async fn cut_off_calls_are_paid_once(home: &Home, answered: &Answered, again: &str) {
    const COST: &str = "SELECT sum(cost) FROM attempts";
    let ledger = Ledger::open(&home.database()).await;
    let (paid, set_aside) = (ledger.number(COST).await, ledger.number("SELECT sum(amount) FROM reservations").await);
    let cut_off = ledger.number("SELECT count(DISTINCT request) FROM reservations").await;
    assert!(cut_off > 0 && set_aside > 0, "{again}");
    let store = Store::open(&home.database()).await.unwrap();
    let mut recorded = 0;
    for minutes in [60, 62, 64, 66] {
        let later = Timestamp::now() + Duration::from_secs(60 * minutes);
        recorded += store.settle_lost(later).await.unwrap().len();
    }
    store.close().await;
    assert_eq!(i64::try_from(recorded).unwrap(), cut_off, "{again}");
    assert_eq!(ledger.number(COST).await, paid + set_aside, "{again}");
    assert_eq!(ledger.number("SELECT count(*) FROM reservations").await, 0);
    let unknown = "SELECT sum(cost) FROM attempts WHERE usage = 'unknown' AND result = 'cancelled' AND request IN \
                   (SELECT id FROM requests WHERE status = 'failed')";
    assert_eq!(ledger.number(unknown).await, set_aside, "{again}");
    holds(&ledger, answered, again).await;
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
        // Counted in answers, so that a slow machine gets as far as a fast one; and then a moment more.
        let (answers, moment) = (random.usize(5..100), Duration::from_micros(random.u64(..20_000)));
        let mut load = Load { random: fastrand::Rng::with_seed(random.u64(..)), under_way: VecDeque::new() };
        if round == 0 {
            let first = session.call("create_task", json!({"title": "The first"})).await;
            answered.creates.push(first.result()["task"]["id"].clone());
        }
        let enough = answered.all + answers;
        load.until(&mut session, &mut answered, enough).await;
        let died = tokio::time::timeout(moment, load.until(&mut session, &mut answered, usize::MAX)).await;
        assert!(died.is_err(), "the load never ends by itself");
        session.kill().await;
        holds(&Ledger::open(&home.database()).await, &answered, &format!("round {round}, {again}")).await;
    }
    // One more, which is surely in a call.
    upstream.on("task-api-model").hang();
    let (mut session, calls) = (home.mcp().await, upstream.count());
    session.ask("analyze_workload", json!({})).await;
    upstream.wait_for(calls + 1).await;
    session.kill().await;
    cut_off_calls_are_paid_once(&home, &answered, &again).await;
    let tasks = Ledger::open(&home.database()).await.number("SELECT count(*) FROM tasks").await;
    assert!(tasks >= i64::try_from(answered.creates.len()).unwrap(), "every task that was answered is there");
    assert!(answered.analyses > 0 && answered.creates.len() > 10, "a load that does nothing shows nothing");
}
