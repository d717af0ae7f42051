//! What a tool does: facts, ask, check, result. One file a tool; prompts beside them.
//!
//! It knows no door: arguments come in as JSON, results go out as JSON.

use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Kind, Result};
use crate::request::{Caller, Door, ProgressSink};

#[derive(Clone, Default)]
pub struct Toolbox {
    specs: std::sync::Arc<[ToolSpec]>,
}

pub struct ToolSpec {
    pub name: &'static str,
    pub title: &'static str,
    pub description: &'static str,
    pub input_schema: schemars::Schema,
    pub output_schema: schemars::Schema,
    pub annotations: Annotations,
}

#[derive(Debug, Clone, Copy)]
pub struct Annotations {
    pub read_only: bool,
    pub destructive: bool,
    pub idempotent: bool,
    pub open_world: bool,
}

pub struct CallContext {
    pub door: Door,
    pub caller: Caller,
    pub progress: ProgressSink,
    pub cancel: CancellationToken,
}

impl Toolbox {
    pub fn new(_: crate::store::Store, _: crate::gateway::Gateway) -> Self {
        Self::default()
    }

    pub fn specs(&self) -> &[ToolSpec] {
        &self.specs
    }

    pub async fn call(&self, name: &str, _: Map<String, Value>, _: CallContext) -> Result<Map<String, Value>> {
        Err(Error::new(Kind::UnknownTool, format!("unknown tool `{name}`")))
    }
}
