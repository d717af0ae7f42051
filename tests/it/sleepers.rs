//! Local models that sleep, through the built program: who is asked while one is loaded, that it is loaded once, and
//! that nobody's going away stops it. The servers here behave as Ollama and llama.cpp do: a chat is held open during the
//! load, and the list of what is in memory shows a model only afterward.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::binary::{Home, Session, until};
use crate::upstream::Upstream;

const PATIENCE: Duration = Duration::from_secs(180);

const GOOD: &str = r#"{"assessment": "manageable", "priorities": ["TASK-0001"],
    "analysis": "One task is open and nothing is late: begin with TASK-0001."}"#;

/// A server with one model, which is in memory or is not.
struct Server {
    address: std::net::SocketAddr,
    model: Arc<Model>,
    serving: JoinHandle<()>,
}

struct Model {
    /// Loads come to their end from then on.
    may_load: watch::Sender<bool>,
    loaded: watch::Sender<bool>,
    asked_to_load: AtomicUsize,
    loads: AtomicUsize,
    chats: AtomicUsize,
    /// How often it was asked what it has in memory.
    looks: AtomicUsize,
}

impl Server {
    async fn start() -> Self {
        let model = Arc::new(Model {
            may_load: watch::channel(false).0,
            loaded: watch::channel(false).0,
            asked_to_load: AtomicUsize::new(0),
            loads: AtomicUsize::new(0),
            chats: AtomicUsize::new(0),
            looks: AtomicUsize::new(0),
        });
        let router = Router::new()
            .route("/api/ps", get(in_memory))
            .route("/api/tags", get(|| async { Json(json!({ "models": [{ "name": "llama3.2:3b" }] })) }))
            .route("/api/generate", post(generate))
            .route("/health", get(health))
            .route("/v1/chat/completions", post(chat))
            .with_state(model.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, model, serving }
    }

    fn home(&self, policy: &str) -> Home {
        Home::new().with("LITELLM_PROXY_URL", format!("http://{}/v1", self.address)).policy(policy)
    }

    fn count(&self, of: impl Fn(&Model) -> &AtomicUsize) -> usize {
        of(&self.model).load(Ordering::SeqCst)
    }

    async fn until_asked_to_load(&self) {
        until("the load to be asked for", || self.count(|model| &model.asked_to_load) > 0).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Model {
    /// Whoever goes away takes a load of its own with it, as at Ollama.
    async fn load(&self) {
        self.asked_to_load.fetch_add(1, Ordering::SeqCst);
        let _ = self.may_load.subscribe().wait_for(|may| *may).await;
        self.loads.fetch_add(1, Ordering::SeqCst);
        self.loaded.send_replace(true);
    }
}

async fn in_memory(State(model): State<Arc<Model>>) -> Json<Value> {
    model.looks.fetch_add(1, Ordering::SeqCst);
    let loaded = *model.loaded.borrow();
    let listed = json!([{ "name": "llama3.2:3b", "size": 1, "size_vram": 0, "expires_at": "2026-11-26T12:00:00Z" }]);
    Json(json!({ "models": if loaded { listed } else { json!([]) } }))
}

async fn health(State(model): State<Arc<Model>>) -> Response {
    model.looks.fetch_add(1, Ordering::SeqCst);
    if *model.loaded.borrow() {
        return Json(json!({ "status": "ok" })).into_response();
    }
    loading()
}

fn loading() -> Response {
    let told = json!({ "error": { "code": 503, "message": "Loading model", "type": "unavailable_error" } });
    (StatusCode::SERVICE_UNAVAILABLE, Json(told)).into_response()
}

async fn generate(State(model): State<Arc<Model>>, Json(asked): Json<Value>) -> Json<Value> {
    assert!(asked["model"] == "llama3.2:3b" && asked["prompt"].is_null(), "{asked}");
    model.load().await;
    Json(json!({ "model": "llama3.2:3b", "response": "", "done": true, "done_reason": "load" }))
}

async fn chat(State(model): State<Arc<Model>>, Json(asked): Json<Value>) -> Response {
    model.chats.fetch_add(1, Ordering::SeqCst);
    if asked["model"] == "llama.gguf" && !*model.loaded.borrow() {
        return loading();
    }
    let _ = model.loaded.subscribe().wait_for(|loaded| *loaded).await;
    let message = json!({ "role": "assistant", "content": GOOD });
    let usage = json!({ "prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30 });
    Json(json!({
        "id": "x", "object": "chat.completion", "created": 1, "model": asked["model"], "usage": usage,
        "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }],
    }))
    .into_response()
}

/// An envelope in which a load of the assumed 15 s has no place, unless a test writes another.
fn policy(status: &str, upstream: &str) -> String {
    format!(
        "version: 1
backends:
  local: {{ base_url: \"${{LITELLM_PROXY_URL}}\", location: local, {status} }}
  openai: {{ base_url: \"${{OPENAI_BASE_URL:-https://api.openai.com/v1}}\", api_key: \"${{OPENAI_API_KEY:-}}\", location: hosted }}
models:
  small: {{ backend: local, upstream: \"{upstream}\", context_tokens: 4096, max_output_tokens: 1024, price: {{ input: 0, output: 0 }} }}
  large: {{ backend: openai, context_tokens: 128000, max_output_tokens: 4096, price: {{ input: 2.50, output: 10.00 }} }}
tiers: {{ local: [small], hosted: [large] }}
routes:
  - {{ name: logic, match: {{ tools: [create_task, list_tasks, update_task, get_task, delete_task] }}, tier: none }}
  - {{ name: thinking, match: {{ tools: [\"*\"] }}, tier: local }}
retry: {{ max_per_model: 1 }}
envelope: {{ deadline: 15s }}
cache: {{ ttl: 0s }}
"
    )
}

fn ollama() -> String {
    policy("status: { kind: ollama }", "llama3.2:3b")
}

/// A session with one task that knows what the server has in memory: it has asked for the second time.
async fn open(home: &Home, server: &Server) -> Session {
    let mut session = home.mcp().await;
    session.call("create_task", json!({"title": "Review budget", "estimate_hours": 2})).await.result();
    until("the second look", || server.count(|model| &model.looks) >= 2).await;
    session
}

async fn analyze(session: &mut Session) -> Value {
    session.call("analyze_workload", json!({})).await.result()
}

const NOT_LOADED: &str = "small is not loaded; loading takes about 15 s";

#[tokio::test]
async fn a_cold_model_is_loaded_once_beside_requests_that_go_on_to_the_next() {
    let (server, upstream) = (Server::start().await, Upstream::start().await);
    upstream.on("large").reply(GOOD);
    let home =
        server.home(&ollama()).with("OPENAI_BASE_URL", upstream.base_url()).with("OPENAI_API_KEY", "sk-scripted");
    let mut session = open(&home, &server).await;
    for _ in 0..3 {
        let analysis = analyze(&mut session).await;
        assert_eq!((&analysis["status"], &analysis["routing"]["model"]), (&json!("ok"), &json!("large")), "{analysis}");
    }
    server.until_asked_to_load().await;
    server.model.may_load.send_replace(true);
    let log = || session.log().contains("small is loaded; it took");
    until("the load to be told", log).await;
    let analysis = analyze(&mut session).await;
    assert_eq!((&analysis["status"], &analysis["routing"]["model"]), (&json!("ok"), &json!("small")), "{analysis}");
    assert_eq!((server.count(|model| &model.asked_to_load), server.count(|model| &model.loads)), (1, 1));
}

#[tokio::test]
async fn what_may_not_leave_the_machine_is_told_why_nobody_answers() {
    let server = Server::start().await;
    let home = server.home(&ollama());
    let mut session = open(&home, &server).await;
    let analysis = analyze(&mut session).await;
    assert_eq!((&analysis["status"], &analysis["routing"]["attempts"]), (&json!("degraded"), &json!(0)));
    assert!(analysis["error"].as_str().unwrap().contains(NOT_LOADED), "{analysis}");
    server.until_asked_to_load().await;
    let explained = home.run(&["explain", "analyze_workload"], b"").await;
    assert!(explained.out.contains(NOT_LOADED), "{explained:?}");
}

#[tokio::test]
async fn a_load_for_which_there_is_time_is_waited_for_and_outlives_a_caller_who_goes_away() {
    let server = Server::start().await;
    let home = server.home(&ollama().replace("deadline: 15s", "deadline: 60s"));
    let mut session = open(&home, &server).await;
    let id = session.ask("analyze_workload", json!({})).await;
    until("the chat", || server.count(|model| &model.chats) > 0).await;
    server.until_asked_to_load().await;
    session
        .line(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } }))
        .await;
    session.call("list_tasks", json!({})).await.result();
    server.model.may_load.send_replace(true);
    until("the load", || server.count(|model| &model.loads) == 1).await;
    let analysis = analyze(&mut session).await;
    assert_eq!((&analysis["status"], &analysis["routing"]["model"]), (&json!("ok"), &json!("small")), "{analysis}");
    assert_eq!(server.count(|model| &model.asked_to_load), 1);
}

#[tokio::test]
async fn a_model_that_is_to_be_there_is_loaded_at_start_and_the_start_does_not_wait() {
    let server = Server::start().await;
    let home = server.home(&policy("status: { kind: ollama }, prewarm: true", "llama3.2:3b"));
    let mut session = home.mcp().await;
    server.until_asked_to_load().await;
    session.call("list_tasks", json!({})).await.result();
    server.model.may_load.send_replace(true);
    until("the load", || server.count(|model| &model.loads) == 1).await;
    assert_eq!(server.count(|model| &model.chats), 0, "nobody has asked anything");
}

#[tokio::test]
async fn a_model_that_a_changed_policy_brings_is_loaded_too_and_one_that_stays_is_not_loaded_again() {
    let (first, second) = (Server::start().await, Server::start().await);
    first.model.may_load.send_replace(true);
    let text = policy("status: { kind: ollama }, prewarm: true", "llama3.2:3b");
    let home = first.home(&text);
    let session = home.mcp().await;
    until("the load at start", || first.count(|model| &model.loads) == 1).await;
    let save = |text: String| std::fs::write(home.path("routing.yaml"), text).unwrap();
    let address = format!("http://{}/v1", second.address);
    let moved = text.replacen("${LITELLM_PROXY_URL}", &address, 1);
    save(moved.clone());
    second.until_asked_to_load().await;
    second.model.may_load.send_replace(true);
    until("the load at the new place", || session.log().matches("small is loaded; it took").count() == 2).await;
    // What a policy only writes in other words is where it was.
    save(format!("{moved}# another text\n"));
    until("the third policy", || session.log().matches("takes over from").count() == 2).await;
    until("a look after it", {
        let looks = second.count(|model| &model.looks);
        let second = &second;
        move || second.count(|model| &model.looks) > looks
    })
    .await;
    let loads = |server: &Server| server.count(|model| &model.asked_to_load);
    assert_eq!((loads(&first), loads(&second)), (1, 1));
}

#[tokio::test]
async fn a_server_that_says_it_is_loading_is_left_to_it_and_asked_when_it_is_done() {
    let server = Server::start().await;
    let home = server.home(&policy("status: { kind: llama_cpp }", "llama.gguf"));
    let mut session = open(&home, &server).await;
    let analysis = analyze(&mut session).await;
    assert!(analysis["error"].as_str().unwrap().contains("small is not loaded"), "{analysis}");
    assert_eq!(server.count(|model| &model.chats), 0);
    server.model.loaded.send_replace(true);
    let start = Instant::now();
    while analyze(&mut session).await["status"] != "ok" {
        assert!(start.elapsed() < PATIENCE, "it was never asked again");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
