//! How hard a request is: signals in, a score with its contributions out. Pure.
