//! Reading and changing one task stays quick among many. The bounds are wide, and the quickest of many rounds counts:
//! they catch a missing index or a file sync on every write, not a slow or busy machine.

use std::time::{Duration, Instant};

use jiff::civil::date;

use super::*;
use crate::tasks::{Query, Sort};

const ROUNDS: u32 = 100;

#[tokio::test]
async fn one_change_among_many_tasks_takes_a_few_milliseconds() {
    let kept = Fixture::new().await;
    fill(&kept, 5_000).await;
    let mut quickest = Duration::MAX;
    for n in 1..=ROUNDS {
        let begun = Instant::now();
        let created = kept.create(Draft { tags: vec!["t".into()], depends_on: ids(&[n]), ..draft("Quick") }).await;
        kept.update(created.id.0, Patch { priority: Some(Priority::High), ..Patch::default() }).await;
        kept.store.task(created.id).await.unwrap();
        quickest = quickest.min(begun.elapsed() / 3);
    }
    assert!(quickest < Duration::from_millis(5), "{quickest:?} for each of create, update, get");

    for sort in Sort::ALL.iter().copied() {
        let query = Query { ready: Some(true), sort, limit: 100, ..Query::default() };
        let mut quickest = Duration::MAX;
        for _ in 0..5 {
            let begun = Instant::now();
            assert_eq!(kept.store.list_tasks(&query, date(2026, 11, 23)).await.unwrap().tasks.len(), 100);
            quickest = quickest.min(begun.elapsed());
        }
        assert!(quickest < Duration::from_millis(200), "{quickest:?} for a page of 100 by {sort:?}");
    }
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
