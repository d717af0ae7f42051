//! The address: this machine's own, and a clear word when it is taken or reaches too far.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, lookup_host};

use crate::error::{Error, Kind, Result};

/// A bound socket and the name that it was asked for by.
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    asked: String,
}

impl Listener {
    /// Binds `host:port`; port 0 takes a free one. Every address that the host stands for must be this machine's own.
    pub async fn bind(asked: &str) -> Result<Self> {
        let addresses: Vec<SocketAddr> = lookup_host(asked).await.map_err(|error| no_address(asked, error))?.collect();
        if let Some(far) = addresses.iter().find(|address| !address.ip().is_loopback()) {
            return Err(Error::new(Kind::Config, format!("{asked} can be reached from other machines ({})", far.ip()))
                .hint("This version has no keys yet, so it listens on 127.0.0.1, [::1] or localhost only."));
        }
        let socket = TcpListener::bind(addresses.as_slice()).await.map_err(|error| not_bound(asked, error))?;
        let address = socket.local_addr().map_err(|error| not_bound(asked, error))?;
        Ok(Self { socket, address, asked: asked.to_owned() })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The host as it was asked for, without its port.
    pub(super) fn host(&self) -> &str {
        self.asked.rsplit_once(':').map_or(&self.asked, |(host, _)| host)
    }

    pub(super) fn into_socket(self) -> TcpListener {
        self.socket
    }
}

fn no_address(asked: &str, error: io::Error) -> Error {
    Error::new(Kind::Config, format!("`{asked}` is not an address to listen on"))
        .hint("Give a host and a port, such as 127.0.0.1:8080.")
        .source(error)
}

fn not_bound(asked: &str, error: io::Error) -> Error {
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
        for far in ["0.0.0.0:0", "[::]:0"] {
            let error = Listener::bind(far).await.err().unwrap();
            assert!(error.kind == Kind::Config && error.hint.unwrap().contains("127.0.0.1"), "{far}");
        }
    }

    #[tokio::test]
    async fn a_taken_port_is_told_with_what_to_do() {
        let first = Listener::bind("127.0.0.1:0").await.unwrap();
        let taken = first.address().to_string();
        let error = Listener::bind(&taken).await.err().unwrap();
        assert!(error.message.contains(&taken) && error.hint.unwrap().contains("--listen"));
    }

    #[tokio::test]
    async fn nonsense_is_no_address() {
        let error = Listener::bind("eighty").await.err().unwrap();
        assert!(error.message.contains("`eighty`"));
    }
}
