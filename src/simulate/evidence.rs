//! What the recorded attempts say of a model and a tool: how often it answers, how often the answer is accepted, how
//! many tokens it takes. Pure.
//!
//! A rate leans on what is known more widely until enough was seen: a tool's rate at a model on that model's over all
//! tools, a model's on that of all models, and that one on a half. `LEANING` is how many questions the wider rate counts
//! for.

use std::collections::HashMap;

use super::traffic::{Ending, Traffic};
use crate::chat::{Tokens, Usage};

const LEANING: f64 = 8.0;

/// Fewer questions than this say little of a tool at a model.
pub const FEW: u64 = 20;

#[derive(Debug, Default)]
pub struct Evidence {
    cells: HashMap<(u16, u16), Cell>,
    models: HashMap<u16, Cell>,
    tools: HashMap<u16, Cell>,
    all: Cell,
}

/// Counts and sums over questions.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub struct Cell {
    accepted: u64,
    unchecked: u64,
    rejected: u64,
    failed: u64,
    /// The questions whose tokens are known: their sizes before fitting, and what they took.
    measured: u64,
    /// The largest question that it did anything with, answered or not.
    largest: Tokens,
    sizes: Tokens,
    usage: Usage,
}

/// A probability and how far off it may be: mean and standard deviation of a Beta distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    pub mean: f64,
    pub deviation: f64,
}

/// What a model that has not been asked a question is expected to do with it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// An answer comes.
    pub answers: Rate,
    /// An answer that came is not rejected.
    pub accepts: Rate,
    /// The share of the answers to this tool that nobody checks.
    pub unchecked: f64,
    /// Questions that this was learned from, and the size of the largest of them.
    pub seen: u64,
    pub largest: Tokens,
}

impl Evidence {
    pub fn of(traffic: &Traffic) -> Self {
        let mut evidence = Self::default();
        for question in &traffic.questions {
            let situation = traffic.situation_of(question);
            for tried in traffic.tries(question) {
                let cells = [
                    evidence.cells.entry((situation.tool, tried.model)).or_default(),
                    evidence.models.entry(tried.model).or_default(),
                    evidence.tools.entry(situation.tool).or_default(),
                    &mut evidence.all,
                ];
                for cell in cells {
                    cell.add(tried.ending, tried.usage, situation.signals.context);
                }
            }
        }
        evidence
    }

    /// `model` is `None` for one that the ledger does not know.
    pub fn rates(&self, tool: u16, model: Option<u16>) -> Rates {
        let cell = self.cell(tool, model);
        let of_model = model.and_then(|model| self.models.get(&model)).copied().unwrap_or_default();
        let rate = |counts: fn(&Cell) -> (u64, u64)| {
            let widest = leaning(0.5, counts(&self.all), 2.0);
            let wider = leaning(widest.mean, counts(&of_model), LEANING);
            leaning(wider.mean, counts(&cell), LEANING)
        };
        let of_tool = self.tools.get(&tool).copied().unwrap_or_default();
        Rates {
            answers: rate(|cell| (cell.answered(), cell.asked())),
            accepts: rate(|cell| (cell.accepted + cell.unchecked, cell.answered())),
            unchecked: ratio(of_tool.unchecked as f64, (of_tool.accepted + of_tool.unchecked) as f64, 0.0),
            seen: cell.asked(),
            largest: cell.largest,
        }
    }

    /// The tokens that a question of this size is expected to take: the prompt in proportion to its size, the answer as
    /// long as the others. Means, because costs add up. `None`: nothing was measured for this tool at any model.
    pub fn usage(&self, tool: u16, model: Option<u16>, size: Tokens) -> Option<Usage> {
        let cell = Some(self.cell(tool, model)).filter(|cell| cell.measured > 0);
        let cell = cell.or_else(|| self.tools.get(&tool).copied()).filter(|cell| cell.measured > 0)?;
        let questions = cell.measured as f64;
        let mean = |sum: Tokens| sum.0 as f64 / questions;
        let growth = ratio(size.0 as f64, mean(cell.sizes), 1.0);
        let tokens = |count: f64| Tokens(count.round().clamp(0.0, 1e12) as u64);
        Some(Usage {
            input: tokens(mean(cell.usage.input) * growth),
            cached_input: tokens(mean(cell.usage.cached_input) * growth),
            output: tokens(mean(cell.usage.output)),
        })
    }

    fn cell(&self, tool: u16, model: Option<u16>) -> Cell {
        model.and_then(|model| self.cells.get(&(tool, model))).copied().unwrap_or_default()
    }
}

impl Cell {
    fn add(&mut self, ending: Option<Ending>, usage: Option<Usage>, size: Tokens) {
        match ending {
            Some(Ending::Accepted) => self.accepted += 1,
            Some(Ending::Unchecked) => self.unchecked += 1,
            Some(Ending::Rejected) => self.rejected += 1,
            Some(Ending::Failed) => self.failed += 1,
            None => return,
        }
        self.largest = self.largest.max(size);
        // A call that failed was not paid for like one that was answered.
        let answered = matches!(ending, Some(Ending::Accepted | Ending::Unchecked | Ending::Rejected));
        if let Some(usage) = usage.filter(|_| answered) {
            self.measured += 1;
            self.sizes += size;
            self.usage = self.usage + usage;
        }
    }

    fn answered(&self) -> u64 {
        self.accepted + self.unchecked + self.rejected
    }

    fn asked(&self) -> u64 {
        self.answered() + self.failed
    }
}

fn leaning(on: f64, (hits, of): (u64, u64), weight: f64) -> Rate {
    let count = of as f64 + weight;
    let mean = (hits as f64 + weight * on) / count;
    Rate { mean, deviation: (mean * (1.0 - mean) / (count + 1.0)).sqrt() }
}

fn ratio(part: f64, whole: f64, otherwise: f64) -> f64 {
    if whole > 0.0 { part / whole } else { otherwise }
}
