//! `pregonero demo`: the whole thing on this machine, and every fact and delivery on the terminal as it happens.

mod show;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;

use self::show::Show;
use super::output::Out;
use crate::app::Lifecycle;
use crate::app::SystemClock;
use crate::app::Witnesses;
use crate::sandbox::{Ports, Sandbox, serve};

/// Show the whole thing at work on this machine.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Stop by itself after this time, such as `30s`
    #[arg(long = "for", value_name = "TIME")]
    time: Option<String>,
    /// Seed of what happens
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let time = args.time.as_deref().map(super::when::duration).transpose()?;
    let folder = Folder::new()?;
    let sandbox =
        Sandbox::start(Ports::default(), Arc::new(SystemClock), args.seed).await.context("the sandbox cannot start")?;
    let text = configuration(&sandbox.banner(), &folder.0);
    let config = Arc::new(crate::config::from_toml(&text)?);
    crate::app::log_to_stderr(&config.log)?;
    let show = Arc::new(Show::new(args.json, config.timezone.clone()));
    if !args.json {
        introduce(&sandbox, &config)?;
    }
    let lifecycle = Lifecycle::new()?;
    let witnesses = Witnesses { listener: Arc::<Show>::clone(&show), witness: Arc::<Show>::clone(&show) };
    let opened = crate::app::start(&config, &lifecycle, witnesses).await?;
    let stop = lifecycle.stop_token();
    let living = tokio::spawn(serve(sandbox, lifecycle.kill_token().cancelled_owned()));
    let ending = async move {
        if let Some(time) = time {
            tokio::time::sleep(time).await;
            stop.cancel();
        }
    };
    let (timer, kill) = (tokio::spawn(ending), lifecycle.kill_token());
    // Ctrl-C is heard by the lifecycle, which lets everything in hand finish.
    lifecycle.run_until_stopped().await;
    timer.abort();
    kill.cancel();
    drop(tokio::time::timeout(Duration::from_secs(2), living).await);
    let counts = opened.archive.counts().await?;
    drop(opened);
    show.conclude(&counts)
}

/// The sandbox's own example, on an embedded store, everything announced on every channel.
fn configuration(banner: &str, folder: &Path) -> String {
    let store = folder.join("pregonero.db");
    let accounts = banner.replace("allow_http = true\nusername", "allow_http = true\nsandbox = true\nusername");
    let accounts = accounts.replace("allow_http = true\napi_key", "allow_http = true\nsandbox = true\napi_key");
    let accounts = accounts.replace("chat_id = -1001234567890", "chat_id = 1234567890");
    let accounts = accounts
        .replace("events = [\"payment.refunded\"]\n", "")
        .replace("events = [\"credit.received\", \"link.paid\"]\n", "");
    format!(
        "[log]\nfilter = \"error\"\n[store]\nurl = {:?}\n[http]\nlisten = \"\"\n{accounts}",
        format!("file:{}", store.display())
    )
}

fn introduce(sandbox: &Sandbox, config: &crate::config::Config) -> anyhow::Result<()> {
    let mut out = Out::new();
    let accounts: Vec<String> = config.accounts().map(|account| account.name.to_string()).collect();
    out.line("pregonero demo: two pretend upstreams, the daemon, and catchers for webhooks, mail and chat.")?;
    out.line("Nothing leaves this machine; the people and payments are invented. Ctrl-C ends it.")?;
    out.line(&format!("  upstreams  {}  {}", sandbox.telepagos_url(), sandbox.sipago_url()))?;
    out.line(&format!("  accounts   {}", accounts.join(", ")))?;
    out.line("  `+` a fact that was found and written down   `→` a delivery and what the other side answered")?;
    out.line("")
}

/// A folder for the demo's store, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> anyhow::Result<Self> {
        let unique = format!("pregonero-demo-{}-{:x}", std::process::id(), fastrand::u64(..));
        let path = std::env::temp_dir().join(unique);
        std::fs::create_dir(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is a few kilobytes in the temporary folder.
        drop(std::fs::remove_dir_all(&self.0));
    }
}
