//! A backend's key: written in the policy, most often as a variable's name, or in a file of its own.

use std::io::Read;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use super::Meaning;
use crate::policy::expand::{Fault, expand};
use crate::policy::raw::RawBackend;

/// More than any key; a wrong path should not be read for minutes.
const MAX_BYTES: u64 = 64 << 10;

/// A key, and where it comes from, for hints.
#[derive(Default)]
pub(super) struct Key {
    pub key: Option<SecretString>,
    pub variable: Option<String>,
    pub file: Option<PathBuf>,
}

impl Meaning<'_> {
    pub(super) fn key(&mut self, name: &str, raw: &RawBackend) -> Key {
        match (&raw.api_key, raw.api_key_file.as_deref()) {
            (Some(_), Some(_)) => {
                let problem = self.error_at_key(&["backends", name, "api_key_file"], "the key is given twice");
                problem.help("keep `api_key` or `api_key_file`");
                Key::default()
            }
            (None, Some(file)) => self.key_in_file(name, Path::new(file)),
            (Some(written), None) => self.key_written(name, written),
            (None, None) => Key::default(),
        }
    }

    /// An unset variable is no error: it means that there is no key.
    fn key_written(&mut self, name: &str, written: &SecretString) -> Key {
        let path = ["backends", name, "api_key"];
        match expand(written.expose_secret(), self.environment) {
            Ok(expanded) => {
                Key { key: self.clean(&path, &expanded.text), variable: expanded.variable, ..Key::default() }
            }
            Err(Fault::Unset(variable)) => Key { variable: Some(variable), ..Key::default() },
            Err(Fault::Malformed) => {
                self.malformed(&path);
                Key::default()
            }
        }
    }

    /// An empty file means that there is no key; one that can't be read is an error. What stands in the file or in its
    /// path is not told.
    fn key_in_file(&mut self, name: &str, file: &Path) -> Key {
        let path = ["backends", name, "api_key_file"];
        let file = match self.folder {
            _ if file.is_absolute() => file.to_owned(),
            Some(folder) => folder.join(file),
            None => {
                self.error(&path, "there is no policy file that this path could be relative to");
                return Key::default();
            }
        };
        let read = read(&file);
        let digest = read.as_ref().ok().map(|text| blake3::hash(text.as_bytes()));
        self.sources.key_files.insert(file.clone(), digest);
        let key = match read {
            Ok(text) => self.clean(&path, &text),
            Err(message) => {
                let problem = self.error(&path, message);
                problem.help("write a full path, or one that begins at this policy's folder");
                None
            }
        };
        Key { key, file: Some(file), variable: None }
    }

    fn clean(&mut self, path: &[&str], text: &str) -> Option<SecretString> {
        let text = text.trim();
        let is_header = text.bytes().all(|byte| (0x21..0x7f).contains(&byte));
        if !is_header {
            let message = "the key has characters that no key has (spaces, line breaks, non-ASCII letters)";
            self.error(path, message);
        }
        (!text.is_empty()).then(|| text.into())
    }
}

fn read(file: &Path) -> Result<String, String> {
    let unreadable = |error: std::io::Error| format!("the file with the key can't be read: {error}");
    let mut text = String::new();
    let file = std::fs::File::open(file).map_err(unreadable)?;
    file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > MAX_BYTES {
        return Err("the file with the key is larger than 64 KiB: not a key".to_owned());
    }
    Ok(text)
}
