//! The dashboards as files: every panel asks a question and works by itself, no panel lies on another, and what
//! compose.yaml starts finds everything that it names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// The variables that Grafana itself fills in.
const GRAFANAS: [&str; 3] = ["__rate_interval", "__range", "__all"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards")
}

/// Every dashboard with its file's name.
fn dashboards() -> BTreeMap<String, Value> {
    let files = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let json = files.filter(|file| file.extension().is_some_and(|extension| extension == "json"));
    let read = |file: PathBuf| {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&file).unwrap();
        (name, serde_json::from_str(&text).unwrap())
    };
    let found: BTreeMap<String, Value> = json.map(read).collect();
    assert!(found.len() >= 3, "{:?}", found.keys());
    found
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

/// Every panel but the rows' titles, with a name for it.
fn panels(dashboards: &BTreeMap<String, Value>) -> Vec<(String, &Value)> {
    let of = |(file, dashboard)| list(dashboard, "panels").iter().map(move |panel| (file, panel));
    let all = dashboards.iter().flat_map(of).filter(|(_, panel): &(&String, &Value)| panel["type"] != "row");
    all.map(|(file, panel)| (format!("{file}, {}", panel["title"]), panel)).collect()
}

fn source() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

#[test]
fn dashboards_can_be_imported_and_are_told_apart() {
    let (mut uids, mut titles) = (BTreeSet::new(), BTreeSet::new());
    for (file, dashboard) in dashboards() {
        let word = |key: &str| dashboard[key].as_str().unwrap_or_default().to_owned();
        assert!(uids.insert(word("uid")) && word("uid").starts_with("taskgate-"), "{file}");
        assert!(titles.insert(word("title")) && word("description").ends_with('.'), "{file}");
        assert!(dashboard["id"].is_null(), "{file}: an id belongs to one Grafana");
        assert!(dashboard["schemaVersion"].as_u64() >= Some(41) && dashboard["tags"] == json!(["taskgate"]), "{file}");
        let variables = list(&dashboard["templating"], "list");
        assert_eq!(
            (&variables[0]["name"], &variables[0]["type"]),
            (&json!("datasource"), &json!("datasource")),
            "{file}"
        );
        let known: BTreeSet<&str> = variables.iter().map(|variable| variable["name"].as_str().unwrap()).collect();
        for used in variables_in(&dashboard.to_string()) {
            assert!(known.contains(used.as_str()) || GRAFANAS.contains(&used.as_str()), "{file}: ${used} is not there");
        }
        for unused in known.iter().filter(|name| !dashboard["panels"].to_string().contains(&format!("${name}"))) {
            assert_eq!(*unused, "datasource", "{file}: a variable that changes nothing");
        }
    }
}

/// The names after each `$` or `${` in a text.
fn variables_in(text: &str) -> BTreeSet<String> {
    let name =
        |rest: &str| rest.trim_start_matches('{').chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    // A regular expression ends with a `$`, too.
    text.split('$').skip(1).map(name).filter(|name: &String| !name.is_empty()).collect()
}

#[test]
fn every_panel_asks_a_question_and_says_what_its_figures_are() {
    let dashboards = dashboards();
    for (name, panel) in panels(&dashboards) {
        assert!(panel["title"].as_str().unwrap().ends_with('?'), "{name}: the title is no question");
        let description = panel["description"].as_str().unwrap_or_default();
        assert!(description.len() > 20 && description.ends_with('.'), "{name}: {description:?}");
        let shown = &panel["fieldConfig"]["defaults"];
        assert!(shown["unit"].as_str().is_some_and(|unit| !unit.is_empty()), "{name}: no unit");
        assert!(
            shown["noValue"].as_str().is_some_and(|word| !word.is_empty()),
            "{name}: silent while there is nothing"
        );
        assert_eq!(panel["datasource"], source(), "{name}");
        let targets = list(panel, "targets");
        assert!(!targets.is_empty(), "{name}: it asks nothing");
        for (target, id) in targets.iter().zip('A'..) {
            assert_eq!((&target["refId"], &target["datasource"]), (&json!(id.to_string()), &source()), "{name}");
            assert!(target["legendFormat"].is_string(), "{name}");
            let money = target["expr"].as_str().unwrap().contains("nanousd");
            assert!(!money || shown["unit"] == "currencyUSD" || shown["unit"] == "percentunit", "{name}: which unit?");
        }
    }
}

#[test]
fn no_panel_lies_on_another_and_each_is_there_once() {
    for (file, dashboard) in dashboards() {
        let (mut ids, mut titles, mut taken) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
        for panel in list(&dashboard, "panels") {
            let title = panel["title"].as_str().unwrap();
            assert!(
                ids.insert(panel["id"].as_u64().unwrap()) && titles.insert(title),
                "{file}: {title} is there twice"
            );
            let [x, y, w, h] = ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().unwrap());
            assert!(w > 0 && h > 0 && x + w <= 24, "{file}: {title} leaves the page");
            for place in (x..x + w).flat_map(|column| (y..y + h).map(move |row| (column, row))) {
                let before = taken.insert(place, title);
                assert!(before.is_none(), "{file}: {title} lies on {before:?}");
            }
            assert!(list(panel, "panels").is_empty(), "{file}: {title} hides panels from these tests");
        }
    }
}

#[test]
fn a_color_means_one_thing() {
    let dashboards = dashboards();
    let mut meanings: BTreeMap<String, (String, String)> = BTreeMap::new();
    for (name, panel) in panels(&dashboards) {
        for change in list(&panel["fieldConfig"], "overrides") {
            let color = change["properties"][0]["value"]["fixedColor"].as_str().unwrap().to_owned();
            // `/: output$/` and `output` are one word.
            let what = change["matcher"]["options"].as_str().unwrap().trim_matches(['/', '$', ':', ' ']).to_owned();
            if panel["targets"].to_string().contains("taskgate_requests_total") && what == "rejected" {
                continue; // a caller's own mistake; elsewhere it is a model's answer
            }
            let (first, before) = meanings.entry(what.clone()).or_insert((color.clone(), name.clone()));
            assert_eq!(*first, color, "{what} in {before} and in {name}");
        }
    }
    assert!(meanings.len() > 10, "{meanings:?}");
}

fn yaml(name: &str) -> Value {
    serde_yaml::from_str(&fs::read_to_string(folder().join(name)).unwrap()).unwrap()
}

/// `from`, `to` of each mount of a service that is a file or folder of ours.
fn mounts(service: &Value) -> Vec<(&str, &str)> {
    let all = list(service, "volumes").iter().map(|mount| mount.as_str().unwrap().split(':').collect::<Vec<_>>());
    let ours = all.filter(|parts| parts[0].starts_with("./"));
    ours.map(|parts| {
        assert_eq!(parts.get(2), Some(&"ro"), "{parts:?}: nothing of ours may be changed");
        (parts[0], parts[1])
    })
    .collect()
}

#[test]
fn what_compose_starts_finds_all_that_it_names_and_listens_on_this_machine_only() {
    let compose = yaml("compose.yaml");
    let services = compose["services"].as_object().unwrap();
    for (name, service) in services {
        let (_, version) = service["image"].as_str().unwrap().split_once(':').unwrap();
        let pinned = version.trim_start_matches('v').split('.').filter(|part| part.parse::<u32>().is_ok()).count();
        assert_eq!(pinned, 3, "{name}: {version}");
        for (from, _) in mounts(service) {
            assert!(folder().join(from).exists(), "{name}: {from} is not there");
        }
        // Host networking publishes whatever the program itself listens on.
        assert!(service["network_mode"] == "host" && service["ports"].is_null(), "{name}");
        for volume in list(service, "volumes").iter().filter_map(|mount| mount.as_str()?.split_once(":/")) {
            assert!(volume.0.starts_with("./") || compose["volumes"].get(volume.0).is_some(), "{name}: {volume:?}");
        }
    }
    let (prometheus, grafana) = (&services["prometheus"], &services["grafana"]);
    let flags: Vec<&str> = list(prometheus, "command").iter().map(|flag| flag.as_str().unwrap()).collect();
    assert!(flags.contains(&"--web.listen-address=127.0.0.1:9090"), "{flags:?}");
    assert_eq!(grafana["environment"]["GF_SERVER_HTTP_ADDR"], "127.0.0.1");
    assert_eq!(grafana["environment"]["GF_AUTH_ANONYMOUS_ORG_ROLE"], "Viewer");

    let source = &yaml("grafana/datasources.yaml")["datasources"][0];
    assert_eq!((&source["type"], &source["url"]), (&json!("prometheus"), &json!("http://127.0.0.1:9090")));
    let shown = yaml("grafana/dashboards.yaml")["providers"][0]["options"]["path"].as_str().unwrap().to_owned();
    let mounted: BTreeMap<&str, &str> = mounts(grafana).into_iter().collect();
    for file in dashboards().keys() {
        let to = format!("{shown}/{file}");
        assert_eq!(mounted.get(format!("./{file}").as_str()), Some(&to.as_str()), "{file}");
    }
    let home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"].as_str().unwrap();
    assert!(mounted.values().any(|to| *to == home), "{home}");
    assert!(mounts(prometheus).contains(&("./prometheus", "/etc/prometheus")));
}
