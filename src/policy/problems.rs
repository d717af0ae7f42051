//! What is wrong with a policy, and how it is shown: message, place, the line with a caret, what to do.
//!
//! Nothing here knows what a policy means, or what is secret in it: `mask` does.

use std::fmt;
use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::mask::Mask;
use crate::error::{Error, Kind};

/// A place in the file, in bytes.
pub type Place = Range<usize>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The policy can't be used.
    Error,
    /// It can, but probably does not do what its author wants.
    Warning,
    /// Worth knowing.
    Hint,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub severity: Severity,
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Counted from 1, columns in characters; `None` when the file as a whole is meant.
    pub line: Option<usize>,
    pub column: Option<usize>,
    place: Option<Place>,
}

impl Problem {
    pub fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(help.into());
        self
    }
}

/// Problems as they are found, in any order.
#[derive(Debug, Default)]
pub struct Findings(Vec<Problem>);

impl Findings {
    pub fn error(&mut self, place: Place, message: impl Into<String>) -> &mut Problem {
        self.add(Severity::Error, Some(place), message.into())
    }

    pub fn warning(&mut self, place: Place, message: impl Into<String>) -> &mut Problem {
        self.add(Severity::Warning, Some(place), message.into())
    }

    pub fn hint(&mut self, place: Place, message: impl Into<String>) -> &mut Problem {
        self.add(Severity::Hint, Some(place), message.into())
    }

    /// About the file as a whole.
    pub fn whole(&mut self, message: impl Into<String>) -> &mut Problem {
        self.add(Severity::Error, None, message.into())
    }

    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|problem| problem.severity == Severity::Error)
    }

    fn add(&mut self, severity: Severity, place: Option<Place>, message: String) -> &mut Problem {
        let at = self.0.len();
        self.0.push(Problem { severity, message, help: None, line: None, column: None, place });
        &mut self.0[at]
    }
}

/// All problems of one file: errors first, each group by line.
#[derive(Clone)]
pub struct Problems {
    file: String,
    mask: Mask,
    /// With secrets masked.
    shown: String,
    list: Vec<Problem>,
}

impl Problems {
    /// Nothing that `mask` hides is shown, in lines or in messages.
    pub fn new(file: &str, mask: Mask, found: Findings) -> Self {
        let mut problems = Self { file: file.to_owned(), shown: mask.shown(), mask, list: Vec::new() };
        problems.add(found);
        problems
    }

    /// What was found elsewhere than in the text, such as in a database.
    pub fn add(&mut self, found: Findings) {
        for mut problem in found.0 {
            self.mask.scrub(&mut problem.message);
            problem.help.iter_mut().for_each(|help| self.mask.scrub(help));
            if let Some(place) = &mut problem.place {
                *place = first_line(&self.shown, place);
                let (line, column) = position(&self.shown, place.start);
                (problem.line, problem.column) = (Some(line), Some(column));
            }
            self.list.push(problem);
        }
        self.list.sort_by_key(|problem| (problem.severity, problem.line, problem.column));
        self.list.dedup();
    }

    /// Sorted: errors, warnings, hints; each by line.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter()
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub fn count(&self, severity: Severity) -> usize {
        self.list.iter().filter(|problem| problem.severity == severity).count()
    }

    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    /// Every problem with its line of the file and a caret. Ends with a line break unless there is nothing to say.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() }.decor_style(DecorStyle::Ascii);
        let mut text = String::new();
        for problem in &self.list {
            text.push_str(&self.render_one(&renderer, problem));
            text.push_str("\n\n");
        }
        text
    }

    fn render_one(&self, renderer: &Renderer, problem: &Problem) -> String {
        let level = match problem.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Hint => Level::NOTE.with_name("hint"),
        };
        let title = level.primary_title(problem.message.as_str());
        let mut group = match &problem.place {
            Some(place) => title.element(
                Snippet::source(self.shown.as_str())
                    .path(self.file.as_str())
                    .annotation(AnnotationKind::Primary.span(place.clone())),
            ),
            None => title.element(annotate_snippets::Origin::path(self.file.as_str())),
        };
        if let Some(help) = &problem.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        renderer.render(&[group])
    }
}

/// Without the text of the file.
impl fmt::Debug for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Problems").field("file", &self.file).field("list", &self.list).finish_non_exhaustive()
    }
}

/// One line a problem, for logs and for the error of a start that failed.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.list.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            f.write_str(&self.file)?;
            if let (Some(line), Some(column)) = (problem.line, problem.column) {
                write!(f, ":{line}:{column}")?;
            }
            write!(f, ": {}", problem.message)?;
            if let Some(help) = &problem.help {
                write!(f, " ({help})")?;
            }
        }
        Ok(())
    }
}

impl From<Problems> for Error {
    /// Warnings and hints are no reason to fail: only errors are told.
    fn from(mut problems: Problems) -> Self {
        problems.list.retain(|problem| problem.severity == Severity::Error);
        let hint = format!("Run `taskgate check {}` to see each with its line.", problems.file);
        Self::new(Kind::Config, problems.to_string()).hint(hint)
    }
}

/// The part of a place that stands on its first line; never empty, so that the caret shows.
fn first_line(text: &str, place: &Place) -> Place {
    let start = place.start.min(text.len());
    let line_end = text[start..].find('\n').map_or(text.len(), |length| start + length);
    let end = place.end.clamp(start, line_end);
    let trimmed = start + text[start..end].trim_end().len();
    let one_character = text[start..].chars().next().filter(|c| *c != '\n').map_or(0, char::len_utf8);
    start..trimmed.max(start + one_character)
}

fn position(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..at];
    let line_start = before.rfind('\n').map_or(0, |line_break| line_break + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}
