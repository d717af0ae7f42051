//! Many at once: stores on one file stand for processes, because each has its own connections and locks.

use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::error::Kind;
use crate::store::IdempotencyKey;

#[tokio::test(flavor = "multi_thread")]
async fn many_may_open_a_new_database_at_the_same_moment() {
    for _ in 0..5 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new").join("taskgate.db");
        let opening: Vec<_> = (0..8)
            .map(|n| {
                let path = path.clone();
                tokio::spawn(async move {
                    let store = Store::open(&path).await.unwrap();
                    store.create_task(&draft(&format!("From {n}")), None, at(0)).await.unwrap().task.id
                })
            })
            .collect();
        let mut found = BTreeSet::new();
        for opened in opening {
            found.insert(opened.await.unwrap().0);
        }
        assert_eq!(found, (1..=8).collect());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_write_in_parallel_without_losing_or_repeating_anything() {
    let kept = Fixture::new().await;
    let shared = kept.create(draft("Shared")).await.id;
    let other = Store::open(&kept.path()).await.unwrap();
    let writers: Vec<_> = [kept.store.clone(), other.clone()]
        .into_iter()
        .flat_map(|store| (0..4).map(move |lane| (store.clone(), lane)))
        .map(|(store, lane)| tokio::spawn(async move { write_fifty(&store, shared, lane).await }))
        .collect();
    let mut created = BTreeSet::new();
    for writer in writers {
        created.extend(writer.await.unwrap());
    }
    assert_eq!(created, (2..=201).collect(), "unique and without gaps");
    let tasks = other.tasks().await.unwrap();
    assert_eq!(tasks.len(), 201);
    assert_eq!(tasks[0].version, 1 + 200);
    assert_eq!(kept.store.history(shared).await.unwrap().len(), 201);
    let report: String = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&kept.store.reader).await.unwrap();
    assert_eq!(report, "ok");
}

/// 25 new tasks, each followed by a change to the task that all share.
async fn write_fifty(store: &Store, shared: TaskId, lane: i64) -> Vec<u32> {
    let mut created = Vec::new();
    for n in 0..25 {
        let title = format!("Lane {lane}, {n}");
        created.push(store.create_task(&draft(&title), None, at(n)).await.unwrap().task.id.0);
        let patch = Patch { title: Some(format!("{title}, {}", created[created.len() - 1])), ..Patch::default() };
        store.update_task(shared, &patch, None, at(n)).await.unwrap();
    }
    created
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_calls_with_one_key_one_makes_the_task() {
    let kept = Fixture::new().await;
    let other = Store::open(&kept.path()).await.unwrap();
    let calls: Vec<_> = (0..10)
        .map(|n| {
            let store = if n % 2 == 0 { kept.store.clone() } else { other.clone() };
            let key = IdempotencyKey { key: "k".into(), body: "b".into() };
            tokio::spawn(async move { store.create_task(&draft("One"), Some(&key), at(0)).await.unwrap() })
        })
        .collect();
    let mut made = 0;
    for call in calls {
        let created = call.await.unwrap();
        assert_eq!(created.task.id, TaskId(1));
        made += u32::from(!created.repeated);
    }
    assert_eq!((made, kept.store.tasks().await.unwrap().len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_saw_the_same_version_one_is_told() {
    let kept = Fixture::new().await;
    kept.create_many(1).await;
    let other = Store::open(&kept.path()).await.unwrap();
    let patch = |title: &str| Patch { title: Some(title.to_owned()), ..Patch::default() };
    let (first, second) = (patch("First"), patch("Second"));
    let (one, two) = tokio::join!(
        kept.store.update_task(TaskId(1), &first, Some(1), at(1)),
        other.update_task(TaskId(1), &second, Some(1), at(1)),
    );
    let lost = if one.is_ok() { two } else { one };
    assert_eq!(lost.unwrap_err().kind, Kind::Conflict);
    assert_eq!(kept.store.task(TaskId(1)).await.unwrap().version, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_dropped_halfway_leaves_nothing_and_blocks_nobody() {
    let kept = Fixture::new().await;
    let other = Store::open(&kept.path()).await.unwrap();
    for n in 0..200_u64 {
        let store = kept.store.clone();
        let call = tokio::spawn(async move {
            let draft = Draft { tags: vec!["a".into()], ..draft("Dropped") };
            store.create_task(&draft, None, at(0)).await.unwrap();
        });
        tokio::time::sleep(Duration::from_micros(n * 7 % 900)).await;
        call.abort();
        let _ = call.await;
    }
    // The connection does things in their order: when it begins this, it has ended the last call, one way or the other.
    drop(kept.store.write().await.unwrap());
    let before = other.tasks().await.unwrap();
    assert!(before.iter().all(|task| task.tags == ["a"]), "a half of a task");
    let id = other.create_task(&draft("After"), None, at(0)).await.unwrap().task.id;
    assert_eq!(id.0 as usize, before.len() + 1);
    assert_eq!(kept.create(draft("After")).await.id.0, id.0 + 1);
}
