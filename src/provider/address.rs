//! Where a backend is and how we show who we are: its URL and its headers.
//!
//! async-openai's own configuration reads the environment, sends an empty key, and panics on a key with a line break;
//! this one does none of that.

use async_openai::config::Config;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use super::trouble::Trouble;
use crate::policy::Backend;

pub(super) const CHAT: &str = "/chat/completions";

pub(super) struct Address {
    base: String,
    headers: HeaderMap,
    /// The client wants to be able to hand out a key. It never has one: the header is made here.
    no_key: SecretString,
}

impl Address {
    pub(super) fn of(backend: &Backend) -> Result<Self, Trouble> {
        let mut headers = HeaderMap::new();
        if let Some(key) = &backend.api_key {
            // The end of a key that was read from a file is often a line break.
            let key = key.expose_secret().trim();
            if !key.is_empty() {
                headers.insert(AUTHORIZATION, bearer(key)?);
            }
        }
        Ok(Self {
            base: backend.base_url.trim_end_matches('/').to_owned(),
            headers,
            no_key: SecretString::from(String::new()),
        })
    }
}

impl Config for Address {
    fn headers(&self) -> HeaderMap {
        self.headers.clone()
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn query(&self) -> Vec<(&str, &str)> {
        Vec::new()
    }

    fn api_base(&self) -> &str {
        &self.base
    }

    fn api_key(&self) -> &SecretString {
        &self.no_key
    }
}

fn bearer(key: &str) -> Result<HeaderValue, Trouble> {
    let mut value = HeaderValue::from_str(&format!("Bearer {key}")).map_err(|_| Trouble::BadKey)?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Location;

    fn backend(key: Option<&str>) -> Backend {
        Backend {
            name: "local".into(),
            base_url: "http://127.0.0.1:1/v1/".into(),
            api_key: key.map(SecretString::from),
            key_variable: None,
            key_file: None,
            location: Location::Local,
            status: None,
            prewarm: false,
        }
    }

    #[test]
    fn without_a_key_there_is_no_header() {
        for key in [None, Some(""), Some(" \n")] {
            assert!(Address::of(&backend(key)).unwrap().headers().is_empty(), "{key:?}");
        }
    }

    #[test]
    fn a_line_break_at_the_end_of_a_key_is_not_part_of_it_and_one_inside_is_refused() {
        let headers = Address::of(&backend(Some("sk-1\n"))).unwrap().headers();
        assert_eq!(headers[AUTHORIZATION], "Bearer sk-1");
        assert!(!format!("{headers:?}").contains("sk-1"));
        assert!(matches!(Address::of(&backend(Some("sk-1\nsk-2"))), Err(Trouble::BadKey)));
    }

    #[test]
    fn the_path_follows_the_base_with_one_slash() {
        let address = Address::of(&backend(None)).unwrap();
        assert_eq!(address.url(CHAT), "http://127.0.0.1:1/v1/chat/completions");
    }
}
