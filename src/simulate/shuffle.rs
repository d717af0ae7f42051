//! The honest control: as many questions in each tier as under the policy, chosen by lot instead of by complexity, for
//! the same money. A policy that does no better than this chooses no better than chance. Pure; the lot is drawn from a
//! fixed seed.

use super::evidence::Evidence;
use super::path::{Paths, in_parts};
use super::totals::{Totals, variance};
use super::traffic::{Question, Traffic};

const SEED: u64 = 0x7461_736b;

/// So many lots give a mean and a spread.
pub const REPEATS: u64 = 20;

/// What one question comes to when it starts in a given tier.
#[derive(Debug, Clone, Copy)]
struct Profile {
    cost: f32,
    escalations: f32,
    checked: f32,
    start: u8,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    pub mean: f64,
    pub deviation: f64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Shuffle {
    /// Mean counts by the rank of the tier in which a question starts.
    pub starts: Vec<f64>,
    pub cost: Spread,
    pub escalations: Spread,
    pub checked: Spread,
    /// The money is the same; else only the shares are, because a cost is unknown or no mix of tiers comes to it.
    pub same_cost: bool,
}

/// One lot's sums.
struct Lot {
    starts: Vec<f64>,
    cost: f64,
    escalations: f64,
    checked: f64,
}

/// `forced`: the paths with every question starting in the tier of that rank. `None`: nobody asks a model.
pub fn shuffle(policy: (&Paths, &Totals), forced: &[Paths], traffic: &Traffic, evidence: &Evidence) -> Option<Shuffle> {
    let (paths, totals) = policy;
    let asked = |question: &&Question| paths.of_question(question).start.is_some();
    let questions: Vec<Question> = traffic.questions.iter().filter(asked).copied().collect();
    if questions.is_empty() || forced.is_empty() {
        return None;
    }
    let profiles: Vec<Vec<Profile>> = forced
        .iter()
        .map(|forced| in_parts(&questions, |question| profile(forced, question, traffic, evidence)))
        .collect();
    let target = (totals.sum.unpriced == 0.0).then_some(totals.sum.cost);
    let lots: Vec<u64> = (0..REPEATS).collect();
    let lots = in_parts(&lots, |lot| draw(&profiles, &totals.starts, target, SEED ^ lot));
    Some(summed(&lots, target, &profiles))
}

fn profile(forced: &Paths, question: &Question, traffic: &Traffic, evidence: &Evidence) -> Profile {
    let path = forced.of_question(question);
    let expected = forced.expected(question, traffic, evidence);
    Profile {
        cost: expected.cost as f32,
        escalations: expected.escalations as f32,
        checked: expected.checked as f32,
        start: path.start.and_then(|rank| u8::try_from(rank).ok()).unwrap_or(0),
    }
}

/// In an order drawn by lot, the first questions start in the highest tier, the next in the one below. The borders are
/// then moved, the lowest first, until the money is the same.
fn draw(profiles: &[Vec<Profile>], starts: &[u64], target: Option<f64>, seed: u64) -> Lot {
    let questions = profiles.first().map_or(0, Vec::len);
    let mut order: Vec<u32> = (0..questions as u32).collect();
    fastrand::Rng::with_seed(seed).shuffle(&mut order);
    // How many start in a tier of this rank or above.
    let mut above: Vec<usize> = (0..profiles.len())
        .map(|rank| starts.iter().skip(rank).sum::<u64>() as usize)
        .map(|count| count.min(questions))
        .collect();
    if let Some(target) = target {
        match_cost(profiles, &order, &mut above, target);
    }
    let mut lot = Lot { starts: vec![0.0; profiles.len()], cost: 0.0, escalations: 0.0, checked: 0.0 };
    for (place, question) in order.iter().enumerate() {
        let profile = profiles[rank_at(&above, place)][*question as usize];
        lot.starts[usize::from(profile.start).min(profiles.len() - 1)] += 1.0;
        lot.cost += f64::from(profile.cost);
        lot.escalations += f64::from(profile.escalations);
        lot.checked += f64::from(profile.checked);
    }
    lot
}

fn rank_at(above: &[usize], place: usize) -> usize {
    (1..above.len()).rev().find(|rank| place < above[*rank]).unwrap_or(0)
}

fn match_cost(profiles: &[Vec<Profile>], order: &[u32], above: &mut [usize], target: f64) {
    let cost = |rank: usize, place: usize| f64::from(profiles[rank][order[place] as usize].cost);
    let mut sum: f64 = (0..order.len()).map(|place| cost(rank_at(above, place), place)).sum();
    let raises = sum < target;
    loop {
        let moved = (1..above.len()).find_map(|rank| {
            let place = if raises {
                (above[rank] < above[rank - 1]).then_some(above[rank])?
            } else {
                let kept = above.get(rank + 1).copied().unwrap_or(0);
                (above[rank] > kept).then(|| above[rank] - 1)?
            };
            let change = cost(rank, place) - cost(rank - 1, place);
            Some((rank, if raises { change } else { -change }))
        });
        let Some((rank, change)) = moved else { return };
        let (after, passes) = (sum + change, (sum + change < target) != raises);
        // The step over the border is taken only when it comes nearer.
        if passes && (after - target).abs() >= (sum - target).abs() {
            return;
        }
        if raises {
            above[rank] += 1
        } else {
            above[rank] -= 1
        }
        if passes {
            return;
        }
        sum = after;
    }
}

fn summed(lots: &[Lot], target: Option<f64>, profiles: &[Vec<Profile>]) -> Shuffle {
    let spread = |of: fn(&Lot) -> f64| Spread {
        mean: lots.iter().map(of).sum::<f64>() / lots.len() as f64,
        deviation: variance(lots.iter().map(of)).sqrt(),
    };
    let starts =
        (0..profiles.len()).map(|rank| lots.iter().map(|lot| lot.starts[rank]).sum::<f64>() / lots.len() as f64);
    let dearest = profiles.iter().flatten().map(|profile| f64::from(profile.cost)).fold(0.0, f64::max);
    let cost = spread(|lot| lot.cost);
    Shuffle {
        starts: starts.collect(),
        escalations: spread(|lot| lot.escalations),
        checked: spread(|lot| lot.checked),
        // Within one question, and what rounding does to many.
        same_cost: target.is_some_and(|target| (cost.mean - target).abs() <= dearest + target * 1e-4),
        cost,
    }
}
