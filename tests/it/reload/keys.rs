//! A key in a file of its own that is refused, and replaced while the program runs.

use std::fs;

use serde_json::{Value, json};

use super::{GOOD, POLICY, save, until};
use crate::binary::{Home, Session};
use crate::upstream::{Step, Upstream};

async fn analyze(session: &mut Session) -> Value {
    session.call("analyze_workload", json!({})).await.result()
}

#[tokio::test]
async fn a_refused_key_takes_its_backend_out_until_the_file_holds_another() {
    let upstream = Upstream::start().await;
    upstream.on("large").answer(|asked| match asked.header("authorization") {
        Some("Bearer sk-second-key") => Step::reply(GOOD),
        _ => Step::status(401),
    });
    let policy = POLICY
        .replace("tier: local", "tier: hosted")
        .replace("downward: true", "downward: false")
        .replace("api_key: \"${OPENAI_API_KEY:-}\"", "api_key_file: secrets/key");
    let home = Home::new().with("OPENAI_BASE_URL", upstream.base_url()).policy(&policy);
    let key = home.path("secrets").join("key");
    fs::create_dir(key.parent().unwrap()).unwrap();
    fs::write(&key, "sk-first-key\n").unwrap();
    let mut session = home.mcp().await;
    session.call("create_task", json!({"title": "Review budget", "estimate_hours": 2})).await.result();
    let refused = analyze(&mut session).await;
    assert!(refused["error"].as_str().unwrap().contains("api_key_file"), "{refused}");
    let left_alone = analyze(&mut session).await;
    assert_eq!(left_alone["routing"]["attempts"], 0, "{left_alone}");
    assert_eq!(upstream.count(), 1);

    save(&key, "sk-second-key\n");
    until("the new key", || async { session.log().contains("backends: `openai` changed").then_some(()) }).await;
    let answered = analyze(&mut session).await;
    assert_eq!((&answered["status"], &answered["routing"]["model"]), (&json!("ok"), &json!("large")), "{answered}");
    assert!(!session.log().contains("sk-"), "{}", session.log());
}
