//! The database's folder and file on disk: made private to the user before SQLite sees them.

use std::io;
use std::path::{Path, PathBuf};

use tokio::fs::{DirBuilder, OpenOptions};

use crate::error::{Error, Kind, Result};

/// The absolute path of the file, which exists afterward. SQLite gives its side files (`-wal`, `-shm`) the mode of the
/// main one, so an empty file with the right mode is enough. What exists already keeps its mode.
pub(super) async fn prepare(path: &Path) -> Result<PathBuf> {
    let path = std::path::absolute(path).map_err(|error| failed("The path of the database is not usable", error))?;
    if let Some(folder) = path.parent() {
        make_folder(folder).await.map_err(|error| failed("The folder of the database could not be created", error))?;
    }
    make_file(&path).await.map_err(|error| failed("The database file could not be created", error))?;
    Ok(path)
}

async fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    builder.mode(0o700);
    builder.create(folder).await
}

async fn make_file(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    options.mode(0o600);
    match options.open(path).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

fn failed(message: &'static str, error: io::Error) -> Error {
    let hint = match error.kind() {
        io::ErrorKind::PermissionDenied => "You may not write there; choose another place with --database.",
        io::ErrorKind::ReadOnlyFilesystem => "That disk is read-only; choose another place with --database.",
        io::ErrorKind::StorageFull => "The disk is full; free some space.",
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            "A part of the path that should be a folder is a file; choose another place with --database."
        }
        _ => "Check the path, or choose another with --database.",
    };
    Error::new(Kind::Storage, message).hint(hint).source(error)
}
