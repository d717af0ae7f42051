//! How long an upstream asks us to wait, in the spellings that are in use. `now` comes in as a value.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::header::{HeaderMap, RETRY_AFTER};

/// A longer wait than a day means the same to us as a day.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// What is left of each rate limit, and when it is full again.
const RESETS: [(&str, &str); 3] = [
    ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    ("x-ratelimit-remaining", "x-ratelimit-reset"),
];

/// The wait that an answer with this status asks for. The rate limits' own headers stand on every answer; only on a
/// 429 do they say when to come back.
pub(super) fn asked(status: u16, headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let milliseconds = text(headers, "retry-after-ms").and_then(|ms| seconds(ms).map(|ms| ms / 1_000));
    let explicit = milliseconds.or_else(|| retry_after(text(headers, RETRY_AFTER.as_str())?, now));
    let wait = if status == 429 { explicit.or_else(|| reset(headers, now)) } else { explicit };
    wait.map(|wait| wait.min(LONGEST))
}

fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    seconds(value).or_else(|| {
        let date = httpdate::parse_http_date(value).ok()?;
        Some(date.duration_since(now).unwrap_or_default())
    })
}

/// The limits that are used up say how long; if none says so, the longest of all does.
fn reset(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let known = || {
        RESETS.into_iter().filter_map(|(left, reset)| {
            let wait = instant_or_span(text(headers, reset)?, now)?;
            Some((text(headers, left).is_some_and(|left| left == "0"), wait))
        })
    };
    let spent = known().filter(|(spent, _)| *spent).map(|(_, wait)| wait).max();
    spent.or_else(|| known().map(|(_, wait)| wait).max())
}

/// A span ("1s", "6m0s", "120ms", "17"), or a moment in seconds or milliseconds since 1970.
fn instant_or_span(value: &str, now: SystemTime) -> Option<Duration> {
    const SECONDS_OF_2001: u64 = 1_000_000_000;
    let Some(number) = seconds(value) else { return span(value) };
    let since_1970 = match number.as_secs() {
        ..SECONDS_OF_2001 => return Some(number),
        SECONDS_OF_2001..100_000_000_000 => number,
        _ => number / 1_000,
    };
    Some(since_1970.saturating_sub(now.duration_since(UNIX_EPOCH).unwrap_or_default()))
}

/// Go's way to write a duration.
fn span(value: &str) -> Option<Duration> {
    let mut rest = value;
    let mut sum = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|character: char| character != '.' && !character.is_ascii_digit())?;
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|character: char| character.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let unit = match unit {
            "d" => 86_400.0,
            "h" => 3_600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        let number: f64 = number.parse().ok()?;
        sum = sum.saturating_add(Duration::try_from_secs_f64(number * unit).ok()?);
        rest = after;
    }
    (!value.is_empty()).then_some(sum)
}

/// A plain number, with or without a fraction. Signs, exponents and "inf" are no wait.
fn seconds(value: &str) -> Option<Duration> {
    let plain = value.chars().all(|character| character.is_ascii_digit() || character == '.');
    let number: f64 = plain.then(|| value.parse().ok()).flatten()?;
    Duration::try_from_secs_f64(number).ok()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    fn wait(status: u16, headers: &[(&'static str, &str)]) -> Option<Duration> {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
            .collect();
        asked(status, &headers, now)
    }

    #[test]
    fn a_wait_is_read_in_every_spelling() {
        for (headers, expected) in [
            (vec![("retry-after", "7")], 7_000),
            (vec![("retry-after", " 0.25 ")], 250),
            (vec![("retry-after-ms", "1500"), ("retry-after", "9")], 1_500),
            (vec![("retry-after", "Sun, 06 Nov 1994 08:49:57 GMT")], 20_000),
            (vec![("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT")], 0),
            (vec![("x-ratelimit-reset-requests", "1s")], 1_000),
            (vec![("x-ratelimit-reset-tokens", "6m0s"), ("x-ratelimit-reset-requests", "120ms")], 360_000),
            (vec![("x-ratelimit-reset", "17")], 17_000),
        ] {
            assert_eq!(wait(429, &headers), Some(Duration::from_millis(expected)), "{headers:?}");
        }
    }

    #[test]
    fn the_limit_that_is_used_up_decides() {
        let headers = [
            ("x-ratelimit-remaining-requests", "0"),
            ("x-ratelimit-reset-requests", "2s"),
            ("x-ratelimit-remaining-tokens", "9000"),
            ("x-ratelimit-reset-tokens", "5m"),
        ];
        assert_eq!(wait(429, &headers), Some(Duration::from_secs(2)));
    }

    #[test]
    fn a_reset_may_be_a_moment() {
        let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        assert_eq!(instant_or_span("1700000030", now), Some(Duration::from_secs(30)));
        assert_eq!(instant_or_span("1700000030000", now), Some(Duration::from_secs(30)));
        assert_eq!(instant_or_span("1600000000", now), Some(Duration::ZERO));
    }

    #[test]
    fn rate_limit_headers_of_other_answers_are_no_wait() {
        assert_eq!(wait(500, &[("x-ratelimit-reset-requests", "1s")]), None);
        assert_eq!(wait(503, &[("retry-after", "3")]), Some(Duration::from_secs(3)));
    }

    #[test]
    fn nonsense_is_no_wait() {
        for value in ["", "soon", "-1", "1e9", "inf", "NaN", "1.2.3", "5 apples"] {
            assert_eq!(wait(429, &[("retry-after", value), ("x-ratelimit-reset", value)]), None, "{value}");
        }
    }

    proptest! {
        #[test]
        fn no_header_panics_or_waits_longer_than_a_day(value in "[ -~]{0,30}") {
            let headers = [("retry-after", value.as_str()), ("retry-after-ms", &value), ("x-ratelimit-reset", &value)];
            for header in headers {
                prop_assert!(wait(429, &[header]).is_none_or(|wait| wait <= LONGEST));
            }
        }
    }
}
