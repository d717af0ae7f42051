//! A question about many tasks: which ones, in what order, how many at a time. Values only; the store answers it.

use jiff::civil::Date;

use super::{Priority, Status, TaskId};
use crate::error::{Error, Result};

/// How many records a page has if nobody says.
const DEFAULT_LIMIT: u32 = 20;
/// How many records a page has at most.
const MAX_LIMIT: u32 = 100;
/// No cursor of ours is longer; what is longer is not even decoded.
const MAX_CURSOR: usize = 2_000;

/// All that are given must hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    pub status: Option<Status>,
    pub priority: Option<Priority>,
    pub assignee: Option<String>,
    pub project: Option<String>,
    pub tag: Option<String>,
    /// Pending or in progress.
    pub open: Option<bool>,
    /// Open, and everything that it depends on is done.
    pub ready: Option<bool>,
    /// Open, and its due day is past.
    pub overdue: Option<bool>,
    pub due_before: Option<Date>,
    pub due_after: Option<Date>,
    pub sort: Sort,
    pub limit: u32,
    pub after: Option<Cursor>,
}

crate::names::words!(
    /// Undated tasks come last when sorted by due day; ties go by id.
    Sort {
        Id => "id",
        DueDate => "due_date",
        Priority => "priority",
        UpdatedAt => "updated_at",
    }
);

/// Where the next page starts: opaque to callers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    pub sort: Sort,
    /// The sort key of the last record shown, as the store compares it.
    pub key: String,
    pub id: TaskId,
}

impl Default for Query {
    /// Everything, by id, one page.
    fn default() -> Self {
        Self {
            status: None,
            priority: None,
            assignee: None,
            project: None,
            tag: None,
            ready: None,
            open: None,
            overdue: None,
            due_before: None,
            due_after: None,
            sort: Sort::Id,
            limit: DEFAULT_LIMIT,
            after: None,
        }
    }
}

/// The size of a page, 1 to 100.
pub fn limit(wanted: i64) -> Result<u32> {
    u32::try_from(wanted).ok().filter(|limit| (1..=MAX_LIMIT).contains(limit)).ok_or_else(|| {
        Error::bad_request(format!("`limit`: {wanted} is not between 1 and {MAX_LIMIT}"))
            .hint("For more records, pass the `next_cursor` of a page as `cursor`.")
    })
}

impl Cursor {
    /// The text that a caller hands back to get the next page: letters and digits only.
    pub fn encode(&self) -> String {
        let json = serde_json::json!([self.sort, self.key, self.id.0]).to_string();
        format!("{}{}", checksum(json.as_bytes()), hex(json.as_bytes()))
    }

    /// The cursor in `text`, for a list in this order. Tells a cursor that was changed, cut or made up, though it is no
    /// secret: it carries nothing that the caller has not seen.
    pub fn decode(text: &str, sort: Sort) -> Result<Self> {
        let cursor = Self::read(text.trim()).ok_or_else(|| {
            Error::bad_request("`cursor`: it is not one that list_tasks gave")
                .hint("Start again without `cursor`, then pass `next_cursor` exactly as it was given.")
        })?;
        if cursor.sort != sort {
            let (was, now) = (cursor.sort.as_str(), sort.as_str());
            return Err(Error::bad_request(format!("`cursor`: it belongs to a list sorted by {was}, not by {now}"))
                .hint(format!("Start again without `cursor`, or ask with `sort`: \"{was}\".")));
        }
        Ok(cursor)
    }

    fn read(text: &str) -> Option<Self> {
        if text.len() > MAX_CURSOR {
            return None;
        }
        let (sum, json) = text.split_at_checked(CHECKSUM)?;
        let json = unhex(json)?;
        if checksum(&json) != sum {
            return None;
        }
        let (sort, key, id): (Sort, String, u32) = serde_json::from_slice(&json).ok()?;
        Some(Self { sort, key, id: TaskId(id) })
    }
}

/// Enough to notice a slip of the hand; hexadecimal digits.
const CHECKSUM: usize = 8;

fn checksum(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().chars().take(CHECKSUM).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Only what `hex` writes: lower case, an even number of digits.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cursor() -> Cursor {
        Cursor { sort: Sort::DueDate, key: "2026-12-31".into(), id: TaskId(42) }
    }

    #[test]
    fn a_cursor_is_plain_letters_and_comes_back() {
        let text = cursor().encode();
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{text}");
        assert!(text.len() < 120, "{text}");
        assert_eq!(Cursor::decode(&format!(" {text}\n"), Sort::DueDate).unwrap(), cursor());
    }

    #[test]
    fn a_cursor_of_another_order_is_told_so() {
        let error = Cursor::decode(&cursor().encode(), Sort::Id).unwrap_err();
        assert_eq!(error.message, "`cursor`: it belongs to a list sorted by due_date, not by id");
        assert!(error.hint.unwrap().starts_with("Start again without `cursor`"));
    }

    #[test]
    fn what_is_no_cursor_says_start_again() {
        let cut = cursor().encode();
        let cut = &cut[..cut.len() - 2];
        for wrong in
            ["", "2", "page 2", "ééééé", "0000000", cut, &"a".repeat(100_000), &cursor().encode().to_uppercase()]
        {
            let error = Cursor::decode(wrong, Sort::DueDate).unwrap_err();
            assert!(error.hint.unwrap().starts_with("Start again without `cursor`"), "{wrong}");
        }
    }

    #[test]
    fn a_page_has_1_to_100_records() {
        assert_eq!(Query::default().limit, 20);
        assert_eq!((limit(1).unwrap(), limit(100).unwrap()), (1, 100));
        for wrong in [0, -1, 101, i64::MAX, i64::MIN] {
            assert!(limit(wrong).unwrap_err().message.contains("between 1 and 100"), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_cursor_comes_back(sort in prop::sample::select(Sort::ALL), key in "\\PC{0,60}", id in 1u32..) {
            let cursor = Cursor { sort, key, id: TaskId(id) };
            prop_assert_eq!(Cursor::decode(&cursor.encode(), sort).unwrap(), cursor);
        }

        #[test]
        fn a_changed_letter_is_noticed(at in 0usize..1_000, letter in "[0-9a-z]") {
            let text = cursor().encode();
            let at = at % text.len();
            let changed = format!("{}{letter}{}", &text[..at], &text[at + 1..]);
            prop_assert_eq!(Cursor::decode(&changed, Sort::DueDate).is_ok(), changed == text);
        }
    }
}
