//! Meeting servers, and what can make them forget.

use std::collections::HashMap;
use std::time::Duration;

use redis::Cmd;

use super::keys::{Keys, MOST_SHARDS, SHARDS};
use super::link::{Link, Server};
use super::{reply, trouble};
use crate::store::StoreError;

/// The form of what this release writes. A store of a newer form is refused.
const FORM: u32 = 1;
/// The oldest server that we are tried on (DESIGN §6).
const OLDEST: (u32, u32) = (6, 2);
/// The field of the mark of a copy that is being written, beside form and shards.
pub(super) const COPY: &str = "copy";
/// Between two looks at a server that is still loading.
const AGAIN: Duration = Duration::from_millis(100);

/// Waits until the server is ready, checks it, and reads or records the form. Returns the number of shards.
///
/// `half`: a copy that is not whole yet is welcome. The wait has no end of its own: the caller bounds it.
///
/// # Errors
/// See [`super::RedisStore::connect`].
pub(super) async fn meet(link: &Link, prefix: &str, half: bool) -> Result<u16, StoreError> {
    loop {
        match greet(link, prefix, half).await {
            Err(StoreError::Unavailable(text, _)) if text.ends_with("(LOADING)") => tokio::time::sleep(AGAIN).await,
            Err(error) => return Err(trouble::at_first_contact(link.place(), error)),
            Ok(shards) => return Ok(shards),
        }
    }
}

/// Whether a store was begun under the prefix.
///
/// # Errors
/// See [`super::RedisStore::connect`].
pub(super) async fn is_begun(link: &Link, prefix: &str) -> Result<bool, StoreError> {
    let known = recorded(link, &Keys::meta(prefix)).await;
    known.map(|known| known.0.is_some()).map_err(|error| trouble::at_first_contact(link.place(), error))
}

async fn greet(link: &Link, prefix: &str, half: bool) -> Result<u16, StoreError> {
    check_server(link).await?;
    let meta = Keys::meta(prefix);
    let mut known = recorded(link, &meta).await?;
    if known.0.is_none() {
        let record = |field: &str, value: u32| {
            let mut command = redis::cmd("HSETNX");
            command.arg(&meta).arg(field).arg(value);
            command
        };
        // Another instance may begin the same store now: whoever is first wins, and both read what stands.
        link.ask([record("shards", u32::from(SHARDS)), record("form", FORM)]).await?;
        known = recorded(link, &meta).await?;
    }
    let form = known.0.unwrap_or(FORM);
    if form > FORM {
        return Err(StoreError::Unusable(format!(
            "redis at {} holds form {form} of our data, written by a newer release; this one knows forms up to {FORM}: \
             run the newer release",
            link.place()
        )));
    }
    if known.2 && !half {
        return Err(StoreError::Unusable(format!(
            "redis at {} holds a copy that is not whole yet under our prefix: run `store copy` again to finish it",
            link.place()
        )));
    }
    known
        .1
        .and_then(|shards| u16::try_from(shards).ok())
        .filter(|shards| (1..=MOST_SHARDS).contains(shards))
        .ok_or_else(|| {
            StoreError::Unusable(format!(
                "redis at {} records no usable number of shards under our prefix",
                link.place()
            ))
        })
}

async fn recorded(link: &Link, meta: &str) -> Result<(Option<u32>, Option<u32>, bool), StoreError> {
    let mut command = redis::cmd("HMGET");
    command.arg(meta).arg("form").arg("shards").arg(COPY);
    let [form, shards, copy] = reply::exactly(link.ask_one(command).await?)?;
    let number = |value| reply::maybe_bytes(value)?.map(|bytes| reply::parse(&bytes)).transpose();
    Ok((number(form)?, number(shards)?, copy != redis::Value::Nil))
}

async fn check_server(link: &Link) -> Result<(), StoreError> {
    for server in link.servers().await? {
        if let Some(info) = info(&server).await? {
            fits(&info, &server.place(), link.is_cluster())?;
        }
    }
    Ok(())
}

/// Whether a server that says this of itself is for us.
fn fits(info: &HashMap<String, String>, place: &str, as_cluster: bool) -> Result<(), StoreError> {
    if info.get("loading").is_some_and(|loading| loading == "1") {
        return Err(StoreError::Unavailable(format!("redis at {place} cannot serve now (LOADING)"), None));
    }
    if let Some(text) = info.get("redis_version") {
        let mut numbers = text.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
        let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        if version < OLDEST {
            return Err(StoreError::Unusable(format!(
                "redis at {place} is version {}.{}; {}.{} or newer is needed",
                version.0, version.1, OLDEST.0, OLDEST.1
            )));
        }
    }
    match (info.get("redis_mode").map(String::as_str), as_cluster) {
        (Some("cluster"), false) => Err(StoreError::Unusable(format!(
            "redis at {place} is part of a Redis Cluster, which `redis://` cannot use: write `redis+cluster://`"
        ))),
        (Some("sentinel"), _) => Err(StoreError::Unusable(format!(
            "redis at {place} is a sentinel: write `redis+sentinel://{place}/service`"
        ))),
        _ => Ok(()),
    }
}

/// What the server says of itself; `None` when it does not allow us to ask.
async fn info(server: &Server<'_>) -> Result<Option<HashMap<String, String>>, StoreError> {
    let Some(value) = allowed(server.ask(redis::cmd("INFO")).await)? else { return Ok(None) };
    let text = reply::text(value)?;
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    Ok(Some(pairs.map(|(key, value)| (key.to_owned(), value.trim().to_owned())).collect()))
}

async fn setting(server: &Server<'_>, name: &str) -> Result<Option<String>, StoreError> {
    let mut command: Cmd = redis::cmd("CONFIG");
    command.arg("GET").arg(name);
    let Some(value) = allowed(server.ask(command).await)? else { return Ok(None) };
    reply::pairs(value)?.into_iter().next().map(|(_, value)| reply::text(value)).transpose()
}

/// A question that an ACL, or a provider that hides the command, may refuse.
fn allowed<T>(answer: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(StoreError::Unusable(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What can make these servers forget.
///
/// # Errors
/// See [`StoreError`].
pub(super) async fn warnings(link: &Link) -> Result<Vec<String>, StoreError> {
    let mut out = Vec::new();
    for server in link.servers().await? {
        let info = info(&server).await?.unwrap_or_default();
        let appends = setting(&server, "appendonly").await?;
        let appends =
            appends.or_else(|| info.get("aof_enabled").map(|on| (if on == "1" { "yes" } else { "no" }).to_owned()));
        let facts = Facts {
            appends: appends.map(|value| value == "yes"),
            fsync: setting(&server, "appendfsync").await?,
            saves: setting(&server, "save").await?.map(|value| !value.is_empty()),
            memory_limit: info.get("maxmemory").and_then(|value| value.parse().ok()).unwrap_or(0),
            eviction: info.get("maxmemory_policy").cloned(),
        };
        out.extend(facts.warnings(&server.place()));
    }
    Ok(out)
}

/// What is known of how a server keeps its memory; `None`: it does not say.
#[derive(Debug, Default)]
struct Facts {
    appends: Option<bool>,
    fsync: Option<String>,
    saves: Option<bool>,
    memory_limit: u64,
    eviction: Option<String>,
}

impl Facts {
    fn warnings(&self, place: &str) -> Vec<String> {
        let mut out = Vec::new();
        match (self.appends, self.saves) {
            (Some(true), _) => match self.fsync.as_deref() {
                Some("always") => {}
                Some("no") => out.push(format!(
                    "redis at {place} leaves it to the system when to write its append-only file: a power failure can \
                     cost half a minute; set `appendfsync everysec` or `always`"
                )),
                _ => out.push(format!(
                    "redis at {place} can forget the last second at a power failure (`appendfsync everysec`); set \
                     `always` if that is too much"
                )),
            },
            (Some(false), Some(false)) => out.push(format!(
                "redis at {place} keeps nothing on disk and can forget everything on restart; set `appendonly yes`"
            )),
            (Some(false), _) => out.push(format!(
                "redis at {place} keeps snapshots only and can forget minutes on restart; set `appendonly yes`"
            )),
            (None, _) => out.push(format!(
                "redis at {place} does not say whether it keeps its memory on disk; see that `appendonly` is `yes`"
            )),
        }
        if let Some(policy) = self.eviction.as_deref().filter(|policy| self.memory_limit > 0 && *policy != "noeviction")
        {
            out.push(format!(
                "redis at {place} throws data away when it is full (`maxmemory-policy {policy}`); set `noeviction`"
            ));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_can_forget_is_said() {
        let count = |facts: Facts| facts.warnings("h:1").len();
        let durable = || Facts { appends: Some(true), fsync: Some("always".to_owned()), ..Facts::default() };
        assert_eq!(count(durable()), 0);
        assert_eq!(count(Facts { fsync: Some("everysec".to_owned()), ..durable() }), 1);
        assert_eq!(count(Facts { fsync: Some("no".to_owned()), ..durable() }), 1);
        assert_eq!(count(Facts { appends: Some(false), saves: Some(true), ..durable() }), 1);
        let nothing = Facts { appends: Some(false), saves: Some(false), ..durable() };
        assert!(nothing.warnings("h:1")[0].contains("everything on restart"));
        assert_eq!(count(Facts { appends: None, ..durable() }), 1);
        let evicting = |memory_limit| Facts { memory_limit, eviction: Some("allkeys-lru".to_owned()), ..durable() };
        assert_eq!((count(evicting(0)), count(evicting(1))), (0, 1));
    }
}
