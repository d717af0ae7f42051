//! Each mistake that is refused, one by one: what is said, and at which line and column.

use super::{compile, errors, shipped_with};
use crate::policy::{Problem, Severity, later};

/// The one error of the shipped policy with one text replaced.
fn refused(from: &str, to: &str) -> (String, Option<String>, String) {
    let text = shipped_with(from, to);
    let found = errors(&text);
    assert_eq!(found.len(), 1, "`{to}`: {found:#?}");
    let Problem { message, help, line, column, .. } = &found[0];
    let line_text = line.and_then(|line| text.lines().nth(line - 1)).unwrap_or_default();
    let at = line_text.chars().skip(column.unwrap_or(1) - 1).collect();
    (message.clone(), help.clone(), at)
}

/// (what to replace, by what, the message, how the line goes on from the caret)
type Case = (&'static str, &'static str, &'static str, &'static str);

fn hold(cases: &[Case]) {
    for (from, to, message, caret) in cases {
        let (said, _, at) = refused(from, to);
        assert_eq!(said, *message, "`{to}`");
        assert!(at.starts_with(caret), "`{to}`: the caret is at `{at}`");
    }
}

#[test]
fn keys() {
    hold(&[
        ("version: 1\n", "version: 1\nretries: 2\n", "unknown key `retries` at the top level", "retries"),
        ("location: hosted", "location: hosted\n    loc: 1", "unknown key `loc` in `backends.openai`", "loc:"),
        (
            "{ concurrency: 2 }",
            "{ concurency: 2 }",
            "unknown key `concurency` in `models.task-api-model.limits`",
            "concurency",
        ),
        ("    tier: none\n", "    teir: none\n", "unknown key `teir` in `routes.1`", "teir"),
        ("escalate:", "retry: {}\nescalate:", "duplicate key `retry`", "retry: { max_per"),
        ("  hosted: [gpt-4o]", "  hosted: [gpt-4o]\n  local: []", "duplicate key `local`", "local: []"),
        ("version: 1\n", "", "missing key `version` at the top level", ""),
        ("    location: local ", "    # ", "missing key `location` in `backends.local`", "local:"),
        ("input: 0, output: 0", "input: 0", "missing key `output` in `models.task-api-model.price`", "price"),
        ("version: 1\n", "version:\n", "missing key `version` at the top level", ""),
        ("tiers: ", "tiers:\n  extra: # ", "nothing is written for `tiers.extra`", "extra"),
        ("version: 1\n", "version: 1\n? [a]\n: 1\n", "a key must be plain text", "[a]"),
    ]);
}

#[test]
fn values_of_the_wrong_type() {
    hold(&[
        ("version: 1\n", "version: 2\n", "version 2 is not supported", "2"),
        (
            "version: 1\n",
            "version: '1'\n",
            "wanted a whole number, 0 or more in `version`, but the quoted text \"1\" is written",
            "'1'",
        ),
        (
            "context_tokens: 4096",
            "context_tokens: -4",
            "wanted a whole number, 0 or more in `models.task-api-model.context_tokens`, but `-4` is written",
            "-4",
        ),
        (
            "[json_object]    #",
            "json_object #",
            "wanted a list (`[a, b]`) in `models.task-api-model.capabilities`, but `json_object` is written",
            "json_object",
        ),
        ("[json_object]    #", "[json]    #", "`json` is not known in `models.task-api-model.capabilities.1`", "json]"),
        (
            "{ concurrency: 2 }",
            "2",
            "wanted a map (`key: value`) in `models.task-api-model.limits`, but `2` is written",
            "2",
        ),
        (
            "on_rejected: true",
            "on_rejected: yes",
            "wanted true or false in `escalate.on_rejected`, but `yes` is written",
            "yes",
        ),
        (
            "temperature: 0.2",
            "temperature: [1]",
            "wanted a number in `routes.3.temperature`, but a list is written",
            "[1]",
        ),
        ("location: hosted", "location: cloud", "`cloud` is not known in `backends.openai.location`", "cloud"),
        (
            "connect: 2s",
            "connect: 2",
            "`2` is not a duration: write a whole number and one of ms, s, m, h, d, like 250ms, 20s or 10m",
            "2,",
        ),
        ("64MiB", "64MB", "`64MB` is not a size: write a whole number and one of B, KiB, MiB, GiB, like 64MiB", "64MB"),
        ("input: 0,", "input: -0.5,", "`-0.5` is negative: write 0 or more", "-0.5"),
        (
            "2.50",
            "2.0000000001",
            "`2.0000000001` has more than nine decimals; a nano-dollar is the smallest amount",
            "2.0000000001",
        ),
        ("2.50", "1e3", "`1e3` is not an amount in dollars: write digits and a point, like 2.50", "1e3"),
        ("tools: [\"*\"]", "tools: [null]", "nothing is written in `routes.4.match.tools.1`", "null"),
        ("name: planning", "name: ''", "wanted text in `routes.3.name`, but it is empty", "''"),
    ]);
}

#[test]
fn names_that_are_not_known() {
    hold(&[
        ("backend: openai", "backend: opnai", "unknown backend `opnai`", "opnai"),
        ("[gpt-4o]", "[gpt-4o, gpt-5]", "unknown model `gpt-5`", "gpt-5"),
        ("max_tier: local", "max_tier: locall", "unknown tier `locall`", "locall"),
        ("tier: auto                     #", "tier: cheap #", "unknown tier `cheap`", "cheap"),
        ("{ hosted: 0.60 }", "{ hostd: 0.60 }", "unknown tier `hostd`", "hostd"),
        ("{ hosted: 0.45 }", "{ hostd: 0.45 }", "unknown tier `hostd`", "hostd"),
        ("plan_sprint,", "plan_sprints,", "unknown tool `plan_sprints`", "plan_sprints"),
        ("weights: {}", "weights: { length: 1 }", "unknown signal `length`", "length"),
        ("time_zone: system", "time_zone: Europe/Berln", "unknown time zone `Europe/Berln`", "Europe/Berln"),
    ]);
    let (_, help, _) = refused("backend: openai", "backend: opnai");
    assert_eq!(help.as_deref(), Some("did you mean `openai`?"));
    let (_, help, _) = refused("time_zone: system", "time_zone: Europe/Berln");
    assert_eq!(help.as_deref(), Some("did you mean `Europe/Berlin`?"));
    let (_, help, _) = refused("backend: openai", "backend: nothing-like-it");
    assert_eq!(help.as_deref(), Some("known: `local`, `openai`"));
}

#[test]
fn numbers_out_of_range() {
    hold(&[
        ("{ hosted: 0.60 }", "{ hosted: 1.5 }", "threshold 1.5 is out of range", "1.5"),
        ("{ hosted: 0.60 }", "{ hosted: 0.6, local: 0.1 }", "the first tier, `local`, has no threshold", "local"),
        ("weights: {}", "weights: { tasks: 11 }", "weight 11 is out of range", "11"),
        ("temperature: 0.2", "temperature: 2.5", "temperature 2.5 is out of range", "2.5"),
        ("connect: 2s", "connect: 0s", "a timeout of zero lets no call through", "0s"),
        ("{ concurrency: 2 }", "{ concurrency: 0 }", "`concurrency: 0` would stop every call", "0"),
        ("max_output_tokens: 1024", "max_output_tokens: 0", "`max_output_tokens` must be more than 0", "0"),
        (
            "context_tokens: 4096",
            "context_tokens: 1024",
            "a context of 1024 tokens has no room for a question beside 1024 of answer",
            "1024",
        ),
        ("max_attempts: 5", "max_attempts: 0", "with 0 attempts no model is ever asked", "0"),
        ("deadline: 40s", "deadline: 0s", "a deadline of zero leaves no time for any answer", "0s"),
        ("max_per_model: 2", "max_per_model: 0", "with 0 calls no model is ever asked", "0"),
        ("initial: 250ms", "initial: 0s", "a first wait of zero hammers a backend that is busy", "0s"),
        ("failures: 5", "failures: 0", "`failures: 0` is out of range", "0"),
        ("failures: 5", "failures: 1001", "`failures: 1001` is out of range", "1001"),
        ("window: 30s", "window: 0s", "a window of zero holds no failure", "0s"),
        ("consecutive_timeouts: 2", "consecutive_timeouts: 0", "with 0 no model would ever be asked", "0"),
        ("open: 15s", "open: 0s", "a model can't be left alone for 0ns", "0s"),
        ("open: 15s", "open: 2d", "a model can't be left alone for 172800s", "2d"),
        ("probes: 1", "probes: 0", "with 0 probes a model that failed never comes back", "0"),
        ("retain: 90d", "retain: 23h", "82800s is too short: what reads the ledger may be a day behind", "23h"),
        ("initial: 250ms", "initial: 10s", "`max` (8s) is shorter than `initial` (10s)", "8s"),
    ]);
}

#[test]
fn tiers_and_routes_that_make_no_sense() {
    hold(&[
        (
            "  hosted: [gpt-4o]",
            "  hosted: [gpt-4o, task-api-model]",
            "model `task-api-model` is already in tier `local`",
            "task-api-model",
        ),
        ("  hosted: [gpt-4o]", "  hosted: [gpt-4o, gpt-4o]", "model `gpt-4o` is already in tier `hosted`", "gpt-4o]"),
        ("  hosted: [gpt-4o]", "  hosted: [gpt-4o]\n  top: []", "tier `top` is empty", "top"),
        ("max_tier: local", "max_tier: none", "`max_tier: none` leaves no model", "none"),
        (
            "tier: auto\n    max_tier: local",
            "tier: hosted\n    max_tier: local",
            "`tier: hosted` is above `max_tier: local`",
            "local",
        ),
        ("name: planning", "name: logic", "a route named `logic` stands above", "logic"),
        ("name: planning", "name: default", "`default` is the route that matches everything", "default"),
        ("projects: [payroll]", "projects: []", "`projects: []` matches nothing", "[]"),
    ]);
    let two = errors(&shipped_with("  - name: planning", "  - name: all\n  - name: planning"));
    let messages: Vec<&str> = two.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "route `planning` is never reached: `all` above it matches everything",
            "route `analysis` is never reached: `all` above it matches everything",
            "route `chat` is never reached: `all` above it matches everything"
        ]
    );
    hold(&[(
        "tools: [plan_sprint, decompose_task, balance_workload]",
        "tools: [get_task, undo]",
        "route `planning` is never reached: `logic` above it matches all that it matches",
        "planning",
    )]);
    let none = errors(&shipped_with("  hosted: [gpt-4o]", "  none: [gpt-4o]"));
    assert!(none.iter().any(|problem| problem.message == "a tier can't be named `none`"), "{none:#?}");
    let in_no_tier = errors(
        &shipped_with("  hosted: [gpt-4o]", "").replace("{ hosted: 0.60 }", "{}").replace("{ hosted: 0.45 }", "{}"),
    );
    assert_eq!(in_no_tier.len(), 1, "{in_no_tier:#?}");
    assert_eq!(in_no_tier[0].message, "`gpt-4o` is in no tier, so it is never used");
}

#[test]
fn addresses_and_variables() {
    const URL: &str = "${OPENAI_BASE_URL:-https://api.openai.com/v1}";
    const WRONG: &str = "the address is not an http:// or https:// URL";
    hold(&[
        (URL, "ftp://example.org", WRONG, "ftp"),
        (URL, "api.openai.com/v1", WRONG, "api"),
        (URL, "'http://'", WRONG, "'"),
        (URL, "${NOT_SET}", "the variable NOT_SET is not set and has no default", "${NOT_SET}"),
        (URL, "${NOT_SET", "a `${` here is not complete", "${NOT_SET"),
        (URL, "https://ann:pass@example.org", "an address must not hold a name or password", "https"),
        (URL, "https://example.org/v1?key=1", "an address must end with its path: no `?` or `#`", "https"),
        ("${OPENAI_API_KEY:-}", "${OPENAI_API_KEY", "a `${` here is not complete", "${"),
        ("backend: openai", "backend: ${BACKEND}", "`${…}` is not replaced here", "${BACKEND}"),
        ("connect: 2s", "connect: '${WAIT:-2s}'", "`${…}` is not replaced here", "'${WAIT"),
        ("weights: {}", "weights: { '${X}': 1 }", "`${…}` is not replaced here", "'${X}'"),
    ]);
    let unset = errors(&shipped_with("${OPENAI_API_KEY:-}", "${NOT_SET}"));
    assert!(unset.is_empty(), "an unset key means no key: {unset:#?}");
}

#[test]
fn what_a_policy_has_no_use_for() {
    let anchors = errors(&shipped_with("limits: { concurrency: 2 }", "limits: &few { concurrency: 2 }"));
    assert_eq!(anchors[0].message, "anchors and aliases (`&name`, `*name`) are not supported in a policy");
    let tags = errors(&shipped_with("version: 1", "version: !!int 1"));
    assert_eq!(tags[0].message, "tags (`!name`) are not supported in a policy");
    let two = errors(&(shipped_with("version: 1", "version: 1") + "---\nversion: 1\n"));
    assert_eq!(two[0].message, "a policy is one YAML document");
}

#[test]
fn text_that_is_not_yaml() {
    for (text, line) in [("version: 1\n\tx: 1\n", 2), ("version: [1\n", 2), ("a: b: c\n", 1), ("version: 'x\n", 2)] {
        let found = errors(text);
        assert!(found[0].message.starts_with("this is not YAML: "), "{found:#?}");
        assert!(found[0].line.is_some_and(|at| at <= line), "{text:?}: {found:#?}");
    }
    let star = errors(&shipped_with("[\"*\"]", "[*]"));
    assert_eq!(star[0].help.as_deref(), Some("any tool is written \"*\", with quotes"), "{star:#?}");
    let bare = errors(&shipped_with("connect: 2s", "connect: ${WAIT:-2s}"));
    assert_eq!(bare[0].help.as_deref(), Some("between { } or [ ], write \"${NAME}\" with quotes"), "{bare:#?}");
    let deep = errors(&"[".repeat(10_000));
    assert!(deep[0].message.contains("nested too deeply") || deep[0].message.contains("not YAML"), "{deep:#?}");
}

#[test]
fn files_with_nothing_in_them() {
    for text in ["", "\n\n", "# only a comment\n", "\u{feff}", "~", "---\n"] {
        assert_eq!(errors(text)[0].message, "the file is empty", "{text:?}");
    }
    assert_eq!(errors("- a\n- b\n")[0].message, "wanted a map (`key: value`) at the top level, but a list is written");
    let bare = errors("version: 1\n");
    let missing: Vec<&str> = bare.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(missing.len(), 3, "{missing:?}");
    let empty = errors("version: 1\nbackends: {}\nmodels: {}\ntiers: {}\n");
    let said: Vec<&str> = empty.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(said, ["there is no backend", "there is no model", "there is no tier"]);
}

/// One policy that sets everything that this version does not have; deleting a line of the table fails here.
#[test]
fn what_is_not_yet_supported_is_refused_by_name() {
    let cases: &[(&str, &str, &str, &str)] = &[
        ("routes.*.match.callers", "projects: [payroll]", "callers: [ann]", "match.callers"),
        ("ledger.record_prompts", "retain: 90d", "retain: 90d, record_prompts: true", "ledger.record_prompts"),
    ];
    let covered: Vec<&str> = cases.iter().map(|case| case.0).collect();
    assert_eq!(covered, later::keys().collect::<Vec<_>>(), "a case for each line of the table");
    for (_, from, to, name) in cases {
        let (message, _, at) = refused(from, to);
        assert_eq!(message, format!("`{name}` is not yet supported by this version; remove it"));
        let key = name.rsplit('.').next().unwrap();
        assert!(at.starts_with(key), "{name}: the caret is at `{at}`");
    }
}

#[test]
fn values_that_ask_for_nothing_may_stand() {
    for (from, to) in [
        ("    tier: none\n", "    tier: none\n    sticky: none\n"),
        ("retain: 90d", "retain: 90d, record_prompts: false"),
    ] {
        let found = errors(&shipped_with(from, to));
        assert!(found.is_empty(), "{to}: {found:#?}");
    }
}

#[test]
fn a_file_with_many_mistakes_shows_each_at_its_place() {
    let compiled = compile(include_str!("ten_mistakes.yaml"));
    assert!(compiled.policy.is_none());
    assert!(compiled.problems.count(Severity::Error) >= 10);
    insta::assert_snapshot!("many_mistakes", compiled.problems.render(false));
}
