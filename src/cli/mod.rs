//! The command line: one file a command. `main` parses, runs, and turns the end into an exit code: 0 done, 1 failed,
//! 2 not understood, 3 a gate of `simulate` failed.
//!
//! Standard output carries results only; everything that is said about them goes to standard error.

mod arguments;
mod calibrate;
mod call;
pub mod check;
mod demo;
mod explain;
mod forecast;
mod output;
mod prompt;
mod render;
mod running;
pub mod schema;
mod simulate;
mod story;
mod usage;
mod window;

use std::io::{IsTerminal, stderr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::app::{App, PolicyFile};
use crate::policy::{self, Policy};
use crate::settings::{Flags, Places, Settings};
use crate::telemetry;

#[derive(Parser)]
#[command(name = "taskgate", version, about, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

const POLICY: &str = "policy";

/// What every command takes. A flag wins over its variable, a variable over the default.
#[derive(Args)]
struct Global {
    /// The policy [env: TASKGATE_POLICY] [default: routing.yaml in the platform's configuration directory, else the
    /// built-in one]
    // Not global: `simulate` has another `--policy` behind it. `parse` takes it behind every other command too.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// The SQLite file with tasks and ledger [env: TASKGATE_DATABASE_URL] [default: taskgate.db in the platform's data
    /// directory]
    #[arg(long, global = true, value_name = "FILE")]
    database: Option<String>,
    /// Where `serve` listens [env: TASKGATE_LISTEN] [default: 127.0.0.1:8080]
    #[arg(long, global = true, value_name = "ADDRESS")]
    listen: Option<String>,
    /// What is logged to standard error: a level, or targets such as taskgate=debug [env: TASKGATE_LOG] [default: info
    /// for mcp and serve, else error]
    #[arg(long, global = true, value_name = "FILTER")]
    log: Option<String>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve an MCP client over standard input and output (what Claude Desktop starts)
    Mcp,
    /// Serve the page with spend and decisions over HTTP, and /metrics, /healthz and /readyz
    Serve,
    /// Call one tool, as an MCP client would
    Call(call::Arguments),
    /// Show what a tool call or a chat request would do now: route, complexity, models in order, worst-case cost; nothing
    /// is called. Or what a past request did
    Explain(explain::Arguments),
    /// Tell what was asked, who answered, what it cost, and what it would have cost at the highest tier
    Usage(usage::Arguments),
    /// Fill a scratch database with a project and show every tool at work: answer, decision, cost
    Demo,
    /// Check a policy: everything that is wrong with it, and what may leave the machine
    Check {
        /// The policy to check [default: the one that would be used]
        file: Option<PathBuf>,
        /// Also tell which policy each running process follows, by what they say in the database
        #[arg(long)]
        running: bool,
    },
    /// Replay recorded requests through another policy, beside the present one and honest controls: shares, cost,
    /// escalations, checked answers, and what cannot be known
    Simulate(simulate::Arguments),
    /// Print the threshold that sends a share of the recorded questions to a tier, and how sure that is
    Calibrate(calibrate::Arguments),
    /// Print the JSON Schema of routing.yaml
    Schema,
}

impl Command {
    fn name(&self) -> &'static str {
        match self {
            Self::Mcp => "mcp",
            Self::Serve => "serve",
            Self::Call(_) => "call",
            Self::Explain(_) => "explain",
            Self::Demo => "demo",
            Self::Check { .. } => "check",
            Self::Usage(_) => "usage",
            Self::Simulate(_) => "simulate",
            Self::Calibrate(_) => "calibrate",
            Self::Schema => "schema",
        }
    }

    /// Whether it leaves nothing in the database.
    fn only_looks(&self) -> bool {
        match self {
            Self::Explain(_) | Self::Usage(_) | Self::Simulate(_) | Self::Calibrate(_) => true,
            Self::Check { .. } | Self::Schema => true,
            Self::Mcp | Self::Serve | Self::Call(_) | Self::Demo => false,
        }
    }
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    match run(&parse()) {
        Ok(code) => code,
        Err(error) => {
            output::failure(&error);
            ExitCode::FAILURE
        }
    }
}

/// `--policy` stands before or behind a command, except for the one that has its own.
fn parse() -> Cli {
    let command = Cli::command();
    let policy = command.get_arguments().find(|argument| argument.get_id() == POLICY).cloned();
    let command = command.mut_subcommands(|subcommand| {
        let has_its_own = subcommand.get_arguments().any(|argument| argument.get_id() == POLICY);
        subcommand.args(policy.iter().filter(|_| !has_its_own))
    });
    let matches = command.get_matches();
    let mut cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    if let Some((_, behind)) = matches.subcommand().filter(|_| !matches!(cli.command, Command::Simulate(_))) {
        cli.global.policy = behind.get_one(POLICY).cloned().or(cli.global.policy);
    }
    cli
}

fn run(cli: &Cli) -> anyhow::Result<ExitCode> {
    let environment: fn(&str) -> Option<String> = |name| std::env::var(name).ok();
    let settings = cli.global.settings(&environment)?;
    let serves = match &cli.command {
        Command::Check { file, running } => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let file = file.as_deref().or(settings.policy.as_deref());
            let checked = check::check(file, &environment, &settings.database, output::is_for_a_person());
            let report = runtime.block_on(checked);
            output::result(&report.text)?;
            report.remark.iter().for_each(|remark| output::remark(remark));
            if *running {
                let told = running::running(&settings.database, report.hash.as_deref());
                output::result(&runtime.block_on(told)?)?;
            }
            return Ok(ExitCode::from(report.exit_code));
        }
        Command::Schema => {
            output::result(&schema::schema())?;
            return Ok(ExitCode::SUCCESS);
        }
        Command::Mcp | Command::Serve => true,
        Command::Call(_) | Command::Explain(_) | Command::Usage(_) | Command::Demo => false,
        Command::Simulate(_) | Command::Calibrate(_) => false,
    };
    // What a command did is its result; a server has nothing else to say than its log.
    let asked_for_a_log = cli.global.log.is_some() || environment("TASKGATE_LOG").is_some_and(|log| !log.is_empty());
    telemetry::log::init(if serves || asked_for_a_log { &settings.log } else { "error" })?;
    let Some(read) = read_policy(&settings, environment) else { return Ok(ExitCode::FAILURE) };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(run_with_app(&cli.command, &settings, read));
    // A read of standard input that nobody will ever answer must not hold up the end.
    runtime.shutdown_timeout(std::time::Duration::ZERO);
    ended
}

async fn run_with_app(
    command: &Command,
    settings: &Settings,
    read: (Arc<Policy>, PolicyFile),
) -> anyhow::Result<ExitCode> {
    let (policy, file) = read;
    if matches!(command, Command::Demo) {
        return demo::run(policy).await.map(|()| ExitCode::SUCCESS);
    }
    let app = match command.only_looks() {
        true => App::look(policy, &settings.database).await?,
        false => App::open(command.name(), policy, &settings.database).await?,
    };
    let ended = match command {
        Command::Mcp => app.mcp(file).await.map(|()| ExitCode::SUCCESS),
        Command::Serve => app.serve(settings.listen, file).await.map(|()| ExitCode::SUCCESS),
        Command::Call(arguments) => call::run(&app, arguments).await.map(code),
        Command::Explain(arguments) => explain::run(&app, arguments).await.map(code),
        Command::Usage(arguments) => usage::run(&app, arguments).await.map(code),
        Command::Simulate(arguments) => simulate::run(&app, arguments, settings.policy.as_deref()).await,
        Command::Calibrate(arguments) => calibrate::run(&app, arguments).await.map(code),
        Command::Check { .. } | Command::Schema | Command::Demo => Ok(ExitCode::SUCCESS),
    };
    app.close().await;
    ended
}

fn code(well: bool) -> ExitCode {
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The policy to route by. One that is wrong is told whole, and nothing starts.
fn read_policy(settings: &Settings, environment: fn(&str) -> Option<String>) -> Option<(Arc<Policy>, PolicyFile)> {
    let compiled = policy::read(settings.policy.as_deref(), &environment);
    if compiled.policy.is_none() {
        output::remark(&compiled.problems.render(stderr().is_terminal()));
        output::remark("error: the policy cannot be used; `taskgate check` shows this again");
    }
    let (place, found) = (settings.policy_place.clone(), settings.policy.is_some());
    let file = PolicyFile { place, found, sources: compiled.sources, environment };
    compiled.policy.map(|policy| (Arc::new(policy), file))
}

impl Global {
    fn settings(&self, environment: &policy::Environment<'_>) -> anyhow::Result<Settings> {
        let flags = Flags {
            policy: self.policy.clone(),
            database: self.database.clone(),
            listen: self.listen.clone(),
            log: self.log.clone(),
        };
        Ok(Settings::resolve(&flags, environment, &Places::of_this_platform(), &|path| path.exists())?)
    }
}
