//! The users' chain from packages: LiteLLM on :4000, and behind it a server with `task-api-model`.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};

use crate::policies::{Knobs, policy};
use crate::processes::{Process, free_port, installed, port_or_free};
use crate::recorder::Recorder;
use crate::taskgate::Taskgate;

pub const LOCAL: &str = "task-api-model";

/// The context that the model is started with, as small as a cautious user's: prompts have to be fitted to it.
const CONTEXT: u32 = 2048;

/// LiteLLM takes 7 s on an idle machine.
const START: Duration = Duration::from_secs(240);

/// Two models at once on two cores would measure the machine.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// LiteLLM with the model's server behind it and a recorder before it.
pub struct Stack {
    pub recorder: Recorder,
    _litellm: Process,
    _llama: Process,
    folder: TempDir,
    _alone: MutexGuard<'static, ()>,
}

impl Stack {
    pub async fn start() -> Self {
        let alone = ONE_AT_A_TIME.lock().await;
        let folder = tempfile::tempdir().unwrap();
        let (llama_port, litellm_port) = (free_port(), port_or_free(4000));
        let mut llama = start_llama(folder.path(), llama_port);
        let mut litellm = start_litellm(folder.path(), litellm_port, llama_port);
        llama.wait_for(&format!("http://127.0.0.1:{llama_port}/v1/models"), START).await;
        litellm.wait_for(&format!("http://127.0.0.1:{litellm_port}/health/liveliness"), START).await;
        let recorder = Recorder::before(&format!("http://127.0.0.1:{litellm_port}")).await;
        Self { recorder, _litellm: litellm, _llama: llama, folder, _alone: alone }
    }

    /// taskgate with its local backend here and no hosted one.
    pub fn taskgate(&self, knobs: &Knobs) -> Taskgate {
        Taskgate::new(self.folder.path(), &policy(knobs)).with("LITELLM_PROXY_URL", self.recorder.url.clone())
    }
}

/// One thread: two wait for each other by spinning, and on a busy machine with two cores that nearly stops them.
fn start_llama(folder: &Path, port: u16) -> Process {
    let model = json!({
        "model": installed("models/SmolLM2-135M-Instruct.Q4_1.gguf"), "model_alias": LOCAL, "n_ctx": CONTEXT,
        "n_threads": 1, "n_threads_batch": 1, "n_gpu_layers": 0, "verbose": false,
    });
    let config = json!({ "host": "127.0.0.1", "port": port, "interrupt_requests": false, "models": [model] });
    let file = folder.join("llama.json");
    fs::write(&file, config.to_string()).unwrap();
    let mut command = Command::new(installed("llama/bin/python"));
    command.args(["-m", "llama_cpp.server", "--config_file"]).arg(file).env("HF_HUB_OFFLINE", "1");
    Process::start("llama", &mut command, folder)
}

fn start_litellm(folder: &Path, port: u16, llama_port: u16) -> Process {
    let behind = json!({
        "model": format!("openai/{LOCAL}"), "api_base": format!("http://127.0.0.1:{llama_port}/v1"), "api_key": "none",
    });
    let config = json!({ "model_list": [{ "model_name": LOCAL, "litellm_params": behind }] });
    let file = folder.join("chain.yaml"); // JSON is YAML
    fs::write(&file, config.to_string()).unwrap();
    let mut command = Command::new(installed("litellm/bin/litellm"));
    command.arg("--config").arg(file).args(["--host", "127.0.0.1", "--port", &port.to_string()]);
    command.args(["--num_workers", "1", "--telemetry", "False"]).current_dir(folder);
    let quiet = [("LITELLM_LOCAL_MODEL_COST_MAP", "True"), ("LITELLM_MODE", "PRODUCTION"), ("NO_DOCS", "True")];
    command.envs(quiet).env("HF_HUB_OFFLINE", "1");
    Process::start("litellm", &mut command, folder)
}
