//! Who asks. Over stdio and on the command line it is the local user; HTTP keys come with the HTTP doors.

use serde::Serialize;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Caller {
    pub name: String,
}

impl Caller {
    /// The user whose process this is.
    pub fn local() -> Self {
        Self { name: "local".to_owned() }
    }
}
