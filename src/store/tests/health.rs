//! The hint of which models were open: the newest word counts.

use super::*;

#[tokio::test]
async fn an_open_model_is_remembered_until_it_closes_also_when_its_time_is_over() {
    let fixture = Fixture::new().await;
    let (small, big) = ("small".into(), "big".into());
    fixture.store.keep_health(&small, Some(moment(10)), moment(0)).await.unwrap();
    fixture.store.keep_health(&big, Some(moment(2)), moment(1)).await.unwrap();
    let fixture = fixture.reopen().await;
    assert_eq!(fixture.store.open_models().await.unwrap(), [(big.clone(), moment(2)), (small.clone(), moment(10))]);
    fixture.store.keep_health(&small, None, moment(5)).await.unwrap();
    assert_eq!(fixture.store.open_models().await.unwrap(), [(big, moment(2))]);
}

#[tokio::test]
async fn a_word_that_comes_late_changes_nothing() {
    let fixture = Fixture::new().await;
    let small = "small".into();
    fixture.store.keep_health(&small, None, moment(5)).await.unwrap();
    fixture.store.keep_health(&small, Some(moment(10)), moment(4)).await.unwrap();
    assert_eq!(fixture.store.open_models().await.unwrap(), []);
}

#[tokio::test]
async fn a_database_from_before_gets_the_table_and_keeps_its_tasks() {
    let fixture = Fixture::of_version(1, OLD_TASK).await;
    assert_eq!(fixture.store.task(TaskId(1)).await.unwrap().title, "Review the budget");
    assert_eq!(fixture.store.open_models().await.unwrap(), []);
}
