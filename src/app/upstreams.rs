//! The ways to the upstreams that operators' commands take. Each passes the gate of the daemon on this machine, if there is
//! one, and a gate of its own.

use std::sync::Arc;

use anyhow::Context as _;

use super::beside::Beside;
use super::now;
use crate::clock::SystemClock;
use crate::config::{AccountConfig, Config, SipagoAccount, TelepagosAccount};
use crate::domain::account::AccountName;
use crate::http::{ReqwestTransport, Transport};
use crate::sources::probe::Probe;
use crate::sources::sipago::client::SipagoClient;
use crate::sources::telepagos::TelepagosClient;

/// One account's way to Sipago, for one command.
///
/// # Errors
/// When the system's HTTP client cannot be built.
pub fn sipago(config: &Config, account: &SipagoAccount) -> anyhow::Result<SipagoClient> {
    Ok(SipagoClient::new(account.clone(), way(config, &account.common)?))
}

/// Reads one page of everything that only reads of one account; `None` where there is no such account. Failures stand in the
/// probe.
///
/// # Errors
/// When the system's HTTP client cannot be built.
pub async fn probe(config: &Config, name: &AccountName) -> anyhow::Result<Option<Probe>> {
    if let Some(account) = config.sipago.iter().find(|account| account.common.name == *name) {
        return Ok(Some(sipago(config, account)?.probe(now()).await));
    }
    let Some(account) = config.telepagos.iter().find(|account| account.common.name == *name) else { return Ok(None) };
    Ok(Some(telepagos(config, account)?.probe(now()).await))
}

/// One account's way to TelePagos, for one command.
///
/// # Errors
/// When the system's HTTP client cannot be built.
pub fn telepagos(config: &Config, account: &TelepagosAccount) -> anyhow::Result<TelepagosClient> {
    Ok(TelepagosClient::new(account.clone(), way(config, &account.common)?, Arc::new(SystemClock)))
}

fn way(config: &Config, account: &AccountConfig) -> anyhow::Result<Arc<dyn Transport>> {
    let transport = ReqwestTransport::new().context("the HTTP client cannot be built")?;
    Ok(Arc::new(Beside::new(transport, &config.http, &account.name)))
}
