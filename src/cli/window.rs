//! How far back, and shares: `30d`, `20%`, as flags take them. Pure.

use jiff::{SignedDuration, Timestamp};

/// A length of time, written like 30d, 12h or 2w.
pub(super) fn last(text: &str) -> Result<SignedDuration, String> {
    let wrong = || format!("`{text}` is not a length of time: write 30d, 12h or 2w");
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let hours = match unit {
        "h" => 1,
        "d" => 24,
        "w" => 7 * 24,
        _ => return Err(wrong()),
    };
    // A century of hours, so that no arithmetic on times can overflow.
    let number = number.parse::<u32>().ok().filter(|number| (1..=876_000).contains(number)).ok_or_else(wrong)?;
    Ok(SignedDuration::from_hours(i64::from(number) * hours))
}

/// The beginning of that time; the beginning of all time, when it lies before that.
pub(super) fn since(last: SignedDuration, now: Timestamp) -> Timestamp {
    now.checked_sub(last).unwrap_or(Timestamp::UNIX_EPOCH).max(Timestamp::UNIX_EPOCH)
}

/// A share, written in percent; from 0 to 1.
pub(super) fn share(text: &str) -> Result<f64, String> {
    percent(text).filter(|share| (0.0..=1.0).contains(share)).ok_or_else(|| not_a_share(text, "0% to 100%, like 20%"))
}

/// A share that may be more than all: an increase.
pub(super) fn increase(text: &str) -> Result<f64, String> {
    percent(text).filter(|share| *share >= 0.0).ok_or_else(|| not_a_share(text, "0% or more, like 5%"))
}

fn percent(text: &str) -> Option<f64> {
    let number = text.strip_suffix('%')?.trim_end().parse::<f64>().ok()?;
    number.is_finite().then_some(number / 100.0)
}

fn not_a_share(text: &str, write: &str) -> String {
    format!("`{text}` is not a share: write {write}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time() {
        assert_eq!(last("30d"), Ok(SignedDuration::from_hours(720)));
        assert_eq!(
            (last("12h"), last("2w")),
            (Ok(SignedDuration::from_hours(12)), Ok(SignedDuration::from_hours(336)))
        );
        for text in ["", "d", "30", "0d", "-1d", "30m", "1.5d", "99999999999d", "3ö"] {
            assert!(last(text).is_err(), "{text}");
        }
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(10);
        assert_eq!(since(SignedDuration::from_hours(4), now), Timestamp::UNIX_EPOCH + SignedDuration::from_hours(6));
        assert_eq!(since(SignedDuration::from_hours(876_000), now), Timestamp::UNIX_EPOCH);
    }

    #[test]
    fn shares() {
        assert_eq!((share("20%"), share("0.5%"), increase("150%")), (Ok(0.2), Ok(0.005), Ok(1.5)));
        for text in ["20", "0.2", "101%", "-1%", "%", "NaN%", "inf%"] {
            assert!(share(text).is_err(), "{text}");
        }
        assert!(increase("-1%").is_err() && increase("5").is_err());
    }
}
