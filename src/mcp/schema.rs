//! Schemas as every host takes them. schemars writes correct JSON Schema; hosts read a small part of it: they lose types
//! behind `$ref` and `anyOf` with null, and call an optional field required because its default is null.
//!
//! Pure: one schema in, one out. It knows no tool.

use rmcp::model::JsonObject;
use serde_json::{Map, Value, json};

/// Arguments may be left out, so null says nothing; a result's key may be null, so there it stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Input,
    Output,
}

/// Formats that schemars gives to numbers; validators that do not know them warn.
const NUMBER_FORMATS: &[&str] = &[
    "int8", "int16", "int32", "int64", "int128", "int", "uint8", "uint16", "uint32", "uint64", "uint128", "uint",
    "float", "double",
];

/// Keywords whose value is one schema, a list of schemas, or schemas by name.
const ONE: &[&str] = &["items", "additionalProperties", "not", "contains", "propertyNames", "if", "then", "else"];
const MANY: &[&str] = &["anyOf", "oneOf", "allOf", "prefixItems"];
const NAMED: &[&str] = &["properties", "patternProperties"];

/// A type that contains itself cannot be written out; it is cut here.
const DEEPEST: usize = 16;

/// Without `$ref`, `$defs`, `$schema`, number formats and default nulls; `Input` also without null.
pub fn portable(schema: &schemars::Schema, side: Side) -> JsonObject {
    let root = schema.as_value();
    let definitions = root.get("$defs").and_then(Value::as_object).cloned().unwrap_or_default();
    let mut flat = Flattener { definitions, side }.flatten(root, 0);
    flat.entry("type").or_insert_with(|| json!("object"));
    if side == Side::Input {
        flat.entry("properties").or_insert_with(|| json!({}));
    }
    flat
}

struct Flattener {
    definitions: Map<String, Value>,
    side: Side,
}

impl Flattener {
    fn flatten(&self, schema: &Value, depth: usize) -> JsonObject {
        // `true` and `false` are schemas too: anything, nothing. Hosts know objects only.
        let Some(schema) = schema.as_object().filter(|_| depth < DEEPEST) else { return Map::new() };
        let mut flat = match schema.get("$ref").and_then(Value::as_str) {
            Some(target) => self.resolve(target, depth),
            None => Map::new(),
        };
        for (keyword, value) in schema {
            if let Some(value) = self.keyword(keyword, value, depth) {
                flat.insert(keyword.clone(), value);
            }
        }
        for keyword in ["anyOf", "oneOf", "allOf"] {
            self.simplify(&mut flat, keyword);
        }
        if self.side == Side::Input {
            drop_null(&mut flat);
        }
        flat
    }

    fn resolve(&self, target: &str, depth: usize) -> JsonObject {
        let definition = target.strip_prefix("#/$defs/").and_then(|name| self.definitions.get(name));
        definition.map(|definition| self.flatten(definition, depth + 1)).unwrap_or_default()
    }

    /// `None`: the keyword goes.
    fn keyword(&self, keyword: &str, value: &Value, depth: usize) -> Option<Value> {
        let flatten = |schema: &Value| Value::Object(self.flatten(schema, depth + 1));
        match keyword {
            // A title here is the name of a Rust type.
            "$ref" | "$defs" | "$schema" | "title" => None,
            "default" if value.is_null() => None,
            "format" if value.as_str().is_some_and(|format| NUMBER_FORMATS.contains(&format)) => None,
            "additionalProperties" if value.is_boolean() => Some(value.clone()),
            _ if ONE.contains(&keyword) => Some(flatten(value)),
            _ if MANY.contains(&keyword) => Some(value.as_array()?.iter().map(flatten).collect()),
            _ if NAMED.contains(&keyword) => {
                Some(value.as_object()?.iter().map(|(name, schema)| (name.clone(), flatten(schema))).collect())
            }
            _ => Some(value.clone()),
        }
    }

    /// Takes a choice apart where it is none: one branch, one branch or null, a list of constants.
    fn simplify(&self, flat: &mut JsonObject, keyword: &str) {
        let Some(Value::Array(branches)) = flat.get(keyword) else { return };
        let (nulls, mut others): (Vec<Value>, Vec<Value>) = branches.iter().cloned().partition(is_null_type);
        if let Some(constants) = all_constants(&others) {
            others = vec![constants];
        }
        let [Value::Object(only)] = others.as_mut_slice() else { return };
        let mut only = std::mem::take(only);
        if !nulls.is_empty() && self.side == Side::Output {
            allow_null(&mut only);
        }
        flat.remove(keyword);
        for (keyword, value) in only {
            // What stands beside the choice says more than what stands in the branch.
            flat.entry(keyword).or_insert(value);
        }
    }
}

fn is_null_type(schema: &Value) -> bool {
    schema.get("type").and_then(Value::as_str) == Some("null")
}

/// schemars writes an enum whose variants are documented as a choice of constants.
fn all_constants(branches: &[Value]) -> Option<Value> {
    let mut words = Vec::new();
    for branch in branches {
        match (branch.get("const"), branch.get("enum").and_then(Value::as_array)) {
            (Some(word), _) => words.push(word.clone()),
            (None, Some(several)) => words.extend(several.iter().cloned()),
            (None, None) => return None,
        }
    }
    let strings = words.iter().all(Value::is_string) && !words.is_empty();
    strings.then(|| json!({ "type": "string", "enum": words }))
}

/// `type: "string"` becomes `["string", "null"]`; an enum takes null as a word of its own.
fn allow_null(schema: &mut JsonObject) {
    match schema.get_mut("type") {
        Some(Value::Array(types)) if !types.contains(&json!("null")) => types.push(json!("null")),
        Some(name @ Value::String(_)) => *name = json!([name.clone(), "null"]),
        _ => {}
    }
    if let Some(Value::Array(words)) = schema.get_mut("enum")
        && !words.contains(&Value::Null)
    {
        words.push(Value::Null);
    }
}

/// `["string", "null"]` becomes "string", and null leaves an enum.
fn drop_null(schema: &mut JsonObject) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(words)) = schema.get_mut("enum") {
        words.retain(|word| !word.is_null());
    }
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;

    use super::*;

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    enum Level {
        #[serde(rename = "low")]
        Low,
        /// Documented, so that schemars writes a choice of constants.
        #[serde(rename = "high")]
        High,
    }

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Inner {
        hours: Option<f64>,
    }

    #[derive(JsonSchema)]
    #[schemars(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Arguments {
        /// What it is called.
        title: String,
        /// How urgent.
        level: Option<Level>,
        #[serde(default)]
        limit: Option<u32>,
        inner: Option<Inner>,
        many: Vec<Inner>,
    }

    fn flat(side: Side) -> Value {
        Value::Object(portable(&schemars::schema_for!(Arguments), side))
    }

    #[test]
    fn an_input_schema_has_nothing_that_a_host_stumbles_over() {
        let schema = flat(Side::Input);
        let text = schema.to_string();
        for bad in ["$ref", "$defs", "$schema", "anyOf", "oneOf", "null", "uint32", "double"] {
            assert!(!text.contains(bad), "{bad} in {text}");
        }
        let properties = &schema["properties"];
        assert_eq!(
            properties["level"],
            json!({ "description": "How urgent.", "type": "string", "enum": ["low", "high"] })
        );
        assert_eq!(properties["limit"]["type"], "integer");
        assert_eq!(properties["many"]["items"]["properties"]["hours"]["type"], "number");
        assert_eq!(schema["additionalProperties"], false);
        // `many` may be left out by nobody, `level` by everybody.
        assert_eq!(schema["required"], json!(["title", "many"]));
    }

    #[test]
    fn an_output_schema_says_where_null_may_stand() {
        let schema = flat(Side::Output);
        assert_eq!(schema["properties"]["level"]["type"], json!(["string", "null"]));
        assert_eq!(schema["properties"]["level"]["enum"], json!(["low", "high", null]));
        assert_eq!(schema["properties"]["inner"]["type"], json!(["object", "null"]));
        let validator = jsonschema::validator_for(&schema).unwrap();
        assert!(validator.is_valid(&json!({ "title": "a", "level": null, "inner": null, "many": [] })));
        assert!(!validator.is_valid(&json!({ "title": null, "many": [] })));
    }

    #[test]
    fn a_property_may_be_called_like_a_keyword() {
        let schema = schemars::Schema::try_from(json!({
            "type": "object",
            "properties": { "title": { "type": "string" }, "default": { "type": "string" }, "format": { "type": "string" } },
        }))
        .unwrap();
        let flat = portable(&schema, Side::Input);
        assert_eq!(flat["properties"].as_object().unwrap().len(), 3);
    }

    #[test]
    fn a_type_that_contains_itself_ends() {
        let schema = schemars::Schema::try_from(json!({
            "$ref": "#/$defs/Node",
            "$defs": { "Node": { "type": "object", "properties": { "next": { "$ref": "#/$defs/Node" } } } },
        }))
        .unwrap();
        assert!(!Value::Object(portable(&schema, Side::Input)).to_string().contains("$ref"));
    }
}
