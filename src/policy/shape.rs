//! Holds the tree against the schema of the raw types: unknown keys, wrong types, missing keys, all of them at once.
//!
//! What is wrong is left out of what is handed on, so that the rest can still be read and checked for meaning. The
//! schema comes from the types in `raw`, so there is one list of keys.

use schemars::generate::SchemaSettings;
use serde_json::Value as Schema;
use serde_yaml::{Mapping, Value as Yaml};

use super::problems::{Findings, Place};
use super::raw::RawPolicy;
use super::tree::{Entry, Node, Value};
use super::values::{self, KIND};
use super::vocabulary::advice;

/// The JSON Schema of routing.yaml, for editors and for `read`.
pub fn schema() -> Schema {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<RawPolicy>().to_value()
}

/// What of the tree fits the schema; what does not is added to `found`.
pub fn read(tree: &Node, found: &mut Findings) -> Yaml {
    let root = schema();
    let mut reader = Reader { root: &root, found, path: Vec::new() };
    if tree.is_null() {
        reader.found.whole("the file is empty").help("`taskgate schema` prints what can stand in it");
        return Yaml::Mapping(Mapping::new());
    }
    reader.read(tree, &root, &tree.place).unwrap_or_else(|| Yaml::Mapping(Mapping::new()))
}

struct Reader<'a> {
    root: &'a Schema,
    found: &'a mut Findings,
    path: Vec<String>,
}

impl<'a> Reader<'a> {
    /// `owner` is where a missing key is reported: the key that the map stands under.
    fn read(&mut self, node: &Node, schema: &'a Schema, owner: &Place) -> Option<Yaml> {
        let schema = self.resolve(schema);
        if node.is_null() {
            return None;
        }
        if let Some(words) = words(schema) {
            return self.word(node, &words);
        }
        match types(schema).as_slice() {
            ["object"] => self.map(node, schema, owner),
            ["array"] => self.list(node, schema),
            _ => self.scalar(node, schema),
        }
    }

    /// Follows references and drops the `null` that stands for "may be left out".
    fn resolve(&self, mut schema: &'a Schema) -> &'a Schema {
        loop {
            let inner = schema["anyOf"].as_array().and_then(|any| any.iter().find(|one| one["type"] != "null"));
            let target = schema["$ref"].as_str().and_then(|name| self.root.pointer(name.trim_start_matches('#')));
            match inner.or(target) {
                Some(next) => schema = next,
                None => return schema,
            }
        }
    }

    fn map(&mut self, node: &Node, schema: &'a Schema, owner: &Place) -> Option<Yaml> {
        let Value::Map(entries) = &node.value else {
            return self.wrong_type(node, "a map (`key: value`)");
        };
        let mut read = Mapping::new();
        for entry in entries {
            if !self.no_variables(&entry.key, &entry.key_place) {
                continue;
            }
            let Some(of) = self.schema_of(&entry.key, schema) else {
                self.unknown_key(entry, schema);
                continue;
            };
            self.path.push(entry.key.clone());
            if let Some(value) = self.read(&entry.node, of, &entry.key_place) {
                read.insert(Yaml::String(entry.key.clone()), value);
            } else if entry.node.is_null() && schema["properties"].get(&entry.key).is_none() {
                // A name that someone chose, with nothing behind it.
                let message = format!("nothing is written for {}", self.location().trim_start_matches("in "));
                self.found.error(entry.key_place.clone(), message);
            }
            self.path.pop();
        }
        self.missing_keys(entries, schema, owner);
        Some(Yaml::Mapping(read))
    }

    fn schema_of(&self, key: &str, schema: &'a Schema) -> Option<&'a Schema> {
        let own = schema["properties"].get(key);
        own.or_else(|| schema.get("additionalProperties").filter(|of| of.is_object()))
    }

    fn unknown_key(&mut self, entry: &Entry, schema: &Schema) {
        let known = schema["properties"].as_object();
        let place = self.location();
        let problem = self.found.error(entry.key_place.clone(), format!("unknown key `{}` {place}", entry.key));
        problem.help(advice(&entry.key, known.iter().flat_map(|known| known.keys()).map(String::as_str)));
    }

    fn missing_keys(&mut self, entries: &[Entry], schema: &Schema, owner: &Place) {
        let present = |key: &str| entries.iter().any(|entry| entry.key == key && !entry.node.is_null());
        for key in schema["required"].as_array().into_iter().flatten().filter_map(Schema::as_str) {
            if present(key) {
                continue;
            }
            let place = self.location();
            let message = format!("missing key `{key}` {place}");
            // The whole file is no place to point at.
            let problem =
                if self.path.is_empty() { self.found.whole(message) } else { self.found.error(owner.clone(), message) };
            if let Some(meaning) = schema["properties"][key]["description"].as_str() {
                problem.help(format!("`{key}`: {}", meaning.replace('\n', " ")));
            }
        }
    }

    fn list(&mut self, node: &Node, schema: &'a Schema) -> Option<Yaml> {
        let Value::List(items) = &node.value else {
            return self.wrong_type(node, "a list (`[a, b]`)");
        };
        let of = &schema["items"];
        let mut read = Vec::new();
        for (n, item) in items.iter().enumerate() {
            self.path.push((n + 1).to_string());
            let value = self.read(item, of, &item.place);
            if item.is_null() {
                self.found.error(item.place.clone(), format!("nothing is written {}", self.location()));
            }
            self.path.pop();
            // A place holder keeps the numbers of the items that follow.
            read.extend(value.or_else(|| match types(self.resolve(of)).as_slice() {
                ["object"] => Some(Yaml::Mapping(Mapping::new())),
                ["string"] if words(self.resolve(of)).is_none() => Some(Yaml::String(String::new())),
                _ => None,
            }));
        }
        Some(Yaml::Sequence(read))
    }

    fn word(&mut self, node: &Node, words: &[&str]) -> Option<Yaml> {
        let text = self.plain(node, "a word")?;
        if words.contains(&text) {
            return Some(Yaml::String(text.to_owned()));
        }
        let message = format!("`{text}` is not known {}", self.location());
        self.found.error(node.place.clone(), message).help(advice(text, words.iter().copied()));
        None
    }

    fn scalar(&mut self, node: &Node, schema: &Schema) -> Option<Yaml> {
        let plain = matches!(node.value, Value::Scalar { plain: true, .. });
        let kind = schema[KIND].as_str();
        match (types(schema).first().copied(), kind) {
            (_, Some("secret")) => {
                node.text().map(|text| Yaml::String(text.to_owned())).or_else(|| self.wrong_type(node, "text"))
            }
            (_, Some(kind)) => self.notation(node, kind),
            (Some("integer"), _) => self.integer(node, plain, schema),
            (Some("number"), _) => self.number(node, plain),
            (Some("boolean"), _) => self.boolean(node, plain),
            _ if schema["x-env"] == true => match node.text() {
                Some(text) => Some(Yaml::String(text.to_owned())),
                None => self.wrong_type(node, "text"),
            },
            _ => self.text(node),
        }
    }

    fn notation(&mut self, node: &Node, kind: &str) -> Option<Yaml> {
        let text = self.plain(node, "a value")?.to_owned();
        if let Some(fault) = values::fault(kind, &text) {
            self.found.error(node.place.clone(), fault);
            return None;
        }
        Some(Yaml::String(text))
    }

    fn integer(&mut self, node: &Node, plain: bool, schema: &Schema) -> Option<Yaml> {
        let text = self.plain(node, "a whole number")?;
        let limit = if schema["format"] == "uint32" { u64::from(u32::MAX) } else { u64::MAX };
        let canonical = text == "0" || !text.starts_with('0');
        match text.parse::<u64>().ok().filter(|number| plain && canonical && *number <= limit) {
            Some(number) => Some(Yaml::Number(number.into())),
            None => self.wrong_type(node, "a whole number, 0 or more"),
        }
    }

    fn number(&mut self, node: &Node, plain: bool) -> Option<Yaml> {
        let text = self.plain(node, "a number")?;
        let looks = text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '-' | '.'));
        match text.parse::<f64>().ok().filter(|number| plain && looks && number.is_finite()) {
            Some(number) => Some(Yaml::Number(number.into())),
            None => self.wrong_type(node, "a number, like 0.6"),
        }
    }

    fn boolean(&mut self, node: &Node, plain: bool) -> Option<Yaml> {
        match self.plain(node, "true or false")? {
            "true" if plain => Some(Yaml::Bool(true)),
            "false" if plain => Some(Yaml::Bool(false)),
            _ => self.wrong_type(node, "true or false"),
        }
    }

    fn text(&mut self, node: &Node) -> Option<Yaml> {
        let text = self.plain(node, "text")?;
        if text.trim().is_empty() {
            return self.wrong_type(node, "text");
        }
        Some(Yaml::String(text.to_owned()))
    }

    /// The text of a scalar in which nothing is replaced.
    fn plain<'n>(&mut self, node: &'n Node, wanted: &str) -> Option<&'n str> {
        let Some(text) = node.text() else {
            self.wrong_type(node, wanted);
            return None;
        };
        self.no_variables(text, &node.place).then_some(text)
    }

    fn no_variables(&mut self, text: &str, place: &Place) -> bool {
        if !text.contains("${") {
            return true;
        }
        let problem = self.found.error(place.clone(), "`${…}` is not replaced here");
        problem.help("only base_url, api_key and status.url take ${NAME} and ${NAME:-default}; write the value out");
        false
    }

    fn wrong_type(&mut self, node: &Node, wanted: &str) -> Option<Yaml> {
        let written = match &node.value {
            Value::List(_) => "a list is written".to_owned(),
            Value::Map(_) => "a map is written".to_owned(),
            Value::Scalar { text, .. } if text.trim().is_empty() => "it is empty".to_owned(),
            Value::Scalar { text, plain: true } => format!("`{text}` is written"),
            Value::Scalar { text, plain: false } => format!("the quoted text \"{text}\" is written"),
        };
        let message = format!("wanted {wanted} {}, but {written}", self.location());
        self.found.error(node.place.clone(), message);
        None
    }

    fn location(&self) -> String {
        if self.path.is_empty() { "at the top level".to_owned() } else { format!("in `{}`", self.path.join(".")) }
    }
}

fn types(schema: &Schema) -> Vec<&str> {
    let of = &schema["type"];
    let list = of.as_array().into_iter().flatten().chain(of.is_string().then_some(of));
    list.filter_map(Schema::as_str).filter(|name| *name != "null").collect()
}

/// The words of an enumeration. With descriptions they are a list of constants.
fn words(schema: &Schema) -> Option<Vec<&str>> {
    if let Some(plain) = schema["enum"].as_array() {
        return Some(plain.iter().filter_map(Schema::as_str).collect());
    }
    let described = schema["oneOf"].as_array()?;
    let of = |one: &'_ Schema| one.get("const").is_some();
    let all = described
        .iter()
        .flat_map(|one| one["enum"].as_array().into_iter().flatten().chain(one.get("const").filter(|_| of(one))));
    Some(all.filter_map(Schema::as_str).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::BUILT_IN;

    /// A right file is read by serde from its text, a wrong one from what fits: both must say the same.
    #[test]
    fn what_fits_is_what_serde_reads() {
        for text in [BUILT_IN, include_str!("tests/reference.yaml")] {
            let mut found = Findings::default();
            let tree = Node::parse(text, &mut found, &mut Vec::new()).unwrap();
            let fitting: RawPolicy = serde_yaml::from_value(read(&tree, &mut found)).unwrap();
            let whole: RawPolicy = serde_yaml::from_str(text).unwrap();
            assert!(!found.has_errors());
            assert_eq!(format!("{fitting:?}"), format!("{whole:?}"));
        }
    }

    #[test]
    fn every_map_of_the_schema_refuses_unknown_keys_and_explains_itself() {
        let schema = schema();
        let types = schema["$defs"].as_object().unwrap();
        for of in types.values().filter(|of| of["type"] == "object").chain([&schema]) {
            assert_eq!(of["additionalProperties"], false, "{of:#}");
            assert!(of["description"].is_string(), "{of:#}");
        }
    }
}
