//! `pregonero run`: the daemon.

use std::process::ExitCode;
use std::sync::Arc;

use crate::app::Lifecycle;
use crate::app::Nobody;
use crate::app::Witnesses;
use crate::config::Loaded;

pub(super) async fn run(loaded: Loaded) -> anyhow::Result<ExitCode> {
    let config = loaded.config;
    crate::app::log_to_stderr(&config.log)?;
    let lifecycle = Lifecycle::new()?;
    let witnesses = Witnesses { listener: Arc::new(Nobody), witness: Arc::new(Nobody) };
    // Held until the end: closing the store is the last thing that happens.
    let opened = crate::app::start(&config, &lifecycle, witnesses).await?;
    let accounts = config.accounts().count();
    lifecycle.systemd().ready(&format!("{accounts} accounts, {} destinations", config.routes().len()));
    let ending = lifecycle.run_until_stopped().await;
    drop(opened);
    Ok(ExitCode::from(ending))
}
