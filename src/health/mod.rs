//! Which models are well: a breaker for each, fed by how calls ended, and one board that all requests look at.
//!
//! - `evidence`: what the end of a call says about health, if anything (pure)
//! - `breaker`: closed, half-open, open; what ended and when go in, the new state comes out (pure)
//! - `board`: the breakers of all models behind one lock, and the permits of probes
//! - `residents`: which local models are in memory, and which are to be
//!
//! It knows neither requests nor answers: whether an answer was accepted is no matter of health. It calls nobody and
//! writes nothing down.

mod board;
mod breaker;
mod evidence;
mod residents;

pub use board::{Admission, Ailment, Board, Permit, Place, Turn};
pub use breaker::{Breaker, Entry, State};
pub use evidence::{Evidence, evidence};
pub use residents::Residents;
