//! The path of a request: decide, try, check, settle. READ SECOND, after `lib.rs`: `complete` is the whole story.
