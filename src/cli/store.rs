//! `pregonero store copy`

use std::fmt::Write;
use std::io::IsTerminal as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use clap::Subcommand;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use serde_json::{Value, json};

use super::Usage;
use super::output::{Out, say};
use crate::app::{CopyKind, CopyStep, CopySummary};
use crate::config::StoreConfig;

/// What a copy calls itself in a store; it holds nothing there.
const INSTANCE: &str = "store-copy";

/// Move what is remembered to another store.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Copy everything to an empty store, and compare both
    ///
    /// Both stores are named as `store.url` names them: `file:/var/lib/pregonero/pregonero.db`, `redis://127.0.0.1:6379/0`.
    /// `env:NAME` takes the URL from the environment variable NAME, so that no password stands in the list of processes.
    /// `config` is the store of the configuration, `config:FILE` the store of another one, with all that its `[store]` says:
    /// URL, prefix, and the certificates for TLS; a file with nothing but a `[store]` is enough. No daemon may use either
    /// store meanwhile, and nobody may send money. A copy that was cut off goes on when the same command is run again;
    /// until it is whole, no daemon opens the target.
    Copy(CopyArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct CopyArgs {
    /// Store to read: a URL, `env:NAME`, `config` or `config:FILE`
    from: String,
    /// Empty store to fill, likewise
    to: String,
    /// Prefix of the keys to read, where they are in Redis and no configuration says it [default: pregonero]
    #[arg(long, value_name = "PREFIX")]
    prefix_from: Option<String>,
    /// Prefix of the keys to write, where they go to Redis and no configuration says it [default: pregonero]
    #[arg(long, value_name = "PREFIX")]
    prefix_to: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(file: Option<&Path>, verb: Verb) -> anyhow::Result<()> {
    let Verb::Copy(args) = verb;
    let from = place(["FROM", "--prefix-from"], file, &args.from, args.prefix_from.as_deref())?;
    let to = place(["TO", "--prefix-to"], file, &args.to, args.prefix_to.as_deref())?;
    if from.backend == to.backend && from.prefix == to.prefix {
        let is_overruled = [&args.from, &args.to].into_iter().all(|text| text.starts_with("config"));
        let hint = if is_overruled { "; does a variable `PREGONERO_STORE__…` overrule both files?" } else { "" };
        return Err(Usage(format!("FROM and TO are the same store{hint}")).into());
    }
    let mut progress = Progress::new();
    let summary = crate::app::copy_store(&from, &to, &mut |step| progress.step(step)).await;
    progress.end();
    let summary = summary.context("the store was not copied")?;
    let mut out = Out::new();
    if args.json {
        return out.json(&as_json(&summary));
    }
    let row = |(name, sum): &(&str, crate::app::CopySum)| {
        vec![(*name).to_owned(), sum.count.to_string(), format!("{:032x}", sum.hash)]
    };
    out.table(&["KIND", "NUMBER", "HASH OF BOTH"], summary.sums.iter().map(row).collect(), "")
}

/// A store by its URL or by a configuration. Nothing of the URL is ever shown.
fn place(
    [which, option]: [&str; 2],
    file: Option<&Path>,
    url: &str,
    prefix: Option<&str>,
) -> anyhow::Result<StoreConfig> {
    let named = match url.strip_prefix("config:") {
        Some("") => return Err(Usage(format!("{which}: write `config`, or `config:FILE`")).into()),
        Some(named) => Some(Some(Path::new(named))),
        None => (url == "config").then_some(file),
    };
    if let Some(file) = named {
        if prefix.is_some() {
            return Err(Usage(format!("`{option}`: the configuration says the prefix; leave one of them out")).into());
        }
        let store = super::load(file)?.config.store;
        return Ok(StoreConfig { instance: INSTANCE.to_owned(), ..store });
    }
    let url = match url.strip_prefix("env:") {
        Some(name) => std::env::var(name)
            .map_err(|_| Usage(format!("{which}: the environment variable `{name}` holds no URL of a store")))?,
        None => url.to_owned(),
    };
    // A JSON text is a TOML text, too.
    let prefix = prefix.map(|prefix| format!("prefix = {}\n", json!(prefix))).unwrap_or_default();
    let text = format!("[store]\nurl = {}\ninstance = \"{INSTANCE}\"\n{prefix}", json!(url));
    let config = crate::config::from_toml(&text);
    let config = config.map_err(|problems| Usage(format!("{which}: {}", problems.to_string().trim())))?;
    Ok(config.store)
}

fn as_json(summary: &CopySummary) -> Value {
    let sums = summary.sums.iter();
    let kinds: serde_json::Map<String, Value> = sums
        .map(|(name, sum)| ((*name).to_owned(), json!({ "count": sum.count, "hash": format!("{:032x}", sum.hash) })))
        .collect();
    json!({ "resumed": summary.resumed, "equal": true, "kinds": kinds })
}

/// A line that changes for a person, a line for each kind otherwise; both on stderr.
struct Progress {
    bar: Option<ProgressBar>,
    told: Option<(bool, CopyKind)>,
}

impl Progress {
    fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner().with_message("opening both stores");
            let style = ProgressStyle::with_template("{spinner} {msg} {human_pos} ({rate}, {elapsed})");
            let rate = |state: &ProgressState, text: &mut dyn Write| {
                write!(text, "{:.0}/s", state.per_sec()).unwrap_or_default();
            };
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()).with_key("rate", rate));
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self { bar, told: None }
    }

    fn step(&mut self, step: CopyStep) {
        let (is_copy, kind, count) = match step {
            CopyStep::Copied(kind, count) => (true, kind, count),
            CopyStep::Compared(kind, count) => (false, kind, count),
        };
        let words = format!("{} {}", if is_copy { "copying" } else { "comparing" }, kind.as_str());
        let is_new = self.told != Some((is_copy, kind));
        self.told = Some((is_copy, kind));
        match &self.bar {
            Some(bar) => {
                if is_new {
                    // The words first: a reset draws.
                    bar.set_message(words);
                    bar.reset();
                }
                bar.set_position(count);
            }
            None if is_new => say(&words),
            None => {}
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
