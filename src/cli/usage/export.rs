//! A usage report for programs: JSON and CSV. What is not known is null or empty, never zero. Pure.

use serde_json::{Map, Value, json};

use super::report::{Answered, Report};
use crate::chat::NanoUsd;
use crate::gateway::{Comparison, Spending};
use crate::store::Sums;

pub(super) fn json(report: &Report) -> Value {
    let rows = report.rows.iter().map(|(name, row)| {
        let mut figures = figures(row);
        figures.insert("name".to_owned(), json!(name));
        Value::Object(figures)
    });
    let series = report.period.parts.iter().zip(&report.series);
    let series = series.map(|(part, sums)| {
        json!({ "from": part.over.from(), "until": part.over.until(), "requests": sums.requests,
            "cost_nanousd": sums.cost })
    });
    let answered = |way| report.answered.get(&way).copied().unwrap_or_default();
    json!({
        "from": report.period.from(),
        "until": report.period.until(),
        "time_zone": report.period.zone.iana_name(),
        "by": report.by.as_str(),
        "total": figures(&report.total),
        "answered": {
            "local": answered(Answered::Local),
            "hosted": answered(Answered::Hosted),
            "other": answered(Answered::Other),
            "cache": answered(Answered::Cache),
            "logic": answered(Answered::Logic),
            "degraded": answered(Answered::Degraded),
            "nobody": answered(Answered::Nobody),
        },
        "unpriced_models": report.unpriced,
        "rows": rows.collect::<Vec<_>>(),
        "series": series.collect::<Vec<_>>(),
    })
}

fn figures(row: &Spending) -> Map<String, Value> {
    let Sums { usage, .. } = row.sums;
    let (instead, saved) = compared(row);
    let value = json!({
        "requests": row.sums.requests,
        "calls": row.calls(),
        "skipped": row.sums.skipped,
        "escalations": row.sums.escalations,
        "accepted": row.sums.accepted,
        "rejected": row.sums.rejected,
        "input_tokens": usage.input,
        "cached_input_tokens": usage.cached_input,
        "output_tokens": usage.output,
        "estimated_tokens": row.sums.estimated,
        "calls_of_unknown_usage": row.sums.usage_unknown,
        "calls_of_unknown_cost": row.uncosted,
        "cost_nanousd": row.cost(),
        "estimated_cost_nanousd": row.sums.cost_estimated,
        "wasted_nanousd": row.sums.wasted,
        "counterfactual_nanousd": instead,
        "answers_of_unknown_counterfactual": row.sums.counterfactual_unknown,
        "saved_nanousd": saved,
        "cache_saved_nanousd": row.sums.saved,
        "mean_latency_ms": mean_latency(&row.sums),
    });
    match value {
        Value::Object(figures) => figures,
        _ => Map::new(),
    }
}

/// Only what is wholly known.
fn compared(row: &Spending) -> (Option<NanoUsd>, Option<NanoUsd>) {
    match row.comparison() {
        Comparison::Known { instead, saved } => (Some(instead), Some(saved)),
        Comparison::AtLeast { instead, unknown: 0, .. } => (Some(instead), None),
        Comparison::AtLeast { .. } | Comparison::Unknown | Comparison::Nothing => (None, None),
    }
}

fn mean_latency(sums: &Sums) -> Option<f64> {
    (sums.requests > 0).then(|| sums.latency.as_secs_f64() * 1_000.0 / sums.requests as f64)
}

const COLUMNS: [&str; 17] = [
    "requests",
    "calls",
    "escalations",
    "accepted",
    "rejected",
    "input_tokens",
    "cached_input_tokens",
    "output_tokens",
    "estimated_tokens",
    "calls_of_unknown_usage",
    "calls_of_unknown_cost",
    "cost_usd",
    "wasted_usd",
    "counterfactual_usd",
    "saved_usd",
    "mean_latency_ms",
    "cache_saved_usd",
];

/// By the rules of RFC 4180, with plain line ends.
pub(super) fn csv(report: &Report) -> String {
    let mut lines = vec![format!("{},{}", report.by.as_str(), COLUMNS.join(","))];
    lines.extend(report.rows.iter().map(|(name, row)| format!("{},{}", quoted(name), cells(row).join(","))));
    lines.join("\n")
}

fn cells(row: &Spending) -> [String; 17] {
    let sums = &row.sums;
    let usd = |amount: Option<NanoUsd>| amount.map(|amount| amount.as_usd().to_string()).unwrap_or_default();
    let (instead, saved) = compared(row);
    [
        sums.requests.to_string(),
        row.calls().to_string(),
        sums.escalations.to_string(),
        sums.accepted.to_string(),
        sums.rejected.to_string(),
        sums.usage.input.0.to_string(),
        sums.usage.cached_input.0.to_string(),
        sums.usage.output.0.to_string(),
        sums.estimated.0.to_string(),
        sums.usage_unknown.to_string(),
        row.uncosted.to_string(),
        usd(row.cost()),
        usd(Some(sums.wasted)),
        usd(instead),
        usd(saved),
        mean_latency(sums).map(|milliseconds| format!("{milliseconds:.3}")).unwrap_or_default(),
        usd(Some(sums.saved)),
    ]
}

fn quoted(name: &str) -> String {
    if name.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", name.replace('"', "\"\"")) } else { name.to_owned() }
}
