//! One connection, thrown away when it breaks or goes silent, opened again by the next call.
//!
//! Not redis' own `ConnectionManager`: that one keeps a connection whose answers time out, so that a server which
//! vanished without a word is missed until the kernel gives up (redis 1.8.1, `RedisError::retry_method`).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, Pipeline, Value};
use tokio::sync::Mutex;

use super::super::trouble;
use super::sentinels::Sentinels;
use crate::store::StoreError;

/// How long a connection may take to open.
const OPEN: Duration = Duration::from_secs(3);
/// How long an answer may take. An fsync that stalls holds Redis up for a second or two; a server that vanished without
/// a word is missed that long.
const ANSWER: Duration = Duration::from_secs(5);

/// The bounds of a connection.
pub(super) fn bounds() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new().set_connection_timeout(Some(OPEN)).set_response_timeout(Some(ANSWER))
}

/// How a connection comes about.
pub(super) enum Dial {
    /// To that server.
    Server(Box<Client>),
    /// To whom the sentinels name.
    Sentinels(Box<Sentinels>),
}

#[derive(Default)]
struct State {
    number: u64,
    connection: Option<MultiplexedConnection>,
}

/// The connection to one server, or to one role.
pub(super) struct Line {
    dial: Dial,
    /// What may be said of where it leads.
    place: String,
    state: Mutex<State>,
    /// Connections opened on all lines of the store, for who does not want to wait for one.
    opened: Arc<AtomicU64>,
    /// Failed attempts to connect: who waited for one does not repeat it.
    failures: AtomicU64,
}

impl Line {
    /// Nothing is sent yet.
    pub(super) fn new(dial: Dial, place: String, opened: Arc<AtomicU64>) -> Self {
        Self { dial, place, state: Mutex::default(), opened, failures: AtomicU64::new(0) }
    }

    /// What may be said of where it leads.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// The connection, opened if there is none.
    async fn connection(&self) -> Result<(u64, MultiplexedConnection), StoreError> {
        let failures = self.failures.load(Ordering::Acquire);
        let mut state = self.state.lock().await;
        if let Some(connection) = &state.connection {
            return Ok((state.number, connection.clone()));
        }
        if self.failures.load(Ordering::Acquire) != failures {
            let text = format!("redis at {} could not be reached a moment ago", self.place);
            return Err(StoreError::Unavailable(text, None));
        }
        let connection = match &self.dial {
            Dial::Server(client) => client
                .get_multiplexed_async_connection_with_config(&bounds())
                .await
                .map_err(|error| trouble::of_client(&self.place, error)),
            Dial::Sentinels(sentinels) => sentinels.connect().await,
        };
        match connection {
            Ok(connection) => {
                state.number += 1;
                self.opened.fetch_add(1, Ordering::AcqRel);
                state.connection = Some(connection.clone());
                Ok((state.number, connection))
            }
            Err(error) => {
                self.failures.fetch_add(1, Ordering::AcqRel);
                Err(error)
            }
        }
    }

    /// Throws a connection away, unless that was done already.
    async fn drop_connection(&self, number: u64) {
        let mut state = self.state.lock().await;
        if state.number == number {
            state.connection = None;
        }
    }

    /// Sends commands together and takes their answers, errors among them.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub(super) async fn send(&self, commands: &Pipeline) -> Result<Vec<Value>, StoreError> {
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
}

/// Commands that are sent together.
pub(super) fn pipeline(commands: impl IntoIterator<Item = Cmd>) -> Pipeline {
    let mut pipeline = redis::pipe();
    for command in commands {
        pipeline.add_command(command);
    }
    pipeline
}
