//! The two streams: results to standard output, remarks to standard error. A reader that has gone away is no failure.

use std::io::{self, IsTerminal, Write};

use crate::error::Error;

/// Whether a person reads the result.
pub(super) fn is_for_a_person() -> bool {
    io::stdout().is_terminal()
}

/// The columns of the terminal that the result goes to, if it goes to one; `COLUMNS` wins, as in a shell.
pub(super) fn width() -> Option<usize> {
    let asked = || std::env::var("COLUMNS").ok()?.parse().ok();
    let columns = is_for_a_person().then(|| asked().or_else(terminal_width))?;
    columns.filter(|columns| *columns > 0)
}

#[cfg(unix)]
fn terminal_width() -> Option<usize> {
    rustix::termios::tcgetwinsize(io::stdout()).ok().map(|size| size.ws_col.into())
}

#[cfg(not(unix))]
fn terminal_width() -> Option<usize> {
    None
}

/// Writes a result and its line end.
pub(super) fn result(text: &str) -> anyhow::Result<()> {
    forgive(writeln!(io::stdout().lock(), "{}", text.trim_end()))
}

/// Writes a remark and its line end.
pub(super) fn remark(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", text.trim_end());
}

/// What went wrong and what to do, as a person reads it.
pub(super) fn failure(error: &anyhow::Error) {
    remark(&format!("error: {error}"));
    match error.downcast_ref::<Error>().and_then(|error| error.hint.as_deref()) {
        Some(hint) => remark(&format!("  hint: {hint}")),
        None => error.chain().skip(1).for_each(|cause| remark(&format!("  because: {cause}"))),
    }
}

/// `taskgate call … | head -1` closes the pipe early, and means it.
fn forgive(written: io::Result<()>) -> anyhow::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}
