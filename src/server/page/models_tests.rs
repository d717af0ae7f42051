//! The state of each model, and what a person is told.

use super::*;
use crate::gateway::fixtures;
use crate::names::ModelName;
use crate::store::Sums;

fn at(second: i64) -> Timestamp {
    Timestamp::new(1_790_000_000 + second, 0).unwrap()
}

fn own(model: &str, state: State, ailment: Option<Ailment>) -> ModelHealth {
    ModelHealth { model: model.into(), state, ailment }
}

fn seen(model: &str, open_until: Option<Timestamp>) -> SeenHealth {
    SeenHealth { model: model.into(), open_until }
}

#[test]
fn a_model_is_as_well_as_the_last_process_that_called_it_says() {
    let policy = fixtures::policy();
    let backend = policy.backends.values().next().unwrap();
    let state = |own_state: State, seen_until: Option<Option<i64>>| {
        let (own, seen) = (own("small", own_state, None), seen_until.map(|until| seen("small", until.map(at))));
        state(backend, Some(&own), seen.as_ref(), at(0))
    };
    let table = [
        (State::Closed, None, ModelState::Ready, None),
        (State::Closed, Some(None), ModelState::Ready, None),
        (State::Closed, Some(Some(5)), ModelState::LeftAlone, Some(5)),
        (State::Closed, Some(Some(-5)), ModelState::Probing, None),
        (State::Open, None, ModelState::LeftAlone, None),
        (State::Open, Some(None), ModelState::LeftAlone, None),
        (State::Open, Some(Some(5)), ModelState::LeftAlone, Some(5)),
        (State::HalfOpen, None, ModelState::Probing, None),
        // Another process has heard it answer since.
        (State::HalfOpen, Some(None), ModelState::Ready, None),
        (State::HalfOpen, Some(Some(-5)), ModelState::Probing, None),
    ];
    for (own, seen, wanted, until) in table {
        assert_eq!(state(own, seen), (wanted, until.map(at)), "{own:?} {seen:?}");
    }
}

#[test]
fn a_missing_key_is_a_notice_that_names_its_variable() {
    let mut policy = fixtures::policy();
    let hosted = policy.backends.get_mut("hosted").unwrap();
    (hosted.api_key, hosted.key_variable) = (None, Some("OPENAI_API_KEY".into()));
    let models = now(&policy, &[], &[], (&Groups::new(), at(0)));
    assert_eq!(models.iter().map(|model| model.state).collect::<Vec<_>>(), [ModelState::Ready, ModelState::NoKey]);
    let remarks = remarks(&models, &policy, &[]);
    assert_eq!((verdict(&remarks), remarks[0].code), (Level::Notice, "no_key"));
    assert!(remarks[0].text.contains("OPENAI_API_KEY"), "{remarks:?}");
}

#[test]
fn when_no_model_may_be_called_that_comes_first() {
    let policy = fixtures::policy();
    let own =
        [own("small", State::Open, Some(Ailment::Unreachable)), own("big", State::Open, Some(Ailment::KeyRefused))];
    let models = now(&policy, &own, &[], (&Groups::new(), at(0)));
    let remarks = remarks(&models, &policy, &[policy.hash.clone(), "another".into()]);
    let codes: Vec<&str> = remarks.iter().map(|remark| remark.code).collect();
    assert_eq!(codes, ["no_model", "left_alone", "left_alone", "other_policy"]);
    assert!(remarks[1].text.contains("could not be reached") && remarks[2].text.contains("did not accept the key"));
    assert_eq!(verdict(&remarks), Level::Trouble);
}

#[test]
fn all_is_well_with_models_that_answer_and_one_policy() {
    let policy = fixtures::policy();
    let sums = Sums { attempts: 5, skipped: 1, rejected: 2, ..Sums::default() };
    let today = Groups::from([(vec!["big".to_owned()], sums)]);
    let models = now(&policy, &[], &[], (&today, at(0)));
    let names: Vec<&ModelName> = models.iter().map(|model| &model.name).collect();
    assert_eq!(names, [&ModelName::from("small"), &ModelName::from("big")]);
    assert_eq!((models[0].calls_today, models[1].calls_today, models[1].rejected_today), (0, 4, 2));
    assert!(models[0].is_local && !models[1].is_local);
    let remarks = remarks(&models, &policy, std::slice::from_ref(&policy.hash));
    assert_eq!((remarks.as_slice(), verdict(&remarks)), ([].as_slice(), Level::Well));
}
