//! The state of each model, and what a person is told.

use super::*;
use crate::chat::NanoUsd;
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
fn why_a_model_is_not_called_is_told_with_what_to_do() {
    let mut policy = fixtures::policy();
    let own =
        [own("small", State::Open, Some(Ailment::Unreachable)), own("big", State::Open, Some(Ailment::KeyRefused))];
    let notes = |policy: &Policy| -> Vec<String> {
        now(policy, &own, &[], (&Groups::new(), at(0))).into_iter().map(|model| model.note).collect()
    };
    let told = notes(&policy);
    assert!(told[0].contains("Is backend local running?") && told[1].contains("did not accept the key"), "{told:?}");
    let hosted = policy.backends.get_mut("hosted").unwrap();
    (hosted.api_key, hosted.key_variable) = (None, Some("OPENAI_API_KEY".into()));
    assert_eq!(notes(&policy)[1], "big is skipped until OPENAI_API_KEY is set.");
}

#[test]
fn models_stand_in_the_order_of_the_tiers_with_what_they_did_today() {
    let policy = fixtures::policy();
    let sums = Sums { attempts: 5, skipped: 1, rejected: 2, cost: NanoUsd(7), ..Sums::default() };
    let today = Groups::from([(vec!["big".to_owned()], sums)]);
    let models = now(&policy, &[], &[], (&today, at(0)));
    let names: Vec<&ModelName> = models.iter().map(|model| &model.name).collect();
    assert_eq!(names, [&ModelName::from("small"), &ModelName::from("big")]);
    assert_eq!((models[0].calls_today, models[1].calls_today, models[1].rejected_today), (0, 4, 2));
    assert_eq!((models[0].spent_today.nanousd, models[1].spent_today.nanousd), (0, 7));
    assert!(models[0].is_local && !models[1].is_local);
}
