//! What the process is told from outside: flag, else environment, else the platform's default.
//!
//! The environment comes in as a value, so that tests need none. A working directory decides nothing: a stranger's
//! `routing.yaml` there could send a key elsewhere, and hosts start servers in any directory.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::error::{Error, Kind, Result};

const FOLDER: &str = "taskgate";
const LISTEN: &str = "127.0.0.1:8080";
const LOG: &str = "info";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `None`: the built-in policy.
    pub policy: Option<PathBuf>,
    /// Where the policy is, or would be looked for.
    pub policy_place: Option<PathBuf>,
    pub database: PathBuf,
    pub listen: SocketAddr,
    /// A filter as `tracing` reads it: "info", "taskgate=debug,info".
    pub log: String,
}

/// What was given on the command line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags {
    pub policy: Option<PathBuf>,
    /// A path, or `sqlite:` and a path.
    pub database: Option<String>,
    pub listen: Option<String>,
    pub log: Option<String>,
}

/// Where this platform keeps things; each is missing when the home directory is not known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    pub home: Option<PathBuf>,
    /// Such as `~/.config`, `~/Library/Application Support`, `%APPDATA%`.
    pub config: Option<PathBuf>,
    /// Such as `~/.local/share`, `~/Library/Application Support`, `%LOCALAPPDATA%`: never one that roams, since a
    /// database that is copied while it is open is a broken one.
    pub data: Option<PathBuf>,
}

impl Places {
    pub fn of_this_platform() -> Self {
        let Some(found) = directories::BaseDirs::new() else { return Self::default() };
        Self {
            home: Some(found.home_dir().to_owned()),
            config: Some(found.config_dir().to_owned()),
            data: Some(found.data_local_dir().to_owned()),
        }
    }
}

impl Settings {
    /// `exists` says whether a file is there.
    pub fn resolve(
        flags: &Flags,
        environment: &dyn Fn(&str) -> Option<String>,
        places: &Places,
        exists: &dyn Fn(&Path) -> bool,
    ) -> Result<Self> {
        // An empty variable is an unset one: hosts write `"TASKGATE_LOG": ""`.
        let variable = |name: &str| environment(name).filter(|value| !value.trim().is_empty());
        let given = flags.policy.clone().or_else(|| variable("TASKGATE_POLICY").map(PathBuf::from));
        let (policy, policy_place) = match given {
            Some(path) => {
                let path = policy_file(&path, places, exists)?;
                (Some(path.clone()), Some(path))
            }
            None => {
                let place = places.config.as_ref().map(|folder| folder.join(FOLDER).join("routing.yaml"));
                (place.clone().filter(|place| exists(place)), place)
            }
        };
        let database = match flags.database.clone().or_else(|| variable("TASKGATE_DATABASE_URL")) {
            Some(text) => database_file(&text, places)?,
            None => default_database(places)?,
        };
        let listen = flags.listen.clone().or_else(|| variable("TASKGATE_LISTEN"));
        let listen = address(listen.as_deref().unwrap_or(LISTEN))?;
        let log = flags.log.clone().or_else(|| variable("TASKGATE_LOG")).unwrap_or_else(|| LOG.to_owned());
        Ok(Self { policy, policy_place, database, listen, log })
    }
}

/// A policy that was asked for and is not there is an error: the built-in one would decide differently.
fn policy_file(path: &Path, places: &Places, exists: &dyn Fn(&Path) -> bool) -> Result<PathBuf> {
    let path = from_home(path, places)?;
    if exists(&path) {
        return Ok(path);
    }
    let message = format!("the policy {} does not exist", path.display());
    Err(wrong(message).hint("Correct --policy or TASKGATE_POLICY, or leave it out to use the built-in policy."))
}

fn database_file(text: &str, places: &Places) -> Result<PathBuf> {
    let text = text.trim();
    let path = match scheme(text) {
        None => text,
        Some("sqlite") => {
            let rest = &text["sqlite:".len()..];
            rest.strip_prefix("//").unwrap_or(rest)
        }
        // Only the scheme is told: such a URL holds a password.
        Some(other) => {
            let hint = "Give a path or sqlite:PATH in --database or TASKGATE_DATABASE_URL.";
            return Err(wrong(format!("{other}:// is not supported by this version")).hint(hint));
        }
    };
    if scheme(text).is_some() && path.contains('?') {
        return Err(wrong("a database is given without options after `?`").hint("Remove the `?` and what follows."));
    }
    if path.is_empty() || path.starts_with(":memory:") {
        let hint = "Give the path of a file: several processes share it, and tasks outlive each of them.";
        return Err(wrong("the database must be a file").hint(hint));
    }
    from_home(Path::new(path), places)
}

/// The scheme of a URL. One letter is a drive (`C:\…`), and a path may hold a colon further on.
fn scheme(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once(':')?;
    let is_word = scheme.len() > 1 && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+');
    (is_word && (scheme == "sqlite" || rest.starts_with("//"))).then_some(scheme)
}

/// `~` is not replaced by hosts that start a server without a shell; taken as it stands, it would make a folder named `~`.
fn from_home(path: &Path, places: &Places) -> Result<PathBuf> {
    match (path.strip_prefix("~"), &places.home) {
        (Err(_), _) => Ok(path.to_owned()),
        (Ok(rest), Some(home)) => Ok(home.join(rest)),
        (Ok(_), None) => Err(no_home(&format!("{} can't be found", path.display()))),
    }
}

fn default_database(places: &Places) -> Result<PathBuf> {
    let data = places.data.as_ref().ok_or_else(|| no_home("there is no place to keep the tasks"))?;
    Ok(data.join(FOLDER).join("taskgate.db"))
}

fn no_home(what: &str) -> Error {
    wrong(format!("{what}: the home directory is not known"))
        .hint("Set HOME, or give a full path in --database or TASKGATE_DATABASE_URL.")
}

fn address(text: &str) -> Result<SocketAddr> {
    let numeric = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    numeric.as_deref().unwrap_or(text).parse().map_err(|_| {
        wrong(format!("`{text}` is not an address to listen on"))
            .hint("Give an address and a port in --listen or TASKGATE_LISTEN, like 127.0.0.1:8080.")
    })
}

fn wrong(message: impl Into<String>) -> Error {
    Error::new(Kind::Config, message)
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
