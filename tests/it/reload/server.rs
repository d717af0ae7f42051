//! `taskgate serve` and its policy's file.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Child;

use super::{POLICY, follows, hash, policy_file, save, until, version};
use crate::binary::Home;

/// A running `taskgate serve`; it ends when it is dropped.
pub struct Serving {
    child: Child,
    log: PathBuf,
    address: String,
}

impl Serving {
    pub async fn start(home: &Home) -> Self {
        let log = home.path("serve.log");
        let mut command = home.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.env("TASKGATE_LOG", "info").stdout(Stdio::null()).stderr(File::create(&log).unwrap());
        let child = command.spawn().unwrap();
        let mut serving = Self { child, log, address: String::new() };
        let address = until("the address in the log", || async {
            let line = serving.log().lines().find(|line| line.contains("listening on"))?.to_owned();
            Some(serde_json::from_str::<Value>(&line).unwrap()["address"].as_str()?.to_owned())
        });
        serving.address = address.await;
        serving
    }

    pub fn pid(&self) -> u32 {
        self.child.id().unwrap()
    }

    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    async fn metrics(&self) -> String {
        self.get("/metrics").await
    }

    async fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.address);
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    async fn shows(&self, line: &str) {
        until(line, || async { self.metrics().await.lines().any(|shown| shown == line).then_some(()) }).await;
    }

    /// This policy is in use, and it came by so many changes.
    async fn has_taken(&self, text: &str, changes: u32) {
        self.shows(&format!("taskgate_config_info{{hash=\"{}\"}} 1", hash(text))).await;
        self.shows(&format!("taskgate_config_reloads_total{{result=\"taken\"}} {changes}")).await;
        self.shows("taskgate_config_last_reload_successful 1").await;
    }

    async fn refusals(&self) -> u32 {
        let counted = "taskgate_config_reloads_total{result=\"refused\"} ";
        self.metrics().await.lines().find_map(|line| line.strip_prefix(counted)?.parse().ok()).unwrap_or(0)
    }

    async fn has_refused(&self, times: u32) {
        self.shows(&format!("taskgate_config_reloads_total{{result=\"refused\"}} {times}")).await;
        self.shows("taskgate_config_last_reload_successful 0").await;
    }

    #[cfg(unix)]
    pub fn hang_up(&self) {
        let told = std::process::Command::new("kill").args(["-HUP", &self.pid().to_string()]).status().unwrap();
        assert!(told.success());
    }
}

#[tokio::test]
async fn a_good_file_takes_over_however_it_is_saved() {
    let home = Home::new().policy(POLICY);
    let (serving, file) = (Serving::start(&home).await, policy_file(&home));
    save(&file, &version(1));
    serving.has_taken(&version(1), 1).await;
    fs::write(&file, version(2)).unwrap();
    serving.has_taken(&version(2), 2).await;
    // A look may have met the file while it was empty.
    let so_far = serving.refusals().await;
    fs::remove_file(&file).unwrap();
    serving.has_refused(so_far + 1).await;
    fs::write(&file, version(3)).unwrap();
    serving.has_taken(&version(3), 3).await;
    let other = POLICY.replace("small", "tiny");
    save(&file, &other);
    serving.has_taken(&other, 4).await;
    let told = format!(
        "policy {} takes over from {}: models: `tiny` added, `small` removed; tiers: `local` changed",
        hash(&other),
        hash(&version(3))
    );
    until("the change to be told", || async { serving.log().contains(&told).then_some(()) }).await;
    follows(&home.ledger().await, serving.pid(), &other).await;
}

/// An alert compares the gauges: a limit that stays would have it go on until the server ends.
#[tokio::test]
async fn a_budget_that_is_renamed_or_taken_out_has_no_limit_any_more() {
    let budgets = |names: &[&str]| {
        let each = names.iter().map(|name| format!("  - {{ name: {name}, limit_usd: 0.5, per: month }}\n"));
        format!("{POLICY}budgets:\n{}", each.collect::<String>())
    };
    let home = Home::new().policy(&budgets(&["month", "other"]));
    let (serving, file) = (Serving::start(&home).await, policy_file(&home));
    let limit = |name: &str, nano: u64| format!("taskgate_budget_limit_nanousd{{budget=\"{name}\"}} {nano}");
    serving.shows(&limit("month", 500_000_000)).await;
    save(&file, &budgets(&["all", "other"]));
    serving.shows(&limit("month", 0)).await;
    serving.shows("taskgate_budget_spent_nanousd{budget=\"month\"} 0").await;
    serving.shows(&limit("all", 500_000_000)).await;
    save(&file, POLICY);
    for gone in ["all", "other"] {
        serving.shows(&limit(gone, 0)).await;
    }
    save(&file, &budgets(&["month"]));
    serving.shows(&limit("month", 500_000_000)).await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_that_is_swapped_as_kubernetes_swaps_it_takes_over() {
    use std::os::unix::fs::symlink;
    let home = Home::new().policy(POLICY);
    let file = policy_file(&home);
    let mount = |n: u32, text: &str| {
        let folder = home.path(&format!("..{n}"));
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("routing.yaml"), text).unwrap();
        symlink(&folder, home.path("..data_tmp")).unwrap();
        fs::rename(home.path("..data_tmp"), home.path("..data")).unwrap();
    };
    mount(1, &version(1));
    fs::remove_file(&file).unwrap();
    symlink("..data/routing.yaml", &file).unwrap();
    let serving = Serving::start(&home).await;
    for n in 2..=3 {
        mount(n, &version(n));
        fs::remove_dir_all(home.path(&format!("..{}", n - 1))).unwrap();
        serving.has_taken(&version(n), n - 1).await;
    }
}

#[tokio::test]
async fn a_broken_file_is_refused_whole_and_told_with_every_problem() {
    let home = Home::new().policy(POLICY);
    let (serving, file) = (Serving::start(&home).await, policy_file(&home));
    let broken = version(1).replace("tier: local", "tier: cheap").replace("api_key:", "api_kye:");
    save(&file, &broken);
    serving.has_refused(1).await;
    serving.shows(&format!("taskgate_config_info{{hash=\"{}\"}} 1", hash(POLICY))).await;
    let refused = until("the refusal to be told", || async {
        serving.log().lines().find(|line| line.contains("is refused")).map(str::to_owned)
    });
    let refused = refused.await;
    for part in ["unknown tier `cheap`", "api_kye", &hash(POLICY), &hash(&broken)] {
        assert!(refused.contains(part), "no `{part}` in {refused}");
    }
    save(&file, &version(2));
    serving.has_taken(&version(2), 1).await;
    // Back to what it was before the mistake, in text and in fact.
    save(&file, &broken);
    serving.has_refused(2).await;
    save(&file, &version(2));
    serving.has_taken(&version(2), 2).await;
}

#[tokio::test]
async fn the_page_shows_what_is_wrong_until_it_is_mended() {
    let home = Home::new().policy(POLICY);
    let (serving, file) = (Serving::start(&home).await, policy_file(&home));
    let overview = || async {
        let answer = serving.get("/api/overview").await;
        serde_json::from_str::<Value>(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    };
    let refused = async |what: &str, wanted: Option<String>| {
        until(what, || async {
            let shown = overview().await;
            (shown["policy_refused"]["hash"].as_str() == wanted.as_deref()).then_some(shown)
        })
        .await
    };
    assert_eq!(overview().await["policy_refused"], Value::Null);
    let broken = POLICY
        .replace("\"${OPENAI_API_KEY:-}\"", "sk-secret-of-the-test")
        .replace("tier: local", "tier: sk-secret-of-the-test");
    save(&file, &broken);
    let shown = refused("the refusal on the page", Some(hash(&broken))).await;
    assert_eq!((&shown["verdict"], &shown["remarks"][0]["code"]), (&"trouble".into(), &"policy_refused".into()));
    assert_eq!(shown["policy_hash"], hash(POLICY));
    let told = &shown["policy_refused"];
    assert_eq!((&told["problems"][0]["line"], &told["more"]), (&11.into(), &0.into()), "{told}");
    assert!(told["problems"][0]["message"].as_str().unwrap().contains("unknown tier"), "{told}");
    assert!(!shown.to_string().contains("sk-secret"), "{shown}");
    let worse = broken.replace("version: 1", "version: 9");
    save(&file, &worse);
    let later = refused("the next refusal on the page", Some(hash(&worse))).await;
    assert_eq!(later["policy_refused"]["since"], told["since"], "it is one time without a policy that can be used");
    save(&file, &version(1));
    let mended = refused("the page to be well again", None).await;
    assert_eq!(mended["policy_hash"], hash(&version(1)));
    assert!(!mended["remarks"].to_string().contains("policy_refused"), "{mended}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_hangup_is_no_end_but_a_look() {
    let home = Home::new().policy(POLICY);
    let (mut serving, file) = (Serving::start(&home).await, policy_file(&home));
    serving.hang_up();
    until("the look that was asked for", || async {
        serving.log().contains(&format!("policy {} is in use already", hash(POLICY))).then_some(())
    })
    .await;
    save(&file, "version: 2\n");
    serving.has_refused(1).await;
    // It is told again, though nothing has changed.
    serving.hang_up();
    serving.has_refused(2).await;
    save(&file, &version(1));
    serving.hang_up();
    serving.has_taken(&version(1), 1).await;
    assert!(serving.child.try_wait().unwrap().is_none());
}

#[tokio::test]
async fn a_file_that_appears_where_one_is_looked_for_takes_over_from_the_built_in_policy() {
    let home = Home::new();
    let serving = Serving::start(&home).await;
    let ledger = home.ledger().await;
    // The platform's configuration folder is not there yet, so no event can come from it.
    let folder = [".config", "Library/Application Support", ""].iter().map(|name| home.path(name).join("taskgate"));
    for folder in folder {
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("routing.yaml"), version(1)).unwrap();
    }
    serving.has_taken(&version(1), 1).await;
    follows(&ledger, serving.pid(), &version(1)).await;
}

#[tokio::test]
async fn two_processes_and_what_each_follows_are_told() {
    let home = Home::new().policy(POLICY);
    let (serving, mut session) = (Serving::start(&home).await, home.mcp().await);
    let told = home.run(&["check", "--running"], b"").await;
    assert_eq!(told.code, Some(0), "{told:?}");
    let line = |out: &str, command: &str, pid: u32| {
        let begins = format!("  {command:<7} pid {pid:<8} up ");
        out.lines().find(|line| line.starts_with(&begins)).unwrap_or_else(|| panic!("no {begins} in {out}")).to_owned()
    };
    for (command, pid) in [("serve", serving.pid()), ("mcp", session.pid())] {
        let line = line(&told.out, command, pid);
        assert!(line.ends_with(&format!("policy {}, same as the file", hash(POLICY))), "{line}");
    }
    assert!(!told.out.contains(" call "), "{}", told.out);

    save(&policy_file(&home), "version: 1\nbackends: {}\n");
    let ledger = home.ledger().await;
    until("both to refuse it", || async {
        (ledger.number("SELECT count(*) FROM processes WHERE refused IS NOT NULL").await == 2).then_some(())
    })
    .await;
    let told = home.run(&["check", "--running"], b"").await;
    let failed =
        format!("the file can't be used; the last reload failed: it refused {}", hash("version: 1\nbackends: {}\n"));
    assert!(told.code == Some(1) && told.out.matches(&failed).count() == 2, "{told:?}");
    assert!(line(&told.out, "mcp", session.pid()).contains(&hash(POLICY)), "the old one goes on");

    session.call("list_tasks", serde_json::json!({})).await.result();
    session.close().await;
    let told = home.run(&["check", "--running"], b"").await;
    assert!(told.out.contains("  serve ") && !told.out.contains("  mcp "), "{}", told.out);
}
