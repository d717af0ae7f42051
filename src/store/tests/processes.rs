//! Real processes on one file: this test binary runs itself again, as Claude Desktop starts each server twice.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::*;

/// Tells a child which database to write to. A child without it has nothing to do.
const DATABASE: &str = "TASKGATE_TEST_DATABASE";
const TASKS: &str = "TASKGATE_TEST_TASKS";

fn child(path: &Path, tasks: u32) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::tests::processes::as_a_child_create_tasks"])
        .env(DATABASE, path)
        .env(TASKS, tasks.to_string())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn as_a_child_create_tasks() {
    let Ok(path) = std::env::var(DATABASE) else { return };
    let tasks: u32 = std::env::var(TASKS).unwrap().parse().unwrap();
    let store = Store::open(Path::new(&path)).await.unwrap();
    for n in 0..tasks {
        let draft = Draft { tags: vec!["child".into()], ..draft(&format!("Task {n}")) };
        store.create_task(&draft, None, at(0)).await.unwrap();
    }
}

#[tokio::test]
async fn processes_share_a_new_database_from_its_first_moment() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("taskgate.db");
    let children: Vec<Child> = (0..4).map(|_| child(&path, 50)).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let tasks = Store::open(&path).await.unwrap().tasks().await.unwrap();
    let numbers: BTreeSet<u32> = tasks.iter().map(|task| task.id.0).collect();
    assert_eq!(numbers, (1..=200).collect());
}

#[tokio::test]
async fn a_process_that_is_killed_leaves_whole_tasks_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("taskgate.db");
    let store = Store::open(&path).await.unwrap();
    for _ in 0..3 {
        let before = store.tasks().await.unwrap().len();
        let mut child = child(&path, u32::MAX);
        let begun = Instant::now();
        while store.tasks().await.unwrap().len() < before + 20 {
            assert!(begun.elapsed() < Duration::from_secs(120), "the child writes nothing");
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let next = store.create_task(&Draft { tags: vec!["child".into()], ..draft("Next") }, None, at(1)).await;
        let tasks = store.tasks().await.unwrap();
        assert_eq!(next.unwrap().task.id.0 as usize, tasks.len(), "numbers without gaps");
        assert!(tasks.iter().all(|task| task.tags == ["child"]), "a half of a task");
        for task in tasks {
            assert_eq!(store.history(task.id).await.unwrap().len(), 1);
        }
    }
}
