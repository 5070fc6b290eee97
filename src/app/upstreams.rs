//! The ways to the upstreams that operators' commands take.

use std::sync::Arc;

use anyhow::Context as _;

use super::now;
use crate::clock::SystemClock;
use crate::config::{Config, SipagoAccount, TelepagosAccount};
use crate::domain::account::AccountName;
use crate::http::{ReqwestTransport, Transport};
use crate::sources::probe::Probe;
use crate::sources::sipago::client::SipagoClient;
use crate::sources::telepagos::TelepagosClient;

/// One account's way to Sipago, for an operator's commands. It asks within the account's rate, and knows nothing of what a
/// daemon on the same account asks meanwhile.
///
/// # Errors
/// When the system's HTTP client cannot be built.
pub fn sipago(account: &SipagoAccount) -> anyhow::Result<SipagoClient> {
    let transport = ReqwestTransport::new().context("the HTTP client cannot be built")?;
    Ok(SipagoClient::new(account.clone(), Arc::new(transport)))
}

/// Reads one page of everything that only reads of one account; `None` where there is no such account. Failures stand in the
/// probe.
///
/// # Errors
/// When the system's HTTP client cannot be built.
pub async fn probe(config: &Config, name: &AccountName) -> anyhow::Result<Option<Probe>> {
    if let Some(account) = config.sipago.iter().find(|account| account.common.name == *name) {
        return Ok(Some(sipago(account)?.probe(now()).await));
    }
    let Some(account) = config.telepagos.iter().find(|account| account.common.name == *name) else { return Ok(None) };
    let transport = ReqwestTransport::new().context("the HTTP client cannot be built")?;
    let client = TelepagosClient::new(account.clone(), Arc::new(transport), Arc::new(SystemClock));
    Ok(Some(client.probe(now()).await))
}

/// The client of an account, for one command. Its gate is its own: it keeps to the account's rate and knows nothing of
/// what a daemon asks at the same time.
///
/// # Errors
/// When the HTTP client cannot be built.
pub fn telepagos(account: &TelepagosAccount) -> anyhow::Result<TelepagosClient> {
    let transport: Arc<dyn Transport> = Arc::new(ReqwestTransport::new().context("the HTTP client cannot be built")?);
    Ok(TelepagosClient::new(account.clone(), transport, Arc::new(SystemClock)))
}
