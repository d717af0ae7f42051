//! The names that people write in `routing.yaml`, as types, so that a tier is never passed where a model is meant;
//! and the closed sets of words that stand in the ledger and in metric labels.
//!
//! A name is cheap to clone. It carries no rule about what names exist: the policy knows that.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        pub struct $type(Arc<str>);

        impl $type {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $type {
            fn from(name: &str) -> Self {
                Self(name.into())
            }
        }

        impl From<String> for $type {
            fn from(name: String) -> Self {
                Self(name.into())
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name!(
    /// A place to send to.
    BackendName
);
name!(
    /// One model at one backend, by the policy's name for it.
    ModelName
);
name!(
    /// An ordered class of models, cheapest first.
    TierName
);
name!(
    /// A rule of the policy.
    RouteName
);
name!(
    /// A limit on money over days.
    BudgetName
);

/// A small closed set of words: the same word in the ledger, in metric labels and in results.
macro_rules! words {
    ($(#[$doc:meta])* $type:ident { $($(#[$variant_doc:meta])* $variant:ident => $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $type {
            $($(#[$variant_doc])* $variant),+
        }

        impl $type {
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word for it in the ledger, in metrics and in results.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }

            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.as_str() == word)
            }
        }
    };
}
pub(crate) use words;

impl TierName {
    /// The tier of logic alone, which every policy has.
    pub const NONE: &'static str = "none";

    pub fn none() -> Self {
        Self::from(Self::NONE)
    }

    pub fn is_none(&self) -> bool {
        self.as_str() == Self::NONE
    }
}
