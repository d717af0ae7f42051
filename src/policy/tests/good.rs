//! What a good file becomes.

use std::time::Duration;

use secrecy::ExposeSecret;

use super::{compile, errors, shipped_with};
use crate::chat::{Capability, NanoUsd, Tokens, Usage};
use crate::names::TierName;
use crate::policy::{BUILT_IN, ChatCheck, Environment, Policy, RouteTier, Severity, Sticky, compile as compile_in};
use crate::request::{Endpoint, Target};

fn shipped(environment: &Environment<'_>) -> Policy {
    let compiled = compile_in(BUILT_IN, "routing.yaml", environment);
    assert!(!compiled.problems.has_errors(), "{}", compiled.problems.render(false));
    compiled.policy.unwrap()
}

fn policy(text: &str) -> Policy {
    let compiled = compile(text);
    compiled.policy.unwrap_or_else(|| panic!("{}", compiled.problems.render(false)))
}

fn tool(name: &str) -> Target {
    Target::Tool(name.to_owned())
}

#[test]
fn the_shipped_policy_has_the_values_of_the_reference() {
    let policy = shipped(&|_| None);
    assert_eq!(policy.hash, blake3::hash(BUILT_IN.as_bytes()).to_hex()[..12]);
    let local = &policy.backends["local"];
    assert_eq!(local.base_url, "http://localhost:4000/v1");
    assert_eq!(local.api_key.as_ref().unwrap().expose_secret(), "sk-local-dev-key");
    let openai = &policy.backends["openai"];
    assert!(!openai.is_usable() && openai.key_variable.as_deref() == Some("OPENAI_API_KEY"));
    let gpt = &policy.models["gpt-4o"];
    assert_eq!(
        (gpt.spec.context, gpt.spec.max_output, gpt.upstream.as_str()),
        (Tokens(128_000), Tokens(4_096), "gpt-4o")
    );
    assert_eq!(gpt.price.unwrap().input, NanoUsd(2_500_000_000));
    assert_eq!(gpt.price.unwrap().cached_input, NanoUsd(1_250_000_000));
    assert!(gpt.spec.capabilities.contains(&Capability::JsonSchema));
    assert_eq!((gpt.limits.requests_per_minute, gpt.limits.concurrency), (Some(500), None));
    assert_eq!(gpt.timeouts.total, Duration::from_secs(180));
    let tiers: Vec<&str> = policy.tiers.iter().map(|tier| tier.name.as_str()).collect();
    assert_eq!(tiers, ["local", "hosted"]);
    assert_eq!(policy.retry.initial, Duration::from_millis(250));
    assert_eq!(policy.cache_max_bytes, 64 << 20);
}

#[test]
fn routes_are_found_in_order_with_what_applies_to_them() {
    let policy = shipped(&|_| None);
    let names: Vec<&str> = policy.routes.iter().map(|route| route.name.as_str()).collect();
    assert_eq!(names, ["logic", "planning", "analysis", "chat", "default"], "`private` is off, `default` is added");
    let route = |name: &str| policy.route(&tool(name), &[], "local").unwrap();
    assert_eq!(route("create_task").tier, RouteTier::Named(TierName::none()));
    let planning = route("plan_sprint");
    assert_eq!((planning.name.as_str(), planning.temperature), ("planning", Some(0.2)));
    assert_eq!(planning.thresholds["hosted"], 0.45, "its own stands over the classifier's");
    let analysis = route("analyze_workload");
    assert_eq!((analysis.thresholds["hosted"], analysis.temperature), (0.60, Some(0.7)));
    assert_eq!(analysis.envelope.max_cost, NanoUsd(250_000_000));
    assert_eq!(analysis.cache_ttl, Duration::from_secs(600));
    let chat = policy.route(&Target::Endpoint(Endpoint::Chat), &[], "local").unwrap();
    assert_eq!((chat.name.as_str(), chat.sticky, chat.check), ("chat", Sticky::Conversation, ChatCheck::Record));
    assert_eq!((chat.cache_ttl, analysis.sticky), (Duration::ZERO, Sticky::None));
}

#[test]
fn the_shipped_policy_writes_out_the_defaults() {
    let whole = policy(BUILT_IN);
    let cut = &BUILT_IN[..BUILT_IN.find("escalate: {").unwrap()];
    let short: String =
        cut.lines().filter(|line| !line.contains("timeouts:")).map(|line| format!("{line}\n")).collect();
    let bare = policy(&short);
    assert_eq!((whole.retry, whole.cache_max_bytes), (bare.retry, bare.cache_max_bytes));
    assert_eq!(whole.breaker, bare.breaker);
    for (one, other) in whole.routes.iter().zip(&bare.routes) {
        assert_eq!((one.escalate, one.fallback, one.envelope), (other.escalate, other.fallback, other.envelope));
        assert_eq!(one.cache_ttl, other.cache_ttl);
    }
    for (name, model) in &whole.models {
        assert_eq!(model.timeouts, bare.models[name].timeouts, "{name}");
    }
}

#[test]
fn all_of_the_reference_is_supported() {
    let found = errors(include_str!("reference.yaml"));
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn a_route_may_override_what_holds_for_all() {
    let own = "    tier: none\n    escalate: { on_rejected: false }\n    fallback: { upward: false }\n    \
               envelope: { deadline: 5s, max_cost_usd: 0.1 }\n    cache: { ttl: 0s }\n";
    let policy = policy(&shipped_with("    tier: none\n", own));
    let route = &policy.routes[0];
    assert!(!route.escalate.on_rejected && !route.fallback.upward && route.fallback.downward);
    assert_eq!((route.envelope.deadline, route.envelope.max_attempts), (Duration::from_secs(5), 5));
    assert_eq!((route.envelope.max_cost, route.cache_ttl), (NanoUsd(100_000_000), Duration::ZERO));
}

#[test]
fn what_a_breaker_leaves_out_has_its_default() {
    let policy = policy(&shipped_with("failures: 5, window: 30s, consecutive_timeouts: 2, open: 15s", "open: 1m"));
    assert_eq!((policy.breaker.open, policy.breaker.failures), (Duration::from_secs(60), 5));
}

#[test]
fn the_environment_fills_in_addresses_and_keys() {
    let policy = shipped(&|name| match name {
        "OPENAI_API_KEY" => Some("sk-from-outside\n".into()),
        "LITELLM_PROXY_URL" => Some("http://127.0.0.1:9/v1/".into()),
        _ => None,
    });
    assert_eq!(policy.backends["openai"].api_key.as_ref().unwrap().expose_secret(), "sk-from-outside");
    assert_eq!(policy.backends["local"].base_url, "http://127.0.0.1:9/v1", "without a trailing slash");
}

#[test]
fn prices_are_exact_whether_quoted_or_not() {
    for (written, nano) in [("0.1", 100_000_000), ("'0.1'", 100_000_000), ("0.000000001", 1), ("2.500", 2_500_000_000)]
    {
        let policy = policy(&shipped_with("output: 10.00", &format!("output: {written}")));
        let price = policy.models["gpt-4o"].price.unwrap();
        assert_eq!(price.output, NanoUsd(nano), "{written}");
    }
    let usage = Usage { input: Tokens(0), cached_input: Tokens(0), output: Tokens(3) };
    let policy = policy(&shipped_with("output: 10.00", "output: 0.1"));
    assert_eq!(policy.models["gpt-4o"].price.unwrap().cost(usage), NanoUsd(300));
}

#[test]
fn names_that_look_like_numbers_are_names() {
    let text = BUILT_IN.replace("gpt-4o", "4.10");
    let policy = policy(&text);
    assert!(policy.models.contains_key("4.10"));
}

#[test]
fn windows_line_endings_and_a_byte_order_mark_change_nothing() {
    let text = format!("\u{feff}{}", BUILT_IN.replace('\n', "\r\n"));
    assert_eq!(policy(&text).routes.len(), policy(BUILT_IN).routes.len());
    let wrong = errors(&text.replace("    backend: openai", "    backend: nope"));
    assert_eq!((wrong[0].line, wrong[0].column), (Some(line_of("backend: openai")), Some(14)));
}

fn line_of(text: &str) -> usize {
    BUILT_IN.lines().position(|line| line.contains(text)).unwrap() + 1
}

fn notes(text: &str) -> Vec<(Severity, String)> {
    let compiled = compile(text);
    assert!(compiled.policy.is_some(), "{}", compiled.problems.render(false));
    compiled.problems.iter().map(|problem| (problem.severity, problem.message.clone())).collect()
}

#[test]
fn what_leaves_the_machine_follows_from_tiers_and_caps() {
    let leaves = |text: &str| notes(text).into_iter().find(|note| note.0 == Severity::Hint).unwrap().1;
    assert_eq!(
        leaves(BUILT_IN),
        "with a key, task text could go to `openai` (api.openai.com) by the routes `planning`, `analysis`, `chat`, `default`"
    );
    let capped = shipped_with("temperature: 0.2", "max_tier: local").replace("    enabled: false\n", "");
    assert!(leaves(&capped).ends_with("by the routes `analysis`, `chat`, `default`"), "{}", leaves(&capped));
    let stays = shipped_with("fallback: { upward: true,", "fallback: { upward: false,")
        .replace("on_rejected: true", "on_rejected: false")
        .replace("{ hosted: 0.60 }", "{}");
    assert!(leaves(&stays).ends_with("by the routes `planning`"), "{}", leaves(&stays));
}

#[test]
fn warnings_do_not_make_a_policy_unusable() {
    let warned = |from: &str, to: &str, words: &str| {
        let notes = notes(&shipped_with(from, to));
        assert!(notes.iter().any(|note| note.0 == Severity::Warning && note.1.contains(words)), "{to}: {notes:#?}");
    };
    warned("version: 1", "version: 1", "hosted backend `openai` has no key");
    warned(
        "    price: { input: 2.50, cached_input: 1.25, output: 10.00 }\n",
        "",
        "`gpt-4o` is hosted and has no price",
    );
    warned("deadline: 40s", "deadline: 55s", "a deadline above 50s");
    warned("http://localhost:4000/v1}", "https://llm.example.org/v1}", "its address looks public");
    warned("https://api.openai.com/v1}", "http://api.openai.com/v1}", "is reached over http");
    let quiet = notes(&shipped_with("http://localhost:4000/v1}", "http://192.168.1.7:4000/v1}"));
    assert!(!quiet.iter().any(|note| note.1.contains("public")), "{quiet:#?}");
}
