//! The protocol's methods over the toolbox: list the tools, call one.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, CustomRequest, CustomResult, ErrorCode,
    Implementation, ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool, ToolAnnotations,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::progress::Reporter;
use super::schema::{Side, portable};
use super::{error, progress};
use crate::request::{Caller, Door};
use crate::tools::{CallContext, ToolSpec, Toolbox};

/// Hosts do not show this to the model, so the tools' own descriptions carry the guidance.
const INSTRUCTIONS: &str = "Tasks with dependencies, due dates and estimates. Ids look like TASK-0001; \
    list_tasks shows them. Tools that think (analyze, prioritize, plan, suggest) answer also when no model is reachable.";

/// The list of tools changes with the version of the program only.
const LIST_FRESH_MS: u64 = 5 * 60 * 1_000;

/// One MCP server: a cheap clone over the toolbox.
#[derive(Clone)]
pub struct Handler {
    toolbox: Toolbox,
    tools: Arc<[Tool]>,
}

impl Handler {
    pub fn new(toolbox: Toolbox) -> Self {
        let tools = toolbox.specs().iter().map(describe).collect();
        Self { toolbox, tools }
    }

    async fn run(
        &self,
        name: &str,
        params: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> CallToolResult {
        let (reporter, sink) = Reporter::new(&context);
        let call =
            CallContext { door: Door::Stdio, caller: Caller::local(), progress: sink, cancel: context.ct.clone() };
        let arguments = params.arguments.unwrap_or_default();
        let done = CancellationToken::new();
        let work = async {
            // The toolbox promises not to panic; the process does not bet its life on it.
            let result = AssertUnwindSafe(self.toolbox.call(name, arguments, call)).catch_unwind().await;
            done.cancel();
            result.unwrap_or_else(|_| Err(error::panicked(name)))
        };
        let (result, ()) = tokio::join!(work, progress::forward(reporter, &done));
        match result {
            Ok(result) => CallToolResult::structured(Value::Object(result)),
            Err(failure) => error::error_result(&failure),
        }
    }
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        let us = Implementation::new("taskgate", env!("CARGO_PKG_VERSION"))
            .with_title("taskgate")
            .with_description(env!("CARGO_PKG_DESCRIPTION"));
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(us)
            .with_instructions(INSTRUCTIONS)
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.tools.iter().find(|tool| tool.name == name).cloned()
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.tools.to_vec())
            .with_ttl_ms(LIST_FRESH_MS)
            .with_cache_scope(CacheScope::Public))
    }

    async fn call_tool(
        &self,
        params: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(tool) = self.tools.iter().find(|tool| tool.name == params.name) else {
            let known: Vec<&str> = self.tools.iter().map(|tool| tool.name.as_ref()).collect();
            return Err(error::unknown_tool(&params.name, &known));
        };
        Ok(self.run(&tool.name, params, context).await.into())
    }

    /// What rmcp could not read as a request that it knows arrives here.
    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        if request.method == "tools/call" {
            return Err(error::malformed_call());
        }
        Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, request.method, None))
    }
}

fn describe(spec: &ToolSpec) -> Tool {
    let hints = spec.annotations;
    let annotations = ToolAnnotations::with_title(spec.title)
        .read_only(hints.read_only)
        .destructive(hints.destructive)
        .idempotent(hints.idempotent)
        .open_world(hints.open_world);
    Tool::new(spec.name, spec.description, portable(&spec.input_schema, Side::Input))
        .with_title(spec.title)
        .with_raw_output_schema(Arc::new(portable(&spec.output_schema, Side::Output)))
        .with_annotations(annotations)
}
