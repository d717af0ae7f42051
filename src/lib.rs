//! taskgate: task tools over MCP, and one gateway that every model call passes.
//!
//! ## Floors
//! Imports go down only, never sideways; `tests/it/tidy.rs` holds that.
//!
//! | floor | modules | does |
//! | --- | --- | --- |
//! | 8 | `cli` | one file a command |
//! | 7 | `app` | builds every part once, drains on a signal |
//! | 6 | `mcp`, `server` | the doors: translate, decide nothing |
//! | 5 | `tools` | what a tool does: facts, ask, check, result |
//! | | `simulate` | recorded requests through another policy |
//! | 4 | `gateway` | decide, try, check, settle: the path of a request (`gateway::complete`) |
//! | 3 | `classify`, `cache`, `provider`, `limit`, `health` | what the gateway uses |
//! | 2 | `store`, `telemetry` | what is kept, what is told |
//! | 1 | `policy`, `settings` | what people steer by |
//! | 0 | `error` <- `names` <- `chat` <- `request`; `tasks` | words and values |
//!
//! ## Invariants
//! - Exactly one `request::Outcome` per request, also when the caller goes away.
//! - Money is integer nano-dollars; one row per attempt.
//! - Who reads an answer as it comes sees the stream of one model: nobody else is asked after its first word.
//! - A model's answer never writes; only the caller's tool call does.
//! - No secret and no task text in logs, metrics, errors or the ledger.

pub mod app;
pub mod cache;
pub mod chat;
pub mod classify;
pub mod cli;
pub mod error;
pub mod gateway;
pub mod health;
pub mod limit;
pub mod mcp;
pub mod names;
pub mod policy;
pub mod provider;
pub mod request;
pub mod server;
pub mod settings;
pub mod simulate;
pub mod store;
pub mod tasks;
pub mod telemetry;
pub mod tools;
