//! The page of `taskgate serve` in a real Chromium: it shows the ledger's own figures, follows it live, says when it no
//! longer can, and fits a phone, both themes and a keyboard.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use taskgate::chat::NanoUsd;

use crate::browser::Browser;
use crate::client::Client;
use crate::history;
use crate::ledger::Ledger;
use crate::policies::{Knobs, policy};
use crate::processes::{Process, free_port};
use crate::taskgate::Taskgate;
use crate::upstream::{Recorded, Reply, Step, Upstream};

const DESK: (u32, u32) = (1100, 900);
const PHONE: (u32, u32) = (360, 740);
/// What a picture in docs/ shows of a page at most.
const PICTURE_HEIGHT: u32 = 1_800;

const START: Duration = Duration::from_secs(120);

/// One that lasts, and one that the calls of a day come near to.
const BUDGETS: &str = "budgets:
  - { name: month, limit_usd: 5, per: month }
  - { name: hosted, scope: model:gpt-4o, limit_usd: 0.10, per: day }
";

const ENTER: &str = "\u{E007}";

/// The texts of all elements that the selector finds.
fn texts(selector: &str) -> String {
    format!("return [...document.querySelectorAll({selector:?})].map((one) => one.textContent.trim())")
}

fn text(selector: &str) -> String {
    format!("return document.querySelector({selector:?}).textContent.trim()")
}

const STATE: &str = "return document.body.dataset.state";

struct Served {
    address: String,
    taskgate: Taskgate,
    process: Process,
}

impl Served {
    /// With both models at that upstream.
    async fn start(folder: &Path, upstream: &Upstream) -> Self {
        let address = format!("127.0.0.1:{}", free_port());
        let taskgate = Taskgate::new(folder, &(policy(&Knobs::default()) + BUDGETS))
            .with("LITELLM_PROXY_URL", upstream.base_url())
            .with("OPENAI_BASE_URL", upstream.base_url())
            .with("OPENAI_API_KEY", "sk-secret-of-the-test")
            .with("TASKGATE_LISTEN", address.clone());
        let process = Self::process(&taskgate, &address).await;
        Self { address, taskgate, process }
    }

    async fn process(taskgate: &Taskgate, address: &str) -> Process {
        let mut process = Process::start("serve", &mut taskgate.command(&["serve"]), taskgate.folder());
        process.wait_for(&format!("http://{address}/readyz"), START).await;
        process
    }

    fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}

/// A question for the models.
async fn ask(client: &Client, what: &str) {
    client.call("smart_prioritize", json!({ "task_description": what })).await;
}

/// What the models say depends on a word in the question.
fn local_says(asked: &Recorded) -> Step {
    let good = json!({ "priority": "low", "title": "Sweep", "effort_hours": 1, "considerations": "None." });
    let nonsense = asked.prompt().contains("#nonsense");
    Step::Reply(Reply::new(if nonsense { "I cannot say.".to_owned() } else { good.to_string() }).usage(110, 40))
}

fn hosted_says(asked: &Recorded) -> Step {
    let good = json!({ "priority": "high", "title": "Sweep", "effort_hours": 2, "considerations": "None." });
    let hopeless = asked.prompt().contains("#hopeless");
    Step::Reply(Reply::new(if hopeless { "Nor can I.".to_owned() } else { good.to_string() }).usage(400, 60))
}

async fn upstream() -> Upstream {
    let upstream = Upstream::start().await;
    let _ = (upstream.on("task-api-model").answer(local_says), upstream.on("gpt-4o").answer(hosted_says));
    upstream
}

#[tokio::test]
async fn the_page_shows_the_figures_of_the_ledger_and_follows_it() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = upstream().await;
    let served = Served::start(folder.path(), &upstream).await;
    let browser = Browser::start(folder.path()).await;
    browser.look_like(DESK, "light").await;
    browser.open(&served.url()).await;

    // Nothing yet: it says what to do first, and shows no empty list.
    browser.becomes(STATE, "live").await;
    assert_eq!(browser.run("return document.getElementById('welcome').hidden").await, false);
    assert!(browser.run(&text("#welcome code")).await.as_str().unwrap().starts_with("taskgate call create_task"));
    assert_eq!(browser.run("return document.getElementById('decisions').checkVisibility()").await, false);
    assert!(browser.run(&text("#verdict")).await.as_str().unwrap().starts_with("Nothing is known to be wrong"));
    assert_eq!(browser.run("return document.getElementById('chart').checkVisibility()").await, false);
    browser.run("window.sameDocument = true").await;

    // A host's session, another process than the server.
    let client = Client::start(&served.taskgate, "session").await;
    client.call("create_task", json!({ "title": "Count the boxes #secret-title" })).await;
    for what in ["Sweep", "Sweep", "Mop #nonsense", "Dust #nonsense #hopeless"] {
        ask(&client, &format!("{what} #secret-text")).await;
    }
    let ends = json!(["degraded", "hosted", "cache", "local"]);
    browser.becomes(&texts("#decisions .badge:not(td *)"), ends).await;
    assert_eq!(browser.run("return document.getElementById('welcome').hidden").await, true);
    assert_eq!(browser.run(&text("#verdict")).await, "Everything is well");
    let ledger = Ledger::open(&served.taskgate.database()).await;
    figures_equal_the_ledger(&browser, &ledger).await;

    expand_with_the_keyboard(&browser, &ledger).await;
    // Another call arrives at its top, and what was open stays open.
    ask(&client, "Wash #nonsense").await;
    browser.becomes("return document.querySelectorAll('#decisions > li').length", 5).await;
    assert_eq!(browser.run("return document.querySelectorAll('#decisions details[open]').length").await, 1);
    figures_equal_the_ledger(&browser, &ledger).await;
    assert_eq!(browser.run("return window.sameDocument").await, true);

    let shown = browser.run("return document.documentElement.outerHTML").await;
    let told = reqwest_text(&format!("{}api/overview", served.url())).await;
    for secret in ["#secret", "sk-secret", "Count the boxes"] {
        assert!(!shown.as_str().unwrap().contains(secret) && !told.contains(secret), "{secret} is shown");
    }
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    let asked = browser.requests().await;
    client.close().await;
    assert!(asked.len() > 5 && asked.iter().all(|url| url.starts_with(&served.url())), "{asked:?}");
    browser.close().await;
}

async fn reqwest_text(url: &str) -> String {
    crate::processes::http().get(url).send().await.unwrap().text().await.unwrap()
}

/// Money as the command line writes it, and every request in exactly one place.
async fn figures_equal_the_ledger(browser: &Browser, ledger: &Ledger) {
    let requests = ledger.number("SELECT count(*) FROM requests").await;
    let answers =
        "return [...document.querySelectorAll('#counts tbody td')].reduce((sum, td) => sum + +td.textContent, 0)";
    browser.becomes(answers, requests).await;
    let cost = ledger.number("SELECT sum(cost) FROM attempts").await;
    let wasted = ledger.number("SELECT sum(wasted) FROM requests").await;
    let highest = ledger.number("SELECT sum(counterfactual) FROM requests").await;
    let kept = ledger.number("SELECT sum(saved) FROM requests").await;
    assert!(cost > 0 && wasted > 0 && highest > 0, "the calls cost something: {cost}, {wasted}, {highest}");
    let (saved, dearer) = (NanoUsd(highest - cost), highest < cost);
    let mut money = [highest, saved.0.abs(), wasted].map(|amount| NanoUsd(amount).to_string()).to_vec();
    money.extend((kept > 0).then(|| NanoUsd(kept).to_string()));
    for period in ["Today", "This month"] {
        assert_eq!(browser.run(&text(&format!("[data-period={period:?}] .sum"))).await, NanoUsd(cost).to_string());
        assert_eq!(browser.run(&texts(&format!("[data-period={period:?}] dd"))).await, json!(money));
        let says = browser.run(&text(&format!("[data-period={period:?}] div:nth-child(2) dt"))).await;
        assert_eq!(says.as_str().unwrap().contains("cost more"), dearer, "{says} for {saved}");
    }
    let spent = [format!("{} of $5.00", NanoUsd(cost)), format!("{} of $0.10", NanoUsd(cost))];
    assert_eq!(browser.run(&texts("#budgets li > span:nth-child(2)")).await, json!(spent));
    let models = ledger.numbers("SELECT model, count(*) FROM attempts GROUP BY model ORDER BY model DESC").await;
    let calls: Vec<String> = models.iter().map(|(_, calls)| calls.to_string()).collect();
    assert_eq!(browser.run(&texts("#models td:nth-child(3)")).await, json!(calls));
}

/// Enter opens the second decision: an escalation, with the check's reason in it.
async fn expand_with_the_keyboard(browser: &Browser, ledger: &Ledger) {
    browser.run("document.querySelectorAll('#decisions summary')[1].focus()").await;
    browser.press(ENTER).await;
    browser.becomes("return document.querySelectorAll('#decisions details')[1].open", true).await;
    let opened = browser.run("return document.querySelector('#decisions [open]').innerText").await;
    let opened = opened.as_str().unwrap();
    let id = &ledger.requests().await.iter().rev().nth(1).unwrap().id.clone();
    for said in [
        "tier_named The route asks for tier local.",
        "not_json",
        "escalation",
        &format!("taskgate explain --request {id}"),
    ] {
        assert!(opened.contains(said), "no {said} in:\n{opened}");
    }
}

#[tokio::test]
async fn what_is_out_of_date_is_marked_until_the_server_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = upstream().await;
    let served = Served::start(folder.path(), &upstream).await;
    let browser = Browser::start(folder.path()).await;
    served.taskgate.call("smart_prioritize", json!({ "task_description": "Sweep" })).await;
    browser.open(&served.url()).await;
    browser.becomes(&texts("#decisions .what"), json!(["smart_prioritize"])).await;

    // The server answers, and cannot tell: its own words are shown.
    browser.run("window.asked = window.fetch").await;
    let busy = r#"'{"error":"The database is busy","hint":"Try again in a moment."}', { status: 503 }"#;
    browser.run(&format!("window.fetch = async () => new Response({busy})")).await;
    browser.becomes(STATE, "stale").await;
    let told = browser.run(&text("#stale")).await;
    assert!(told.as_str().unwrap().contains("The database is busy. Try again in a moment."), "{told}");
    browser.run("window.fetch = window.asked").await;
    browser.becomes(STATE, "live").await;

    let Served { address, taskgate, process } = served;
    drop(process);
    browser.becomes(STATE, "stale").await;
    let told = browser.run(&text("#stale")).await;
    assert!(told.as_str().unwrap().contains("The server does not answer"), "{told}");
    assert_eq!(browser.run(&texts("#decisions .what")).await, json!(["smart_prioritize"]));
    let _back = Served::process(&taskgate, &address).await;
    browser.becomes(STATE, "live").await;
    assert_eq!(browser.run("return document.getElementById('stale').hidden").await, true);
    browser.close().await;
}

#[tokio::test]
async fn a_refused_policy_is_shown_with_its_reasons_until_it_is_mended() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = upstream().await;
    let served = Served::start(folder.path(), &upstream).await;
    let browser = Browser::start(folder.path()).await;
    browser.open(&served.url()).await;
    browser.becomes(STATE, "live").await;
    const HIDDEN: &str = "return document.getElementById('refused').hidden";
    assert_eq!(browser.run(HIDDEN).await, true);

    let file = served.taskgate.policy();
    let good = std::fs::read_to_string(&file).unwrap();
    let hash = |text: &str| blake3::hash(text.as_bytes()).to_hex()[..12].to_owned();
    let broken = good.replace("tier: local", "tier: cheap") + &format!("{}: 1\n", "very_long_key".repeat(12));
    std::fs::write(&file, &broken).unwrap();
    browser.becomes(HIDDEN, false).await;
    assert_eq!(browser.run(&text("#verdict")).await, "Something needs attention:");
    assert_eq!(browser.run("return document.querySelector('#remarks li').dataset.code").await, "policy_refused");
    let problems = browser.run(&texts("#refused li")).await.to_string();
    assert!(problems.contains("Line ") && problems.contains("unknown tier cheap"), "{problems}");
    assert_eq!(browser.run(&texts("#refused p code")).await, json!([hash(&broken), hash(&good), "taskgate check"]));
    for (screen, theme) in [(DESK, "light"), (DESK, "dark"), (PHONE, "light"), (PHONE, "dark")] {
        fits(&browser, screen, theme, "").await;
    }
    std::fs::write(&file, &good).unwrap();
    browser.becomes(HIDDEN, true).await;
    assert_ne!(browser.run(&text("#verdict")).await, "Something needs attention:");
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.close().await;
}

/// On a desk and a phone, light and dark: nothing sticks out, everything can be read. With TASKGATE_PICTURES set to a
/// folder it leaves the pictures there.
#[tokio::test]
async fn a_month_of_history_fits_every_screen() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = upstream().await;
    let served = Served::start(folder.path(), &upstream).await;
    let browser = Browser::start(folder.path()).await;
    browser.look_like(DESK, "light").await;
    browser.open(&served.url()).await;
    browser.becomes(STATE, "live").await;
    fits(&browser, DESK, "light", "page-empty").await;
    let requests = history::fill(&served.taskgate.database()).await;
    let whole = r"return +document.querySelector('#counts caption').textContent.replaceAll(',', '').match(/^\d+/)";
    browser.run("document.querySelector('#ranges [value=days]').click()").await;
    browser.becomes(whole, requests).await;
    browser.run("document.querySelectorAll('#decisions details')[1].open = true").await;
    for (screen, theme, name) in
        [(DESK, "light", "page"), (DESK, "dark", "page-dark"), (PHONE, "light", ""), (PHONE, "dark", "page-phone")]
    {
        fits(&browser, screen, theme, name).await;
    }
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.close().await;
}

async fn fits(browser: &Browser, screen: (u32, u32), theme: &str, name: &str) {
    browser.look_like(screen, theme).await;
    browser.becomes("return innerWidth", screen.0).await;
    browser.becomes("return document.documentElement.scrollWidth", screen.0).await;
    browser
        .becomes("return (document.querySelector('#chart svg')?.viewBox.baseVal.width ?? 0) <= innerWidth", true)
        .await;
    assert_eq!(browser.run(include_str!("readable.js")).await, json!([]), "{screen:?} {theme}");
    let Some(folder) = std::env::var_os("TASKGATE_PICTURES").filter(|_| !name.is_empty()) else { return };
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(format!("{name}.png"));
    std::fs::write(file, browser.picture(screen.0, PICTURE_HEIGHT).await).unwrap();
}
