//! The report of a day, beside the daemon or without one.

use std::sync::Arc;

use anyhow::Context as _;
use jiff::tz::TimeZone;

use super::beside::Beside;
use super::{Account, herald, policy, sources};
use crate::clock::{Clock, SystemClock};
use crate::config::{AccountConfig, Backend, Config, StoreConfig};
use crate::domain::account::AccountName;
use crate::domain::day::Day;
use crate::domain::route::Route;
use crate::http::{ReqwestTransport, Transport};
use crate::pipeline::report::{Report, ReportError, Reporter};
use crate::store::embedded::{EmbeddedArchive, EmbeddedStore};
use crate::store::redis::RedisStore;
use crate::store::{Archive, Recall, StoreError};

/// The report of a day, account by account; `day` gives the day in an account's zone. With `ask` each upstream is read
/// once, through the daemon's gate where one runs and within the account's rate; one that does not answer spoils only its own report.
///
/// # Errors
/// When the store cannot be read.
pub async fn report(
    config: &Config,
    only: Option<&AccountName>,
    day: impl Fn(&TimeZone) -> Day,
    ask: bool,
) -> anyhow::Result<Vec<(AccountName, Day, Result<Report, ReportError>)>> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (recall, archive) = open_to_read(&config.store).await?;
    let transport = ReqwestTransport::new().context("the HTTP client cannot be built")?;
    let way = |account: &AccountConfig| -> Arc<dyn Transport> {
        Arc::new(Beside::new(transport.clone(), &config.http, &account.name))
    };
    let routes: Arc<[Route]> = Vec::new().into();
    let mut reports = Vec::new();
    for Account { config: account, source, .. } in sources(config, way, &clock) {
        if only.is_some_and(|only| *only != account.name) {
            continue;
        }
        let reporter = Reporter {
            recall: Arc::clone(&recall),
            archive: Arc::clone(&archive),
            herald: herald(config, account, source.upstream(), &routes),
            policy: policy(config, account),
        };
        let day = day(&account.zone);
        let report = if ask {
            reporter.checked(day, source.as_ref(), clock.now()).await
        } else {
            reporter.announced(day).await.map_err(ReportError::Store)
        };
        reports.push((account.name.clone(), day, report));
    }
    Ok(reports)
}

/// Opens the store to look at it; the embedded one may be in use by the daemon.
async fn open_to_read(config: &StoreConfig) -> Result<(Arc<dyn Recall>, Arc<dyn Archive>), StoreError> {
    match &config.backend {
        Backend::Embedded(path) => {
            let archive = Arc::new(EmbeddedStore::open_reader(path)?);
            Ok((Arc::<EmbeddedArchive>::clone(&archive), archive))
        }
        Backend::Redis(url) => {
            let store = Arc::new(RedisStore::connect(config, url).await?);
            Ok((Arc::<RedisStore>::clone(&store), store))
        }
    }
}
