//! What operators' commands do with stores beside the daemon: copy one, check one, add watches.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use crate::config::{Backend, Config, StoreConfig};
use crate::domain::account::AccountName;
use crate::domain::watch::{Terms, WatchId};
use crate::store::embedded::EmbeddedStore;
use crate::store::redis::RedisStore;
use crate::store::{FollowError, Payouts, StoreError, Watches, copy, follow};

use super::now;

/// Opens the store for the watches alone; the embedded one may be in use by the daemon, and is made where there is none.
///
/// # Errors
/// See [`StoreError`].
pub async fn open_watches(config: &StoreConfig) -> Result<Arc<dyn Watches>, StoreError> {
    match &config.backend {
        Backend::Embedded(path) if path.exists() => Ok(Arc::new(EmbeddedStore::open_reader(path)?)),
        Backend::Embedded(path) => Ok(Arc::new(EmbeddedStore::open(path, &config.instance)?)),
        Backend::Redis(url) => Ok(Arc::new(RedisStore::connect(config, url).await?)),
    }
}

/// Follows things from now on, on these terms, and returns how many of them were known. A daemon on the same store notices
/// it within seconds, one that starts later then.
///
/// # Errors
/// See [`FollowError`].
pub async fn watch(
    config: &Config,
    account: &AccountName,
    ids: &BTreeSet<WatchId>,
    terms: &Terms,
) -> Result<usize, FollowError> {
    follow(&*open_watches(&config.store).await?, account, ids, terms, now()).await
}

/// Opens the store for cash-outs; the embedded one may be in use by the daemon. With `create` a file that is not there
/// is made, and named.
///
/// # Errors
/// See [`StoreError`].
pub async fn open_payouts(
    config: &StoreConfig,
    create: bool,
) -> Result<(Arc<dyn Payouts>, Option<PathBuf>), StoreError> {
    match &config.backend {
        Backend::Embedded(path) => {
            let new = (create && !path.exists()).then(|| EmbeddedStore::open(path, &config.instance)).transpose()?;
            let made = new.map(|_| std::path::absolute(path).unwrap_or_else(|_| path.clone()));
            Ok((Arc::new(EmbeddedStore::open_reader(path)?), made))
        }
        Backend::Redis(url) => Ok((Arc::new(RedisStore::connect(config, url).await?), None)),
    }
}

/// One side of a copy.
#[derive(Debug)]
enum Side {
    Embedded(Box<EmbeddedStore>),
    Redis(Box<RedisStore>),
}

/// Copies everything from one store to another, which is empty or holds a part of the same copy.
///
/// Cancel-safety: may be dropped at any time and called again.
///
/// # Errors
/// In words for the operator; see [`copy::CopyError`].
pub async fn copy_store(
    from: &StoreConfig,
    to: &StoreConfig,
    watch: &mut (dyn FnMut(copy::Step) + Send),
) -> Result<copy::Summary, copy::CopyError> {
    let in_source = |error| copy::CopyError::Store("the source", error);
    let in_target = |error| copy::CopyError::Store("the target", error);
    let (source, name) = match &from.backend {
        Backend::Embedded(path) => {
            let store = EmbeddedStore::open_source(path).map_err(in_source)?;
            let whole = path.canonicalize().unwrap_or_else(|_| path.clone());
            (Side::Embedded(Box::new(store)), format!("file {}", whole.display()))
        }
        Backend::Redis(url) => {
            let store = RedisStore::connect_source(from, url).await.map_err(in_source)?;
            let name = format!("redis at {}", store.place());
            (Side::Redis(Box::new(store)), name)
        }
    };
    let target = match &to.backend {
        Backend::Embedded(path) => Side::Embedded(Box::new(EmbeddedStore::open_target(path).map_err(in_target)?)),
        Backend::Redis(url) => Side::Redis(Box::new(RedisStore::connect_target(to, url).await.map_err(in_target)?)),
    };
    match (&source, &target) {
        (Side::Embedded(source), Side::Embedded(target)) => copy::copy(&**source, &**target, &name, now(), watch).await,
        (Side::Embedded(source), Side::Redis(target)) => copy::copy(&**source, &**target, &name, now(), watch).await,
        (Side::Redis(source), Side::Embedded(target)) => copy::copy(&**source, &**target, &name, now(), watch).await,
        (Side::Redis(source), Side::Redis(target)) => copy::copy(&**source, &**target, &name, now(), watch).await,
    }
}

/// Why a store could never be opened, as far as that shows without opening it; for `check`.
///
/// # Errors
/// In words for the operator, with what to do.
pub fn check_store(config: &StoreConfig) -> Result<(), String> {
    match &config.backend {
        Backend::Redis(url) => RedisStore::check(config, url).map_err(|error| error.to_string()),
        Backend::Embedded(path) => match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            Some(folder) if !folder.is_dir() => {
                Err(format!("store.url: there is no folder {}; create it, or name another", folder.display()))
            }
            Some(_) | None => Ok(()),
        },
    }
}
