//! Other programs as child processes: found in the cache folder, started on a free port, awaited, killed when dropped.
//! What a program said goes to a file, and its end is shown when the test fails.

use std::fs::{self, File};
use std::net::TcpListener;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Lines of a program's log that a failed test shows.
const LAST_LINES: usize = 40;

pub struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    pub fn start(name: &'static str, command: &mut Command, folder: &Path) -> Self {
        let log = folder.join(format!("{name}.log"));
        let out = File::create(&log).unwrap();
        let err = out.try_clone().unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        Self { name, child, log }
    }

    /// Waits until the address answers with a success, or the program ends, or the time is up.
    pub async fn wait_for(&mut self, url: &str, limit: Duration) {
        let (http, start) = (http(), Instant::now());
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("{} ended with {status} before it answered at {url}", self.name);
            }
            if http.get(url).send().await.is_ok_and(|response| response.status().is_success()) {
                return;
            }
            assert!(start.elapsed() < limit, "{} does not answer at {url} after {limit:?}", self.name);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking() {
            show_end(&self.log);
        }
    }
}

/// A program that `.ci/real-setup` installs, by its place in the cache folder.
pub fn installed(place: &str) -> PathBuf {
    let cache = match std::env::var_os("TASKGATE_CACHE") {
        Some(cache) => PathBuf::from(cache),
        None => PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache/taskgate-real"),
    };
    let path = cache.join(place);
    assert!(path.exists(), "{} is missing: run .ci/real-setup first", path.display());
    path
}

/// Below the ports that systems hand out by themselves, so that nobody gets it before the program that is told to use
/// it; and none of them twice.
pub fn free_port() -> u16 {
    const HANDED_OUT: Range<u32> = 15_000..32_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let begin = std::process::id().wrapping_mul(97);
    let mut ports = std::iter::repeat_with(|| {
        let n = begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % HANDED_OUT.len() as u32;
        (HANDED_OUT.start + n) as u16
    });
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    ports.by_ref().take(HANDED_OUT.len()).find(is_free).unwrap()
}

/// That port if nobody has it, else any free one.
pub fn port_or_free(wanted: u16) -> u16 {
    TcpListener::bind(("127.0.0.1", wanted)).map_or_else(|_| free_port(), |_| wanted)
}

/// A client that keeps no connection: each test has a runtime of its own, and programs come and go.
pub fn http() -> reqwest::Client {
    // Only the first one counts; the others are told that one is there.
    rustls::crypto::ring::default_provider().install_default().ok();
    reqwest::Client::builder().pool_max_idle_per_host(0).no_proxy().build().unwrap()
}

#[expect(clippy::print_stderr, reason = "the test runner shows it beside the failure")]
pub fn show_end(log: &Path) {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    eprintln!("--- the end of {} ---", log.display());
    for line in &lines[lines.len().saturating_sub(LAST_LINES)..] {
        eprintln!("{line}");
    }
}

/// A line about what really happened, for whoever reads a run's log (`cargo test --test real -- --show-output`).
#[expect(clippy::print_stdout, reason = "the test runner captures it")]
pub fn tell(line: &str) {
    println!("{line}");
}
