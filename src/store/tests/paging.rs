//! The list against a plain filter over all tasks: the same records, in the same order, on pages of any size.

use std::collections::BTreeSet;

use jiff::civil::{Date, date};
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::error::Kind;
use crate::tasks::{Cursor, Query, Sort, Status};

const TODAY: Date = date(2026, 11, 23);

#[derive(Debug, Clone)]
struct Seed {
    draft: Draft,
    status: Status,
    minute: i64,
    deleted: bool,
}

fn day() -> impl Strategy<Value = Date> {
    (0_i8..5).prop_map(|n| date(2026, 11, 21 + n))
}

fn maybe_name(names: &'static [&'static str]) -> impl Strategy<Value = Option<String>> {
    proptest::option::of(select(names).prop_map(str::to_owned))
}

/// Tasks depend on earlier ones only: the numbers are taken as steps back.
fn seed() -> impl Strategy<Value = Seed> {
    let fields = (
        select(Priority::ALL),
        proptest::option::of(day()),
        maybe_name(&["Änne", "änne", "Bo"]),
        maybe_name(&["Budget", "Launch"]),
        proptest::collection::btree_set(select(&["red", "green"][..]), 0..3),
        proptest::collection::btree_set(1_u32..9, 0..3),
    );
    (fields, select(Status::ALL), 0_i64..4, proptest::bool::weighted(0.1)).prop_map(
        |((priority, due_date, assignee, project, tags, depends_on), status, minute, deleted)| {
            let tags = tags.into_iter().map(str::to_owned).collect();
            let depends_on = depends_on.into_iter().map(TaskId).collect();
            let draft = Draft { priority, due_date, assignee, project, tags, depends_on, ..draft("Seed") };
            Seed { draft, status, minute, deleted }
        },
    )
}

fn query() -> impl Strategy<Value = Query> {
    let words = (
        proptest::option::weighted(0.3, select(Status::ALL)),
        proptest::option::weighted(0.3, select(Priority::ALL)),
        maybe_name(&["ÄNNE", "bo", "nobody"]).prop_filter_map("rarely", |name| Some(name.filter(|n| n != "nobody"))),
        proptest::option::weighted(0.2, select(&["Budget", "Launch"][..]).prop_map(str::to_owned)),
        proptest::option::weighted(0.2, select(&["red", "green"][..]).prop_map(str::to_owned)),
    );
    let facts = (
        proptest::option::weighted(0.3, any::<bool>()),
        proptest::option::weighted(0.4, any::<bool>()),
        proptest::option::weighted(0.3, any::<bool>()),
        proptest::option::weighted(0.2, day()),
        proptest::option::weighted(0.2, day()),
        select(Sort::ALL),
        1_u32..8,
    );
    (words, facts).prop_map(|((status, priority, assignee, project, tag), facts)| {
        let (is_open, ready, overdue, due_before, due_after, sort, limit) = facts;
        Query {
            status,
            priority,
            assignee,
            project,
            tag,
            open: is_open,
            ready,
            overdue,
            due_before,
            due_after,
            sort,
            limit,
            after: None,
        }
    })
}

async fn plant(kept: &Fixture, seeds: &[Seed]) {
    for (before, seed) in (0_u32..).zip(seeds) {
        let mut draft = seed.draft.clone();
        draft.depends_on =
            draft.depends_on.iter().filter(|back| back.0 <= before).map(|back| TaskId(before + 1 - back.0)).collect();
        let id = kept.create(draft).await.id;
        let patch = Patch { status: Some(seed.status), title: Some("Grown".into()), ..Patch::default() };
        kept.store.update_task(id, &patch, None, at(seed.minute)).await.unwrap();
    }
    for (id, seed) in (1..).zip(seeds) {
        if seed.deleted {
            kept.store.delete_task(TaskId(id), at(2)).await.unwrap();
        }
    }
}

/// The meaning of a query, written a second time.
fn expected(tasks: &[Task], query: &Query) -> Vec<Task> {
    let open = |task: &Task| matches!(task.status, Status::Pending | Status::InProgress);
    let waits = |task: &Task| task.depends_on.iter().any(|id| tasks.iter().any(|it| it.id == *id && open(it)));
    let overdue = |task: &Task| open(task) && task.due_date.is_some_and(|day| day < TODAY);
    let same_person =
        |task: &Task, name: &str| task.assignee.as_deref().is_some_and(|it| it.to_lowercase() == name.to_lowercase());
    let mut found: Vec<Task> = tasks
        .iter()
        .filter(|task| query.status.is_none_or(|it| it == task.status))
        .filter(|task| query.priority.is_none_or(|it| it == task.priority))
        .filter(|task| query.assignee.as_deref().is_none_or(|it| same_person(task, it)))
        .filter(|task| query.project.is_none() || query.project == task.project)
        .filter(|task| query.tag.as_ref().is_none_or(|it| task.tags.contains(it)))
        .filter(|task| query.open.is_none_or(|it| it == open(task)))
        .filter(|task| query.ready.is_none_or(|it| it == (open(task) && !waits(task))))
        .filter(|task| query.overdue.is_none_or(|it| it == overdue(task)))
        .filter(|task| query.due_before.is_none_or(|it| task.due_date.is_some_and(|day| day <= it)))
        .filter(|task| query.due_after.is_none_or(|it| task.due_date.is_some_and(|day| day >= it)))
        .cloned()
        .collect();
    let urgency = |task: &Task| Priority::ALL.iter().rev().position(|it| *it == task.priority);
    match query.sort {
        Sort::Id => found.sort_by_key(|task| task.id),
        Sort::DueDate => found.sort_by_key(|task| (task.due_date.is_none(), task.due_date, task.id)),
        Sort::Priority => found.sort_by_key(|task| (urgency(task), task.id)),
        Sort::UpdatedAt => found.sort_by_key(|task| (std::cmp::Reverse(task.updated_at), task.id)),
    }
    found
}

/// All pages after one another; every page must tell the same count.
async fn pages(store: &Store, query: &Query, count: usize) -> Vec<Task> {
    let mut query = query.clone();
    let mut found = Vec::new();
    loop {
        let page = store.list_tasks(&query, TODAY).await.unwrap();
        assert_eq!(page.count as usize, count);
        assert!(page.tasks.len() <= query.limit as usize);
        assert!(page.next.is_none() || page.tasks.len() == query.limit as usize, "only the last page is short");
        found.extend(page.tasks);
        assert!(found.len() <= count, "a page repeats records");
        match page.next {
            Some(next) => query.after = Some(next),
            None => return found,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn pages_are_the_plain_filter_cut_in_pieces(
        seeds in proptest::collection::vec(seed(), 0..30),
        queries in proptest::collection::vec(query(), 12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let kept = Fixture::new().await;
            plant(&kept, &seeds).await;
            let tasks = kept.store.tasks().await.unwrap();
            for query in &queries {
                let expected = expected(&tasks, query);
                let found = pages(&kept.store, query, expected.len()).await;
                assert_eq!(found, expected, "{query:?}");
            }
        });
    }
}

#[tokio::test]
async fn what_stays_is_shown_once_though_others_come_and_go_between_pages() {
    for sort in [Sort::Id, Sort::DueDate, Sort::Priority] {
        let kept = Fixture::new().await;
        for n in 1..=20_u32 {
            let due_date = (n % 3 > 0).then(|| date(2026, 11, 20 + i8::try_from(n % 5).unwrap()));
            let priority = Priority::ALL[n as usize % 4];
            kept.create(Draft { due_date, priority, ..draft("Stays") }).await;
        }
        let mut query = Query { sort, limit: 3, ..Query::default() };
        let mut shown = Vec::new();
        loop {
            let page = kept.store.list_tasks(&query, TODAY).await.unwrap();
            shown.extend(page.tasks.iter().map(|task| task.id.0));
            assert!(shown.len() <= 40, "{sort:?}: the list does not end");
            let Some(next) = page.next else { break };
            // The record that the cursor stands on goes away, and a new one comes.
            kept.store.delete_task(next.id, at(1)).await.unwrap();
            kept.create(Draft { priority: Priority::Urgent, ..draft("Comes") }).await;
            query.after = Some(next);
        }
        let once: BTreeSet<u32> = shown.iter().copied().collect();
        assert_eq!(once.len(), shown.len(), "{sort:?}: a record was shown twice");
        assert!((1..=20).all(|id| once.contains(&id)), "{sort:?}: a record was hidden");
    }
}

#[tokio::test]
async fn a_cursor_of_another_list_is_refused() {
    let kept = Fixture::new().await;
    kept.create_many(1).await;
    let cursor = |sort, key: &str| Some(Cursor { sort, key: key.to_owned(), id: TaskId(1) });
    for after in [cursor(Sort::DueDate, "~"), cursor(Sort::Priority, "loud")] {
        let query = Query { sort: Sort::Priority, after, ..Query::default() };
        assert_eq!(kept.store.list_tasks(&query, TODAY).await.unwrap_err().kind, Kind::BadRequest);
    }
}

#[tokio::test]
async fn names_with_signs_of_sql_are_only_names() {
    let kept = Fixture::new().await;
    let odd = "x' OR '1'='1";
    kept.create(Draft { project: Some(odd.into()), ..draft("Odd") }).await;
    kept.create_many(2).await;
    let query = Query { project: Some(odd.into()), ..Query::default() };
    assert_eq!(kept.store.list_tasks(&query, TODAY).await.unwrap().count, 1);
}
