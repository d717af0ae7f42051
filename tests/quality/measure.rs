//! The measures of RouteLLM (arXiv 2406.18665): the performance gap recovered over all thresholds (APGR), and the share of
//! strong calls that recovers half of it, or four fifths (CPT). Thresholds are quantiles of the scores themselves, so only
//! the order of the scores counts.

/// One prompt: its score, and how good the weak and the strong model's answers were.
#[derive(Clone, Copy)]
pub struct Graded {
    pub score: f64,
    pub weak: f64,
    pub strong: f64,
}

pub struct Quality {
    pub apgr: f64,
    pub cpt50: f64,
    pub cpt80: f64,
}

/// Thresholds at 0, 10, … 100% of the scores.
const STEPS: usize = 10;
const SHUFFLES: u64 = 200;

pub fn quality(rows: &[Graded]) -> Quality {
    from_curve(&curve(rows), rows)
}

/// The mean over shuffled scores.
pub fn by_chance(rows: &[Graded]) -> Quality {
    let mut random = fastrand::Rng::with_seed(0);
    let curves: Vec<Vec<(f64, f64)>> = (0..SHUFFLES)
        .map(|_| curve(&rows.iter().map(|row| Graded { score: random.f64(), ..*row }).collect::<Vec<_>>()))
        .collect();
    let mean = |at: usize| {
        let sum =
            curves.iter().map(|curve| curve[at]).fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
        (sum.0 / curves.len() as f64, sum.1 / curves.len() as f64)
    };
    from_curve(&(0..=STEPS).map(mean).collect::<Vec<_>>(), rows)
}

/// Share of strong calls and mean quality at each threshold, by rising share.
fn curve(rows: &[Graded]) -> Vec<(f64, f64)> {
    let mut sorted: Vec<f64> = rows.iter().map(|row| row.score).collect();
    sorted.sort_by(f64::total_cmp);
    let mut thresholds: Vec<f64> = (0..=STEPS).map(|step| quantile(&sorted, step as f64 / STEPS as f64)).collect();
    thresholds.dedup();
    let last = thresholds.len() - 1;
    let at = |(index, threshold): (usize, &f64)| {
        let strong = |row: &Graded| if index == last { row.score > *threshold } else { row.score >= *threshold };
        let share = rows.iter().filter(|row| strong(row)).count() as f64 / rows.len() as f64;
        (share, mean(rows.iter().map(|row| if strong(row) { row.strong } else { row.weak })))
    };
    let mut points: Vec<(f64, f64)> = thresholds.iter().enumerate().map(at).collect();
    points.sort_by(|one, other| one.0.total_cmp(&other.0));
    points
}

fn from_curve(curve: &[(f64, f64)], rows: &[Graded]) -> Quality {
    let (weak, strong) = (mean(rows.iter().map(|row| row.weak)), mean(rows.iter().map(|row| row.strong)));
    let area: f64 = curve.windows(2).map(|pair| (pair[1].0 - pair[0].0) * (pair[1].1 + pair[0].1) / 2.0).sum();
    let span = curve[curve.len() - 1].0 - curve[0].0;
    let share_for = |part: f64| 100.0 * interpolated(curve, weak + part * (strong - weak));
    Quality { apgr: (area - weak * span) / ((strong - weak) * span), cpt50: share_for(0.5), cpt80: share_for(0.8) }
}

/// The share at a quality, as numpy's `interp` reads the curve: by bisection, although quality may dip.
fn interpolated(curve: &[(f64, f64)], quality: f64) -> f64 {
    let above = curve.partition_point(|point| point.1 <= quality);
    match (above.checked_sub(1).map(|below| curve[below]), curve.get(above)) {
        (Some(below), Some(above)) => below.0 + (above.0 - below.0) * (quality - below.1) / (above.1 - below.1),
        (Some(last), None) => last.0,
        (None, _) => curve[0].0,
    }
}

fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    sorted[below] + (sorted[above] - sorted[below]) * place.fract()
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    sum / count
}
