//! The way to Redis: one connection for all, thrown away when it breaks or goes silent, opened again by the next call.
//!
//! Not redis' own `ConnectionManager`: that one keeps a connection whose answers time out, so that a server which
//! vanished without a word is missed until the kernel gives up (redis 1.8.1, `RedisError::retry_method`).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, IntoConnectionInfo as _, Pipeline, Value};
use tokio::sync::Mutex;

use super::trouble;
use crate::config::RedisUrl;
use crate::store::StoreError;

/// How long a connection may take to open.
const OPEN: Duration = Duration::from_secs(3);
/// How long an answer may take. An fsync that stalls holds Redis up for a second or two.
const ANSWER: Duration = Duration::from_secs(10);

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
    pub(super) fn load(&self) -> Cmd {
        let mut command = redis::cmd("SCRIPT");
        command.arg("LOAD").arg(&self.code);
        command
    }
}

#[derive(Default)]
struct Line {
    number: u64,
    connection: Option<MultiplexedConnection>,
}

/// The way to one Redis server.
pub(super) struct Link {
    client: Client,
    /// Host and port, or the socket: what may be said of the URL.
    place: String,
    line: Mutex<Line>,
    /// The number of the connection, for who does not want to wait for the line.
    opened: AtomicU64,
    /// Failed attempts to connect: who waited for one does not repeat it.
    failures: AtomicU64,
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
    /// [`StoreError::Unusable`] when the URL is none of Redis.
    pub(super) fn new(url: &RedisUrl) -> Result<Self, StoreError> {
        let scheme = url.0.split("://").next().unwrap_or_default();
        if matches!(scheme, "redis+cluster" | "redis+sentinel") {
            return Err(StoreError::Unusable(format!(
                "this release does not speak `{scheme}://` yet: name one server with `redis://`"
            )));
        }
        // The crate's own words may repeat parts of the URL.
        let unreadable = || {
            StoreError::Unusable(
                "`store.url` is no Redis URL: redis://[user:password@]host[:port][/database]".to_owned(),
            )
        };
        let info = url.0.as_str().into_connection_info().map_err(|_| unreadable())?;
        let settings = info.tcp_settings().clone().set_nodelay(true);
        let info = info.set_tcp_settings(settings);
        let place = info.addr().to_string();
        let client = Client::open(info).map_err(|_| unreadable())?;
        Ok(Self { client, place, line: Mutex::default(), opened: AtomicU64::new(0), failures: AtomicU64::new(0) })
    }

    /// Host and port, or the socket.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// How often a connection was opened.
    pub(super) fn opened(&self) -> u64 {
        self.opened.load(Ordering::Acquire)
    }

    /// The connection, opened if there is none.
    async fn connection(&self) -> Result<(u64, MultiplexedConnection), StoreError> {
        let failures = self.failures.load(Ordering::Acquire);
        let mut line = self.line.lock().await;
        if let Some(connection) = &line.connection {
            return Ok((line.number, connection.clone()));
        }
        if self.failures.load(Ordering::Acquire) != failures {
            let text = format!("redis at {} could not be reached a moment ago", self.place);
            return Err(StoreError::Unavailable(text, None));
        }
        let settings =
            AsyncConnectionConfig::new().set_connection_timeout(Some(OPEN)).set_response_timeout(Some(ANSWER));
        match self.client.get_multiplexed_async_connection_with_config(&settings).await {
            Ok(connection) => {
                line.number += 1;
                self.opened.store(line.number, Ordering::Release);
                line.connection = Some(connection.clone());
                Ok((line.number, connection))
            }
            Err(error) => {
                self.failures.fetch_add(1, Ordering::AcqRel);
                Err(trouble::of_client(&self.place, error))
            }
        }
    }

    /// Throws a connection away, unless that was done already.
    async fn drop_connection(&self, number: u64) {
        let mut line = self.line.lock().await;
        if line.number == number {
            line.connection = None;
        }
    }

    /// Sends commands together and takes their answers, errors among them.
    async fn send(&self, commands: &Pipeline) -> Result<Vec<Value>, StoreError> {
        let (number, mut connection) = self.connection().await?;
        match connection.send_packed_commands(commands, 0, commands.len()).await {
            Ok(values) => {
                let demoted =
                    values.iter().any(|value| matches!(value, Value::ServerError(e) if e.code() == "READONLY"));
                if demoted {
                    self.drop_connection(number).await;
                }
                Ok(values)
            }
            Err(error) => {
                if trouble::breaks_the_connection(&error) {
                    self.drop_connection(number).await;
                }
                Err(trouble::of_client(&self.place, error))
            }
        }
    }

    /// Sends commands together; the first error is the error of all.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub(super) async fn ask(&self, commands: impl IntoIterator<Item = Cmd>) -> Result<Vec<Value>, StoreError> {
        let values = self.send(&pipeline(commands)).await?;
        self.checked(values)
    }

    /// Sends one command.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub(super) async fn ask_one(&self, command: Cmd) -> Result<Value, StoreError> {
        self.ask([command]).await.map(|values| values.into_iter().next().unwrap_or_default())
    }

    /// Runs one call of a script; a server that does not know it (any more) is given it.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub(super) async fn run(&self, script: &Script, call: Cmd) -> Result<Value, StoreError> {
        let call = pipeline([call]);
        let mut values = self.send(&call).await?;
        if values.iter().any(|value| matches!(value, Value::ServerError(error) if trouble::is_unknown_script(error))) {
            self.ask_one(script.load()).await?;
            values = self.send(&call).await?;
        }
        self.checked(values).map(|values| values.into_iter().next().unwrap_or_default())
    }

    /// Runs many calls of a script that is called rarely: it is sent along.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub(super) async fn run_all(&self, script: &Script, calls: Vec<Cmd>) -> Result<Vec<Value>, StoreError> {
        if calls.is_empty() {
            return Ok(Vec::new());
        }
        let values = self.ask(std::iter::once(script.load()).chain(calls)).await?;
        Ok(values.into_iter().skip(1).collect())
    }

    fn checked(&self, values: Vec<Value>) -> Result<Vec<Value>, StoreError> {
        match values.iter().find_map(|value| if let Value::ServerError(error) = value { Some(error) } else { None }) {
            Some(error) => Err(trouble::of_server(&self.place, error)),
            None => Ok(values),
        }
    }
}

fn pipeline(commands: impl IntoIterator<Item = Cmd>) -> Pipeline {
    let mut pipeline = redis::pipe();
    for command in commands {
        pipeline.add_command(command);
    }
    pipeline
}
