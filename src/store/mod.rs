//! What is kept: tasks with every change, the ledger of requests and attempts, reservations, processes. One SQLite file.
//!
//! It knows no policy rule, no model and no door. The second implementation (PostgreSQL) will stand beside `sqlite`.
