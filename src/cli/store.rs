//! `pregonero store copy`

use std::io::IsTerminal as _;
use std::time::Duration;

use anyhow::Context as _;
use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::Usage;
use super::output::{Out, say};
use crate::app::{CopyKind, CopyStep, CopySummary};
use crate::config::StoreConfig;

/// Move what is remembered to another store.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Copy everything to an empty store, and compare both
    ///
    /// Both stores are named as `store.url` names them: `file:/var/lib/pregonero/pregonero.db`, `redis://127.0.0.1:6379/0`.
    /// `env:NAME` takes the URL from the environment variable NAME, so that no password stands in the list of processes. No
    /// daemon may use either store meanwhile. A copy that was cut off goes on when the same command is run again; until it is
    /// whole, no daemon opens the target.
    Copy(CopyArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct CopyArgs {
    /// URL of the store to read, or `env:NAME`
    from: String,
    /// URL of the empty store to fill, or `env:NAME`
    to: String,
    /// Prefix of the keys to read, where they are in Redis
    #[arg(long, value_name = "PREFIX", default_value = "pregonero")]
    prefix_from: String,
    /// Prefix of the keys to write, where they go to Redis
    #[arg(long, value_name = "PREFIX", default_value = "pregonero")]
    prefix_to: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(verb: Verb) -> anyhow::Result<()> {
    let Verb::Copy(args) = verb;
    let from = place("FROM", &args.from, &args.prefix_from)?;
    let to = place("TO", &args.to, &args.prefix_to)?;
    if from.backend == to.backend && from.prefix == to.prefix {
        return Err(Usage("FROM and TO are the same store".to_owned()).into());
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

/// A store by its URL. Nothing of the URL is ever shown.
fn place(which: &str, url: &str, prefix: &str) -> anyhow::Result<StoreConfig> {
    let url = match url.strip_prefix("env:") {
        Some(name) => std::env::var(name)
            .map_err(|_| Usage(format!("{which}: the environment variable `{name}` holds no URL of a store")))?,
        None => url.to_owned(),
    };
    // A JSON text is a TOML text, too.
    let text = format!("[store]\nurl = {}\nprefix = {}\ninstance = \"store-copy\"\n", json!(url), json!(prefix));
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
            let bar = ProgressBar::new_spinner();
            let style = ProgressStyle::with_template("{spinner} {msg} {human_pos} ({per_sec}, {elapsed})");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
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
                    bar.reset();
                    bar.set_message(words);
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
