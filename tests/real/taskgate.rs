//! The built binary with a database, a policy and an environment of its own, as `mcp`, `serve` or `call`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value};

/// The variables that a developer's shell may hold and that would change what is tested.
const FOREIGN: [&str; 8] = [
    "TASKGATE_POLICY",
    "TASKGATE_DATABASE_URL",
    "TASKGATE_LISTEN",
    "TASKGATE_LOG",
    "LITELLM_PROXY_URL",
    "LITELLM_API_KEY",
    "OPENAI_BASE_URL",
    "OPENAI_API_KEY",
];

#[derive(Clone)]
pub struct Taskgate {
    folder: PathBuf,
    variables: Vec<(&'static str, String)>,
}

impl Taskgate {
    /// Everything it keeps goes into that folder, the policy too.
    pub fn new(folder: &Path, policy: &str) -> Self {
        let new = Self { folder: folder.to_owned(), variables: Vec::new() };
        fs::write(new.policy(), policy).unwrap();
        let (policy, database) = (new.policy().display().to_string(), new.database().display().to_string());
        new.with("TASKGATE_POLICY", policy).with("TASKGATE_DATABASE_URL", database)
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn policy(&self) -> PathBuf {
        self.folder.join("routing.yaml")
    }

    pub fn database(&self) -> PathBuf {
        self.folder.join("taskgate.db")
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_taskgate"));
        for name in FOREIGN {
            command.env_remove(name);
        }
        command
            .args(arguments)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.folder);
        command
    }

    /// `taskgate call TOOL --json ARGUMENTS`, as a script would: the result is what it prints.
    pub async fn call(&self, tool: &str, arguments: Value) -> Map<String, Value> {
        let json = arguments.to_string();
        let command = self.command(&["call", tool, "--json", &json]);
        let output = tokio::process::Command::from(command).output().await.unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "call {tool} ended with {}: {out}{err}", output.status);
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("call {tool} printed no JSON ({error}): {out}"))
    }
}
