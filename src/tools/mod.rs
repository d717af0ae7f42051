//! What a tool does: facts, ask, check, result. One file a tool; prompts beside them.
//!
//! It knows no door: arguments come in as JSON, results go out as JSON.
