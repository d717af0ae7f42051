//! `taskgate schema`: the JSON Schema of routing.yaml, for editors.

use crate::policy;

/// Ends with a line break.
pub fn schema() -> String {
    format!("{:#}\n", policy::schema())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_is_one_and_takes_the_shipped_policy() {
        let schema: serde_json::Value = serde_json::from_str(&schema()).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let shipped: serde_json::Value = serde_yaml::from_str(policy::BUILT_IN).unwrap();
        let faults: Vec<String> = validator.iter_errors(&shipped).map(|fault| fault.to_string()).collect();
        assert!(faults.is_empty(), "{faults:?}");
    }

    #[test]
    fn the_schema_refuses_an_unknown_key() {
        let schema: serde_json::Value = serde_json::from_str(&schema()).unwrap();
        let mut shipped: serde_json::Value = serde_yaml::from_str(policy::BUILT_IN).unwrap();
        shipped["models"]["gpt-4o"]["prise"] = 1.into();
        assert!(!jsonschema::validator_for(&schema).unwrap().is_valid(&shipped));
    }
}
