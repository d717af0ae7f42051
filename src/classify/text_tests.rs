//! What is counted, and that however long a text is, counting it stays cheap.

use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Counts {
    let mut counts = Counts::default();
    counts.read(text);
    counts
}

#[test]
fn words_questions_numbers_and_signs() {
    let plain = read("What is the capital of France?");
    assert_eq!(plain, Counts { words: 6, questions: 1, ..Counts::default() });
    let sums = read("If x^2 + 3 = 12, what is x? And \\frac{1}{2}?? See https://example.org/?page for more.");
    assert_eq!((sums.questions, sums.maths, sums.numbers), (2, 4, 5));
    assert_eq!(read("请比较这两种方案？"), Counts { words: 4, questions: 1, ..Counts::default() });
}

#[test]
fn words_that_order_constrain_and_reason_in_any_case() {
    let asked = read("Compare both plans, THEN explain why. You must use at most 3 steps and think carefully.");
    assert_eq!((asked.reasoning, asked.steps, asked.constraints), (4, 2, 2));
    assert_eq!(read("Think step by step about the trade-offs.").reasoning, 2);
    // "Most people" asks nothing of the answer, and no word is found inside another one.
    let calm = read("Most people plant whyever thenceforth; a stepmother mustered.");
    assert_eq!((calm.reasoning, calm.steps, calm.constraints), (0, 0, 0));
}

#[test]
fn what_is_pasted_is_attached_and_not_read_as_an_instruction() {
    let code = "Fix this:\n```rust\nfn main() { must(); }\n\nwhy();\n```\nThanks";
    let fixed = read(code);
    assert_eq!((fixed.words, fixed.code, fixed.constraints, fixed.reasoning), (3, 2, 0, 0));
    assert_eq!(fixed.attached, 27);
    let quoted = read("> Why must we compare?\nAnswer this mail.");
    assert_eq!((quoted.words, quoted.attached, quoted.reasoning, quoted.constraints), (3, 22, 0, 0));
    let table = read("Which row is wrong?\n| a | b |\n|---|---|\n| 1 | 2 |");
    assert_eq!((table.tables, table.words, table.attached), (3, 4, 27));
    let pasted = "It must be so. ".repeat(100);
    let summed = read(&format!("Summarize:\n{pasted}"));
    assert_eq!((summed.words, summed.constraints, summed.attached), (1, 0, pasted.len() as u64));
    let loose = read("Why does it fail?\nfor (i = 0; i < n; i++) {\n  total += i;\n}}");
    assert_eq!((loose.code, loose.words), (3, 4));
}

#[test]
fn items_of_a_list_are_steps_and_their_words_count() {
    let listed = read("Please:\n1. collect the figures\n2) compare them\n- and report\n* in English\nNothing - else.");
    assert_eq!((listed.steps, listed.reasoning), (4, 1));
    assert_eq!(read("2026 was a good year.").steps, 0);
}

#[test]
fn of_a_long_text_the_head_and_the_end_are_read() {
    let middle = "Why must it be?\n".repeat(100_000);
    let long = format!("Compare these letters.\n{middle}\nThen answer exactly once.");
    let counts = read(&long);
    assert!(counts.reasoning >= 1 && counts.steps == 1);
    let most = u32::try_from((HEAD_BYTES + TAIL_BYTES) / 16 + 2).unwrap();
    assert!(counts.questions <= most && counts.constraints <= most + 1, "{counts:?}");
    assert!(counts.attached as usize > middle.len() - HEAD_BYTES - TAIL_BYTES);
    // A fence that the head opened and nobody closed in sight: the end is read as an instruction.
    let fenced = format!("Fix it.\n```\n{}\nWhy?", "x = 1\n".repeat(10_000));
    assert!(read(&fenced).questions >= 1);
    let closed = format!("Fix it.\n```\n{}```\nWhy?", "x = 1\n".repeat(10_000));
    assert_eq!((read(&closed).questions, read(&closed).words), (1, 3));
}

proptest! {
    #[test]
    fn any_text_is_read_without_a_panic_and_within_bounds(text in "(\\PC|\n|```|\\| |é|🚀|> |- ){0,120}") {
        let counts = read(&text);
        let read = text.len().min(HEAD_BYTES + TAIL_BYTES);
        prop_assert!(counts.words as usize <= read && counts.numbers as usize <= read);
        prop_assert!(counts.attached as usize <= text.len());
    }
}
