//! A database that cannot be made, read or written: told with what to do, never half a change, and the process lives on.

use std::fs;
use std::process::Stdio;

use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use sqlx::{Connection, SqliteConnection};
use tokio::process::Command;

use super::first_task;
use crate::binary::{Ended, Home, Session, until};
use crate::ledger::Ledger;

/// It ended without a word on standard output, and said this on standard error.
#[track_caller]
fn did_not_start(ended: &Ended, parts: &[&str]) {
    assert_eq!((ended.code, ended.out.as_str()), (Some(1), ""), "{ended:?}");
    let missing: Vec<_> = parts.iter().filter(|part| !ended.err.contains(**part)).collect();
    assert!(missing.is_empty(), "{missing:?} are missing in: {}", ended.err);
}

#[tokio::test]
async fn a_directory_in_the_place_of_the_database() {
    let home = Home::new();
    fs::create_dir(home.database()).unwrap();
    fs::write(home.database().join("precious"), "x").unwrap();
    let path = home.database().display().to_string();
    for arguments in [&["mcp"][..], &["call", "list_tasks"], &["serve"]] {
        did_not_start(&home.run(arguments, b"").await, &["The database path is a folder", "Name a file in it", &path]);
    }
    assert_eq!(fs::read(home.database().join("precious")).unwrap(), b"x");
    // The next start, with a better path, works.
    let home = home.with("TASKGATE_DATABASE_URL", format!("{path}/taskgate.db"));
    assert_eq!(home.run(&["call", "list_tasks"], b"").await.json()["count"], 0);
}

#[tokio::test]
async fn a_file_in_the_place_of_its_folder() {
    let home = Home::new();
    fs::write(home.path("notes"), "x").unwrap();
    let path = home.path("notes").join("taskgate.db").display().to_string();
    let home = home.with("TASKGATE_DATABASE_URL", path.clone());
    did_not_start(&home.run(&["mcp"], b"").await, &["The folder of the database could not be created", &path]);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_left_as_it_is() {
    let home = Home::new();
    let text = "Dear diary, today I wrote nothing of note. ".repeat(200);
    fs::write(home.database(), &text).unwrap();
    let path = home.database().display().to_string();
    let parts = ["damaged, or is not a database", "Restore a backup", "--database", path.as_str()];
    did_not_start(&home.run(&["mcp"], b"").await, &parts);
    assert_eq!(fs::read_to_string(home.database()).unwrap(), text);
}

/// Overwrites the pages of these tables with noise, in a database that nobody has open.
async fn damage(home: &Home, table: &str) {
    let options = SqliteConnectOptions::new().filename(home.database());
    let pool = SqlitePool::connect_with(options).await.unwrap();
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&pool).await.unwrap();
    let size: i64 = sqlx::query_scalar("PRAGMA page_size").fetch_one(&pool).await.unwrap();
    let page: i64 = sqlx::query_scalar("SELECT rootpage FROM sqlite_schema WHERE name = ?")
        .bind(table)
        .fetch_one(&pool)
        .await
        .unwrap();
    pool.close().await;
    let mut bytes = fs::read(home.database()).unwrap();
    let (page, size) = (usize::try_from(page).unwrap(), usize::try_from(size).unwrap());
    bytes[(page - 1) * size..page * size].fill(0xA5);
    fs::write(home.database(), bytes).unwrap();
}

#[tokio::test]
async fn a_corrupt_page_fails_the_change_whole_and_the_rest_still_works() {
    let home = Home::new();
    let mut session = home.mcp().await;
    let task = first_task(&mut session).await;
    assert_eq!(session.close().await.code, Some(0));
    damage(&home, "task_events").await;

    let mut session = home.mcp().await;
    let refusal = session.call("create_task", json!({"title": "Lost?"})).await.refusal();
    assert_eq!(refusal.error, "The database file is damaged, or is not a database");
    assert!(refusal.hint.contains("Restore a backup"), "{refusal:?}");
    assert!(!refusal.text.contains("INSERT") && !refusal.text.contains("task_events"), "{refusal:?}");
    let listed = session.call("list_tasks", json!({"detail": "full"})).await.result();
    assert_eq!((&listed["count"], &listed["tasks"][0]["id"]), (&json!(1), &task["id"]));
    assert_eq!(session.call("analyze_workload", json!({})).await.result()["status"], "degraded");
    let ledger = home.ledger().await;
    let rows = ledger.numbers("SELECT tool || ' ' || status, count(*) FROM requests GROUP BY 1 ORDER BY 1").await;
    let expected =
        [("analyze_workload degraded", 1), ("create_task failed", 1), ("create_task ok", 1), ("list_tasks ok", 1)];
    assert_eq!(rows, expected.map(|(row, count)| (row.to_owned(), count)));
    assert_eq!(session.close().await.code, Some(0));
}

#[tokio::test]
async fn a_ledger_that_cannot_be_written_does_not_cost_the_answer() {
    let home = Home::new();
    let mut session = home.mcp().await;
    let task = first_task(&mut session).await;
    assert_eq!(session.close().await.code, Some(0));
    damage(&home, "requests").await;
    let mut session = home.mcp().await;
    assert_eq!(session.call("get_task", json!({"task_id": "TASK-0001"})).await.result()["task"], task);
    let second = session.call("create_task", json!({"title": "Kept"})).await.result();
    assert_eq!(second["task"]["id"], "TASK-0002");
    until("the loss to be told", || session.log().contains("could not be written to the ledger")).await;
    assert_eq!(session.close().await.code, Some(0));
}

/// Starts `taskgate mcp` on a disk of 2 MB, a quarter of it taken by a file `ballast`: in a mount namespace of its own where that is permitted, else under a
/// limit on the size of files, whose signal is ignored so that writing fails instead.
async fn on_a_small_disk(home: &Home) -> (Session, bool) {
    let disk = home.path("disk");
    fs::create_dir(&disk).unwrap();
    let program = env!("CARGO_BIN_EXE_taskgate");
    let mounted = r#"mount -t tmpfs -o size=2M tmpfs "$1" && head -c 524288 /dev/zero > "$1/ballast" && "#;
    let probe = Command::new("unshare")
        .args(["--mount", "--map-root-user", "sh", "-c", &format!("{mounted} true"), "sh"])
        .arg(&disk)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .await;
    let has_mount = probe.is_ok_and(|status| status.success());
    let (command, script) = match has_mount {
        true => (Command::new("unshare"), format!(r#"{mounted} exec "$2" mcp"#)),
        false => (Command::new("sh"), r#"trap "" XFSZ; ulimit -f 1500; exec "$2" mcp"#.to_owned()),
    };
    let namespace: &[&str] = if has_mount { &["--mount", "--map-root-user", "sh"] } else { &[] };
    let disk = disk.display().to_string();
    let arguments = [namespace, &["-c", &script, "sh", &disk, program]].concat();
    let command = home.dressed(command, &arguments);
    (Session::open(command, &home.path("mcp.log")).await, has_mount)
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk() {
    let home = Home::new();
    let database = home.path("disk").join("taskgate.db").display().to_string();
    let home = home.with("TASKGATE_DATABASE_URL", database).with("TASKGATE_LOG", "warn");
    let (mut session, has_mount) = on_a_small_disk(&home).await;
    let first = first_task(&mut session).await;
    let description = "x".repeat(10_000);
    let mut created: Vec<Value> = vec![first];
    let refusal = loop {
        assert!(created.len() < 2_000, "the disk never filled");
        let arguments = json!({"title": format!("Task {}", created.len()), "description": description});
        let id = session.ask("create_task", arguments).await;
        let response = session.response(id).await;
        if response["result"]["isError"] == true {
            break serde_json::from_str::<Value>(response["result"]["content"][0]["text"].as_str().unwrap()).unwrap();
        }
        created.push(response["result"]["structuredContent"]["task"].clone());
    };
    let (error, hint) = (refusal["error"].as_str().unwrap(), refusal["hint"].as_str().unwrap());
    match has_mount {
        true => assert_eq!((error, hint), ("The disk is full: nothing was saved", "Free some space, then try again.")),
        false => assert!(error.contains("The disk") && !hint.is_empty(), "{refusal}"),
    }
    // Everything that was answered is there, nothing else is, and reading goes on.
    for task in [&created[0], &created[created.len() - 1]] {
        assert_eq!(session.call("get_task", json!({"task_id": task["id"]})).await.result()["task"], *task);
    }
    assert_eq!(session.call("list_tasks", json!({"limit": 1})).await.result()["count"], created.len());
    assert_eq!(session.call("suggest_next_action", json!({})).await.result()["task_count"], created.len());
    if has_mount {
        // The way into the mount namespace of another process.
        let ballast = format!("/proc/{}/root{}", session.pid(), home.path("disk").join("ballast").display());
        fs::remove_file(ballast).unwrap();
        let saved = session.call("create_task", json!({"title": "Another", "description": description})).await.result();
        let number = created.len() + 1;
        assert_eq!(saved["task"]["id"], format!("TASK-{number:04}"), "no number was used up in vain");
    }
    assert_eq!(session.close().await.code, Some(0));
}

#[tokio::test]
async fn an_answer_does_not_wait_for_a_program_that_holds_the_database_and_its_row_follows() {
    let home = Home::new();
    let mut session = home.mcp().await;
    let task = first_task(&mut session).await;
    let options = SqliteConnectOptions::new().filename(home.database());
    let mut other = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    // It holds the database until the answer is there.
    assert_eq!(session.call("get_task", json!({"task_id": "TASK-0001"})).await.result()["task"], task);
    let ledger = Ledger::open(&home.database()).await;
    let rows = "SELECT count(*) FROM requests WHERE tool = 'get_task'";
    assert_eq!(ledger.number(rows).await, 0);
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    assert_eq!(session.close().await.code, Some(0));
    assert_eq!(ledger.number(rows).await, 1);
}
