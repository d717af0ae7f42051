//! Two processes on one database, each sending as fast as it can: nothing is lost, nothing is locked, no id comes twice.

use std::collections::{BTreeSet, VecDeque};

use serde_json::{Value, json};

use crate::binary::{Home, Session};

/// Creates and updates of each process.
const EACH: usize = 500;

/// Calls of each process that are under way at once: enough that both always want to write, and few enough that the last
/// one comes to its turn also where each write takes long.
const AT_ONCE: usize = 100;

/// Sends as fast as it is allowed to and reads the results in the order of asking.
async fn all(session: &mut Session, tool: &str, mut calls: impl Iterator<Item = Value>) -> Vec<Value> {
    let (mut under_way, mut results) = (VecDeque::new(), Vec::new());
    loop {
        while under_way.len() < AT_ONCE
            && let Some(arguments) = calls.next()
        {
            under_way.push_back(session.ask(tool, arguments).await);
        }
        let Some(id) = under_way.pop_front() else { return results };
        let response = session.response(id).await;
        let result = &response["result"];
        assert!(result["isError"] != true && result["structuredContent"].is_object(), "{tool}: {response}");
        results.push(result["structuredContent"].clone());
    }
}

async fn creates(session: &mut Session, who: &str) -> Vec<Value> {
    let drafts = (0..EACH).map(|n| json!({"title": format!("{who} {n}"), "tags": [who], "assignee": who}));
    let created = all(session, "create_task", drafts).await;
    created.into_iter().map(|created| created["task"].clone()).collect()
}

/// Every task of the other process gets a description that says who wrote it.
async fn updates(session: &mut Session, who: &str, tasks: &[Value]) {
    let patches = tasks.iter().map(|task| json!({"task_id": task["id"], "description": note(who, task)}));
    for updated in all(session, "update_task", patches).await {
        assert_eq!(updated["task"]["version"], 2, "{updated}");
    }
}

fn note(who: &str, task: &Value) -> String {
    format!("{who} was here: {}", task["title"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_that_hammer_one_database_lose_nothing() {
    let home = Home::new().with("TASKGATE_LOG", "warn");
    let mut ann = Session::open(home.command(&["mcp"]), &home.path("ann.log")).await;
    let mut bob = Session::open(home.command(&["mcp"]), &home.path("bob.log")).await;
    let (anns, bobs) = tokio::join!(creates(&mut ann, "ann"), creates(&mut bob, "bob"));
    tokio::join!(updates(&mut ann, "ann", &bobs), updates(&mut bob, "bob", &anns));

    let of_both = || anns.iter().chain(&bobs);
    let ids: BTreeSet<&str> = of_both().map(|task| task["id"].as_str().unwrap()).collect();
    let expected: BTreeSet<String> = (1..=2 * EACH).map(|n| format!("TASK-{n:04}")).collect();
    assert!(ids.iter().copied().eq(expected.iter().map(String::as_str)), "ids are unique and without gaps");
    for ended in [ann.close().await, bob.close().await] {
        assert_eq!(ended.code, Some(0));
        let trouble = ["locked", "busy", "\"ERROR\""].into_iter().find(|word| ended.err.contains(word));
        assert_eq!(trouble, None, "{}", ended.err);
    }

    let ledger = home.ledger().await;
    let number = |task: &Value| task["id"].as_str().unwrap().trim_start_matches("TASK-").parse::<i64>().unwrap();
    let title = |task: &Value| task["title"].as_str().unwrap().to_owned();
    let as_answered = [("bob", &anns), ("ann", &bobs)].into_iter().flat_map(|(other, tasks)| {
        tasks.iter().map(move |task| (format!("{} / {}", title(task), note(other, task)), number(task)))
    });
    let mut as_answered: Vec<(String, i64)> = as_answered.collect();
    as_answered.sort_unstable_by_key(|(_, id)| *id);
    let stored = ledger.numbers("SELECT title || ' / ' || description, id FROM tasks ORDER BY id").await;
    assert!(stored == as_answered, "what is stored is what was answered, with every update");
    let histories = ledger
        .numbers(
            "SELECT history, count(*) FROM (SELECT group_concat(what || ' ' || json_extract(\"after\", '$.version')) \
             AS history FROM (SELECT * FROM task_events ORDER BY seq) GROUP BY task) GROUP BY 1",
        )
        .await;
    assert_eq!(histories, [("created 1,updated 2".to_owned(), 2 * i64::try_from(EACH).unwrap())]);
    let rows = ledger.numbers("SELECT tool || ' ' || status, count(*) FROM requests GROUP BY 1 ORDER BY 1").await;
    let each = i64::try_from(2 * EACH).unwrap();
    assert_eq!(rows, [("create_task ok".to_owned(), each), ("update_task ok".to_owned(), each)]);
    assert_eq!(ledger.number("SELECT count(*) FROM task_events").await, 2 * each);
}
