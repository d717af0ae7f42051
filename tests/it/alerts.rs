//! The alerts as files: each says how bad it is and what to do, has a section in docs/alerts.md and a line in README.md,
//! and is tried by promtool both ways. (That promtool agrees is held by the tests with the real programs.)

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

fn text(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn yaml(path: &str) -> Value {
    serde_yaml::from_str(&text(path)).unwrap()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn rules(file: &str) -> Vec<Value> {
    let file = yaml(&format!("dashboards/prometheus/{file}"));
    list(&file, "groups").iter().flat_map(|group| list(group, "rules").to_vec()).collect()
}

/// Every alert by its name.
fn alerts() -> BTreeMap<String, Value> {
    let rules = rules("alerts.yml");
    let alerts: BTreeMap<String, Value> =
        rules.iter().map(|rule| (rule["alert"].as_str().unwrap().to_owned(), rule.clone())).collect();
    assert!(alerts.len() == rules.len() && alerts.len() > 5, "{:?}", alerts.keys());
    alerts
}

#[test]
fn every_alert_says_how_bad_it_is_and_what_to_do() {
    for (name, alert) in alerts() {
        assert!(name.starts_with("Taskgate"), "{name}");
        assert!(alert["for"].as_str().is_some_and(|lapse| lapse.ends_with(['m', 'h'])), "{name}: for how long?");
        let severity = alert["labels"]["severity"].as_str().unwrap();
        assert!(["critical", "warning", "info"].contains(&severity), "{name}: {severity}");
        let told = |key: &str| alert["annotations"][key].as_str().unwrap_or_default().to_owned();
        assert!(!told("summary").is_empty() && !told("summary").ends_with('.'), "{name}: {}", told("summary"));
        for key in ["description", "do"] {
            assert!(told(key).len() > 20 && told(key).ends_with('.'), "{name}: {key}: {}", told(key));
        }
        assert_eq!(told("runbook"), format!("docs/alerts.md#{}", name.to_lowercase()), "{name}");
    }
}

#[test]
fn every_alert_has_its_section_and_its_line_and_no_other_has() {
    let (sections, readme) = (text("docs/alerts.md"), text("README.md"));
    let mut written = BTreeSet::new();
    for section in sections.split("\n## ").skip(1) {
        let (name, words) = section.split_once('\n').unwrap();
        let places: Vec<_> = ["**Means.**", "**Look at.**", "**Do.**"].iter().map(|part| words.find(part)).collect();
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{name}: {places:?}");
        written.insert(name.to_owned());
    }
    let known: BTreeSet<String> = alerts().into_keys().collect();
    assert_eq!(written, known);
    let line = |line: &str| Some(line.strip_prefix("| `Taskgate")?.split_once('`')?.0.to_owned());
    let listed: BTreeSet<String> = readme.lines().filter_map(line).map(|name| format!("Taskgate{name}")).collect();
    assert_eq!(listed, known);
}

/// How often a case expects each alert to fire, and not to.
#[test]
fn every_alert_is_tried_both_ways() {
    let cases = yaml("dashboards/prometheus/tests/alerts.yml");
    let tried = list(&cases, "tests").iter().flat_map(|test| list(test, "alert_rule_test"));
    let (mut fires, mut rests) = (BTreeSet::new(), BTreeSet::new());
    for case in tried {
        let kind = if case["exp_alerts"] == json!([]) { &mut rests } else { &mut fires };
        kind.insert(case["alertname"].as_str().unwrap().to_owned());
    }
    let known: BTreeSet<String> = alerts().into_keys().collect();
    assert_eq!(fires, known, "a case in which each fires");
    assert_eq!(rests, known, "a case in which each does not");
    assert_eq!(cases["rule_files"], json!(["../recording.yml", "../alerts.yml"]));
    let group_names = |file: &str| {
        let file = yaml(&format!("dashboards/prometheus/{file}"));
        list(&file, "groups").iter().map(|group| group["name"].clone()).collect::<Vec<_>>()
    };
    let in_order = [group_names("recording.yml"), group_names("alerts.yml")].concat();
    assert_eq!(cases["group_eval_order"], json!(in_order), "else an alert may read what was recorded a minute earlier");
}

#[test]
fn every_recorded_sum_is_used_and_the_configuration_names_all_rules() {
    let alerts = text("dashboards/prometheus/alerts.yml");
    for rule in rules("recording.yml") {
        let name = rule["record"].as_str().unwrap();
        assert!(name.starts_with("taskgate:") && name.split(':').count() == 3, "{name}");
        assert!(alerts.contains(name), "{name} is recorded for nobody");
    }
    assert_eq!(yaml("dashboards/prometheus/scrape.yml")["rule_files"], json!(["recording.yml", "alerts.yml"]));
}
