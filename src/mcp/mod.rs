//! The MCP door. It translates between the protocol and the toolbox, and decides nothing.
//!
//! Both eras of the protocol are spoken on the same pipe: `initialize` and, since 2026-07-28, `server/discover` with
//! the client's details on each request. rmcp keeps the eras apart; this folder sees one handler.

mod error;
mod handler;
mod progress;
mod schema;
mod stdio;

use rmcp::service::{QuitReason, ServerInitializeError};
use rmcp::transport::stdio_pipes;
use rmcp::{ServiceExt, transport::Transport};
use tokio_util::sync::CancellationToken;

pub use error::error_body;
pub use handler::Handler;
pub use schema::{Side, portable};
pub use stdio::Lines;

use crate::error::{Error, Kind, Result};
use crate::tools::Toolbox;

/// Serves standard input and output until the input ends and everything that was asked is answered, or until `stop`.
pub async fn serve_stdio(toolbox: Toolbox, stop: CancellationToken) -> Result<()> {
    let (input, output) = stdio_pipes();
    serve(toolbox, Lines::new(input, output), stop).await
}

/// The same over any transport.
pub async fn serve<T>(toolbox: Toolbox, transport: T, stop: CancellationToken) -> Result<()>
where
    T: Transport<rmcp::RoleServer> + 'static,
{
    let running = match Handler::new(toolbox).serve_with_ct(transport, stop).await {
        Ok(running) => running,
        // Nobody ever said anything: that is an end like any other.
        Err(ServerInitializeError::ConnectionClosed(_) | ServerInitializeError::Cancelled) => return Ok(()),
        Err(error) => {
            return Err(Error::new(Kind::Internal, "The MCP session could not be opened").source(error));
        }
    };
    match running.waiting().await {
        Ok(QuitReason::JoinError(error)) | Err(error) => {
            Err(Error::new(Kind::Internal, "The MCP session broke off").source(error))
        }
        Ok(_) => Ok(()),
    }
}
