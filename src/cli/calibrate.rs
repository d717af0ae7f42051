//! `taskgate calibrate --tier hosted --share 20%`: the threshold that sends that share of recorded questions to a tier,
//! how sure that is, and the lines to paste. Nothing is called, changed or written down.

use clap::Args;
use serde_json::json;

use super::simulate::Reading;
use super::{call, forecast, output, window};
use crate::app::App;
use crate::simulate::{Wanted, calibrate};

#[derive(Args)]
pub(super) struct Arguments {
    /// The tier that the threshold leads to
    #[arg(long, value_name = "TIER")]
    tier: String,
    /// How many of the recorded questions should start there or above, such as 20%
    #[arg(long, value_name = "SHARE", value_parser = window::share)]
    share: f64,
    /// This route alone, as if it had a threshold of its own; otherwise each place of the policy that has one
    #[arg(long, value_name = "NAME")]
    route: Option<String>,
    #[command(flatten)]
    reading: Reading,
}

/// `false`: there is no such tier or route, or nothing was recorded; why was printed.
pub(super) async fn run(app: &App, asked: &Arguments) -> anyhow::Result<bool> {
    let wanted =
        Wanted { tier: asked.tier.as_str().into(), share: asked.share, route: asked.route.as_deref().map(Into::into) };
    let policy = app.policy();
    let read = asked.reading.traffic(app).await?;
    let found = match calibrate(&policy, &wanted, &read.traffic) {
        Ok(found) => found,
        Err(error) => return call::refused(error),
    };
    if asked.reading.json {
        let json = json!({
            "tier": wanted.tier, "share": wanted.share, "since": read.since, "requests": read.requests,
            "replayed": read.traffic.requests, "policy_hash": policy.hash, "places": found,
        });
        output::result(&json.to_string())?;
    } else {
        output::result(&forecast::calibrations(&found, &wanted, (read.requests, read.traffic.requests)))?;
    }
    Ok(found.iter().any(|place| place.threshold.is_some()))
}
