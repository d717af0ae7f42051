//! What counts as a change and when it is over; and each way that files are changed, on a real disk.

use std::fs;

use super::*;

const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn a_change_is_over_when_it_is_quiet_or_has_gone_on_for_long() {
    let (start, milli) = (Instant::now(), Duration::from_millis(1));
    let mut quiet = Debounce::begun(start);
    assert_eq!(quiet.due(), start + QUIET);
    quiet.heard(start + 200 * milli);
    assert_eq!(quiet.due(), start + 500 * milli);
    for n in 0..40 {
        quiet.heard(start + 100 * n * milli);
    }
    assert_eq!(quiet.due(), start + LATEST);
}

#[test]
fn reading_and_what_else_happens_in_the_folder_are_no_change() {
    let names = BTreeSet::from([OsString::from("routing.yaml"), OsString::from("..data")]);
    let at = |kind, path: &str| Event::new(kind).add_path(PathBuf::from(path));
    let written = EventKind::Access(AccessKind::Close(AccessMode::Write));
    let read = EventKind::Access(AccessKind::Close(AccessMode::Read));
    let opened = EventKind::Access(AccessKind::Open(AccessMode::Any));
    let cases = [
        (at(written, "/etc/x/routing.yaml"), true),
        (at(EventKind::Any, "/elsewhere/routing.yaml"), true),
        (at(EventKind::Any, "/etc/x/..data"), true),
        (at(read, "/etc/x/routing.yaml"), false),
        (at(opened, "/etc/x/routing.yaml"), false),
        (at(EventKind::Any, "/etc/x/taskgate.db-wal"), false),
        (at(EventKind::Any, "/etc/x/.routing.yaml.swp"), false),
        (Event::new(EventKind::Any), true),
    ];
    for (event, expected) in cases {
        assert_eq!(concerns(&event, &names), expected, "{event:?}");
    }
}

/// The folder of a policy, and what is changed in it.
struct Disk {
    folder: tempfile::TempDir,
    watch: Watch,
}

impl Disk {
    fn new(prepare: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path());
        let mut watch = Watch::new();
        watch.over([folder.path().join("routing.yaml").as_path()], false);
        Self { folder, watch }
    }

    /// The change is told, once.
    async fn tells(&mut self, change: impl FnOnce(&Path)) {
        change(self.folder.path());
        tokio::time::timeout(PATIENCE, self.watch.changed()).await.expect("nobody told");
        self.watch.over([self.folder.path().join("routing.yaml").as_path()], false);
    }
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
}

#[tokio::test]
async fn every_way_to_save_a_file_is_told() {
    let mut disk = Disk::new(|folder| write(&folder.join("routing.yaml"), "one"));
    disk.tells(|folder| write(&folder.join("routing.yaml"), "two")).await;
    disk.tells(|folder| {
        write(&folder.join("new"), "three");
        fs::rename(folder.join("new"), folder.join("routing.yaml")).unwrap();
    })
    .await;
    disk.tells(|folder| fs::remove_file(folder.join("routing.yaml")).unwrap()).await;
    disk.tells(|folder| write(&folder.join("routing.yaml"), "four")).await;
}

#[tokio::test]
async fn a_file_that_appears_later_is_told() {
    let mut disk = Disk::new(|_| ());
    disk.tells(|folder| write(&folder.join("routing.yaml"), "one")).await;
}

#[cfg(unix)]
#[tokio::test]
async fn links_are_followed_wherever_they_lead_and_whichever_of_them_is_swapped() {
    use std::os::unix::fs::symlink;
    // As Kubernetes mounts a ConfigMap: routing.yaml -> ..data/routing.yaml, ..data -> ..1.
    let mut disk = Disk::new(|folder| {
        for (n, text) in [("..1", "one"), ("..2", "two")] {
            fs::create_dir(folder.join(n)).unwrap();
            write(&folder.join(n).join("routing.yaml"), text);
        }
        symlink("..1", folder.join("..data")).unwrap();
        symlink("..data/routing.yaml", folder.join("routing.yaml")).unwrap();
    });
    disk.tells(|folder| {
        symlink("..2", folder.join("..data_tmp")).unwrap();
        fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
        fs::remove_dir_all(folder.join("..1")).unwrap();
    })
    .await;
    disk.tells(|folder| write(&folder.join("..2").join("routing.yaml"), "three")).await;
}

#[tokio::test]
async fn a_folder_that_was_replaced_is_watched_when_it_is_looked_at_afresh() {
    let above = tempfile::tempdir().unwrap();
    let folder = above.path().join("taskgate");
    let file = folder.join("routing.yaml");
    fs::create_dir(&folder).unwrap();
    let mut watch = Watch::new();
    watch.over([file.as_path()], false);
    fs::remove_dir(&folder).unwrap();
    watch.over([file.as_path()], true);
    fs::create_dir(&folder).unwrap();
    watch.over([file.as_path()], false);
    write(&file, "one");
    tokio::time::timeout(PATIENCE, watch.changed()).await.expect("nobody told");
}
