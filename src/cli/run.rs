//! `pregonero run`: the daemon.

use std::process::ExitCode;
use std::sync::Arc;

use tracing::warn;

use super::Usage;
use super::output::counted;
use crate::app::Witnesses;
use crate::app::{Lifecycle, Nobody};
use crate::config::Loaded;

pub(super) async fn run(loaded: Loaded) -> anyhow::Result<ExitCode> {
    let Loaded { config, warnings, file } = loaded;
    let config = Arc::new(config);
    if file.is_none() && config.accounts().next().is_none() {
        // A daemon that watches nothing looks alive and announces nothing.
        return Err(Usage(String::from(
            "there is no configuration: neither `--config`, nor $PREGONERO_CONFIG, nor ./config.toml, nor \
             /etc/pregonero/config.toml; copy config.toml.example, or see `pregonero demo`",
        ))
        .into());
    }
    crate::app::log_to_stderr(&config.log)?;
    for warning in warnings {
        warn!("{warning}");
    }
    if config.accounts().next().is_none() {
        warn!("there is no account in the configuration; nothing is watched");
    }
    if config.routes().is_empty() {
        warn!("there is no destination in the configuration; events are kept and sent to nobody");
    }
    let lifecycle = Lifecycle::new()?;
    let witnesses = Witnesses { listener: Arc::new(Nobody), witness: Arc::new(Nobody) };
    // Held until the end: closing the store is the last thing that happens.
    let opened = crate::app::start(&config, &lifecycle, witnesses).await?;
    let accounts = counted(config.accounts().count(), "account", "accounts");
    let destinations = counted(config.routes().len(), "destination", "destinations");
    lifecycle.systemd().ready(&format!("{accounts}, {destinations}"));
    let ending = lifecycle.run_until_stopped().await;
    drop(opened);
    Ok(ExitCode::from(ending))
}
