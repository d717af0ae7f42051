//! What the process is told from outside: flag, else environment, else the platform's default.
//!
//! The environment comes in as a value, so that tests need none.
