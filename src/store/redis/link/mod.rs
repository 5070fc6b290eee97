//! The way to Redis, whatever its form: one server, the master that sentinels name, or the masters of a cluster.
//!
//! Commands say by their keys where they belong, so that callers need not know the form.

mod address;
mod cluster;
mod line;
mod sentinels;
mod slots;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use redis::{Cmd, Value};

use self::address::Address;
use self::cluster::Cluster;
use self::line::{Dial, Line, pipeline};
use self::sentinels::Sentinels;
use super::trouble;
use crate::config::{RedisTls, RedisUrl};
use crate::store::StoreError;

/// A Lua script and its name at the server.
#[derive(Clone, Debug)]
pub(super) struct Script {
    code: String,
    hash: String,
}

impl Script {
    /// The common head and a script's own body.
    pub(super) fn new(head: &str, body: &str) -> Self {
        let code = format!("{head}\n{body}");
        let hash = redis::Script::new(&code).get_hash().to_owned();
        Self { code, hash }
    }

    /// The beginning of a call; the arguments follow.
    pub(super) fn call(&self, keys: &[String]) -> Cmd {
        let mut command = redis::cmd("EVALSHA");
        command.arg(&self.hash).arg(keys.len());
        for key in keys {
            command.arg(key);
        }
        command
    }

    /// Gives the script to the server.
    fn load(&self) -> Cmd {
        let mut command = redis::cmd("SCRIPT");
        command.arg("LOAD").arg(&self.code);
        command
    }
}

enum Form {
    One(Box<Line>),
    Cluster(Box<Cluster>),
}

/// The way to a Redis.
pub(super) struct Link {
    form: Form,
    /// What may be said of the URL.
    place: String,
    /// Connections opened, and other changes after which copies in the process are in doubt.
    opened: Arc<AtomicU64>,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Link {
    /// Prepares the way; nothing is sent yet.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] when the URL is none of Redis, or a certificate cannot be read.
    pub(super) fn new(url: &RedisUrl, tls: &RedisTls) -> Result<Self, StoreError> {
        let opened = Arc::new(AtomicU64::new(0));
        let (form, place) = match Address::read(url, tls)? {
            Address::Server(client, place) => {
                let line = Line::new(Dial::Server(client), place.clone(), Arc::clone(&opened));
                (Form::One(Box::new(line)), place)
            }
            Address::Sentinels { ask, serve, nodes, service } => {
                let sentinels = Sentinels::new(ask, serve, nodes, service);
                let place = sentinels.place();
                let line = Line::new(Dial::Sentinels(Box::new(sentinels)), place.clone(), Arc::clone(&opened));
                (Form::One(Box::new(line)), place)
            }
            Address::Cluster(forge, seeds) => {
                let cluster = Cluster::new(forge, seeds, Arc::clone(&opened));
                let place = cluster.place();
                (Form::Cluster(Box::new(cluster)), place)
            }
        };
        Ok(Self { form, place, opened })
    }

    /// Host and port, or the socket, or the sentinels, or some nodes.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Whether keys of different shards may be on different servers.
    pub(super) const fn is_cluster(&self) -> bool {
        matches!(self.form, Form::Cluster(_))
    }

    /// How often a connection was opened, or led elsewhere than before.
    pub(super) fn opened(&self) -> u64 {
        self.opened.load(Ordering::Acquire)
    }

    /// Sends commands together; the first error is the error of all.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub(super) async fn ask(&self, commands: impl IntoIterator<Item = Cmd>) -> Result<Vec<Value>, StoreError> {
        let commands: Vec<Cmd> = commands.into_iter().collect();
        match &self.form {
            Form::One(line) => {
                line.send(&pipeline(commands)).await?.into_iter().map(|value| checked(line.place(), value)).collect()
            }
            Form::Cluster(cluster) => {
                let answers = cluster.send(&commands, None).await;
                answers.into_iter().map(|answer| checked(&self.place, answer?)).collect()
            }
        }
    }

    /// Sends one command.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub(super) async fn ask_one(&self, command: Cmd) -> Result<Value, StoreError> {
        self.ask([command]).await.map(|values| values.into_iter().next().unwrap_or_default())
    }

    /// Every server that may be asked about itself: its place, and how to reach it.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub(super) async fn servers(&self) -> Result<Vec<Server<'_>>, StoreError> {
        match &self.form {
            Form::One(_) => Ok(vec![Server { link: self, node: None }]),
            Form::Cluster(cluster) => {
                let nodes = cluster.nodes().await?;
                Ok(nodes.into_iter().map(|node| Server { link: self, node: Some((cluster, node)) }).collect())
            }
        }
    }

    /// Runs one call of a script; a server that does not know it (any more) is given it.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub(super) async fn run(&self, script: &Script, call: Cmd) -> Result<Value, StoreError> {
        self.run_each(script, vec![call]).await.into_iter().next().unwrap_or_else(|| Ok(Value::Nil))
    }

    /// Runs many calls of a script together; the first error is the error of all.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub(super) async fn run_all(&self, script: &Script, calls: Vec<Cmd>) -> Result<Vec<Value>, StoreError> {
        self.run_each(script, calls).await.into_iter().collect()
    }

    /// Runs many calls of a script together; each has an answer of its own, in order.
    pub(super) async fn run_each(&self, script: &Script, calls: Vec<Cmd>) -> Vec<Result<Value, StoreError>> {
        match &self.form {
            Form::One(line) => {
                let count = calls.len();
                match run_on(line, script, calls).await {
                    Ok(values) => values.into_iter().map(|value| checked(line.place(), value)).collect(),
                    Err(error) => {
                        let text = match &error {
                            StoreError::Unavailable(text, _) | StoreError::Unusable(text) => text.clone(),
                        };
                        // One connection, one fault: the first answer carries it in full.
                        let others = (1..count).map(|_| Err(StoreError::Unavailable(text.clone(), None)));
                        std::iter::once(Err(error)).chain(others).take(count).collect()
                    }
                }
            }
            Form::Cluster(cluster) => {
                let answers = cluster.send(&calls, Some(script)).await;
                answers.into_iter().map(|answer| checked(&self.place, answer?)).collect()
            }
        }
    }
}

/// One server of a [`Link`].
pub(super) struct Server<'a> {
    link: &'a Link,
    node: Option<(&'a Cluster, address::Node)>,
}

impl Server<'_> {
    /// Where it is.
    pub(super) fn place(&self) -> String {
        self.node.as_ref().map_or_else(|| self.link.place.clone(), |(_, node)| address::text(node))
    }

    /// Asks it.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub(super) async fn ask(&self, command: Cmd) -> Result<Value, StoreError> {
        let Some((cluster, node)) = &self.node else { return self.link.ask_one(command).await };
        let values = cluster.send_to(node, vec![command]).await?;
        checked(&address::text(node), values.into_iter().next().unwrap_or_default())
    }
}

async fn run_on(line: &Line, script: &Script, calls: Vec<Cmd>) -> Result<Vec<Value>, StoreError> {
    if calls.is_empty() {
        return Ok(Vec::new());
    }
    if calls.len() > 1 {
        // Called together are those that are called rarely: the script is sent along.
        let values = line.send(&pipeline(std::iter::once(script.load()).chain(calls))).await?;
        return Ok(values.into_iter().skip(1).collect());
    }
    let values = line.send(&pipeline(calls.clone())).await?;
    let is_unknown = |value: &Value| matches!(value, Value::ServerError(error) if trouble::is_unknown_script(error));
    if !values.iter().any(is_unknown) {
        return Ok(values);
    }
    // Together, so that a server that forgets once more has no time for it in between.
    let mut values = line.send(&pipeline(std::iter::once(script.load()).chain(calls))).await?.into_iter();
    checked(line.place(), values.next().unwrap_or_default())?;
    Ok(values.collect())
}

/// An answer that is none of an error.
fn checked(place: &str, value: Value) -> Result<Value, StoreError> {
    if let Value::ServerError(error) = &value {
        return Err(trouble::of_server(place, error));
    }
    Ok(value)
}
