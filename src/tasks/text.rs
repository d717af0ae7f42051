//! Free text as it may be stored: nothing invisible in it, and not too long.
//!
//! Titles and descriptions come from strangers and go to terminals, logs and models. What a reader can't see must not
//! reach a reader that acts on it, so control, bidirectional, zero-width and tag characters go. Text is not otherwise
//! changed: no normalization, no rewriting.

use crate::error::{Error, Result};

const MAX_TITLE: usize = 200;
const MAX_DESCRIPTION: usize = 10_000;
const MAX_NAME: usize = 100;
const MAX_TAGS: usize = 20;

/// One line of 1 to 200 characters.
pub fn title(text: &str) -> Result<String> {
    let text = clean_line(text);
    if text.is_empty() {
        return Err(Error::bad_request("`title`: it is empty, 1 to 200 characters are needed")
            .hint("Say in a few words what has to be done, such as \"Review the budget\"."));
    }
    within("title", &text, MAX_TITLE)
        .map_err(|error| error.hint("Shorten it, and put the rest into `description`."))?;
    Ok(text)
}

/// Up to 10,000 characters with line breaks and tabs. `None` when nothing is left to store.
pub fn description(text: &str) -> Result<Option<String>> {
    let text = clean_text(text);
    within("description", &text, MAX_DESCRIPTION)
        .map_err(|error| error.hint("Keep what is needed to do the task; link to the rest."))?;
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// A short name, such as an assignee or a project: one line of 1 to 100 characters.
pub fn name(field: &str, text: &str) -> Result<String> {
    let text = clean_line(text);
    if text.is_empty() {
        return Err(Error::bad_request(format!("`{field}`: it is empty, 1 to {MAX_NAME} characters are needed"))
            .hint(format!("Leave `{field}` out if there is nothing to say.")));
    }
    within(field, &text, MAX_NAME).map_err(|error| error.hint("Use a short name."))?;
    Ok(text)
}

/// A name without a comma, so that lists of tags stay readable and can be split.
pub fn tag(field: &str, text: &str) -> Result<String> {
    let tag = name(field, text)?;
    if tag.contains(',') {
        return Err(Error::bad_request(format!("`{field}`: `{}` has a comma in it", super::model::clip(&tag)))
            .hint("Give several tags as a list: [\"budget\", \"q3\"]."));
    }
    Ok(tag)
}

/// Up to 20 tags, sorted, without repeats.
pub fn tags<T: AsRef<str>>(texts: &[T]) -> Result<Vec<String>> {
    let mut tags = texts.iter().map(|text| tag("tags", text.as_ref())).collect::<Result<Vec<_>>>()?;
    tags.sort_unstable();
    tags.dedup();
    if tags.len() > MAX_TAGS {
        let message = format!("`tags`: {} tags are too many, at most {MAX_TAGS} are allowed", tags.len());
        return Err(Error::bad_request(message).hint("Keep the tags that you filter by."));
    }
    Ok(tags)
}

/// Visible text on one line, trimmed: each run of line breaks and tabs becomes a space.
pub fn clean_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for letter in text.chars() {
        if breaks_line(letter) || letter == '\t' {
            if !line.ends_with(' ') {
                line.push(' ');
            }
        } else if !is_invisible(letter) {
            line.push(letter);
        }
    }
    line.trim().to_owned()
}

/// Visible text with tabs and line breaks, trimmed. Every kind of line break becomes a newline.
pub fn clean_text(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let visible = text.chars().filter_map(|letter| match letter {
        '\t' => Some('\t'),
        letter if breaks_line(letter) => Some('\n'),
        letter => (!is_invisible(letter)).then_some(letter),
    });
    visible.collect::<String>().trim().to_owned()
}

fn within(field: &str, text: &str, limit: usize) -> Result<()> {
    let length = text.chars().count();
    if length <= limit {
        return Ok(());
    }
    Err(Error::bad_request(format!("`{field}`: {length} characters are too many, at most {limit} are allowed")))
}

fn breaks_line(letter: char) -> bool {
    matches!(letter, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn is_invisible(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            // soft hyphen, grapheme joiner, Mongolian vowel separator, Hangul fillers
            '\u{ad}' | '\u{34f}' | '\u{180e}' | '\u{3164}' | '\u{ffa0}'
            // bidirectional marks, embeddings, overrides and isolates
            | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            // zero-width spaces and joiners, invisible operators, the byte order mark
            | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}' | '\u{feff}'
            // annotations and musical formatting
            | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}'
            // tags and supplementary variation selectors, which can carry whole hidden sentences
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn titles_are_one_visible_trimmed_line() {
        let cases = [
            ("Review budget", "Review budget"),
            ("  Review \t\n\r\n budget \u{a0}", "Review  budget"),
            ("line\nbreak", "line break"),
            ("a\u{202e}b\u{200b}c\u{0}d\u{1b}[31m\u{feff}", "abcd[31m"),
            ("hid\u{e0049}\u{e0067}den\u{2066}", "hidden"),
            ("Überprüfung für 東京 🎉", "Überprüfung für 東京 🎉"),
            ("❤\u{fe0f} keeps its presentation", "❤\u{fe0f} keeps its presentation"),
        ];
        for (given, kept) in cases {
            assert_eq!(title(given).unwrap(), kept, "{given:?}");
        }
    }

    #[test]
    fn lengths_are_counted_in_characters_after_cleaning() {
        assert_eq!(title(&"é".repeat(200)).unwrap().chars().count(), 200);
        assert!(title(&format!("  {}\u{200b}\n", "é".repeat(200))).is_ok());
        let error = title(&"é".repeat(214)).unwrap_err();
        assert_eq!(error.message, "`title`: 214 characters are too many, at most 200 are allowed");
        assert!(error.hint.unwrap().contains("`description`"));
        assert!(description(&"x".repeat(10_000)).is_ok());
        assert!(description(&"x".repeat(10_001)).unwrap_err().message.contains("10001 characters"));
        assert!(name("assignee", &"x".repeat(100)).is_ok());
        assert!(name("assignee", &"x".repeat(101)).unwrap_err().message.starts_with("`assignee`: 101 characters"));
    }

    #[test]
    fn what_is_empty_once_cleaned_is_empty() {
        for blank in ["", "   ", "\n\t", "\u{200b}\u{202e}", "\u{3164}", "\u{a0}"] {
            assert!(title(blank).unwrap_err().message.contains("empty"), "{blank:?}");
            assert!(name("project", blank).unwrap_err().message.starts_with("`project`: it is empty"), "{blank:?}");
            assert_eq!(description(blank).unwrap(), None, "{blank:?}");
        }
    }

    #[test]
    fn descriptions_keep_lines_and_tabs() {
        let kept = description("one\r\ntwo\rthree\u{2028}four\n\tfive\u{7}\u{200f}\n").unwrap().unwrap();
        assert_eq!(kept, "one\ntwo\nthree\nfour\n\tfive");
    }

    #[test]
    fn tags_are_sorted_distinct_few_and_without_commas() {
        assert_eq!(tags(&["q3", " budget ", "q3"]).unwrap(), ["budget", "q3"]);
        assert!(tags::<&str>(&[]).unwrap().is_empty());
        assert!(tags(&["a,b"]).unwrap_err().message.contains("comma"));
        assert!(tags(&["a", ""]).unwrap_err().message.starts_with("`tags`: it is empty"));
        let many: Vec<String> = (0..21).map(|number| format!("tag {number}")).collect();
        assert!(tags(&many[..20]).is_ok());
        assert!(tags(&many).unwrap_err().message.contains("21 tags are too many, at most 20"));
        let repeated: Vec<String> = many.iter().map(|_| "same".to_owned()).collect();
        assert_eq!(tags(&repeated).unwrap(), ["same"]);
    }

    proptest! {
        #[test]
        fn cleaning_twice_is_cleaning_once(text in any::<String>()) {
            let (line, lines) = (clean_line(&text), clean_text(&text));
            prop_assert_eq!(&clean_line(&line), &line);
            prop_assert_eq!(&clean_text(&lines), &lines);
            prop_assert!(!line.chars().any(|letter| is_invisible(letter) || breaks_line(letter)));
            prop_assert!(!lines.chars().any(|letter| is_invisible(letter) && letter != '\n' && letter != '\t'));
        }
    }
}
