//! The file as a tree in which every key and value knows its place.
//!
//! It says nothing about what the keys mean. Serde stops at the first problem and forgets places once a value is read;
//! this tree is what lets all problems be told at once, each where it is. YAML features that a policy has no use for
//! (anchors, aliases, tags, several documents) are refused here.

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput};

use super::problems::{Findings, Place};

/// Deeper than any policy; keeps a hostile file from using up the stack.
const MAX_DEPTH: usize = 32;

#[derive(Debug)]
pub struct Node {
    pub place: Place,
    pub value: Value,
}

#[derive(Debug)]
pub enum Value {
    /// `plain`: without quotes, so it may be a number, a truth value or nothing at all.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<Entry>),
}

#[derive(Debug)]
pub struct Entry {
    pub key: String,
    pub key_place: Place,
    pub node: Node,
}

impl Node {
    /// The tree of a file, or `None` when it is not YAML. What is wrong is added to `found`; where something was left
    /// out of the tree, to `dropped`.
    pub fn parse(text: &str, found: &mut Findings, dropped: &mut Vec<Place>) -> Option<Self> {
        let mut offsets: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        offsets.push(text.len());
        let mut builder = Builder { parser: Parser::new_from_str(text), offsets, found, dropped };
        match builder.document() {
            Ok(node) => node,
            Err(error) => {
                builder.refuse(text, &error);
                None
            }
        }
    }

    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Nothing was written, or `null`.
    pub fn is_null(&self) -> bool {
        match &self.value {
            Value::Scalar { text, plain: true } => matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"),
            _ => false,
        }
    }

    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// Where the value at this path stands; the nearest thing above it when there is none. List items go by number.
    pub fn value_at(&self, path: &[&str]) -> Place {
        self.walk(path, |entry| if entry.node.is_null() { &entry.key_place } else { &entry.node.place })
    }

    /// Where the key at this path stands; the nearest thing above it when there is none.
    pub fn key_at(&self, path: &[&str]) -> Place {
        self.walk(path, |entry| &entry.key_place)
    }

    fn walk<'a>(&'a self, path: &[&str], of: impl Fn(&'a Entry) -> &'a Place) -> Place {
        let (mut node, mut place) = (self, &self.place);
        for step in path {
            if let Some(entry) = node.entries().iter().find(|entry| entry.key == *step) {
                place = of(entry);
                node = &entry.node;
            } else if let Some(item) = step.parse().ok().and_then(|at: usize| node.items().get(at)) {
                place = &item.place;
                node = item;
            } else {
                break;
            }
        }
        place.clone()
    }
}

struct Builder<'a> {
    parser: Parser<'a, StrInput<'a>>,
    /// Byte offset of each character: the parser counts characters.
    offsets: Vec<usize>,
    found: &'a mut Findings,
    dropped: &'a mut Vec<Place>,
}

impl<'a> Builder<'a> {
    fn document(&mut self) -> Result<Option<Node>, ScanError> {
        let mut root = None;
        while let Some(event) = self.parser.next_event() {
            let (event, span) = event?;
            match event {
                Event::DocumentStart(_) if root.is_some() => {
                    let place = self.place(span);
                    self.found.error(place, "a policy is one YAML document").help("remove this `---` and what follows");
                    return Ok(root);
                }
                Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {}
                other => root = Some(self.node(other, span, 0)?),
            }
        }
        Ok(root)
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, ScanError> {
        if depth > MAX_DEPTH {
            return Err(ScanError::new_str(span.start, "nested too deeply"));
        }
        let place = self.place(span);
        self.refuse_extras(&event, &place);
        let (place, value) = match event {
            Event::Scalar(text, style, ..) => {
                (place, Value::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain })
            }
            Event::SequenceStart(..) => self.list(place, depth)?,
            Event::MappingStart(..) => self.map(place, depth)?,
            _ => (place, Value::Scalar { text: String::new(), plain: true }),
        };
        Ok(Node { place, value })
    }

    fn list(&mut self, start: Place, depth: usize) -> Result<(Place, Value), ScanError> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok((start.start..self.place(span).end, Value::List(items)));
            }
            items.push(self.node(event, span, depth + 1)?);
        }
    }

    fn map(&mut self, start: Place, depth: usize) -> Result<(Place, Value), ScanError> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                return Ok((start.start..self.place(span).end, Value::Map(entries)));
            }
            let key = self.node(event, span, depth + 1)?;
            let (event, span) = self.next()?;
            let node = self.node(event, span, depth + 1)?;
            self.entry(&mut entries, key, node);
        }
    }

    /// Keeps the first of two equal keys; which one was meant, only the author knows.
    fn entry(&mut self, entries: &mut Vec<Entry>, key: Node, node: Node) {
        let Value::Scalar { text, .. } = key.value else {
            self.found.error(key.place, "a key must be plain text");
            self.dropped.push(node.place);
            return;
        };
        if entries.iter().any(|known| known.key == text) {
            let problem = self.found.error(key.place, format!("duplicate key `{text}`"));
            problem.help("the same key stands above; keep one of the two");
            self.dropped.push(node.place);
            return;
        }
        entries.push(Entry { key: text, key_place: key.place, node });
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), ScanError> {
        let end = || ScanError::new_str(Span::default().start, "the file ends too early");
        self.parser.next_event().unwrap_or_else(|| Err(end()))
    }

    fn refuse_extras(&mut self, event: &Event<'_>, place: &Place) {
        let (anchor, tag) = match event {
            Event::Alias(_) => (1, false),
            Event::Scalar(_, _, anchor, tag) => (*anchor, tag.is_some()),
            Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag) => (*anchor, tag.is_some()),
            _ => (0, false),
        };
        if anchor != 0 {
            let message = "anchors and aliases (`&name`, `*name`) are not supported in a policy";
            self.found.error(place.clone(), message).help("write the value out where it is needed");
        }
        if tag {
            self.found.error(place.clone(), "tags (`!name`) are not supported in a policy").help("remove the tag");
        }
    }

    fn place(&self, span: Span) -> Place {
        let byte = |at: usize| self.offsets.get(at).or(self.offsets.last()).copied().unwrap_or(0);
        byte(span.start.index())..byte(span.end.index())
    }

    fn refuse(&mut self, text: &str, error: &ScanError) {
        let place = self.place(Span::empty(*error.marker()));
        // Of all syntax errors the likeliest here: `*` opens an alias in YAML.
        let star = text[..place.start].ends_with('*') || text[place.start..].starts_with('*');
        let line_start = text[..place.start].rfind('\n').map_or(0, |line_break| line_break + 1);
        let variable = text[line_start..].lines().next().is_some_and(|line| line.contains("${"));
        let problem = self.found.error(place, format!("this is not YAML: {}", error.info()));
        if star {
            problem.help("any tool is written \"*\", with quotes");
        } else if variable {
            problem.help("between { } or [ ], write \"${NAME}\" with quotes");
        }
    }
}
