//! The sums over all questions under one policy, whole and by block, so that it can be told how much of a difference is
//! chance. Pure.

use super::evidence::{Evidence, Rate};
use super::path::{Path, Paths, in_parts};
use super::traffic::{BLOCKS, Question, Traffic};
use super::walk::Expected;

/// So many questions are worked on at a stretch.
const STRETCH: usize = 4_096;

/// How often the rates are drawn anew, and on how many questions at most, to see what their uncertainty does.
const DRAWS: u64 = 32;
const DRAWN_QUESTIONS: usize = 20_000;

#[derive(Debug, Clone)]
pub struct Totals {
    pub questions: u64,
    /// Questions by the rank of the tier where they start.
    pub starts: Vec<u64>,
    /// Questions that are left to logic.
    pub logic: u64,
    pub sum: Expected,
    blocks: Vec<Block>,
    /// The same sums with other rates that the record allows, scaled up from a part of the questions.
    drawn: Vec<[f64; 3]>,
}

/// The three figures that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    Cost,
    Escalations,
    Checked,
}

#[derive(Debug, Clone, Copy, Default)]
struct Block {
    questions: f64,
    figures: [f64; 3],
}

impl Totals {
    pub fn of(paths: &Paths, traffic: &Traffic, evidence: &Evidence) -> Self {
        let mut totals = whole(paths, traffic, evidence, &traffic.questions);
        let every = traffic.questions.len().div_ceil(DRAWN_QUESTIONS).max(1);
        let part: Vec<Question> = traffic.questions.iter().step_by(every).copied().collect();
        let scale = traffic.questions.len() as f64 / part.len().max(1) as f64;
        totals.drawn = (0..DRAWS)
            .map(|draw| {
                let drawn = whole(&paths.drawn(draw), traffic, evidence, &part);
                figures(&drawn.sum).map(|figure| figure * scale)
            })
            .collect();
        totals
    }

    /// Not every question starts in the same tier.
    pub fn chooses(&self) -> bool {
        self.starts.iter().filter(|count| **count > 0).count() > 1
    }

    pub fn figure(&self, figure: Figure) -> f64 {
        figures(&self.sum)[figure as usize]
    }

    /// The standard error of a figure's sum: what another such span of time, and rates known better, could change.
    pub fn error(&self, figure: Figure) -> f64 {
        spread(&self.blocks, &self.drawn, figure)
    }

    /// The standard error of the difference of a figure to the other's over the same questions.
    pub fn error_of_difference(&self, other: &Self, figure: Figure) -> f64 {
        let less = |one: &[f64; 3], other: &[f64; 3]| std::array::from_fn(|at| one[at] - other[at]);
        let blocks: Vec<Block> = self
            .blocks
            .iter()
            .zip(&other.blocks)
            .map(|(one, other)| Block { questions: one.questions, figures: less(&one.figures, &other.figures) })
            .collect();
        let drawn: Vec<[f64; 3]> = self.drawn.iter().zip(&other.drawn).map(|(one, other)| less(one, other)).collect();
        spread(&blocks, &drawn, figure)
    }

    fn empty(tiers: usize) -> Self {
        Self {
            questions: 0,
            starts: vec![0; tiers],
            logic: 0,
            sum: Expected::default(),
            blocks: vec![Block::default(); BLOCKS],
            drawn: Vec::new(),
        }
    }

    fn count(&mut self, path: &Path, question: &Question, expected: &Expected) {
        self.questions += 1;
        match path.start {
            None => self.logic += 1,
            Some(rank) => {
                if self.starts.len() <= rank {
                    self.starts.resize(rank + 1, 0);
                }
                self.starts[rank] += 1;
            }
        }
        self.sum.add(expected);
        let block = &mut self.blocks[usize::from(question.block) % BLOCKS];
        block.add(1.0, &figures(expected));
    }

    fn merge(&mut self, other: &Self) {
        self.questions += other.questions;
        self.logic += other.logic;
        if self.starts.len() < other.starts.len() {
            self.starts.resize(other.starts.len(), 0);
        }
        for (sum, part) in self.starts.iter_mut().zip(&other.starts) {
            *sum += part;
        }
        self.sum.add(&other.sum);
        for (sum, part) in self.blocks.iter_mut().zip(&other.blocks) {
            sum.add(part.questions, &part.figures);
        }
    }
}

impl Block {
    fn add(&mut self, questions: f64, figures: &[f64; 3]) {
        self.questions += questions;
        for (sum, part) in self.figures.iter_mut().zip(figures) {
            *sum += part;
        }
    }
}

impl Paths {
    /// The same paths with rates that the record allows too. Draw by draw a tool has the same rate at a model under every
    /// policy, so that only what differs between policies makes a difference.
    fn drawn(&self, draw: u64) -> Self {
        let mut paths = self.clone();
        for path in &mut paths.list {
            for step in &mut path.steps {
                let seed = blake3::hash(format!("{draw} {} {}", path.tool, step.name).as_bytes());
                let seed = seed.as_bytes().iter().take(8).fold(0, |seed, byte| seed << 8 | u64::from(*byte));
                let mut random = fastrand::Rng::with_seed(seed);
                step.rates.answers.mean = drawn(step.rates.answers, &mut random);
                step.rates.accepts.mean = drawn(step.rates.accepts, &mut random);
            }
        }
        paths
    }
}

fn whole(paths: &Paths, traffic: &Traffic, evidence: &Evidence, questions: &[Question]) -> Totals {
    let stretches: Vec<&[Question]> = questions.chunks(STRETCH).collect();
    let parts = in_parts(&stretches, |stretch| {
        let mut totals = Totals::empty(0);
        for question in *stretch {
            totals.count(paths.of_question(question), question, &paths.expected(question, traffic, evidence));
        }
        totals
    });
    let mut sum = Totals::empty(0);
    parts.iter().for_each(|part| sum.merge(part));
    sum
}

fn figures(sum: &Expected) -> [f64; 3] {
    [sum.cost, sum.escalations, sum.checked]
}

/// Chance has two parts: which questions came, seen by the blocks' differences, and what is not known of the rates, seen
/// by the draws.
fn spread(blocks: &[Block], drawn: &[[f64; 3]], figure: Figure) -> f64 {
    let at = figure as usize;
    let all = blocks.iter().fold(Block::default(), |mut all, block| {
        all.add(block.questions, &block.figures);
        all
    });
    let filled = blocks.iter().filter(|block| block.questions > 0.0).count() as f64;
    if filled < 2.0 {
        return f64::NAN;
    }
    let mean = all.figures[at] / all.questions;
    let off = |block: &Block| (block.figures[at] - mean * block.questions).powi(2);
    let of_questions = blocks.iter().map(off).sum::<f64>() * filled / (filled - 1.0);
    (of_questions + variance(drawn.iter().map(|figures| figures[at]))).sqrt()
}

pub fn variance(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let count = values.clone().count() as f64;
    if count < 2.0 {
        return 0.0;
    }
    let mean = values.clone().sum::<f64>() / count;
    values.map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0)
}

/// The Beta distribution as a bell curve of the same width, kept within 0 and 1.
fn drawn(rate: Rate, random: &mut fastrand::Rng) -> f64 {
    let (radius, angle) = ((-2.0 * (1.0 - random.f64()).ln()).sqrt(), random.f64() * std::f64::consts::TAU);
    (rate.mean + rate.deviation * radius * angle.cos()).clamp(0.0, 1.0)
}
