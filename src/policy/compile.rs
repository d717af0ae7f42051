//! routing.yaml -> `Policy`, or everything that is wrong with it at once.
//!
//! The order: tree with places, shape (keys and types), what is not supported yet, the typed parse, meaning, lint. Each
//! step goes on with what the one before could make sense of.

mod backends;
mod budgets;
mod callers;
mod keys;
mod limits;
mod models;
mod routes;
mod status;
mod tiers;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

use super::expand::Environment;
use super::mask::Mask;
use super::problems::{Findings, Place, Problems};
use super::raw::RawPolicy;
use super::tree::Node;
use super::types::Policy;
use super::vocabulary::advice;
use super::{later, lint, shape};

/// The policy that is used when there is no file.
pub const BUILT_IN: &str = include_str!("../../routing.yaml");
pub const BUILT_IN_NAME: &str = "built-in routing.yaml";

/// More than any policy; a wrong path should not be read for minutes.
const MAX_BYTES: usize = 1 << 20;

/// The result of reading a policy: usable unless a problem is an error.
#[derive(Debug)]
pub struct Compiled {
    pub policy: Option<Policy>,
    pub problems: Problems,
    pub sources: Sources,
    /// Where the limit of each of the policy's budgets stands.
    pub limits: Vec<Place>,
}

/// What a policy was made of. Equal sources make equal policies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    /// `None`: the file could not be read.
    text: Option<blake3::Hash>,
    key_files: BTreeMap<PathBuf, Option<blake3::Hash>>,
}

impl Sources {
    /// The files beside the policy's own that it depends on.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.key_files.keys().map(PathBuf::as_path)
    }

    /// As the policy's own hash: of its text alone.
    pub fn hash(&self) -> String {
        self.text.map_or_else(|| "unreadable".to_owned(), short)
    }

    pub fn is_missing(&self) -> bool {
        self.text.is_none() || self.key_files.values().any(Option::is_none)
    }
}

impl Policy {
    /// The policy in this file, or the built-in one; all problems if it can't be used.
    pub fn load(path: Option<&Path>, environment: &Environment<'_>) -> Result<Self, Problems> {
        let compiled = read(path, environment);
        compiled.policy.ok_or(compiled.problems)
    }
}

/// Like `Policy::load`, with warnings and hints also when the policy is usable.
pub fn read(path: Option<&Path>, environment: &Environment<'_>) -> Compiled {
    let Some(path) = path else {
        return compile(BUILT_IN, BUILT_IN_NAME, environment);
    };
    let name = path.display().to_string();
    let unreadable = |message: String| {
        let mut found = Findings::default();
        found.whole(message);
        let problems = Problems::new(&name, Mask::new("", None, &[]), found);
        Compiled { policy: None, problems, sources: Sources::default(), limits: Vec::new() }
    };
    match std::fs::read(path) {
        Err(error) => unreadable(format!("the policy can't be read: {error}")),
        Ok(bytes) if bytes.len() > MAX_BYTES => unreadable("the file is larger than 1 MiB: not a policy".into()),
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => compile_in(path.parent(), &text, &name, environment),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                unreadable(format!("the file is not UTF-8 text: byte {} can't be read", at + 1))
            }
        },
    }
}

/// `name` is what the file is called in problems.
pub fn compile(text: &str, name: &str, environment: &Environment<'_>) -> Compiled {
    compile_in(None, text, name, environment)
}

/// `folder` is where relative paths begin.
fn compile_in(folder: Option<&Path>, text: &str, name: &str, environment: &Environment<'_>) -> Compiled {
    let digest = blake3::hash(text.as_bytes());
    let hash = short(digest);
    let mut sources = Sources { text: Some(digest), key_files: BTreeMap::new() };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut found = Findings::default();
    let mut dropped = Vec::new();
    let tree = Node::parse(text, &mut found, &mut dropped);
    let nothing_written = tree.is_none() && !found.has_errors();
    if nothing_written {
        found.whole("the file is empty").help("`taskgate schema` prints what can stand in it");
    }
    let mask = Mask::new(text, tree.as_ref(), &dropped);
    let compiled = tree.and_then(|tree| {
        let raw = typed(text, &tree, &mut found)?;
        let meaning = Meaning { raw: &raw, tree: &tree, found: &mut found, environment, folder, sources: &mut sources };
        let policy = meaning.policy(hash);
        lint::lint(&policy, &tree, &mut found);
        let budgets = 0..policy.budgets.len();
        let limits = budgets.map(|at| tree.value_at(&["budgets", &at.to_string(), "limit_usd"])).collect();
        Some((policy, limits))
    });
    let (policy, limits) = compiled.filter(|_| !found.has_errors()).unzip();
    let problems = Problems::new(name, mask, found);
    Compiled { policy, problems, sources, limits: limits.unwrap_or_default() }
}

fn short(digest: blake3::Hash) -> String {
    digest.to_hex()[..12].to_owned()
}

/// A file without mistakes in its shape is read as it stands; otherwise what is left of it.
fn typed(text: &str, tree: &Node, found: &mut Findings) -> Option<RawPolicy> {
    let fitting = shape::read(tree, found);
    let shape_is_right = !found.has_errors();
    later::refuse(tree, found);
    let read = if shape_is_right { serde_yaml::from_str(text) } else { serde_yaml::from_value(fitting) };
    read.map_err(|error: serde_yaml::Error| {
        // The message may quote a value, and a value may be a key: only its place is told.
        let place = error.location().map_or(0..0, |location| location.index()..location.index());
        found.error(place, "this can't be read as a policy").help("compare it with `taskgate schema`");
    })
    .ok()
}

/// What the checks of meaning work on.
struct Meaning<'a> {
    raw: &'a RawPolicy,
    tree: &'a Node,
    found: &'a mut Findings,
    environment: &'a Environment<'a>,
    folder: Option<&'a Path>,
    sources: &'a mut Sources,
}

impl Meaning<'_> {
    /// Complete only if nothing was found wrong; what is wrong is left out.
    fn policy(mut self, hash: String) -> Policy {
        if let Some(version) = self.raw.version.filter(|version| *version != 1) {
            self.error(&["version"], format!("version {version} is not supported")).help("write `version: 1`");
        }
        let time_zone = self.time_zone();
        let backends = self.backends();
        let tiers = self.tiers();
        let models = self.models(&tiers);
        let classifier = self.classifier(&tiers);
        let defaults = self.defaults();
        let routes = self.routes(&tiers, &classifier.thresholds, &defaults);
        let callers = self.callers();
        let budgets = self.budgets(&tiers);
        let retry = self.retry();
        let breaker = self.breaker();
        let cache_max_bytes =
            self.raw.cache.as_ref().and_then(|cache| cache.max_bytes).map_or(limits::CACHE_MAX_BYTES, |size| size.0);
        let retain = self.retain();
        Policy {
            hash,
            time_zone,
            backends,
            models,
            tiers,
            classifier,
            routes,
            callers,
            budgets,
            retry,
            breaker,
            cache_max_bytes,
            retain,
        }
    }

    fn time_zone(&mut self) -> TimeZone {
        let name = self.raw.time_zone.as_deref().unwrap_or("system");
        if name == "system" {
            return TimeZone::system();
        }
        TimeZone::get(name).unwrap_or_else(|_| {
            let known: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
            let near = super::vocabulary::nearest(name, known.iter().map(String::as_str));
            let help = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None if known.is_empty() => "this machine has no time zone database; install tzdata".to_owned(),
                None => "write `system` or an IANA name such as Europe/Berlin".to_owned(),
            };
            self.error(&["time_zone"], format!("unknown time zone `{name}`")).help(help);
            TimeZone::UTC
        })
    }

    /// An error at the value that stands at this path.
    fn error(&mut self, path: &[&str], message: impl Into<String>) -> &mut super::problems::Problem {
        let place = self.tree.value_at(path);
        self.found.error(place, message)
    }

    /// An error at the key that stands at this path.
    fn error_at_key(&mut self, path: &[&str], message: impl Into<String>) -> &mut super::problems::Problem {
        let place = self.tree.key_at(path);
        self.found.error(place, message)
    }

    /// Says so when a name is not among the known ones. An empty name was reported before.
    fn known(&mut self, (what, name): (&str, &str), known: &[&str], place: Place) -> bool {
        let is_known = name.is_empty() || known.contains(&name);
        if !is_known {
            let problem = self.found.error(place, format!("unknown {what} `{name}`"));
            problem.help(advice(name, known.iter().copied()));
        }
        is_known && !name.is_empty()
    }
}
