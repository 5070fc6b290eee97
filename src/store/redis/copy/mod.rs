//! Redis as the source or target of a copy.

mod dump;
mod load;

use async_trait::async_trait;

use super::keys::{Keys, LEASES};
use super::link::Link;
use super::{RedisStore, health, reply};
use crate::config::{RedisUrl, StoreConfig};
use crate::store::StoreError;
use crate::store::copy::{Dump, Kind, Load, Mark, Page, Record};

impl RedisStore {
    /// Connects to a store that a copy reads. It must be there.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub async fn connect_source(config: &StoreConfig, url: &RedisUrl) -> Result<Self, StoreError> {
        let link = Link::new(url, &config.tls)?;
        if !health::is_begun(&link, &config.prefix).await? {
            let text = format!("redis at {} holds no store under the prefix `{}`", link.place(), config.prefix);
            return Err(StoreError::Unusable(text));
        }
        Self::connect(config, url).await
    }

    /// Connects to a store that a copy fills. It may hold a copy that was cut off.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub async fn connect_target(config: &StoreConfig, url: &RedisUrl) -> Result<Self, StoreError> {
        Self::connect_to(config, url, true).await
    }

    /// Where it is: the server and the prefix, without the password.
    pub fn place(&self) -> String {
        format!("{} {}", self.link.place(), self.keys.at(0, ""))
    }
}

#[async_trait]
impl Dump for RedisStore {
    async fn page(&self, kind: Kind, from: &str) -> Result<Page, StoreError> {
        match kind {
            Kind::Accounts => dump::accounts(self, from).await,
            Kind::Ledgers => dump::ledgers(self, from).await,
            Kind::Events => dump::events(self, from).await,
            Kind::Rejects => dump::rejects(self, from).await,
            Kind::Watches => dump::watches(self, from).await,
            Kind::Payouts => dump::payouts(self, from).await,
        }
    }

    async fn users(&self) -> Result<Vec<String>, StoreError> {
        let now = dump::now(self).await?;
        let commands = self.keys.all().map(|shard| {
            let mut command = redis::cmd("HGETALL");
            command.arg(self.keys.at(shard, LEASES));
            command
        });
        let mut users = std::collections::BTreeSet::new();
        for value in self.link.ask(commands).await? {
            for (_, lease) in reply::pairs(value)? {
                // Fence, end and holder, as `acquire.lua` writes them.
                let lease = reply::text(lease)?;
                let mut words = lease.splitn(3, ' ').skip(1);
                let end = words.next().and_then(|end| end.parse::<i64>().ok()).unwrap_or_default();
                if end > now.as_millisecond() {
                    users.extend(words.next().map(str::to_owned));
                }
            }
        }
        Ok(users.into_iter().collect())
    }
}

#[async_trait]
impl Load for RedisStore {
    async fn mark(&self) -> Result<Option<Mark>, StoreError> {
        let mut command = redis::cmd("HGET");
        command.arg(self.meta()).arg(health::COPY);
        let Some(bytes) = reply::maybe_bytes(self.link.ask_one(command).await?)? else { return Ok(None) };
        let mark = std::str::from_utf8(&bytes).ok().and_then(Mark::from_text);
        mark.map(Some).ok_or_else(|| StoreError::Unusable("the mark of a copy is damaged".to_owned()))
    }

    async fn set_mark(&self, mark: Option<&Mark>) -> Result<(), StoreError> {
        let mut command = redis::cmd(if mark.is_some() { "HSET" } else { "HDEL" });
        command.arg(self.meta()).arg(health::COPY);
        if let Some(mark) = mark {
            command.arg(mark.to_text());
        }
        self.link.ask_one(command).await.map(drop)
    }

    async fn load(&self, records: Vec<Record>) -> Result<(), StoreError> {
        load::load(self, records).await
    }
}

impl RedisStore {
    fn meta(&self) -> String {
        self.keys.at(0, Keys::META)
    }
}
