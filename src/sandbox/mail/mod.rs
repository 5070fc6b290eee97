//! A mail catcher: SMTP as RFC 5321 has it, without TLS, on the loopback interface only.
//!
//! It takes EHLO, HELO, AUTH PLAIN and LOGIN (anybody may log in), MAIL, RCPT, DATA, RSET, NOOP, VRFY and QUIT, one
//! command at a time: PIPELINING is not offered. Each command asks the script under its own name, the connection itself
//! as `CONNECT` and the final dot as `BODY`. A status of the script becomes the reply; 421 closes after it.

mod session;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::caught::Caught;
use super::script::Script;
use super::world::World;

/// The most connections at once; further ones wait to be accepted.
const MOST_CONNECTIONS: usize = 256;

/// What every session needs.
#[derive(Clone)]
pub(super) struct PostOffice {
    pub(super) world: World,
    pub(super) script: Script,
    pub(super) caught: Caught,
}

/// Serves on a bound listener until `stop`; sessions are then cut.
pub(super) async fn serve(listener: TcpListener, office: PostOffice, stop: CancellationToken) {
    let sessions = TaskTracker::new();
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let Some(Ok(permit)) = stop.run_until_cancelled(Arc::clone(&room).acquire_owned()).await else { break };
        let Some(accepted) = stop.run_until_cancelled(listener.accept()).await else { break };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let (office, stop) = (office.clone(), stop.clone());
        sessions.spawn(async move {
            // An error of a session is a client that left or a fault that we caused.
            let _ended = stop.run_until_cancelled(session::run(stream, office)).await;
            drop(permit);
        });
    }
    drop(listener);
    sessions.close();
    sessions.wait().await;
}

#[cfg(test)]
mod tests;
