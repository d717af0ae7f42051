//! The log: to standard error only, because standard output belongs to the protocol. Lines for people on a terminal,
//! JSON for everything else.
//!
//! No secret, prompt or task text is ever logged. A panic's message may hold a piece of text that was worked on, so
//! only its place is told.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::error::{Error, Kind, Result};

/// These write down the text of requests and replies when they are asked for more than warnings.
const LOOSE_TONGUES: &[&str] = &["async_openai", "rmcp", "h2", "hyper"];

/// `filter` is a level ("info") or a list of targets and levels ("taskgate=debug,sqlx=info"). A second call in the same
/// process changes nothing.
pub fn init(filter: &str) -> Result<()> {
    let registry = tracing_subscriber::registry().with(parse(filter)?);
    // A second subscriber is refused; the first goes on.
    let _ = if stderr().is_terminal() {
        registry.with(tracing_subscriber::fmt::layer().with_writer(stderr).with_target(false).compact()).try_init()
    } else {
        registry.with(tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(stderr)).try_init()
    };
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a part of taskgate panicked at {place}; the call that it worked on fails");
    }));
    Ok(())
}

fn parse(filter: &str) -> Result<EnvFilter> {
    let level = filter.trim();
    let plain = level.parse::<tracing::Level>().is_ok() || level == "off";
    let wanted = if plain { format!("warn,taskgate={level}") } else { level.to_owned() };
    let loose = |directive: &&str| !LOOSE_TONGUES.iter().any(|library| directive.trim().starts_with(library));
    let mut directives: Vec<String> = wanted.split(',').filter(loose).map(str::to_owned).collect();
    directives.extend(LOOSE_TONGUES.iter().map(|library| format!("{library}=warn")));
    EnvFilter::try_new(directives.join(",")).map_err(|error| bad_filter(filter).source(error))
}

fn bad_filter(filter: &str) -> Error {
    Error::new(Kind::Config, format!("`{filter}` is not a log filter"))
        .hint("Give a level (error, warn, info, debug, trace, off) or targets, such as taskgate=debug,sqlx=info.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_ours_and_the_libraries_stay_at_warnings() {
        let filter = parse("debug").unwrap().to_string();
        assert!(filter.contains("taskgate=debug") && filter.contains("warn"), "{filter}");
    }

    #[test]
    fn the_libraries_that_log_prompts_stay_at_warnings_whatever_is_asked_for() {
        for asked in ["trace", "async_openai=trace", "taskgate=debug, rmcp::service=debug", "rmcp=info,h2=trace"] {
            let filter = parse(asked).unwrap().to_string();
            let told: Vec<&str> = filter.split(',').filter(|part| !part.starts_with("taskgate")).collect();
            assert!(told.iter().all(|part| part.ends_with("warn")), "{asked}: {filter}");
            assert!(filter.contains("rmcp=warn"), "{asked}: {filter}");
        }
    }

    #[test]
    fn a_bad_filter_is_told_with_what_is_allowed() {
        let error = parse("taskgate=loud").unwrap_err();
        assert_eq!(error.kind, Kind::Config);
        assert!(error.hint.unwrap().contains("debug"));
    }
}
