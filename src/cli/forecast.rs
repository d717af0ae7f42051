//! A simulation and a calibration as a person reads them. Pure: values in, text out.

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use jiff::tz::TimeZone;

use super::render::wrapped;
use crate::chat::NanoUsd;
use crate::names::TierName;
use crate::simulate::{
    BudgetReport, Calibration, Change, Difference, Estimate, Report, Row, SAME_SHARE, SURE, Subject, ThroughTime,
    Verdict, Wanted,
};

/// Prose is easier to read in lines of a book's width.
const WIDTH: usize = 100;

/// `zone`: where days begin, and times are told.
pub(super) fn report(report: &Report, zone: &TimeZone) -> String {
    let mut parts = vec![head(report, zone)];
    if report.questions > 0 {
        parts.push(format!("{}\n{}", table(report), legend(report)));
        parts.push(format!("What changes\n{}", changes(report)));
        let told: Vec<String> = report.through_time.iter().flat_map(through_time).map(|line| item(&line)).collect();
        if !told.is_empty() {
            parts.push(format!("Through time\n{}", told.join("\n")));
        }
    }
    let unknowns: Vec<String> = report.unknowns.iter().map(|unknown| item(&unknown.text)).collect();
    parts.push(format!("What this cannot know\n{}", unknowns.join("\n")));
    parts.join("\n\n")
}

pub(super) fn calibrations(found: &[Calibration], wanted: &Wanted, (requests, read): (u64, u64)) -> String {
    let sampled = if read < requests { format!(", of which {} were read", counted(read)) } else { String::new() };
    let head = format!(
        "{} requests{sampled}; {} of the questions are to start in tier `{}` or above.",
        counted(requests),
        percent(wanted.share),
        wanted.tier
    );
    let parts = found.iter().map(|place| calibration(place, wanted));
    std::iter::once(head).chain(parts).collect::<Vec<_>>().join("\n\n")
}

/// A count with its thousands apart.
pub(super) fn counted(count: u64) -> String {
    let digits = count.to_string();
    let first = digits.len() % 3;
    let (head, rest) = digits.split_at(first);
    let groups = rest.as_bytes().chunks(3).map(|group| String::from_utf8_lossy(group).into_owned());
    Some(head.to_owned()).filter(|head| !head.is_empty()).into_iter().chain(groups).collect::<Vec<_>>().join(",")
}

fn head(report: &Report, zone: &TimeZone) -> String {
    let since = report.since.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M %Q").to_string();
    if report.requests == 0 {
        return format!("No request was recorded since {since}: there is nothing to replay.");
    }
    let sample = if report.replayed < report.requests {
        format!(", {} of them replayed", counted(report.replayed))
    } else {
        String::new()
    };
    let mut ways = vec![format!("{} could ask a model", counted(report.questions))];
    if report.logic > 0 {
        ways.push(format!("{} never had a question for one", counted(report.logic)));
    }
    if report.cached > 0 {
        ways.push(format!("{} were answered from the cache", counted(report.cached)));
    }
    wrapped(&format!("{} requests since {since}{sample}: {}.", counted(report.requests), ways.join(", ")), WIDTH)
}

fn table(report: &Report) -> String {
    let tiers = tiers(&report.rows);
    let logic = report.rows.iter().any(|row| row.logic > 0.0);
    let mut table = Table::new();
    table.load_style(NOTHING);
    let mut header = vec![String::new()];
    header.extend(logic.then(|| "none".to_owned()));
    header.extend(tiers.iter().map(|tier| format!("in {tier}")));
    header.extend(["cost", "escalations", "checked answers"].map(str::to_owned));
    table.set_header(header);
    for row in &report.rows {
        let mut cells = vec![format!("  {}", label(row))];
        cells.extend(logic.then(|| percent(row.logic)));
        cells.extend(tiers.iter().map(|tier| {
            let share = row.starts.iter().find(|share| share.tier == *tier);
            match share {
                Some(share) => percent(share.share),
                // A tier of another policy; of the record only those are known in which something started.
                None if row.subject == Subject::Recorded => percent(0.0),
                None => "-".to_owned(),
            }
        }));
        cells.extend([cost(row), estimate(row.escalations), estimate(row.checked)]);
        table.add_row(cells);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// Every tier of every row, the new policy's first.
fn tiers(rows: &[Row]) -> Vec<TierName> {
    let mut tiers: Vec<TierName> = Vec::new();
    for share in rows.iter().flat_map(|row| &row.starts) {
        if !tiers.contains(&share.tier) {
            tiers.push(share.tier.clone());
        }
    }
    tiers
}

fn label(row: &Row) -> String {
    match row.subject {
        Subject::New => format!("new: {}", row.name),
        Subject::Present => format!("present: {}", row.name),
        Subject::AllLowest | Subject::AllHighest | Subject::Shuffle | Subject::Recorded => row.name.clone(),
    }
}

fn cost(row: &Row) -> String {
    let known = row.known_cost_nanousd;
    if row.cost_nanousd.is_none() {
        return if known == NanoUsd::ZERO { "unknown".to_owned() } else { format!("unknown, over {known}") };
    }
    match row.cost_error_nanousd.map(|error| NanoUsd((error.0 as f64 * SURE).round() as i64)) {
        Some(error) if error > NanoUsd::ZERO => format!("{known} ± {error}"),
        _ => known.to_string(),
    }
}

fn estimate(estimate: Estimate) -> String {
    match estimate.error {
        Some(error) => format!("{} ± {:.1}", percent(estimate.value), error * SURE * 100.0),
        None => percent(estimate.value),
    }
}

fn legend(report: &Report) -> String {
    let unchecked = report.rows.first().filter(|row| row.unchecked > 0.0);
    let unchecked =
        unchecked.map(|row| format!(" Beside them, {} get an answer that nobody checks.", percent(row.unchecked)));
    let text = format!(
        "Shares are of the {} questions, by the tier where they start. ± is what chance may do (95%); by lot, the luck of \
         the draw.{}",
        counted(report.questions),
        unchecked.unwrap_or_default()
    );
    wrapped(&text, WIDTH)
}

fn changes(report: &Report) -> String {
    let Change { cost, cost_share, escalations, checked } = &report.change;
    let mut lines = vec![match cost {
        None => "Cost: unknown.".to_owned(),
        Some(cost) => {
            let share = cost_share.map(|share| format!(" ({:+.1}%)", share * 100.0)).unwrap_or_default();
            format!("Cost: {}{share}{}", signed_money(cost.value), noise(cost, signed_money))
        }
    }];
    lines.push(format!("Escalations per 100 questions: {}{}", points(escalations.value), noise(escalations, points)));
    lines.push(format!("Checked answers per 100 questions: {}{}", points(checked.value), noise(checked, points)));
    if let Some(against) = &report.against_chance {
        lines.push(format!(
            "Against a choice by lot {}: {} checked answers and {} escalations per 100 questions. The new policy chooses \
             {} chance.",
            if against.same_cost { "for the same money" } else { "with the same shares" },
            points(against.checked.value),
            points(against.escalations.value),
            match against.verdict {
                Verdict::Better => "better than",
                Verdict::NoBetter => "no better than",
                Verdict::Worse => "worse than",
            }
        ));
    }
    lines.iter().map(|line| item(line)).collect::<Vec<_>>().join("\n")
}

/// What pass rates and budgets did to one policy's requests, as far as they did anything.
fn through_time(policy: &ThroughTime) -> Vec<String> {
    let name = if policy.subject == Subject::New { "new" } else { "present" };
    let mut lines = Vec::new();
    if policy.passed_over > 0 || policy.explored > 0 {
        lines.push(format!(
            "{name}: {} questions begin above a tier whose answers are mostly rejected by then; {} begin there all the \
             same, to see whether it got better.",
            counted(policy.passed_over),
            counted(policy.explored)
        ));
    }
    lines.extend(policy.budgets.iter().map(|budget| format!("{name}: {}", budget_through_time(budget))));
    lines
}

fn budget_through_time(report: &BudgetReport) -> String {
    let BudgetReport { budget, limit_nanousd: limit, per, rejects, periods, spent } = report;
    let periods = format!("{} {per}{}", counted(*periods), if *periods == 1 { "" } else { "s" });
    let Some(first) = spent.first() else {
        return format!("budget `{budget}` ({limit} a {per}) pays for everything, in {periods}.");
    };
    let kept_back = spent.iter().map(|period| period.kept_back).sum::<f64>().round().max(1.0) as u64;
    let calls = format!("{} call{}", counted(kept_back), if kept_back == 1 { "" } else { "s" });
    format!(
        "budget `{budget}` ({limit} a {per}) runs out in {} of {periods}, first on {}; about {calls} would be kept back, {}.",
        counted(spent.len() as u64),
        first.local.strftime("%Y-%m-%d at %H:%M"),
        if *rejects { "which ends their requests" } else { "and their requests left to free models" },
    )
}

fn noise(difference: &Difference, shown: fn(f64) -> String) -> String {
    match (difference.low, difference.high) {
        _ if difference.value == 0.0 && difference.low == Some(0.0) => ".".to_owned(),
        (Some(low), Some(high)) if difference.inside_the_noise => {
            format!(", inside the noise (95%: {} to {}).", shown(low), shown(high))
        }
        (Some(low), Some(high)) => format!(", 95% between {} and {}.", shown(low), shown(high)),
        _ => ", too few questions to tell from chance.".to_owned(),
    }
}

fn signed_money(amount: f64) -> String {
    let amount = NanoUsd(amount.round() as i64);
    if amount > NanoUsd::ZERO { format!("+{amount}") } else { amount.to_string() }
}

fn points(share: f64) -> String {
    let points = format!("{:+.1}", share * 100.0);
    if points == "-0.0" || points == "+0.0" { "0.0".to_owned() } else { points }
}

fn percent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}

fn item(text: &str) -> String {
    format!("  - {}", wrapped(text, WIDTH - 4).replace('\n', "\n    "))
}

fn calibration(place: &Calibration, wanted: &Wanted) -> String {
    let routes = place.routes.iter().map(|route| format!("`{route}`")).collect::<Vec<_>>().join(", ");
    let head = match &place.route {
        Some(route) => format!("Route `{route}`: {} questions", counted(place.questions)),
        None => format!("classifier, for the routes {routes}: {} questions", counted(place.questions)),
    };
    let mut lines = vec![head];
    if let Some(threshold) = place.threshold {
        let near = SAME_SHARE.max(0.5 / place.questions.max(1) as f64);
        let exact = (place.share - wanted.share).abs() <= near + f64::EPSILON;
        let reached = if exact { "" } else { ", the nearest that equal scores allow" };
        lines.push(item(&format!(
            "threshold {threshold} gives {}{reached}; of other traffic of this kind {} to {} (95%).",
            percent(place.share),
            percent(place.share_low),
            percent(place.share_high)
        )));
        if let Some((low, high)) = place.threshold_low.zip(place.threshold_high).filter(|(low, high)| low < high) {
            lines.push(item(&format!("the exact threshold lies between {low:.3} and {high:.3} (95%).")));
        }
        if place.ties > 1 {
            lines.push(item(&format!(
                "{} questions have the very score at the border, and go together.",
                counted(place.ties)
            )));
        }
    }
    if place.questions > 0 {
        let present = match place.present_threshold {
            Some(threshold) => format!("the present threshold {threshold} gives"),
            None => "at present there is no threshold, which gives".to_owned(),
        };
        lines.push(item(&format!("{present} {}.", percent(place.present_share))));
    }
    lines.extend(place.notes.iter().map(|note| item(note)));
    if !place.yaml.is_empty() {
        lines.push(String::new());
        lines.extend(place.yaml.lines().map(|line| format!("    {line}")));
    }
    lines.join("\n")
}
