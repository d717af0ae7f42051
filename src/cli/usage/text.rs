//! A usage report for a person: what it cost and what it bought in sentences, then a chart of the days, then the table.
//! Pure.

use comfy_table::{CellAlignment, ContentArrangement};

use super::By;
use super::report::{Answered, Report, percent};
use crate::chat::{NanoUsd, Tokens};
use crate::cli::render::{plain_table, wrapped};
use crate::gateway::{Comparison, Spending};
use crate::store::Sums;

/// Prose is easier to read in lines of a book's width.
const WIDTH: usize = 96;
/// Below this nothing would fit.
const NARROWEST: usize = 40;
/// What a table can do without, the least first, in a terminal that is too narrow for all of it.
const CAN_BE_LEFT_OUT: [&str; 8] =
    ["wasted", "out", "calls", "mean time", "passed", "cache saved", "tokens in", "highest tier"];
/// Columns of the chart; longer periods put several parts into one.
const CHART: usize = 62;
const BARS: [char; 9] = ['·', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// `width`: of the terminal, if it goes to one.
pub(super) fn text(report: &Report, width: Option<usize>) -> String {
    let width = width.unwrap_or(usize::MAX).max(NARROWEST);
    let prose = WIDTH.min(width);
    if report.is_empty() {
        return nothing(report);
    }
    let (table, left_out) = table(report, width);
    let mut parts = vec![wrapped(&report.period.told, prose), String::new()];
    parts.extend(sentences(report).iter().map(|sentence| wrapped(sentence, prose)));
    parts.push(chart(report, width));
    parts.push(table);
    parts.extend(notes(report, &left_out).iter().map(|note| wrapped(note, prose)));
    parts.join("\n")
}

fn nothing(report: &Report) -> String {
    let told = &report.period.told;
    match report.first_use {
        None => format!(
            "{told}: nothing was asked, then or ever.\n\
             Call a tool, such as `taskgate call list_tasks`, and it shows here."
        ),
        Some(first) => {
            let day = first.to_zoned(report.period.zone.clone()).date();
            format!("{told}: nothing was asked in this time.\nThe first request came in on {day}: try --since {day}.")
        }
    }
}

fn sentences(report: &Report) -> Vec<String> {
    let total = &report.total;
    let mut told = vec![cost(report), comparison(total.comparison())];
    told.push(answers(report));
    if total.sums.saved > NanoUsd::ZERO {
        told.push(format!("The cache saved {}: what its answers had cost when they were got first.", total.sums.saved));
    }
    if total.calls() > 0 {
        told.push(tokens(total));
    }
    told
}

fn cost(report: &Report) -> String {
    let Spending { sums, .. } = report.total;
    let requests = counted(sums.requests, "request");
    let names: Vec<&str> = report.unpriced.iter().map(String::as_str).collect();
    let why = match names.as_slice() {
        [] => "nobody said what was used".to_owned(),
        names => format!("the policy has no price for {}", names.join(", ")),
    };
    let Some(cost) = report.total.cost() else { return format!("What {requests} cost is not known: {why}.") };
    let mut told = format!("{cost} spent on {requests}");
    if let Some(share) = percent(sums.wasted.0 as f64, sums.cost.0 as f64).filter(|_| sums.wasted > NanoUsd::ZERO) {
        told += &format!("; {} of it ({}) bought no answer", sums.wasted, shown_percent(share));
    }
    told.push('.');
    if report.total.uncosted > 0 {
        told += &format!(" Not in it: {}, whose cost is not known ({why}).", counted(report.total.uncosted, "call"));
    }
    told
}

fn comparison(comparison: Comparison) -> String {
    match comparison {
        Comparison::Nothing => "No answer of a model was used, so there is nothing to compare that with.".to_owned(),
        Comparison::Unknown => {
            "What the highest tier would have taken is not known: no model of it had a price.".to_owned()
        }
        Comparison::Known { instead: NanoUsd::ZERO, saved: NanoUsd::ZERO } => {
            "The highest tier is free too: routing saves time, no money.".to_owned()
        }
        Comparison::Known { instead: NanoUsd::ZERO, saved } => {
            format!("The highest tier is free. Routing took {} more than that.", NanoUsd(saved.0.saturating_neg()))
        }
        Comparison::Known { instead, saved } => {
            format!("The same answers at the highest tier: {instead}. {}", difference(saved, instead, ""))
        }
        Comparison::AtLeast { instead, saved, unknown } => {
            let (bound, lacks) = match (unknown, saved >= NanoUsd::ZERO) {
                (0, _) => (" about", "what is not in the cost is not in the difference either".to_owned()),
                (_, true) => (" at least", format!("{} not known there", counted_are(unknown, "answer"))),
                (_, false) => (" at most", format!("{} not known there", counted_are(unknown, "answer"))),
            };
            format!(
                "The same answers at the highest tier: {instead} or more ({lacks}). {}",
                difference(saved, instead, bound)
            )
        }
    }
}

/// A difference has a direction, and both are told in words.
fn difference(saved: NanoUsd, instead: NanoUsd, bound: &str) -> String {
    let share = percent(saved.0.unsigned_abs() as f64, instead.0 as f64);
    let share = share.map(|share| format!(" ({})", shown_percent(share))).unwrap_or_default();
    match saved.0 {
        0 => "That is as much as was spent.".to_owned(),
        1.. => format!("Routing saved{bound} {saved} of that{share}."),
        _ => format!("Routing took{bound} {} more than that{share}.", NanoUsd(saved.0.saturating_neg())),
    }
}

fn answers(report: &Report) -> String {
    let all: u64 = report.answered.values().sum();
    let told = |way: &Answered| match way {
        Answered::Local => "by local models",
        Answered::Hosted => "by hosted models",
        Answered::Other => "by models that the policy no longer has",
        Answered::Cache => "from the cache",
        Answered::Logic => "needed no model",
        Answered::Degraded => "by logic, because no model's answer could be used",
        Answered::Nobody => "not answered",
    };
    let ways = report.answered.iter().filter(|(_, requests)| **requests > 0);
    let ways = ways.filter_map(|(way, requests)| {
        Some(format!("{} {}", shown_percent(percent(*requests as f64, all as f64)?), told(way)))
    });
    let ways: Vec<String> = ways.collect();
    if ways.is_empty() { "No request came in.".to_owned() } else { format!("Answers: {}.", ways.join(", ")) }
}

fn tokens(total: &Spending) -> String {
    let Sums { usage, estimated, usage_unknown, .. } = total.sums;
    let mut told = format!(
        "{} to models with {} tokens in ({} cached) and {} out",
        counted(total.calls(), "call"),
        grouped(usage.input.0),
        grouped(usage.cached_input.0),
        grouped(usage.output.0)
    );
    if let Some(share) = percent(estimated.0 as f64, (usage.input + usage.output).0 as f64).filter(|share| *share > 0.0)
    {
        told += &format!(", {} of them estimated", shown_percent(share));
    }
    if usage_unknown > 0 {
        told += &format!("; of {} nobody said how much was used", counted(usage_unknown, "call"));
    }
    told + "."
}

/// What was spent over the time; requests, where nothing was.
fn chart(report: &Report, width: usize) -> String {
    let costs = report.total.sums.cost > NanoUsd::ZERO;
    let (what, value): (_, fn(&Sums) -> u64) = match costs {
        true => ("cost", |sums| sums.cost.0.unsigned_abs()),
        false => ("requests", |sums| sums.requests),
    };
    let values: Vec<u64> = report.series.iter().map(value).collect();
    let each = values.len().div_ceil(CHART.min(width - what.len() - 1)).max(1);
    let columns: Vec<u64> = values.chunks(each).map(|values| values.iter().sum()).collect();
    let highest = columns.iter().copied().max().unwrap_or_default().max(1);
    let bars: String = columns.iter().map(|value| bar(*value, highest)).collect();
    let name = |at: usize| report.period.parts.get(at * each).map_or("", |part| part.name.as_str());
    let at = columns.iter().position(|value| *value == highest).unwrap_or_default();
    let peak = if costs { NanoUsd(i64::try_from(highest).unwrap_or(i64::MAX)).to_string() } else { grouped(highest) };
    let unit = report.period.unit;
    let each = if each > 1 { format!(" (a bar is {each} {unit}s)") } else { String::new() };
    let told = format!("at most {peak}, {}{each}", name(at));
    let is_long = what.len() + 1 + columns.len() + 2 + told.chars().count() > width;
    if is_long {
        return format!("\n{what} {bars}\n{}\n", wrapped(&told, width));
    }
    format!("\n{what} {bars}  {told}\n")
}

/// Something is never drawn as nothing.
fn bar(value: u64, highest: u64) -> char {
    let steps = BARS.len() as u128 - 1;
    let height = (u128::from(value) * steps).div_ceil(u128::from(highest.max(1))).min(steps);
    BARS[height as usize]
}

/// The table without what does not fit, and what that is.
fn table(report: &Report, width: usize) -> (String, Vec<&'static str>) {
    let mut left_out = Vec::new();
    let mut can_go = CAN_BE_LEFT_OUT.into_iter();
    loop {
        let (table, headings) = table_without(report, &left_out);
        let fits = table.lines().all(|line| line.trim_end().chars().count() <= width);
        let next = can_go.by_ref().find(|column| headings.contains(column));
        match next.filter(|_| !fits) {
            Some(column) => left_out.push(column),
            None => return (table, left_out),
        }
    }
}

/// The table and its headings.
fn table_without(report: &Report, left_out: &[&str]) -> (String, Vec<&'static str>) {
    let checks = matches!(report.by, By::Model | By::Tier);
    let last = if checks { "passed" } else { "mean time" };
    // A column of nothing would only make the others hard to read.
    let cache = report.total.sums.saved > NanoUsd::ZERO;
    let mut table = plain_table();
    // A name that is broken cannot be copied.
    table.set_content_arrangement(ContentArrangement::Disabled);
    let mut header =
        vec![report.by.as_str(), "requests", "calls", "tokens in", "out", "cost", "wasted", "highest tier", last];
    header.extend(cache.then_some("cache saved"));
    let kept: Vec<bool> = header.iter().map(|heading| !left_out.contains(heading)).collect();
    let shown = |cells: Vec<String>| cells.into_iter().zip(&kept).filter(|(_, kept)| **kept).map(|(cell, _)| cell);
    table.set_header(shown(header.iter().map(|heading| (*heading).to_owned()).collect()));
    let total = (report.rows.len() > 1).then_some(("total", &report.total));
    let rows = report.rows.iter().map(|(name, row)| (named(report.by, name), row));
    for (name, row) in rows.chain(total) {
        let mut cells = cells(name, row, checks);
        cells.extend(cache.then(|| some(row.sums.saved)));
        table.add_row(shown(cells));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    (table.to_string(), header)
}

fn cells(name: &str, row: &Spending, checks: bool) -> Vec<String> {
    let sums = &row.sums;
    let last = if checks { passed(sums) } else { mean_time(sums) };
    vec![
        name.to_owned(),
        grouped(sums.requests),
        grouped(row.calls()),
        token_cell(row, sums.usage.input),
        token_cell(row, sums.usage.output),
        match row.cost() {
            None => "unknown".to_owned(),
            Some(cost) if sums.cost_estimated > NanoUsd::ZERO => format!("≈{cost}"),
            Some(cost) => cost.to_string(),
        },
        some(sums.wasted),
        match row.comparison() {
            Comparison::Nothing => "–".to_owned(),
            Comparison::Unknown => "unknown".to_owned(),
            Comparison::Known { instead, .. } => instead.to_string(),
            Comparison::AtLeast { instead, unknown: 0, .. } => instead.to_string(),
            Comparison::AtLeast { instead, .. } => format!("≥{instead}"),
        },
        last,
    ]
}

fn some(amount: NanoUsd) -> String {
    if amount > NanoUsd::ZERO { amount.to_string() } else { "–".to_owned() }
}

/// A model without a name is none.
fn named(by: By, name: &str) -> &str {
    match (by, name) {
        (By::Model | By::Tier, "" | "none") => "no model",
        (_, "") => "–",
        (_, name) => name,
    }
}

fn token_cell(row: &Spending, tokens: Tokens) -> String {
    match (row.calls(), row.sums.usage_unknown) {
        (0, _) => "–".to_owned(),
        (calls, unknown) if unknown >= calls => "unknown".to_owned(),
        (_, unknown) if unknown > 0 || row.sums.estimated > Tokens::ZERO => format!("≈{}", short(tokens.0)),
        _ => short(tokens.0),
    }
}

fn passed(sums: &Sums) -> String {
    let checked = sums.accepted + sums.rejected;
    percent(sums.accepted as f64, checked as f64).map_or_else(|| "–".to_owned(), shown_percent)
}

fn mean_time(sums: &Sums) -> String {
    let Some(milliseconds) = (sums.latency.as_millis()).checked_div(u128::from(sums.requests)) else {
        return "–".to_owned();
    };
    if milliseconds < 1_000 { format!("{milliseconds} ms") } else { format!("{:.1} s", milliseconds as f64 / 1_000.0) }
}

fn notes(report: &Report, left_out: &[&str]) -> Vec<String> {
    let partly = report.total.sums.estimated > Tokens::ZERO || report.total.sums.usage_unknown > 0;
    let note = "≈ rests in part on estimates: a backend did not report what it used.";
    let narrow =
        || format!("Too narrow for: {}. A wider terminal shows them, as do --csv and --json.", left_out.join(", "));
    let partly = partly.then(|| format!("\n{note}"));
    partly.into_iter().chain((!left_out.is_empty()).then(narrow)).collect()
}

fn counted(number: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(number), if number == 1 { "" } else { "s" })
}

fn counted_are(number: u64, what: &str) -> String {
    format!("{} {}", counted(number, what), if number == 1 { "is" } else { "are" })
}

/// Never 0% of something, and never all of what is not whole.
fn shown_percent(percent: f64) -> String {
    match percent {
        ..0.5 if percent > 0.0 => "under 1%".to_owned(),
        99.5..100.0 => "over 99%".to_owned(),
        _ => format!("{percent:.0}%"),
    }
}

/// 1,234,567
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// 950, 12.3k, 4.5M
fn short(number: u64) -> String {
    const STEPS: [(u64, &str); 4] = [(1_000_000_000_000, "T"), (1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")];
    match STEPS.iter().find(|(step, _)| number >= *step) {
        Some((step, unit)) => format!("{:.1}{unit}", number as f64 / *step as f64),
        None => number.to_string(),
    }
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
