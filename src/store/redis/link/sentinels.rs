//! Redis Sentinel: who is master is asked at each new connection, and the answer is checked with the server itself.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, Value};

use super::super::{reply, trouble};
use super::address::{Forge, Node, text};
use super::checked;
use super::line::{bounds, pipeline};
use crate::store::StoreError;

/// How long a sentinel may take: they are asked together, and one that answers is enough.
const SENTINEL: Duration = Duration::from_secs(2);

/// Who knows the master of a service.
pub(super) struct Sentinels {
    ask: Forge,
    serve: Forge,
    nodes: Vec<Node>,
    service: String,
}

impl Sentinels {
    /// Nothing is sent yet.
    pub(super) fn new(ask: Forge, serve: Forge, nodes: Vec<Node>, service: String) -> Self {
        Self { ask, serve, nodes, service }
    }

    /// What may be said of them.
    pub(super) fn place(&self) -> String {
        let nodes: Vec<_> = self.nodes.iter().map(text).collect();
        format!("`{}` of the sentinels {}", self.service, nodes.join(", "))
    }

    /// A connection to the server that a sentinel names and that says itself that it is the master.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub(super) async fn connect(&self) -> Result<MultiplexedConnection, StoreError> {
        let mut answers: FuturesUnordered<_> = self.nodes.iter().map(|sentinel| self.named_by(sentinel)).collect();
        let mut tried = HashSet::new();
        let (mut refused, mut is_unknown, mut away) = (None, false, None);
        while let Some(answer) = answers.next().await {
            match answer {
                Ok(Some(master)) if tried.contains(&master) => {}
                Ok(Some(master)) => match self.master_at(&master).await {
                    Ok(connection) => return Ok(connection),
                    Err(error) => {
                        tried.insert(master);
                        refused = Some(error);
                    }
                },
                Ok(None) => is_unknown = true,
                Err(error) => away = Some(error),
            }
        }
        let unknown = || {
            let text = format!("the sentinels know no service `{}`: check `store.url`", self.service);
            is_unknown.then_some(StoreError::Unusable(text))
        };
        let nobody = || StoreError::Unavailable(format!("{}: no sentinel is named", self.place()), None);
        Err(refused.or_else(unknown).or(away).unwrap_or_else(nobody))
    }

    async fn named_by(&self, sentinel: &Node) -> Result<Option<Node>, StoreError> {
        let mut command = redis::cmd("SENTINEL");
        command.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.service);
        let asked = tokio::time::timeout(SENTINEL, one(&self.ask, sentinel, command)).await;
        let (_, value) = asked.unwrap_or_else(|_| {
            Err(StoreError::Unavailable(format!("the sentinel at {} gave no answer in time", text(sentinel)), None))
        })?;
        if value == Value::Nil {
            return Ok(None);
        }
        let [host, port] = reply::exactly(value)?;
        Ok(Some((reply::text(host)?, reply::parse(&reply::bytes(port)?)?)))
    }

    async fn master_at(&self, node: &Node) -> Result<MultiplexedConnection, StoreError> {
        let (connection, role) = one(&self.serve, node, redis::cmd("ROLE")).await?;
        let role = reply::list(role)?.into_iter().next().map(reply::text).transpose()?;
        if role.as_deref() == Some("master") {
            return Ok(connection);
        }
        let text = format!("redis at {} was named by a sentinel and is no master (any more, or yet)", text(node));
        Err(StoreError::Unavailable(text, None))
    }
}

/// A new connection, and its answer to a first command.
async fn one(forge: &Forge, node: &Node, command: Cmd) -> Result<(MultiplexedConnection, Value), StoreError> {
    let place = text(node);
    let client = forge.client(node)?;
    let fault = |error| trouble::of_client(&place, error);
    let mut connection = client.get_multiplexed_async_connection_with_config(&bounds()).await.map_err(fault)?;
    let values = connection.send_packed_commands(&pipeline([command]), 0, 1).await.map_err(fault)?;
    Ok((connection, checked(&place, values.into_iter().next().unwrap_or_default())?))
}
