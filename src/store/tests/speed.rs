//! Reading and changing one task stays quick among many. The bounds are wide: they catch a missing index or a file
//! sync on every write, not a slow machine.

use std::time::{Duration, Instant};

use jiff::civil::date;

use super::*;
use crate::tasks::{Query, Sort};

const ROUNDS: u32 = 100;

#[tokio::test]
async fn one_change_among_many_tasks_takes_a_few_milliseconds() {
    let kept = Fixture::new().await;
    fill(&kept, 5_000).await;
    let begun = Instant::now();
    for n in 1..=ROUNDS {
        let created = kept.create(Draft { tags: vec!["t".into()], depends_on: ids(&[n]), ..draft("Quick") }).await;
        kept.update(created.id.0, Patch { priority: Some(Priority::High), ..Patch::default() }).await;
        kept.store.task(created.id).await.unwrap();
    }
    let each = begun.elapsed() / (3 * ROUNDS);
    assert!(each < Duration::from_millis(5), "{each:?} for each of create, update, get");

    let begun = Instant::now();
    for sort in Sort::ALL.iter().copied() {
        let query = Query { ready: Some(true), sort, limit: 100, ..Query::default() };
        assert_eq!(kept.store.list_tasks(&query, date(2026, 11, 23)).await.unwrap().tasks.len(), 100);
    }
    let each = begun.elapsed() / 4;
    assert!(each < Duration::from_millis(200), "{each:?} for a page of 100");
}

/// Written in one statement: the tests' time is for what they measure.
async fn fill(kept: &Fixture, number: u32) {
    let mut write = kept.store.write().await.unwrap();
    sqlx::query(
        "WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < ?1) \
         INSERT INTO tasks (id, title, priority, status, created_at, updated_at, version) \
         SELECT id, 'Task ' || id, 'normal', 'pending', ?2, ?2, 1 FROM n",
    )
    .bind(number)
    .bind(format!("{:.9}", moment(0)))
    .execute(&mut *write)
    .await
    .unwrap();
    sqlx::query("UPDATE counters SET value = ?").bind(number).execute(&mut *write).await.unwrap();
    write.commit().await.unwrap();
}
