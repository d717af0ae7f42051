//! Tasks that name tasks: unknown ids, circles, and themselves.

use super::*;
use crate::error::{Error, Kind};

async fn refused(kept: &Fixture, id: u32, patch: Patch) -> Error {
    let before = kept.store.task(TaskId(id)).await.unwrap();
    let error = kept.store.update_task(TaskId(id), &patch, None, at(1)).await.unwrap_err();
    assert_eq!(kept.store.task(TaskId(id)).await.unwrap(), before);
    assert_eq!(kept.store.history(TaskId(id)).await.unwrap().len() as u64, before.version);
    error
}

fn needs(numbers: &[u32]) -> Patch {
    Patch { depends_on: Some(ids(numbers)), ..Patch::default() }
}

fn under(parent: u32) -> Patch {
    Patch { parent_id: Some(TaskId(parent)), ..Patch::default() }
}

#[tokio::test]
async fn unknown_and_deleted_ids_are_named() {
    let kept = Fixture::new().await;
    kept.create_many(2).await;
    kept.store.delete_task(TaskId(2), at(1)).await.unwrap();
    let error = refused(&kept, 1, needs(&[2, 99])).await;
    assert_eq!(error.kind, Kind::NotFound);
    assert_eq!(error.message, "`depends_on` names TASK-0002, TASK-0099, which do not exist");
    assert!(error.hint.is_some());
    let error = refused(&kept, 1, under(2)).await;
    assert_eq!(error.message, "`parent_id` names TASK-0002, which does not exist");
    let created = Draft { parent_id: Some(TaskId(5)), ..draft("Child") };
    let error = kept.store.create_task(&created, None, at(1)).await.unwrap_err();
    assert_eq!((error.kind, kept.store.tasks().await.unwrap().len()), (Kind::NotFound, 1));
}

#[tokio::test]
async fn a_circle_of_dependencies_is_refused_and_told() {
    let kept = Fixture::new().await;
    kept.create_many(4).await;
    kept.update(2, needs(&[1])).await;
    kept.update(3, needs(&[2, 4])).await;
    let error = refused(&kept, 1, needs(&[2])).await;
    assert_eq!(error.kind, Kind::BadRequest);
    assert_eq!(error.message, "`depends_on` would form a cycle: TASK-0001 -> TASK-0002 -> TASK-0001");
    let error = refused(&kept, 1, needs(&[3, 4])).await;
    assert_eq!(error.message, "`depends_on` would form a cycle: TASK-0001 -> TASK-0003 -> TASK-0002 -> TASK-0001");
    // A diamond is no circle.
    kept.update(4, needs(&[1, 2])).await;
}

#[tokio::test]
async fn a_circle_of_parents_is_refused_and_told() {
    let kept = Fixture::new().await;
    kept.create_many(3).await;
    kept.update(2, under(1)).await;
    kept.update(3, under(2)).await;
    let error = refused(&kept, 1, under(3)).await;
    assert_eq!(error.message, "`parent_id` would form a cycle: TASK-0001 -> TASK-0003 -> TASK-0002 -> TASK-0001");
    // The other kind of link may run the other way.
    kept.update(1, needs(&[3])).await;
}

#[tokio::test]
async fn a_task_does_not_name_itself() {
    let kept = Fixture::new().await;
    kept.create_many(1).await;
    for patch in [needs(&[1]), under(1)] {
        let error = refused(&kept, 1, patch).await;
        assert_eq!(error.kind, Kind::BadRequest);
        assert!(error.message.contains("names TASK-0001 itself"), "{}", error.message);
    }
}

#[tokio::test]
async fn a_chain_of_a_thousand_is_walked_to_its_end() {
    let kept = Fixture::new().await;
    kept.create_many(1).await;
    for id in 2..=1_000 {
        kept.create(Draft { depends_on: ids(&[id - 1]), parent_id: Some(TaskId(id - 1)), ..draft("Link") }).await;
    }
    let error = refused(&kept, 1, needs(&[1_000])).await;
    assert!(error.message.len() < 300 && error.message.contains("more"), "{}", error.message);
    let error = refused(&kept, 1, under(1_000)).await;
    assert!(error.message.contains("TASK-1000"), "{}", error.message);
}
