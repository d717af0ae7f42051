//! Whether a model lies in memory, ready to answer.

/// What a backend says of one of its models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Residency {
    /// Nobody says.
    Unknown,
    /// It would have to be loaded first.
    Cold,
    Loading,
    Resident,
}
