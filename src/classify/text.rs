//! What can be counted in the words of an instruction, in one pass over its lines. Pure; no regular expression.
//!
//! The lists of words are English. A text in another language gets its length, structure, numbers and signs counted, and
//! no words: nothing is guessed about it.

/// A paragraph of this many bytes is something that was pasted, not an instruction.
const PASTED_BYTES: usize = 1_000;
/// Longer texts are read at their head and their end, where instructions stand; the middle is attached.
const HEAD_BYTES: usize = 6 << 10;
const TAIL_BYTES: usize = 2 << 10;
/// No word of the lists is longer.
const LONGEST_WORD: usize = 16;
/// Scripts that put no spaces between words begin here; two of their characters count as a word.
const UNSPACED: char = '\u{2e80}';

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub words: u32,
    pub attached: u64,
    pub questions: u32,
    pub steps: u32,
    pub constraints: u32,
    pub reasoning: u32,
    pub numbers: u32,
    pub maths: u32,
    pub code: u32,
    pub tables: u32,
}

/// What a line is a part of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Prose,
    Item,
    Code,
    Row,
    Pasted,
}

impl Counts {
    /// Adds one text. However long it is, a bounded part of it is read.
    pub fn read(&mut self, text: &str) {
        if text.len() <= HEAD_BYTES + TAIL_BYTES {
            self.lines(text, false);
            return;
        }
        let (head, rest) = text.split_at(text.floor_char_boundary(HEAD_BYTES));
        let (middle, tail) = rest.split_at(rest.ceil_char_boundary(rest.len() - TAIL_BYTES));
        self.attached += middle.len() as u64;
        let open = self.lines(head, false);
        // Whether the middle closed what the head had opened is not known; a fence further down says that it did not.
        self.lines(tail, open && tail.lines().any(is_fence));
    }

    /// Whether a fence is open at the end.
    fn lines(&mut self, text: &str, mut fenced: bool) -> bool {
        for line in text.lines() {
            if is_fence(line) {
                fenced = !fenced;
                continue;
            }
            let part = if fenced { Part::Code } else { part(line) };
            match part {
                Part::Prose => {}
                Part::Item => self.steps += 1,
                Part::Code => self.code += u32::from(!line.trim().is_empty()),
                Part::Row => self.tables += 1,
                Part::Pasted => self.questions += u32::from(line.trim_end().ends_with('?')),
            }
            if matches!(part, Part::Prose | Part::Item) {
                self.prose(line);
            } else {
                self.attached += line.len() as u64;
            }
        }
        fenced
    }

    fn prose(&mut self, line: &str) {
        let mut previous = Word::default();
        let mut characters = line.char_indices().peekable();
        while let Some((at, character)) = characters.next() {
            if !belongs_to_word(character) {
                let next = characters.peek().map(|(_, next)| *next);
                self.sign(character, next);
                continue;
            }
            let mut end = at + character.len_utf8();
            let mut unspaced = u32::from(character >= UNSPACED);
            while let Some((next, inside)) = characters.next_if(|(_, next)| belongs_to_word(*next)) {
                end = next + inside.len_utf8();
                unspaced += u32::from(inside >= UNSPACED);
            }
            self.words += if unspaced > 0 { unspaced.div_ceil(2) } else { 1 };
            let word = Word::new(&line[at..end]);
            self.word(previous.as_str(), word.as_str());
            previous = word;
        }
    }

    fn word(&mut self, previous: &str, word: &str) {
        if word.starts_with(|first: char| first.is_ascii_digit()) {
            self.numbers += 1;
            return;
        }
        self.steps += u32::from(orders(previous, word));
        self.constraints += u32::from(constrains(previous, word));
        self.reasoning += u32::from(reasons(previous, word));
    }

    fn sign(&mut self, sign: char, next: Option<char>) {
        match sign {
            // Inside an address it asks nothing; of "??" the last one counts.
            '?' | '？' => self.questions += u32::from(next.is_none_or(|next| next != '?' && !belongs_to_word(next))),
            '=' | '+' | '^' | '√' | '∑' | '∏' | '∫' | '∞' | '≤' | '≥' | '≠' | '≈' | '±' | '×' | '÷' => {
                self.maths += 1
            }
            '\\' if next.is_some_and(|next| next.is_ascii_alphabetic()) => self.maths += 1,
            _ => {}
        }
    }
}

fn is_fence(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("```") || line.starts_with("~~~")
}

fn part(line: &str) -> Part {
    let trimmed = line.trim();
    if trimmed.len() >= PASTED_BYTES || trimmed.starts_with('>') {
        Part::Pasted
    } else if trimmed.len() > 1 && trimmed.starts_with('|') && trimmed.ends_with('|') {
        Part::Row
    } else if is_item(trimmed) {
        Part::Item
    } else if is_code(trimmed) {
        Part::Code
    } else {
        Part::Prose
    }
}

/// "- so", "* so", "2. so", "2) so".
fn is_item(line: &str) -> bool {
    let rest = line.trim_start_matches(|first: char| first.is_ascii_digit());
    let numbered = rest.len() < line.len() && (rest.starts_with(". ") || rest.starts_with(") "));
    numbered || line.starts_with("- ") || line.starts_with("* ") || line.starts_with("• ")
}

fn is_code(line: &str) -> bool {
    let ends = line.ends_with(['{', '}', ';']) && line.len() > 1;
    ends || ["def ", "fn ", "import ", "#include", "function ", "SELECT ", "public ", "$ "]
        .iter()
        .any(|begin| line.starts_with(begin))
}

fn belongs_to_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_' || character == '\''
}

/// The next step: "then", "finally", "step 2".
fn orders(previous: &str, word: &str) -> bool {
    match word {
        "then" | "afterwards" | "finally" | "next" | "firstly" | "secondly" | "thirdly" | "lastly" | "additionally" => {
            true
        }
        "step" | "steps" => previous != "by",
        _ => false,
    }
}

/// What the answer has to keep to.
fn constrains(previous: &str, word: &str) -> bool {
    match word {
        "must" | "exactly" | "only" | "without" | "never" | "always" | "every" | "except" | "unless" | "ensure"
        | "within" | "required" | "requires" | "requirement" | "requirements" | "cannot" | "avoid" | "limit"
        | "limited" | "constraint" | "constraints" | "maximum" | "minimum" | "precisely" | "strictly"
        | "respectively" => true,
        "most" | "least" => previous == "at",
        "than" => matches!(previous, "more" | "less" | "fewer" | "longer"),
        _ => false,
    }
}

/// What asks for more than to look something up.
fn reasons(previous: &str, word: &str) -> bool {
    match word {
        "prove" | "proof" | "derive" | "compare" | "contrast" | "analyze" | "analyse" | "analysis" | "evaluate"
        | "optimize" | "optimise" | "optimal" | "debug" | "refactor" | "design" | "plan" | "justify" | "tradeoff"
        | "tradeoffs" | "critique" | "infer" | "deduce" | "estimate" | "simulate" | "calculate" | "compute"
        | "solve" | "decompose" | "prioritize" | "prioritise" | "schedule" | "architecture" | "algorithm"
        | "investigate" | "diagnose" | "reconcile" | "synthesize" | "assess" | "determine" | "explain" | "why"
        | "implement" | "dependency" | "dependencies" | "complexity" | "strategy" | "implications" | "hypothesis"
        | "theorem" | "reasoning" => true,
        "off" | "offs" => previous == "trade",
        "step" => previous == "by",
        "hard" | "carefully" => previous == "think",
        "path" => previous == "critical",
        _ => false,
    }
}

/// A word in lower case, if it is short enough to be in a list.
#[derive(Clone, Copy, Default)]
struct Word {
    letters: [u8; LONGEST_WORD],
    length: usize,
}

impl Word {
    fn new(text: &str) -> Self {
        let mut word = Self::default();
        if text.len() <= LONGEST_WORD && text.is_ascii() {
            word.length = text.len();
            for (letter, from) in word.letters.iter_mut().zip(text.bytes()) {
                *letter = from.to_ascii_lowercase();
            }
        }
        word
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.letters[..self.length]).unwrap_or_default()
    }
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
