//! What a reader is told when no model answered, failure by failure.

use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::*;
use crate::chat::{NanoUsd, Usage, UsageSource};
use crate::gateway::fixtures::{policy, signals};
use crate::names::TierName;
use crate::request::{
    AttemptKind, CacheUse, Candidate, Complexity, Decision, Measures, Rejection, RejectionCode, RequestId, Status,
};

fn attempt(model: &str, result: AttemptResult, failure: &str) -> Attempt {
    Attempt {
        n: 1,
        model: model.into(),
        tier: TierName::from("local"),
        kind: AttemptKind::First,
        result,
        rejection: None,
        kept_back: None,
        budget: None,
        failure: Some(failure.to_owned()),
        usage: Usage::default(),
        usage_source: UsageSource::Unknown,
        reserved: NanoUsd::ZERO,
        cost: NanoUsd::ZERO,
        started_at: Timestamp::UNIX_EPOCH,
        ttft: None,
        latency: Duration::ZERO,
        http_status: None,
    }
}

fn outcome(attempts: Vec<Attempt>, candidates: Vec<Candidate>) -> Outcome {
    Outcome {
        id: RequestId(Uuid::nil()),
        at: Timestamp::UNIX_EPOCH,
        signals: signals("analyze_workload", Measures::default()),
        policy_hash: String::new(),
        decision: Decision {
            route: "all".into(),
            tier: "local".into(),
            complexity: Complexity::default(),
            candidates,
            reasons: Vec::new(),
        },
        status: Status::Degraded,
        model: None,
        attempts,
        usage: Usage::default(),
        cost: NanoUsd::ZERO,
        wasted: NanoUsd::ZERO,
        counterfactual: None,
        cache: CacheUse::Miss,
        saved: NanoUsd::ZERO,
        latency: Duration::ZERO,
        ttft: None,
        failure: None,
        kept_back: None,
        shared: Vec::new(),
    }
}

fn told(attempts: Vec<Attempt>) -> String {
    error(&outcome(attempts, Vec::new()), &policy())
}

#[test]
fn only_unreachable_local_backends_get_the_lessons_sentence_alone() {
    let down = || attempt("small", AttemptResult::Connect, "connection refused");
    assert_eq!(told(vec![down(), down()]), NOT_RUNNING);
    assert_eq!(told(vec![down(), attempt("big", AttemptResult::Skipped, "over the cap")]), NOT_RUNNING);
    let both = told(vec![down(), down(), attempt("big", AttemptResult::Timeout, "no first token within 20 s.")]);
    assert!(both.starts_with("small failed: connection refused. Could not connect to model server."), "{both}");
    assert!(both.contains("big failed: no first token within 20 s. Try again"), "{both}");
    assert_eq!(both.matches("small failed").count(), 1, "{both}");
}

#[test]
fn each_failure_says_what_to_do() {
    let mut refused = attempt("small", AttemptResult::Rejected, "rejected");
    refused.rejection =
        Some(Rejection::new(RejectionCode::UnknownTask, "The answer named TASK-0099, which does not exist"));
    let cases = [
        (refused, "small answered, but its answer was not accepted: The answer named TASK-0099, which does not exist."),
        (attempt("big", AttemptResult::Auth, "401"), "Give hosted a key"),
        (attempt("big", AttemptResult::Quota, "402"), "Check the plan and the billing of the account at hosted."),
        (attempt("big", AttemptResult::Connect, "no route"), "Check the network"),
        (attempt("small", AttemptResult::RateLimited, "429"), "Try again later."),
        (attempt("small", AttemptResult::UpstreamError, "500"), "Look at the log of local"),
        (attempt("gone", AttemptResult::UpstreamError, "500"), "Look at the log of its backend"),
    ];
    for (attempt, part) in cases {
        let told = told(vec![attempt]);
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn models_that_were_out_from_the_start_are_named_with_the_way_in() {
    let out = |excluded| Candidate { model: "big".into(), tier: "hosted".into(), excluded: Some(excluded) };
    let mut keyed = policy();
    keyed.backends.values_mut().for_each(|backend| backend.key_variable = Some("OPENAI_API_KEY".into()));
    let said = error(&outcome(Vec::new(), vec![out(Exclusion::NoKey)]), &keyed);
    assert_eq!(said, "No model could be asked. big has no key: set OPENAI_API_KEY.");
}

#[test]
fn models_that_are_left_alone_are_told_whether_others_were_asked_or_not() {
    let out = |model: &str, excluded| Candidate { model: model.into(), tier: "local".into(), excluded: Some(excluded) };
    let nobody = outcome(Vec::new(), vec![out("small", Exclusion::Unhealthy), out("big", Exclusion::KeyRefused)]);
    assert_eq!(
        error(&nobody, &policy()),
        "No model could be asked. small failed lately and is left alone for now. Ensure LiteLLM proxy and Ollama \
         are running. big was refused by its backend: correct its key in routing.yaml, or see to the billing of its \
         account."
    );
    let down =
        outcome(vec![attempt("small", AttemptResult::Connect, "refused")], vec![out("big", Exclusion::Unhealthy)]);
    let said = error(&down, &policy());
    assert!(said.ends_with(&format!("{NOT_RUNNING} big failed lately and is left alone for now.")), "{said}");
}

#[test]
fn a_local_model_that_is_left_alone_since_nobody_was_there_gets_the_lessons_sentence_too() {
    let out = |model: &str, excluded| Candidate { model: model.into(), tier: "local".into(), excluded: Some(excluded) };
    let told = |out: Vec<Candidate>| error(&outcome(Vec::new(), out), &policy());
    assert_eq!(told(vec![out("small", Exclusion::Unreachable), out("big", Exclusion::NoKey)]), NOT_RUNNING);
    let both = told(vec![out("small", Exclusion::Unreachable), out("big", Exclusion::Unreachable)]);
    assert_eq!(
        both,
        "No model could be asked. small could not be reached lately and is left alone for now. Ensure LiteLLM \
         proxy and Ollama are running. big could not be reached lately and is left alone for now. Check the \
         network and the base_url of hosted in routing.yaml."
    );
}

#[test]
fn after_a_failure_the_model_that_only_lacks_a_key_is_named() {
    let mut keyed = policy();
    keyed.backends.values_mut().for_each(|backend| backend.key_variable = Some("OPENAI_API_KEY".into()));
    let out = || Candidate { model: "big".into(), tier: "hosted".into(), excluded: Some(Exclusion::NoKey) };
    let failed = outcome(vec![attempt("small", AttemptResult::Cut, "cut off")], vec![out()]);
    assert!(error(&failed, &keyed).ends_with(" To let big be asked too, set OPENAI_API_KEY."));
    let down = outcome(vec![attempt("small", AttemptResult::Connect, "refused")], vec![out()]);
    assert_eq!(error(&down, &keyed), NOT_RUNNING);
}

#[test]
fn a_database_that_kept_a_call_back_is_told_beside_what_failed() {
    let rejected = attempt("small", AttemptResult::Timeout, "small said nothing within 20s.");
    let busy = "No money could be set aside for big: the database is busy.";
    let held = Attempt { kept_back: Some(Limit::Storage), ..attempt("big", AttemptResult::Skipped, busy) };
    let told = told(vec![rejected, held]);
    assert!(told.starts_with("small said nothing within 20s.") && told.contains(busy), "{told}");
}

#[test]
fn an_end_that_is_shared_is_told_as_to_the_one_who_paid_for_it() {
    let tried =
        || vec![attempt("small", AttemptResult::UpstreamError, "refused"), attempt("big", AttemptResult::Auth, "no")];
    let candidate = |model: &str| Candidate { model: model.into(), tier: "local".into(), excluded: None };
    let candidates = || vec![candidate("small"), candidate("big")];
    let own = error(&outcome(tried(), candidates()), &policy());
    let shared = Outcome { shared: tried(), failure: Some("no".to_owned()), ..outcome(Vec::new(), candidates()) };
    assert_eq!(error(&shared, &policy()), own);
    let waited = Outcome { failure: Some("It did not answer in time".to_owned()), ..outcome(Vec::new(), candidates()) };
    assert_eq!(error(&waited, &policy()), "It did not answer in time.");
}
