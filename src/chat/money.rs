//! Money in integer nano-dollars, and prices exact to nine decimals of a dollar per million tokens.
//!
//! 1 USD per million tokens is 1,000 nano-dollars per token. A cost is rounded up, once per attempt; no float is
//! involved anywhere.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};

use super::Usage;

const NANO_PER_USD: i64 = 1_000_000_000;
const TOKENS_PER_PRICE: i128 = 1_000_000;
/// What an amount has of them at least, and at most.
const CENTS: u32 = 2;
const DECIMALS: u32 = 9;

/// An amount of money in nano-dollars (1 USD = 1,000,000,000).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NanoUsd(pub i64);

impl NanoUsd {
    pub const ZERO: Self = Self(0);

    /// `None` when the amount has more than nine decimals or does not fit.
    pub fn from_usd(usd: Decimal) -> Option<Self> {
        let nano = usd.checked_mul(Decimal::from(NANO_PER_USD))?;
        nano.fract().is_zero().then(|| nano.to_i64()).flatten().map(Self)
    }

    /// For reports and labels; never computed with.
    pub fn as_usd(self) -> Decimal {
        Decimal::new(self.0, 9).normalize()
    }

    /// Side by side, with as many decimals as it takes to see the first of them, and to tell apart those that differ:
    /// "$0.0072 of $0.0072" explains nothing.
    pub fn apart<const N: usize>(amounts: [Self; N]) -> [String; N] {
        let shown = |decimals| amounts.map(|amount| amount.shown(decimals));
        let is_clear = |texts: &[String; N]| {
            let pairs = (0..N).flat_map(|one| (0..one).map(move |other| (one, other)));
            pairs.into_iter().all(|(one, other)| amounts[one] == amounts[other] || texts[one] != texts[other])
        };
        let fewest = amounts.first().map_or(CENTS, |first| first.decimals());
        (fewest..DECIMALS).map(shown).find(is_clear).unwrap_or_else(|| shown(DECIMALS))
    }

    /// How many say enough of it alone.
    fn decimals(self) -> u32 {
        let amount = self.as_usd().abs();
        if amount >= Decimal::ONE {
            return CENTS;
        }
        amount.round_sf(2).unwrap_or(amount).normalize().scale().max(CENTS)
    }

    fn shown(self, decimals: u32) -> String {
        let amount = self.as_usd().abs().round_dp(decimals);
        // Where others are told to the nano-dollar, "$20.00" is still that.
        let decimals = if amount >= Decimal::ONE { amount.normalize().scale().max(CENTS) } else { decimals };
        let (sign, decimals) = (if self.0 < 0 { "-" } else { "" }, decimals as usize);
        format!("{sign}${amount:.decimals$}")
    }

    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for NanoUsd {
    /// Cents where cents say enough, more digits for small amounts: "$1.25", "$0.00042".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown(self.decimals()))
    }
}

impl Add for NanoUsd {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        self.saturating_add(other)
    }
}

impl AddAssign for NanoUsd {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for NanoUsd {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Sum for NanoUsd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

/// What a million tokens cost, in nano-dollars.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Price {
    pub input: NanoUsd,
    pub cached_input: NanoUsd,
    pub output: NanoUsd,
}

impl Price {
    pub fn is_free(&self) -> bool {
        *self == Self::default()
    }

    /// Rounded up to the next nano-dollar. Cached input is part of the input and billed at its own price.
    pub fn cost(&self, usage: Usage) -> NanoUsd {
        let cached = usage.cached_input.min(usage.input);
        let fresh = usage.input.saturating_sub(cached);
        let total = i128::from(fresh.0) * i128::from(self.input.0)
            + i128::from(cached.0) * i128::from(self.cached_input.0)
            + i128::from(usage.output.0) * i128::from(self.output.0);
        let rounded_up = (total + TOKENS_PER_PRICE - 1) / TOKENS_PER_PRICE;
        NanoUsd(i64::try_from(rounded_up).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use proptest::prelude::*;

    use super::super::Tokens;
    use super::*;

    fn usd(text: &str) -> NanoUsd {
        NanoUsd::from_usd(Decimal::from_str(text).unwrap()).unwrap()
    }

    fn usage(input: u64, cached: u64, output: u64) -> Usage {
        Usage { input: Tokens(input), cached_input: Tokens(cached), output: Tokens(output) }
    }

    #[test]
    fn one_dollar_per_million_is_a_thousand_nano_per_token() {
        let price = Price { input: usd("1"), cached_input: usd("1"), output: usd("1") };
        assert_eq!(price.cost(usage(1, 0, 0)), NanoUsd(1_000));
        assert_eq!(price.cost(usage(400_000, 0, 600_000)), usd("1"));
    }

    #[test]
    fn cached_input_has_its_own_price_and_never_exceeds_the_input() {
        let price = Price { input: usd("2.50"), cached_input: usd("1.25"), output: usd("10") };
        assert_eq!(price.cost(usage(1_000, 400, 10)), NanoUsd(600 * 2_500 + 400 * 1_250 + 10 * 10_000));
        assert_eq!(price.cost(usage(10, 999, 0)), NanoUsd(10 * 1_250));
    }

    #[test]
    fn a_fraction_of_a_nano_dollar_rounds_up_once() {
        let price = Price { input: usd("0.0375"), cached_input: usd("0.0375"), output: NanoUsd::ZERO };
        assert_eq!(price.cost(usage(1, 0, 0)), NanoUsd(38));
        assert_eq!(price.cost(usage(2, 0, 0)), NanoUsd(75));
    }

    #[test]
    fn amounts_read_well() {
        let shown = |nano| NanoUsd(nano).to_string();
        assert_eq!(shown(0), "$0.00");
        assert_eq!(shown(1_250_000_000), "$1.25");
        assert_eq!(shown(4_328_899_000), "$4.33");
        assert_eq!(shown(500_000_000), "$0.50");
        assert_eq!(shown(423_000), "$0.00042");
        assert_eq!(shown(-20_000_000), "-$0.02");
    }

    #[test]
    fn amounts_that_differ_are_told_apart() {
        let shown = |amounts: [i64; 3]| NanoUsd::apart(amounts.map(NanoUsd)).join(" ");
        let cases = [
            ([7_210_000, 7_190_000, 7_200_000], "$0.00721 $0.00719 $0.00720"),
            ([7_200_000, 7_200_000, 7_200_000], "$0.0072 $0.0072 $0.0072"),
            ([20_020_000, 18_000_000, 18_000_000], "$0.020 $0.018 $0.018"),
            ([4_100_000, 700_000, 20_000_000_000], "$0.0041 $0.0007 $20.00"),
            ([17_000_000_000, 0, 20_000_000_000], "$17.00 $0.00 $20.00"),
            ([1_000_000_001, 1_000_000_000, 0], "$1.000000001 $1.00 $0.000000000"),
            ([-20_000_000, 0, 20_000_000], "-$0.02 $0.00 $0.02"),
        ];
        for (amounts, expected) in cases {
            assert_eq!(shown(amounts), expected);
        }
    }

    #[test]
    fn more_than_nine_decimals_are_refused() {
        assert_eq!(NanoUsd::from_usd(Decimal::from_str("0.0000000001").unwrap()), None);
    }

    proptest! {
        #[test]
        fn whatever_differs_is_told_apart(one in 0i64..1 << 40, beyond in 0i64..1 << 40, near in 0i64..20) {
            for other in [one + beyond, one + near] {
                let [a, b] = NanoUsd::apart([NanoUsd(one), NanoUsd(other)]);
                prop_assert_eq!(a == b, one == other, "{} {}", a, b);
            }
        }

        #[test]
        fn splitting_a_call_never_makes_it_cheaper(a in 0u64..1 << 40, b in 0u64..1 << 40, nano in 0i64..1 << 40) {
            let price = Price { input: NanoUsd(nano), cached_input: NanoUsd(nano), output: NanoUsd(nano) };
            let whole = price.cost(usage(a + b, 0, 0));
            prop_assert!(whole <= price.cost(usage(a, 0, 0)) + price.cost(usage(b, 0, 0)));
        }
    }
}
