//! `pregonero sandbox`: the pretend upstreams and catchers, for whoever wants to try against them.

use std::sync::Arc;

use super::output::{Out, say};
use crate::app::SystemClock;
use crate::sandbox::{Ports, Sandbox, serve};

/// Serve the pretend upstreams and catchers on 127.0.0.1. A port of 0 is any that is free.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Port of TelePagos
    #[arg(long, value_name = "PORT", default_value_t = 8791)]
    telepagos: u16,
    /// Port of Sipago
    #[arg(long, value_name = "PORT", default_value_t = 8792)]
    sipago: u16,
    /// Port of the Bot API
    #[arg(long, value_name = "PORT", default_value_t = 8793)]
    telegram: u16,
    /// Port of the webhook catcher
    #[arg(long, value_name = "PORT", default_value_t = 8794)]
    webhook: u16,
    /// Port of the mail catcher
    #[arg(long, value_name = "PORT", default_value_t = 8795)]
    smtp: u16,
    /// Seed of what happens
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Let nothing happen but what is asked for at the control endpoint
    #[arg(long)]
    quiet: bool,
    /// Stop by itself after this time, such as `10min`
    #[arg(long = "for", value_name = "TIME")]
    time: Option<String>,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let time = args.time.as_deref().map(super::when::duration).transpose()?;
    let ports = Ports {
        telepagos: args.telepagos,
        sipago: args.sipago,
        telegram: args.telegram,
        webhook: args.webhook,
        smtp: args.smtp,
    };
    let sandbox = Sandbox::start(ports, Arc::new(SystemClock), args.seed).await.map_err(|error| {
        anyhow::Error::new(error).context(
            "a port cannot be bound; is another sandbox running? `--telepagos 0` and the like take any that is free",
        )
    })?;
    Out::new().line(sandbox.banner().trim_end())?;
    say("Ctrl-C ends it.");
    let end = super::until(time);
    if args.quiet {
        end.await;
        sandbox.stop().await;
    } else {
        serve(sandbox, end).await;
    }
    Ok(())
}
