//! A real Chromium, driven through its chromedriver: opens a page, runs script in it, emulates a screen, and tells what
//! the page asked for and complained about.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};

use crate::processes::{Process, free_port, http};

/// Above the time that a page takes to look again, on a busy machine.
const SOON: Duration = Duration::from_secs(120);

/// Where Debian puts them.
const CHROMIUM: &str = "/usr/bin/chromium";
const CHROMEDRIVER: &str = "/usr/bin/chromedriver";

/// Nothing that calls home, and nothing that a container lacks.
const FLAGS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
];

pub struct Browser {
    session: String,
    _driver: Process,
}

impl Browser {
    /// Its profile goes into that folder.
    pub async fn start(folder: &Path) -> Self {
        let missing = [CHROMIUM, CHROMEDRIVER].into_iter().find(|program| !Path::new(program).exists());
        assert!(missing.is_none(), "{} is missing: run .ci/real-setup first", missing.unwrap());
        let port = free_port();
        let mut command = Command::new(CHROMEDRIVER);
        let mut driver = Process::start("chromedriver", command.arg(format!("--port={port}")), folder);
        driver.wait_for(&format!("http://127.0.0.1:{port}/status"), SOON).await;
        let profile = format!("--user-data-dir={}", folder.join("chromium").display());
        let flags: Vec<&str> = [profile.as_str()].into_iter().chain(FLAGS).collect();
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "binary": CHROMIUM, "args": flags },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        } } });
        let made = ask(&format!("http://127.0.0.1:{port}/session"), &wanted).await;
        let session = made["sessionId"].as_str().unwrap();
        Self { session: format!("http://127.0.0.1:{port}/session/{session}"), _driver: driver }
    }

    pub async fn open(&self, url: &str) {
        self.tell("url", json!({ "url": url })).await;
    }

    /// What the script returns.
    pub async fn run(&self, script: &str) -> Value {
        self.tell("execute/sync", json!({ "script": script, "args": [] })).await
    }

    /// Waits until the script returns that.
    pub async fn becomes(&self, script: &str, wanted: impl Into<Value>) {
        let (start, wanted) = (Instant::now(), wanted.into());
        loop {
            let now = self.run(script).await;
            if now == wanted {
                return;
            }
            assert!(start.elapsed() < SOON, "`{script}` is {now} and does not become {wanted}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// A screen of that size, and what its owner prefers.
    pub async fn look_like(&self, (width, height): (u32, u32), theme: &str) {
        let phone = width < 600;
        let screen = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone });
        self.protocol("Emulation.setDeviceMetricsOverride", screen).await;
        let media = [
            json!({ "name": "prefers-color-scheme", "value": theme }),
            json!({ "name": "prefers-reduced-motion", "value": "reduce" }),
        ];
        self.protocol("Emulation.setEmulatedMedia", json!({ "features": media })).await;
    }

    /// Presses a key as a person does.
    pub async fn press(&self, key: &str) {
        let keys = [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })];
        let actions = json!([{ "type": "key", "id": "keyboard", "actions": keys }]);
        self.tell("actions", json!({ "actions": actions })).await;
    }

    /// The page from its top, as far down as asked for, as a PNG.
    pub async fn picture(&self, width: u32, height: u32) -> Vec<u8> {
        let long = self.run("return document.documentElement.scrollHeight").await.as_u64().unwrap();
        let clip = json!({ "x": 0, "y": 0, "width": width, "height": long.min(u64::from(height)), "scale": 1 });
        let asked = json!({ "captureBeyondViewport": true, "clip": clip });
        let picture = self.protocol("Page.captureScreenshot", asked).await;
        BASE64_STANDARD.decode(picture["data"].as_str().unwrap()).unwrap()
    }

    /// What stands on the console since this was asked last.
    pub async fn complaints(&self) -> Vec<String> {
        let entries = self.tell("se/log", json!({ "type": "browser" })).await;
        entries.as_array().unwrap().iter().map(|entry| entry["message"].to_string()).collect()
    }

    /// The addresses that the page asked for since this was asked last.
    pub async fn requests(&self) -> Vec<String> {
        let entries = self.tell("se/log", json!({ "type": "performance" })).await;
        let events = entries.as_array().unwrap().iter();
        let events = events.map(|entry| serde_json::from_str::<Value>(entry["message"].as_str().unwrap()).unwrap());
        let sent = events.filter(|event| event["message"]["method"] == "Network.requestWillBeSent");
        let sent = sent.map(|event| event["message"]["params"].clone());
        // The page that a new window of the browser shows is none of ours.
        let ours = sent.filter(|sent| !sent["documentURL"].as_str().unwrap().starts_with("chrome:"));
        ours.map(|sent| sent["request"]["url"].as_str().unwrap().to_owned()).collect()
    }

    pub async fn close(self) {
        http().delete(&self.session).send().await.unwrap();
    }

    async fn protocol(&self, method: &str, parameters: Value) -> Value {
        self.tell("goog/cdp/execute", json!({ "cmd": method, "params": parameters })).await
    }

    async fn tell(&self, command: &str, body: Value) -> Value {
        ask(&format!("{}/{command}", self.session), &body).await
    }
}

async fn ask(url: &str, body: &Value) -> Value {
    let response = http().post(url).json(body).timeout(SOON).send().await.unwrap();
    let (status, answer) = (response.status(), response.json::<Value>().await.unwrap());
    assert!(status.is_success(), "{url}: {answer}");
    answer["value"].clone()
}
