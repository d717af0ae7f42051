//! Tells when the policy's files may have changed. It reads none of them: whoever is told looks, and compares.
//!
//! The folders are watched, not the files: an editor saves by renaming a new file over the old one, and Kubernetes swaps
//! a link above it; a watch on the file would keep looking at what is gone. Where no events come from (network shares,
//! a folder that is not there yet), the owner has to look from time to time.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio::time::Instant;

/// A save is several events, some of them before the new text is whole: it is over when nothing came for so long.
const QUIET: Duration = Duration::from_millis(300);
/// Where something always happens, it is looked at all the same.
const LATEST: Duration = Duration::from_secs(2);
/// As many links in a row as Linux follows.
const LINKS: usize = 40;

/// Watches over some files, also those that are not there yet.
pub struct Watch {
    told: Arc<Notify>,
    /// What the entries on the way to the files are called; everything else in their folders is no concern.
    names: Arc<RwLock<BTreeSet<OsString>>>,
    /// `None`: the system gives no events.
    watcher: Option<RecommendedWatcher>,
    folders: BTreeSet<PathBuf>,
}

impl Watch {
    pub fn new() -> Self {
        let (told, names) = (Arc::new(Notify::new()), Arc::new(RwLock::new(BTreeSet::new())));
        let (tell, known) = (told.clone(), names.clone());
        let heard = move |event: notify::Result<Event>| {
            // What went wrong may have been an event that was lost.
            let known = known.read().unwrap_or_else(PoisonError::into_inner);
            if event.is_ok_and(|event| !concerns(&event, &known)) {
                return;
            }
            tell.notify_one();
        };
        let watcher = notify::recommended_watcher(heard);
        if let Err(error) = &watcher {
            tracing::warn!("the policy's folder cannot be watched, so a change is seen later: {error}");
        }
        Self { told, names, watcher: watcher.ok(), folders: BTreeSet::new() }
    }

    /// From now on these files, wherever links lead to at this moment. `afresh`: a folder may have been replaced by
    /// another one of its name.
    pub fn over<'a>(&mut self, files: impl IntoIterator<Item = &'a Path>, afresh: bool) {
        let entries: BTreeSet<PathBuf> = files.into_iter().flat_map(entries).collect();
        let names = entries.iter().filter_map(|entry| entry.file_name().map(OsStr::to_owned)).collect();
        *self.names.write().unwrap_or_else(PoisonError::into_inner) = names;
        let folders: BTreeSet<PathBuf> = entries.iter().filter_map(|entry| entry.parent()).map(folder).collect();
        let Some(watcher) = &mut self.watcher else { return };
        for gone in self.folders.iter().filter(|known| afresh || !folders.contains(*known)) {
            // It may be gone from the disk too, and its watch with it.
            let _ = watcher.unwatch(gone);
        }
        self.folders.retain(|known| !afresh && folders.contains(known));
        for new in folders {
            if !self.folders.contains(&new) && watcher.watch(&new, RecursiveMode::NonRecursive).is_ok() {
                self.folders.insert(new);
            }
        }
    }

    /// Comes back when something has changed and is quiet again.
    pub async fn changed(&self) {
        self.told.notified().await;
        let mut quiet = Debounce::begun(Instant::now());
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(quiet.due()) => return,
                () = self.told.notified() => quiet.heard(Instant::now()),
            }
        }
    }
}

impl Default for Watch {
    fn default() -> Self {
        Self::new()
    }
}

/// When several events are one change.
#[derive(Debug, Clone, Copy)]
struct Debounce {
    first: Instant,
    last: Instant,
}

impl Debounce {
    fn begun(now: Instant) -> Self {
        Self { first: now, last: now }
    }

    fn heard(&mut self, now: Instant) {
        self.last = now;
    }

    fn due(self) -> Instant {
        (self.last + QUIET).min(self.first + LATEST)
    }
}

/// Reading a file is an event too, our own reading included.
fn concerns(event: &Event, names: &BTreeSet<OsString>) -> bool {
    match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => {}
        EventKind::Access(_) => return false,
        _ => {}
    }
    let is_ours = |path: &PathBuf| path.file_name().is_some_and(|name| names.contains(name));
    // An event of no path is one of any.
    event.need_rescan() || event.paths.is_empty() || event.paths.iter().any(is_ours)
}

/// Every directory entry on the way to a file: itself, each link, and what each link names.
fn entries(file: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut next = vec![std::path::absolute(file).unwrap_or_else(|_| file.to_owned())];
    while let Some(path) = next.pop() {
        for link in path.ancestors() {
            let Ok(target) = std::fs::read_link(link) else { continue };
            if found.len() < LINKS && found.insert(link.to_owned()) {
                let rest = path.strip_prefix(link).unwrap_or(Path::new(""));
                next.push(plain(&folder_of(link).join(target).join(rest)));
            }
        }
        found.insert(path);
    }
    found
}

/// Without `.` and `..`, as far as that can be said without asking the disk.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

fn folder_of(entry: &Path) -> PathBuf {
    entry.parent().map(folder).unwrap_or_default()
}

fn folder(parent: &Path) -> PathBuf {
    if parent.as_os_str().is_empty() { PathBuf::from(".") } else { parent.to_owned() }
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
