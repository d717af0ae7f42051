//! The answer formats that a model takes: from the policy's capabilities, and from what its backend refused.
//!
//! A refusal is remembered for the life of the process, so that it costs one call, not one call per request. It is kept
//! by the model's identity: what a backend refused says nothing of another one that a later policy names.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::chat::{Capabilities, Capability, Format};
use crate::policy::Identity;

/// The strongest format that each model is known to take, where a backend refused a stronger one.
#[derive(Default)]
pub struct FormatMemory {
    strongest: Mutex<BTreeMap<Identity, Strength>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Strength {
    Text,
    Object,
    Schema,
}

impl FormatMemory {
    /// What is asked of this model when `wanted` would be best.
    pub fn fitting(&self, model: Identity, capabilities: &Capabilities, wanted: Format) -> Format {
        let offered = if capabilities.contains(&Capability::JsonSchema) {
            Strength::Schema
        } else if capabilities.contains(&Capability::JsonObject) {
            Strength::Object
        } else {
            Strength::Text
        };
        let remembered = self.strongest.lock().unwrap_or_else(PoisonError::into_inner).get(&model).copied();
        weaken(wanted, offered.min(remembered.unwrap_or(Strength::Schema)))
    }

    /// The backend refused this format. `false`: there is no weaker one.
    pub fn refused(&self, model: Identity, format: &Format) -> bool {
        let weaker = match strength(format) {
            Strength::Schema => Strength::Object,
            Strength::Object => Strength::Text,
            Strength::Text => return false,
        };
        let mut strongest = self.strongest.lock().unwrap_or_else(PoisonError::into_inner);
        // A call that was under way when another one stepped further down must not step up again.
        strongest.entry(model).and_modify(|known| *known = weaker.min(*known)).or_insert(weaker);
        true
    }
}

fn strength(format: &Format) -> Strength {
    match format {
        Format::Text => Strength::Text,
        Format::JsonObject => Strength::Object,
        Format::JsonSchema { .. } => Strength::Schema,
    }
}

fn weaken(wanted: Format, strongest: Strength) -> Format {
    if strength(&wanted) <= strongest {
        return wanted;
    }
    match strongest {
        Strength::Text => Format::Text,
        Strength::Object | Strength::Schema => Format::JsonObject,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_refused_format_is_stepped_down_once_and_remembered() {
        let (memory, model) = (FormatMemory::default(), Identity::of([b"m"]));
        let schema = Format::JsonSchema { name: "x".into(), schema: json!({}) };
        let all = Capabilities::from([Capability::JsonObject, Capability::JsonSchema]);
        assert_eq!(memory.fitting(model, &all, schema.clone()), schema);
        assert!(memory.refused(model, &schema));
        assert_eq!(memory.fitting(model, &all, schema.clone()), Format::JsonObject);
        assert!(memory.refused(model, &Format::JsonObject));
        assert_eq!(memory.fitting(model, &all, schema.clone()), Format::Text);
        assert!(!memory.refused(model, &Format::Text));
        assert_eq!(memory.fitting(Identity::of([b"other"]), &all, schema.clone()), schema);
    }

    #[test]
    fn a_late_refusal_of_a_stronger_format_does_not_step_up_again() {
        let (memory, model) = (FormatMemory::default(), Identity::of([b"m"]));
        let schema = Format::JsonSchema { name: "x".into(), schema: json!({}) };
        assert!(memory.refused(model, &Format::JsonObject) && memory.refused(model, &schema));
        assert_eq!(memory.fitting(model, &Capabilities::from([Capability::JsonObject]), schema), Format::Text);
    }

    #[test]
    fn nothing_is_asked_that_the_policy_does_not_offer() {
        let (memory, model) = (FormatMemory::default(), Identity::of([b"m"]));
        let object = Capabilities::from([Capability::JsonObject]);
        let schema = Format::JsonSchema { name: "x".into(), schema: json!({}) };
        assert_eq!(memory.fitting(model, &object, schema.clone()), Format::JsonObject);
        assert_eq!(memory.fitting(model, &Capabilities::new(), schema), Format::Text);
        assert_eq!(memory.fitting(model, &object, Format::Text), Format::Text);
    }
}
