//! A key in a file of its own: where it is looked for, what is wrong with it, and that nothing of it is shown.

use std::fs;
use std::path::Path;

use secrecy::ExposeSecret;

use super::*;

/// The shipped policy in a folder, with the hosted key in a file.
struct Folder(tempfile::TempDir);

impl Folder {
    fn with(path: &str) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        let text = shipped_with("api_key: ${OPENAI_API_KEY:-}", &format!("api_key_file: {path}"));
        folder.write("routing.yaml", &text);
        folder
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.0.path().join(name), text).unwrap();
    }

    fn read(&self) -> Compiled {
        crate::policy::read(Some(&self.0.path().join("routing.yaml")), &|_| None)
    }

    fn key(&self) -> Option<String> {
        let policy = self.read().policy.unwrap();
        policy.backends["openai"].api_key.as_ref().map(|key| key.expose_secret().to_owned())
    }

    fn error(&self) -> String {
        let problems = self.read().problems;
        let told: Vec<&Problem> = problems.iter().filter(|problem| problem.severity == Severity::Error).collect();
        assert_eq!(told.len(), 1, "{told:?}");
        told[0].message.clone()
    }
}

#[test]
fn the_key_is_what_stands_in_the_file_beside_the_policy_or_at_a_full_path() {
    let folder = Folder::with("secrets.txt");
    folder.write("secrets.txt", "  sk-from-a-file\n");
    assert_eq!(folder.key().as_deref(), Some("sk-from-a-file"));
    let elsewhere = Folder::with(&folder.0.path().join("secrets.txt").display().to_string());
    assert_eq!(elsewhere.key().as_deref(), Some("sk-from-a-file"));
}

#[test]
fn an_empty_file_or_no_path_means_that_there_is_no_key() {
    let folder = Folder::with("key");
    folder.write("key", " \n");
    assert_eq!(folder.key(), None);
    let told = folder.read().problems.render(false);
    assert!(told.contains("help: put a key into its api_key_file"), "{told}");
    assert_eq!(Folder::with("").key(), None);
}

#[test]
fn a_file_that_cannot_be_a_key_is_an_error_that_shows_nothing_of_it() {
    let folder = Folder::with("key");
    assert!(folder.error().starts_with("the file with the key can't be read: "), "{}", folder.error());
    for (content, expected) in [
        (b"sk-one\nsk-two".to_vec(), "the key has characters that no key has"),
        (b"sk-\xff\xfe".to_vec(), "the file with the key can't be read"),
        (vec![b'k'; 70 << 10], "the file with the key is larger than 64 KiB"),
    ] {
        folder.write("key", content);
        assert!(folder.error().contains(expected), "{}", folder.error());
        assert!(!folder.read().problems.render(false).contains("sk-"), "{}", folder.read().problems.render(false));
    }
    folder.write("routing.yaml", shipped_with("api_key: ${OPENAI_API_KEY:-}", "api_key: x\n    api_key_file: key"));
    folder.write("key", "sk-one");
    assert_eq!(folder.error(), "the key is given twice");
    assert!(tells(&shipped_with("api_key: ${OPENAI_API_KEY:-}", "api_key_file: key"), "no policy file"));
}

#[test]
fn another_key_makes_another_policy_of_the_same_text() {
    let folder = Folder::with("key");
    let missing = folder.read();
    assert!(missing.sources.is_missing());
    folder.write("key", "sk-one");
    let (one, again) = (folder.read(), folder.read());
    folder.write("key", "sk-two");
    let two = folder.read();
    assert!(one.sources == again.sources && one.sources != two.sources && missing.sources != one.sources);
    assert!(!two.sources.is_missing());
    assert_eq!(two.sources.files().collect::<Vec<&Path>>(), [folder.0.path().join("key")]);
    let identity = |compiled: &Compiled| compiled.policy.as_ref().unwrap().backends["openai"].identity();
    assert!(identity(&one) == identity(&again) && identity(&one) != identity(&two));
    assert_eq!(one.policy.unwrap().hash, two.policy.unwrap().hash);
}
