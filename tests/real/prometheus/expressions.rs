//! Every expression that is committed: of the panels, with Grafana's variables filled in, and of the rules.

use std::fs;

use serde_json::Value;

use super::server::committed;

/// How far the panels look back.
#[derive(Clone, Copy)]
pub struct Windows {
    pub range: &'static str,
    pub rate: &'static str,
}

/// Title and expression of every target of every panel of every dashboard.
pub fn of_panels(windows: Windows) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for file in fs::read_dir(committed("")).unwrap().map(|entry| entry.unwrap().path()) {
        if file.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let dashboard: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
        for panel in dashboard["panels"].as_array().unwrap() {
            let targets = panel["targets"].as_array().into_iter().flatten();
            let title = panel["title"].as_str().unwrap();
            let filled = |target: &Value| (title.to_owned(), filled_in(target["expr"].as_str().unwrap(), windows));
            found.extend(targets.map(filled));
        }
    }
    found
}

/// Name and expression of every rule.
pub fn of_rules() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for file in ["recording.yml", "alerts.yml"] {
        let text = fs::read_to_string(committed("prometheus").join(file)).unwrap();
        let file: Value = serde_yaml::from_str(&text).unwrap();
        for rule in file["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap()) {
            let name = rule["alert"].as_str().or(rule["record"].as_str()).unwrap();
            found.push((name.to_owned(), rule["expr"].as_str().unwrap().to_owned()));
        }
    }
    found
}

fn filled_in(expression: &str, windows: Windows) -> String {
    let known = [("$__rate_interval", windows.rate), ("$__range", windows.range), ("$model", ".*")];
    let filled = known.iter().fold(expression.to_owned(), |text, (name, value)| text.replace(name, value));
    assert!(!filled.contains('$'), "a variable that this test does not know: {filled}");
    filled
}
