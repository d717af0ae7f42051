//! What a local server says of its models, and how one is made to load: Ollama's `/api/ps`, llama.cpp's `/health`.
//!
//! It asks and reads; when to ask, and what follows, is for others to say. A status is polled beside the requests and
//! never waited for by one.

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::read;
use super::sender::Sender;
use crate::error::{Error, Kind, Result};
use crate::policy::{StatusEndpoint, StatusKind};
use crate::request::Residency;

/// A server that is well answers this at once; a busy one is asked again later.
const PATIENCE: Duration = Duration::from_secs(2);
/// Longer than Ollama itself lets a load take.
const LOAD: Duration = Duration::from_secs(6 * 60);
/// More than any list of models.
const MOST: usize = 1 << 20;

/// What one look has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// Ollama's models: those in memory, and those that it could load.
    Named { resident: BTreeSet<String>, installed: BTreeSet<String> },
    /// llama.cpp has one model, whatever it is called.
    One(Residency),
}

impl Seen {
    /// What this says of the model that the server knows by this name.
    pub fn residency(&self, upstream: &str) -> Residency {
        match self {
            Self::One(residency) => *residency,
            Self::Named { resident, installed } => {
                let name = full_name(upstream);
                if resident.contains(&name) {
                    Residency::Resident
                } else if installed.contains(&name) {
                    Residency::Cold
                } else {
                    // Another name for it, such as a proxy's: nothing can be said.
                    Residency::Unknown
                }
            }
        }
    }
}

impl Sender {
    /// Asks a backend's server what it has in memory.
    pub async fn status(&self, status: &StatusEndpoint) -> Result<Seen> {
        match status.kind {
            StatusKind::Ollama => {
                let resident = self.names(&format!("{}/api/ps", status.url)).await?;
                let installed = self.names(&format!("{}/api/tags", status.url)).await?;
                Ok(Seen::Named { resident, installed })
            }
            StatusKind::LlamaCpp => {
                let (code, body) = self.get(&format!("{}/health", status.url)).await?;
                llama_cpp(code, &body).map(Seen::One)
            }
        }
    }

    /// Has Ollama load a model: a request without a prompt comes back when it is in memory.
    pub async fn load(&self, status: &StatusEndpoint, upstream: &str) -> Result<()> {
        let asked = self.http().post(format!("{}/api/generate", status.url));
        let asked = asked.json(&json!({ "model": upstream, "stream": false })).timeout(LOAD);
        let response = asked.send().await.map_err(unreachable)?;
        if !response.status().is_success() {
            return Err(strange(format!("the server answered with status {}", response.status().as_u16())));
        }
        // Only the end of the answer is the end of the load.
        read::whole(response, MOST).await.map_err(|_| strange("the answer broke off"))?;
        Ok(())
    }

    async fn names(&self, url: &str) -> Result<BTreeSet<String>> {
        let (code, body) = self.get(url).await?;
        if !code.is_success() {
            return Err(strange(format!("the server answered with status {}", code.as_u16())));
        }
        names(&body)
    }

    async fn get(&self, url: &str) -> Result<(StatusCode, Vec<u8>)> {
        let response = self.http().get(url).timeout(PATIENCE).send().await.map_err(unreachable)?;
        let code = response.status();
        let body = read::whole(response, MOST).await.map_err(|_| strange("the answer broke off"))?;
        Ok((code, body))
    }
}

#[derive(Deserialize)]
struct Models {
    models: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

fn names(body: &[u8]) -> Result<BTreeSet<String>> {
    let models: Models = serde_json::from_slice(body).map_err(|_| strange("the answer is no list of models"))?;
    Ok(models.models.iter().map(|model| full_name(&model.name)).collect())
}

/// Ollama's own rule: a name without a tag means its latest.
fn full_name(name: &str) -> String {
    if name.rsplit('/').next().is_some_and(|last| last.contains(':')) {
        name.to_owned()
    } else {
        format!("{name}:latest")
    }
}

fn llama_cpp(code: StatusCode, body: &[u8]) -> Result<Residency> {
    #[derive(Deserialize)]
    struct Body {
        error: Told,
    }
    #[derive(Deserialize)]
    struct Told {
        message: String,
    }
    if code.is_success() {
        return Ok(Residency::Resident);
    }
    let loading = |body: Body| body.error.message.to_ascii_lowercase().contains("loading");
    if code == StatusCode::SERVICE_UNAVAILABLE && serde_json::from_slice(body).is_ok_and(loading) {
        return Ok(Residency::Loading);
    }
    Err(strange(format!("the server answered with status {}", code.as_u16())))
}

fn unreachable(error: reqwest::Error) -> Error {
    Error::new(Kind::UpstreamUnreachable, "the server cannot be reached").source(error.without_url())
}

fn strange(what: impl Into<String>) -> Error {
    Error::new(Kind::UpstreamProtocol, what).hint("Check status.kind and status.url in routing.yaml.")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Ollama 0.12 answers `/api/ps`.
    const PS: &[u8] = br#"{"models":[{"name":"llama3.2:3b","model":"llama3.2:3b","size":3454779392,
        "digest":"a80c4f17acd5","details":{"family":"llama"},"expires_at":"2026-11-26T12:05:00.1-05:00",
        "size_vram":0,"context_length":4096}]}"#;

    #[test]
    fn ollamas_lists_tell_what_is_in_memory_what_is_not_and_what_is_none_of_its_own() {
        let installed = br#"{"models":[{"name":"llama3.2:3b"},{"name":"qwen3:latest"},{"name":"hf.co/a/b:Q4"}]}"#;
        let seen = Seen::Named { resident: names(PS).unwrap(), installed: names(installed).unwrap() };
        let cases = [
            ("llama3.2:3b", Residency::Resident),
            ("qwen3", Residency::Cold),
            ("hf.co/a/b:Q4", Residency::Cold),
            ("llama3.2", Residency::Unknown),
            ("task-api-model", Residency::Unknown),
        ];
        for (name, expected) in cases {
            assert_eq!(seen.residency(name), expected, "{name}");
        }
        assert!(names(br#"{"models":[]}"#).unwrap().is_empty());
        assert!(names(b"<html>").is_err() && names(b"{}").is_err());
    }

    #[test]
    fn llama_cpp_says_whether_it_is_loading() {
        let loading = br#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#;
        let said = |code: u16, body: &[u8]| llama_cpp(StatusCode::from_u16(code).unwrap(), body).ok();
        assert_eq!(said(200, br#"{"status":"ok"}"#), Some(Residency::Resident));
        assert_eq!(said(503, loading), Some(Residency::Loading));
        assert_eq!(said(503, b"upstream down"), None);
        assert_eq!(said(404, loading), None);
    }
}
