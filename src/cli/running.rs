//! `taskgate check --running`: which policy each process that shares the database follows, against the one in the file.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use crate::app::SILENT;
use crate::error::Result;
use crate::store::{Process, Store};

/// `hash`: of the policy that was checked, if it can be used.
pub async fn running(database: &Path, hash: Option<&str>) -> Result<String> {
    // Looking makes no database.
    if !database.exists() {
        return Ok("running: nothing; there is no database yet\n".to_owned());
    }
    let store = Store::open(database).await?;
    let now = Timestamp::now();
    let processes = store.processes(now - SILENT).await?;
    store.close().await;
    Ok(told(&processes, hash, now))
}

fn told(processes: &[Process], hash: Option<&str>, now: Timestamp) -> String {
    if processes.is_empty() {
        return "running: nothing\n".to_owned();
    }
    let mut text = "running:\n".to_owned();
    for process in processes {
        let Process { pid, command, policy_hash, .. } = process;
        let (up, heard) = (since(process.started, now), since(process.heartbeat, now));
        let standing = standing(process, hash);
        text +=
            &format!("  {command:<7} pid {pid:<8} up {up:<12} heard {heard} ago; policy {policy_hash}, {standing}\n");
    }
    text
}

fn standing(process: &Process, hash: Option<&str>) -> String {
    let here = match hash {
        None => "the file can't be used",
        Some(hash) if hash == process.policy_hash => "same as the file",
        Some(_) => "differs from the file",
    };
    match &process.refused {
        Some(refused) => format!("{here}; the last reload failed: it refused {refused}"),
        None => here.to_owned(),
    }
}

fn since(then: Timestamp, now: Timestamp) -> String {
    let age = now.duration_since(then).max(SignedDuration::ZERO);
    format!("{:#}", SignedDuration::from_secs(age.as_secs()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_process_is_a_line_with_what_it_follows() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let process = |command: &str, hash: &str, refused: Option<&str>| Process {
            pid: 4_711,
            command: command.into(),
            started: now - Duration::from_secs(3_723),
            heartbeat: now - Duration::from_millis(4_200),
            policy_hash: hash.into(),
            refused: refused.map(str::to_owned),
        };
        let all = [process("serve", "0123456789ab", None), process("mcp", "ba9876543210", Some("unreadable"))];
        assert_eq!(
            told(&all, Some("0123456789ab"), now),
            "running:
  serve   pid 4711     up 1h 2m 3s     heard 4s ago; policy 0123456789ab, same as the file
  mcp     pid 4711     up 1h 2m 3s     heard 4s ago; policy ba9876543210, differs from the file; the last reload failed: it refused unreadable
"
        );
        assert!(told(&all[..1], None, now).contains("the file can't be used"));
        assert_eq!(told(&[], None, now), "running: nothing\n");
    }
}
