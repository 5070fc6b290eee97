//! What an operator types. One file a verb; stdout is data, stderr is words.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.

mod answered;
mod check;
mod completions;
mod deliveries;
mod demo;
mod events;
mod given;
mod made;
mod output;
mod probe;
mod qr;
mod release;
mod report;
mod run;
mod sandbox;
mod send_test;
mod sipago;
mod store;
mod telepagos;
mod watch;
mod when;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::output::Out;
use crate::config::watching::Unclear;
use crate::config::{ConfigErrors, Loaded};

/// Announces what came in: credits, paid links and refunds of TelePagos and Sipago, by webhook, e-mail and Telegram.
#[derive(Debug, Parser)]
#[command(name = "pregonero", version, max_term_width = 100, disable_help_subcommand = true)]
struct Cli {
    // Not a doc comment: those want backticks around a variable, which a terminal would show.
    #[arg(
        long,
        short,
        global = true,
        value_name = "FILE",
        help = "Configuration file [default: $PREGONERO_CONFIG, ./config.toml, /etc/pregonero/config.toml]"
    )]
    config: Option<PathBuf>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon until it is told to stop
    Run,
    /// Show the whole thing at work: pretend upstreams, daemon and catchers on this machine
    Demo(demo::Args),
    /// Check the configuration and say everything that is wrong with it
    Check(check::Args),
    /// List what was announced
    #[command(subcommand)]
    Events(events::Verb),
    /// List deliveries, or give dead ones a second chance
    #[command(subcommand)]
    Deliveries(deliveries::Verb),
    /// Let go what the flood guard holds
    Release(release::Args),
    /// Say what came in on a day, and whether anything is missing
    #[command(subcommand)]
    Report(report::Verb),
    /// Follow cash-ins, links and orders by their ids
    #[command(subcommand)]
    Watch(watch::Verb),
    /// Send a test event to one destination, now and without retries
    SendTest(send_test::Args),
    /// See how the upstreams' answers look, and which settings fit them
    Probe(probe::Args),
    /// Ask Sipago by hand: movements, links, QR codes, deposits
    #[command(subcommand)]
    Sipago(sipago::Verb),
    /// Move what is remembered to another store
    #[command(subcommand)]
    Store(store::Verb),
    /// Ask TelePagos something, or have it make something
    #[command(subcommand)]
    Telepagos(telepagos::Verb),
    /// Serve the pretend upstreams, a Bot API, a mail catcher and a webhook catcher
    Sandbox(sandbox::Args),
    /// Print completions for a shell
    Completions(completions::Args),
}

/// Wrong usage or configuration: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);

impl Usage {
    /// There is no such `thing`; these are there.
    fn unknown<'a>(thing: &str, name: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        Unclear::unknown(thing, name, known).into()
    }
}

impl From<Unclear> for Usage {
    fn from(unclear: Unclear) -> Self {
        Self(unclear.to_string())
    }
}

/// Runs the program with the process's arguments.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to stdout with 0, wrong usage to stderr with 2.
            drop(error.print());
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    crate::app::install_crypto();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&anyhow::Error::new(error).context("the runtime could not start")),
    };
    let code = match runtime.block_on(dispatch(cli)) {
        Ok(code) => code,
        Err(error) => fail(&error),
    };
    // A reading of the terminal or of a slow disk must not keep the process.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    code
}

async fn dispatch(cli: Cli) -> anyhow::Result<ExitCode> {
    let config = cli.config;
    let done = |result: anyhow::Result<()>| result.map(|()| ExitCode::SUCCESS);
    match cli.command {
        Command::Run => run::run(load(config.as_deref())?).await,
        Command::Demo(args) => done(demo::run(args).await),
        Command::Check(args) => done(check::run(config.as_deref(), &args)),
        Command::Events(verb) => done(events::run(load(config.as_deref())?, verb).await),
        Command::Deliveries(verb) => done(deliveries::run(load(config.as_deref())?, verb).await),
        Command::Release(args) => done(release::run(load(config.as_deref())?, args).await),
        Command::Report(verb) => report::run(load(config.as_deref())?, verb).await,
        Command::Watch(verb) => done(watch::run(load(config.as_deref())?, verb).await),
        Command::SendTest(args) => send_test::run(load(config.as_deref())?, args).await,
        Command::Probe(args) => probe::run(&load(config.as_deref())?.config, args).await,
        Command::Sipago(verb) => done(sipago::run(&load(config.as_deref())?.config, verb).await),
        Command::Store(verb) => done(store::run(config.as_deref(), verb).await),
        Command::Telepagos(verb) => {
            let path = config.as_deref();
            done(telepagos::run(load(path)?, path, verb).await)
        }
        Command::Sandbox(args) => done(sandbox::run(args).await),
        Command::Completions(args) => done(completions::run(&args)),
    }
}

/// Its warnings are for `check` and for the daemon's log: said with every list, nobody would read them.
fn load(path: Option<&Path>) -> anyhow::Result<Loaded> {
    Ok(crate::config::load(path)?)
}

fn fail(error: &anyhow::Error) -> ExitCode {
    if let Some(problems) = error.downcast_ref::<ConfigErrors>() {
        output::say(problems.to_string().trim_end());
        return ExitCode::from(2);
    }
    let chain: Vec<String> = error.chain().map(ToString::to_string).collect();
    output::say(&format!("error: {}", chain.join(": ")));
    ExitCode::from(if error.is::<Usage>() { 2 } else { 1 })
}

/// Ctrl-C, or the end of a time.
async fn until(time: Option<std::time::Duration>) {
    let timer = async {
        match time {
            Some(time) => tokio::time::sleep(time).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        result = tokio::signal::ctrl_c() => drop(result),
        () = timer => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
