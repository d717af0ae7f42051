//! The address: this machine's own, and a clear word when it is taken or reaches too far.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::error::{Error, Kind, Result};

/// A bound socket.
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Port 0 takes a free one. The address must be this machine's own.
    pub async fn bind(asked: SocketAddr) -> Result<Self> {
        if !asked.ip().is_loopback() {
            return Err(Error::new(Kind::Config, format!("{asked} can be reached from other machines"))
                .hint("This version has no keys yet, so it listens on 127.0.0.1, [::1] or localhost only."));
        }
        let socket = TcpListener::bind(asked).await.map_err(|error| not_bound(asked, error))?;
        let address = socket.local_addr().map_err(|error| not_bound(asked, error))?;
        Ok(Self { socket, address })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn into_socket(self) -> TcpListener {
        self.socket
    }
}

fn not_bound(asked: SocketAddr, error: io::Error) -> Error {
    let hint = match error.kind() {
        io::ErrorKind::AddrInUse => "Something else listens there. Stop it, or take another port with --listen.",
        io::ErrorKind::PermissionDenied => "Ports below 1024 are the system's. Take a higher one with --listen.",
        _ => "Take another address with --listen, such as 127.0.0.1:8080.",
    };
    Error::new(Kind::Config, format!("Cannot listen on {asked}: {error}")).hint(hint).source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_that_others_reach_is_refused() {
        for far in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
            let error = Listener::bind(far.parse().unwrap()).await.err().unwrap();
            assert!(error.kind == Kind::Config && error.hint.unwrap().contains("127.0.0.1"), "{far}");
        }
    }

    #[tokio::test]
    async fn a_taken_port_is_told_with_what_to_do() {
        let first = Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let error = Listener::bind(first.address()).await.err().unwrap();
        assert!(error.message.contains(&first.address().to_string()) && error.hint.unwrap().contains("--listen"));
    }
}
