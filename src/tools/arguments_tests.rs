//! Good arguments, and what each bad one is told.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::*;
use crate::tools::spec::input_schema;

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    title: String,
    #[schemars(extend("enum" = ["low", "high"]))]
    priority: Option<String>,
    due_date: Option<String>,
    #[schemars(range(min = 1, max = 365))]
    duration_days: Option<u32>,
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 10_000))]
    hours: Option<f64>,
    #[schemars(length(max = 2))]
    tags: Option<Vec<String>>,
    fresh: Option<bool>,
}

fn try_read(arguments: Value) -> Result<Params> {
    read(&input_schema::<Params>(), arguments.as_object().unwrap().clone())
}

#[test]
fn good_arguments_are_read() {
    let read = try_read(json!({"title": "a", "duration_days": 14.0, "hours": 1.5, "tags": ["x"], "fresh": true}));
    let read = read.unwrap();
    assert_eq!((read.duration_days, read.hours, read.fresh), (Some(14), Some(1.5), Some(true)));
}

#[test]
fn null_for_an_optional_parameter_means_left_out() {
    let read = try_read(json!({"title": "a", "due_date": null, "tags": null, "hours": null})).unwrap();
    assert_eq!((read.due_date, read.tags, read.hours), (None, None, None));
}

#[test]
fn wrong_arguments_are_told_the_field_the_value_and_what_is_allowed() {
    let cases = [
        (json!({"titel": "a"}), "unknown field `titel`, did you mean `title`?"),
        (json!({"title": "a", "due": "x"}), "unknown field `due`, did you mean `due_date`?"),
        (json!({"title": "a", "Title ": "x"}), "unknown field `Title`, did you mean `title`?"),
        (json!({"title": "a", "banana": 1}), "unknown field `banana`"),
        (json!({}), "`title` is missing"),
        (json!({"title": null}), "`title` is missing"),
        (json!({"title": 7}), "`title` must be text, not 7"),
        (json!({"title": ["a"]}), "`title` must be text, not a list"),
        (json!({"title": "a", "priority": 1}), "`priority` must be one of low, high, not 1"),
        (
            json!({"title": "a", "duration_days": "two weeks"}),
            "`duration_days` must be a whole number from 1 to 365, not \"two weeks\"",
        ),
        (json!({"title": "a", "duration_days": 0}), "`duration_days` must be a whole number from 1 to 365, not 0"),
        (json!({"title": "a", "duration_days": 1.5}), "`duration_days` must be a whole number from 1 to 365, not 1.5"),
        (
            json!({"title": "a", "duration_days": 1e300}),
            "`duration_days` must be a whole number from 1 to 365, not 1e+300",
        ),
        (json!({"title": "a", "duration_days": -1}), "`duration_days` must be a whole number from 1 to 365, not -1"),
        (json!({"title": "a", "hours": 0}), "`hours` must be a number above 0 and up to 10000, not 0"),
        (json!({"title": "a", "hours": {}}), "`hours` must be a number above 0 and up to 10000, not an object"),
        (json!({"title": "a", "tags": "x"}), "`tags` must be a list of at most 2 texts, not \"x\""),
        (json!({"title": "a", "tags": ["x", 1]}), "`tags[1]` must be text, not 1"),
        (json!({"title": "a", "tags": ["x", "y", "z"]}), "`tags` must be a list of at most 2 texts, not one of 3"),
        (json!({"title": "a", "fresh": "yes"}), "`fresh` must be true or false, not \"yes\""),
    ];
    for (given, message) in cases {
        let error = try_read(given.clone()).expect_err(&given.to_string());
        assert_eq!((error.message.as_str(), error.kind), (message, Kind::BadRequest));
        assert!(error.hint.is_some(), "{message}");
    }
}

#[test]
fn a_huge_or_hostile_value_is_cut_short_in_the_message() {
    let error = try_read(json!({"title": "a", "duration_days": "\u{202e}x".repeat(1_000_000)})).unwrap_err();
    assert!(error.message.len() < 200 && !error.message.contains('\u{202e}'), "{}", error.message);
    let error = try_read(json!({"title": "a", "y\n".repeat(100_000): 1})).unwrap_err();
    assert!(error.message.len() < 200, "{}", error.message);
}

#[test]
fn ids_are_taken_as_people_write_them_and_refused_by_field() {
    assert_eq!(task_id("task_id", " task-7 ").unwrap(), TaskId(7));
    assert_eq!(task_ids("depends_on", &["3".into(), "TASK-0001".into(), "3".into()]).unwrap(), [TaskId(1), TaskId(3)]);
    let error = task_id("parent_id", "budget").unwrap_err();
    assert_eq!(error.message, "`parent_id` must be a task id such as TASK-0001, not \"budget\"");
}

#[test]
fn words_are_forgiven_their_case() {
    assert_eq!(word("time_horizon", " Week", &["day", "week"]).unwrap(), "week");
    let error = word("time_horizon", "weeks", &["day", "week"]).unwrap_err();
    assert_eq!(error.message, "`time_horizon` must be one of day, week, not \"weeks\"");
    assert_eq!(error.hint.as_deref(), Some("Did you mean `week`?"));
}

#[test]
fn a_missing_text_is_asked_for_by_what_it_means() {
    let schema = schemars::json_schema!({"type": "object", "required": ["task_id"],
        "properties": {"task_id": {"type": "string", "description": "Such as TASK-0001"}}});
    let error = read::<Value>(&schema, Map::new()).unwrap_err();
    assert_eq!(error.hint.as_deref(), Some("Give `task_id`, text: Such as TASK-0001."));
}
