//! `taskgate mcp`, its requests in flight, and what is known of its models, while its policy changes.

use serde_json::{Value, json};

use super::{GOOD, POLICY, follows, hash, policy_file, save, version};
use crate::binary::{Home, Session};
use crate::upstream::{Step, Upstream};

async fn start(upstream: &Upstream, policy: &str) -> (Home, Session) {
    let home = Home::new().with("LITELLM_PROXY_URL", upstream.base_url()).policy(policy);
    let mut session = home.mcp().await;
    session.call("create_task", json!({"title": "Review budget", "estimate_hours": 2})).await.result();
    (home, session)
}

async fn analyze(session: &mut Session) -> Value {
    session.call("analyze_workload", json!({})).await.result()
}

#[tokio::test]
async fn a_request_in_flight_ends_on_the_policy_that_it_began_with() {
    let upstream = Upstream::start().await;
    let (go, hold) = tokio::sync::watch::channel(false);
    upstream.on("small").then(Step::Once(hold, Box::new(Step::reply(GOOD))));
    let (home, mut session) = start(&upstream, POLICY).await;
    let slow = session.ask("analyze_workload", json!({})).await;
    upstream.wait_for(1).await;
    let next = POLICY.replace("name: thinking", "name: renamed");
    save(&policy_file(&home), &next);
    let ledger = home.ledger().await;
    follows(&ledger, session.pid(), &next).await;
    assert_eq!(ledger.number("SELECT count(*) FROM requests WHERE tool = 'analyze_workload'").await, 0, "in flight");
    go.send(true).unwrap();
    let answer = session.response(slow).await;
    assert_eq!(answer["result"]["structuredContent"]["status"], "ok", "{answer}");
    analyze(&mut session).await;
    let rows = ledger
        .numbers(
            "SELECT policy_hash || ' ' || route, attempts FROM requests WHERE tool = 'analyze_workload' ORDER BY seq",
        )
        .await;
    let expected = [format!("{} thinking", hash(POLICY)), format!("{} renamed", hash(&next))];
    assert_eq!(rows, expected.map(|row| (row, 1)));
}

#[tokio::test]
async fn a_model_that_is_left_alone_stays_so_until_it_is_another_one() {
    let upstream = Upstream::start().await;
    upstream.on("small").status(500).reply(GOOD);
    upstream.on("other").reply(GOOD);
    let (home, mut session) = start(&upstream, POLICY).await;
    let ledger = home.ledger().await;
    assert_eq!(analyze(&mut session).await["status"], "degraded");
    for n in 1..=2 {
        save(&policy_file(&home), &version(n));
        follows(&ledger, session.pid(), &version(n)).await;
        let analysis = analyze(&mut session).await;
        assert_eq!((&analysis["status"], &analysis["routing"]["attempts"]), (&json!("degraded"), &json!(0)));
    }
    let other = POLICY.replace("small: { backend: local,", "small: { backend: local, upstream: other,");
    save(&policy_file(&home), &other);
    follows(&ledger, session.pid(), &other).await;
    let analysis = analyze(&mut session).await;
    assert_eq!((&analysis["status"], &analysis["routing"]["model"]), (&json!("ok"), &json!("small")), "{analysis}");
    assert_eq!((upstream.requests_of("small").len(), upstream.requests_of("other").len()), (1, 1));
}
