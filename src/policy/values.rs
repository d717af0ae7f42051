//! The small notations of routing.yaml: `20s`, `5%`, `64MiB`, `2.50`; and maps that keep the order of the file.
//!
//! Each is read from the text as it stands in the file, so that no amount of money passes through a binary float.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::time::Duration;

use rust_decimal::Decimal;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use crate::chat::NanoUsd;

/// The key in the JSON Schema that says which notation a text has.
pub const KIND: &str = "x-kind";

macro_rules! notation {
    ($(#[$doc:meta])* $type:ident($inner:ty), $kind:literal, $parse:ident, $schema:tt) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $type(pub $inner);

        impl TryFrom<String> for $type {
            type Error = String;
            fn try_from(text: String) -> Result<Self, String> {
                $parse(&text).map(Self)
            }
        }

        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> Cow<'static, str> {
                $kind.into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

notation!(
    /// A length of time: `250ms`, `20s`, `10m`, `2h`, `90d`.
    Lapse(Duration), "duration", parse_duration,
    { "type": "string", "x-kind": "duration", "pattern": "^[0-9]+(ms|s|m|h|d)$" }
);
notation!(
    /// A share, 0 to 1, written in percent.
    Share(f64), "percent", parse_share,
    { "type": "string", "x-kind": "percent", "pattern": "^[0-9]+(\\.[0-9]+)?%$" }
);
notation!(
    /// A size in bytes.
    Size(u64), "size", parse_size,
    { "type": "string", "x-kind": "size", "pattern": "^[0-9]+(B|KiB|MiB|GiB)$" }
);
notation!(
    /// Dollars, exact to nine decimals.
    Usd(NanoUsd), "usd", parse_usd,
    { "type": ["number", "string"], "x-kind": "usd", "minimum": 0, "pattern": "^[0-9]+(\\.[0-9]{1,9})?$" }
);

/// What is wrong with a text in one of the notations, if anything.
pub fn fault(kind: &str, text: &str) -> Option<String> {
    match kind {
        "duration" => parse_duration(text).err(),
        "percent" => parse_share(text).err(),
        "size" => parse_size(text).err(),
        "usd" => parse_usd(text).err(),
        _ => None,
    }
}

/// Splits "20s" into its whole number and its unit.
fn amount(text: &str) -> Option<(u64, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    Some((number.parse().ok()?, unit))
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let read = || {
        let (number, unit) = amount(text)?;
        let seconds = match unit {
            "ms" => return Some(Duration::from_millis(number)),
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return None,
        };
        number.checked_mul(seconds).map(Duration::from_secs)
    };
    read().ok_or_else(|| {
        format!("`{text}` is not a duration: write a whole number and one of ms, s, m, h, d, like 250ms, 20s or 10m")
    })
}

fn parse_share(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').filter(|number| is_decimal(number)).and_then(|number| number.parse().ok());
    match number {
        Some(percent) if (0.0..=100.0).contains(&percent) => Ok(percent / 100.0),
        _ => Err(format!("`{text}` is not a share: write 0% to 100%, like 5%")),
    }
}

fn parse_size(text: &str) -> Result<u64, String> {
    let read = || {
        let (number, unit) = amount(text)?;
        let bytes = match unit {
            "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => return None,
        };
        number.checked_mul(bytes)
    };
    read()
        .ok_or_else(|| format!("`{text}` is not a size: write a whole number and one of B, KiB, MiB, GiB, like 64MiB"))
}

fn parse_usd(text: &str) -> Result<NanoUsd, String> {
    let wrong = || format!("`{text}` is not an amount in dollars: write digits and a point, like 2.50");
    if let Some(positive) = text.strip_prefix('-') {
        return Err(if is_decimal(positive) { format!("`{text}` is negative: write 0 or more") } else { wrong() });
    }
    if !is_decimal(text) {
        return Err(wrong());
    }
    let decimals = text.split_once('.').map_or("", |(_, decimals)| decimals.trim_end_matches('0'));
    if decimals.len() > 9 {
        return Err(format!("`{text}` has more than nine decimals; a nano-dollar is the smallest amount"));
    }
    let decimal = Decimal::from_str(text).ok();
    decimal.and_then(NanoUsd::from_usd).ok_or_else(|| format!("`{text}` is more than can be counted"))
}

/// Digits with at most one point, and a digit at both ends.
fn is_decimal(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    match text.split_once('.') {
        Some((whole, decimals)) => digits(whole) && digits(decimals),
        None => digits(text),
    }
}

/// A map that keeps the order of the file: tiers are listed cheapest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Named<T>(pub Vec<(String, T)>);

impl<T> Named<T> {
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    pub fn get(&self, name: &str) -> Option<&T> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(NamedVisitor(PhantomData))
    }
}

struct NamedVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for NamedVisitor<T> {
    type Value = Named<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of names")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named<T>, A::Error> {
        let mut named = Named::default();
        while let Some(entry) = map.next_entry()? {
            named.0.push(entry);
        }
        Ok(named)
    }
}

impl<T: JsonSchema> JsonSchema for Named<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Named_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let of = generator.subschema_for::<T>();
        json_schema!({ "type": "object", "additionalProperties": of })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_have_a_whole_number_and_a_unit() {
        for (text, milliseconds) in
            [("250ms", 250), ("20s", 20_000), ("0s", 0), ("10m", 600_000), ("90d", 7_776_000_000)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in
            ["", "20", "s", "1.5s", "-1s", "20 s", "20S", "1us", "99999999999999999999s", "18446744073709551615d"]
        {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn shares_and_sizes() {
        assert_eq!((parse_share("5%"), parse_share("0.5%"), parse_share("100%")), (Ok(0.05), Ok(0.005), Ok(1.0)));
        for text in ["5", "101%", "-1%", "%", "1e1%", "NaN%"] {
            assert!(parse_share(text).is_err(), "{text}");
        }
        assert_eq!((parse_size("64MiB"), parse_size("0B"), parse_size("1GiB")), (Ok(64 << 20), Ok(0), Ok(1 << 30)));
        for text in ["64", "64MB", "1.5MiB", "-1B", "99999999999GiB"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_no_plain_decimal_is_no_amount() {
        for text in [
            "",
            ".",
            "1.",
            ".5",
            "1e3",
            "1_000",
            "+1",
            "$1",
            "1,5",
            "0x10",
            "NaN",
            "-0.5",
            "1.2.3",
            "99999999999999999999",
        ] {
            assert!(parse_usd(text).is_err(), "{text}");
        }
    }

    proptest! {
        /// The digits in the file are the nano-dollars that are counted, through YAML and all.
        #[test]
        fn amounts_are_exact(whole in 0i64..1_000_000_000, nano in 0i64..1_000_000_000) {
            let text = format!("{whole}.{nano:09}");
            let Usd(amount) = serde_yaml::from_str(&text).unwrap();
            prop_assert_eq!(amount, NanoUsd(whole * 1_000_000_000 + nano));
        }
    }

    #[test]
    fn the_order_of_the_file_is_kept() {
        let named: Named<u32> = serde_yaml::from_str("zebra: 1\nant: 2\nmouse: 3\n").unwrap();
        assert_eq!(named.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["zebra", "ant", "mouse"]);
        assert_eq!(named.get("ant"), Some(&2));
    }
}
