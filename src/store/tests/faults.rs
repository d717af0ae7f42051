//! What goes wrong on disk: every failure has words and a next step, and leaves nothing half done.

use std::path::Path;

use super::*;
use crate::error::{Error, Kind};
use crate::tasks::Query;

async fn refused(path: &Path) -> Error {
    let error = Store::open(path).await.unwrap_err();
    assert_eq!(error.kind, Kind::Storage);
    let hint = error.hint.clone().unwrap();
    assert!(hint.contains(&path.display().to_string()), "{hint}");
    assert!(!error.message.contains('/'), "no path in `{}`", error.message);
    error
}

async fn run(kept: &Fixture, sql: &'static str) {
    let mut write = kept.store.write().await.unwrap();
    sqlx::raw_sql(sql).execute(&mut *write).await.unwrap();
    write.commit().await.unwrap();
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    let text = "Dear diary, ".repeat(1_000);
    std::fs::write(&path, &text).unwrap();
    let error = refused(&path).await;
    assert_eq!(error.message, "The database file is damaged, or is not a database");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[tokio::test]
async fn a_folder_or_a_file_in_the_way_is_named() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(refused(folder.path()).await.message, "The database path is a folder");
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    assert_eq!(refused(&file.join("taskgate.db")).await.message, "The folder of the database could not be created");
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let kept = Fixture::new().await;
    run(&kept, "PRAGMA user_version = 99").await;
    kept.store.close().await;
    let error = refused(&kept.path()).await;
    let told = "The database has schema version 99; this taskgate knows versions up to ";
    assert!(error.message.starts_with(told), "{}", error.message);
}

#[tokio::test]
async fn another_programs_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let other = sqlx::SqlitePool::connect_with(options).await.unwrap();
    sqlx::raw_sql("CREATE TABLE songs (title TEXT)").execute(&other).await.unwrap();
    other.close().await;
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(refused(&path).await.message, "The database belongs to another program");
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}

#[tokio::test]
async fn a_full_disk_fails_the_write_whole_and_the_next_one_works() {
    let kept = Fixture::new().await;
    let path = kept.folder.path().to_owned();
    kept.create_many(1).await;
    let full = "PRAGMA max_page_count = 1";
    sqlx::raw_sql(full).execute(&mut *kept.store.write().await.unwrap()).await.unwrap();
    let big = Draft { description: Some("x".repeat(200_000)), tags: vec!["t".into()], ..draft("Big") };
    let error = kept.store.create_task(&big, None, at(1)).await.unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (Kind::Storage, "The disk is full: nothing was saved"));
    assert!(!error.hint.unwrap().contains(&path.display().to_string()));
    assert_eq!(kept.store.tasks().await.unwrap().len(), 1);
    sqlx::raw_sql("PRAGMA max_page_count = 100000").execute(&mut *kept.store.write().await.unwrap()).await.unwrap();
    assert_eq!(kept.store.create_task(&big, None, at(1)).await.unwrap().task.id, TaskId(2));
}

#[tokio::test]
async fn a_transaction_that_sqlite_ended_by_itself_does_not_stop_the_next_one() {
    let kept = Fixture::new().await;
    let mut write = kept.store.write().await.unwrap();
    sqlx::raw_sql("ROLLBACK").execute(&mut *write).await.unwrap();
    drop(write);
    kept.create_many(3).await;
    for _ in 0..8 {
        let mut read = kept.store.read().await.unwrap();
        sqlx::raw_sql("ROLLBACK").execute(&mut *read).await.unwrap();
    }
    let listed = kept.store.list_tasks(&Query::default(), jiff::civil::date(2026, 11, 23)).await.unwrap();
    assert_eq!(listed.count, 3);
    assert_eq!(kept.store.tasks().await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_failure_halfway_undoes_the_whole_change() {
    let kept = Fixture::new().await;
    kept.create_many(2).await;
    let tagged = kept.update(2, Patch { depends_on: Some(ids(&[1])), ..Patch::default() }).await;
    run(&kept, "CREATE TRIGGER fail BEFORE INSERT ON task_events WHEN NEW.what = 'deleted' BEGIN SELECT raise(ABORT, 'x'); END").await;
    let error = kept.store.delete_task(TaskId(1), at(5)).await.unwrap_err();
    assert_eq!(error.kind, Kind::Storage);
    assert!(!error.message.contains("task_events") && !error.message.contains("INSERT"), "{}", error.message);
    assert_eq!(kept.store.task(TaskId(2)).await.unwrap(), tagged);
    assert_eq!(kept.store.history(TaskId(2)).await.unwrap().len(), 2);
    assert_eq!(kept.store.tasks().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_database_that_is_gone_does_not_answer() {
    let kept = Fixture::new().await;
    kept.store.ping().await.unwrap();
    run(&kept, "DROP TABLE counters").await;
    assert_eq!(kept.store.ping().await.unwrap_err().kind, Kind::Storage);
    kept.store.close().await;
    assert_eq!(kept.store.ping().await.unwrap_err().message, "The database is closed");
}

#[cfg(unix)]
#[tokio::test]
async fn new_folders_and_files_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a").join("b").join("taskgate.db");
    let store = Store::open(&path).await.unwrap();
    store.create_task(&draft("Private"), None, at(0)).await.unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder.path().join("a")), 0o700);
    assert_eq!(mode(&folder.path().join("a").join("b")), 0o700);
    for file in ["taskgate.db", "taskgate.db-wal", "taskgate.db-shm"] {
        assert_eq!(mode(&path.with_file_name(file)), 0o600, "{file}");
    }
}
