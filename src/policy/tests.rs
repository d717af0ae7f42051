//! The policy as a whole: what is read from a good file, and what is said of a bad one.

mod good;
mod refused;
mod secrets;
