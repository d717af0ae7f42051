//! Parses the arguments, runs the command, picks the exit code.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // One TLS provider for the process; a second installation would be refused, and the first one stands.
    let _ = rustls::crypto::ring::default_provider().install_default();
    taskgate::cli::main()
}
