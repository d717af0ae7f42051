//! `${NAME}` and `${NAME:-default}` in a text, from an environment that is passed in.

/// What the environment says of a name; an empty value counts as unset, as in a shell's `:-`.
pub type Environment<'a> = dyn Fn(&str) -> Option<String> + 'a;

#[derive(Debug, PartialEq, Eq)]
pub struct Expanded {
    pub text: String,
    /// The first variable that the text names, whether it was set or not.
    pub variable: Option<String>,
}

/// The text is left out of it: it may be a key.
#[derive(Debug, PartialEq, Eq)]
pub enum Fault {
    /// No value and no default.
    Unset(String),
    /// A `${` without its `}`, or without a name.
    Malformed,
}

pub fn expand(text: &str, environment: &Environment<'_>) -> Result<Expanded, Fault> {
    let mut expanded = Expanded { text: String::new(), variable: None };
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let (before, inside) = (&rest[..start], &rest[start + 2..]);
        let end = inside.find('}').ok_or(Fault::Malformed)?;
        let (name, default) = match inside[..end].split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (&inside[..end], None),
        };
        if !is_variable(name) {
            return Err(Fault::Malformed);
        }
        let value = environment(name).filter(|value| !value.is_empty());
        let value = value.or_else(|| default.map(str::to_owned)).ok_or_else(|| Fault::Unset(name.to_owned()))?;
        expanded.text.push_str(before);
        expanded.text.push_str(&value);
        expanded.variable.get_or_insert_with(|| name.to_owned());
        rest = &inside[end + 1..];
    }
    expanded.text.push_str(rest);
    Ok(expanded)
}

fn is_variable(name: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !name.is_empty() && !name.starts_with(|first: char| first.is_ascii_digit()) && name.bytes().all(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world(name: &str) -> Option<String> {
        match name {
            "HOST" => Some("example.org".into()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    fn text(text: &str) -> Result<String, Fault> {
        expand(text, &world).map(|expanded| expanded.text)
    }

    #[test]
    fn names_are_replaced_wherever_they_stand() {
        assert_eq!(text("http://${HOST}/v1").unwrap(), "http://example.org/v1");
        assert_eq!(text("${HOST}${HOST}").unwrap(), "example.orgexample.org");
        assert_eq!(text("$HOST and $ stay").unwrap(), "$HOST and $ stay");
    }

    #[test]
    fn a_default_stands_in_for_what_is_unset_or_empty() {
        assert_eq!(text("${HOST:-other}").unwrap(), "example.org");
        assert_eq!(text("${NOBODY:-http://localhost:4000/v1}").unwrap(), "http://localhost:4000/v1");
        assert_eq!(text("${EMPTY:-x}").unwrap(), "x");
        assert_eq!(text("${NOBODY:-}").unwrap(), "");
    }

    #[test]
    fn what_cannot_be_replaced_is_an_error() {
        assert_eq!(text("${NOBODY}"), Err(Fault::Unset("NOBODY".into())));
        assert_eq!(text("${EMPTY}"), Err(Fault::Unset("EMPTY".into())));
        for broken in ["${", "${HOST", "${}", "${A B}", "${9}", "${:-x}"] {
            assert_eq!(text(broken), Err(Fault::Malformed), "{broken}");
        }
    }

    #[test]
    fn the_first_variable_is_told_for_hints() {
        assert_eq!(expand("${NOBODY:-}${HOST}", &world).unwrap().variable, Some("NOBODY".into()));
    }
}
