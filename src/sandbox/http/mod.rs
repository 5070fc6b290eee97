//! The pretend peers over sockets: both upstreams, a Bot API and a webhook catcher, and `/_control` beside each.
//!
//! hyper speaks HTTP/1.1 on our own accepted sockets, so that a script can reset, cut and hang what a web framework
//! would finish politely.

pub(super) mod bot;
mod hooks;
mod markup;
mod socket;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::bot::Bot;
use self::socket::{Abrupt, Socket};
use super::caught::{Asked, Caught};
use super::control;
use super::script::{Face, Script};
use super::upstreams::{self, Answer, Manner, Question};
use super::world::World;
use crate::domain::account::Upstream;

/// The most connections of one face at once; further ones wait to be accepted.
const MOST_CONNECTIONS: usize = 1024;

/// The largest request that is read.
const MOST_REQUEST: usize = 16 << 20;

/// How long a connection has, after the stop, to finish what it is answering.
const FAREWELL: Duration = Duration::from_millis(500);

/// One pretend peer.
#[derive(Clone)]
pub(super) struct Peer {
    pub(super) face: Face,
    pub(super) world: World,
    pub(super) script: Script,
    pub(super) caught: Caught,
    pub(super) bot: Arc<Bot>,
}

impl Peer {
    /// Answers one request, and notes that it was asked.
    pub(super) fn answer(&self, question: &Question) -> Answer {
        if question.path == control::PATH {
            return control::control(&self.world, &self.script, &self.caught, &question.body);
        }
        let (answer, path) = match self.face {
            Face::Telepagos => {
                let answer = upstreams::answer(&self.world, &self.script, Upstream::Telepagos, question);
                (answer, question.path.clone())
            }
            Face::Sipago => {
                let answer = upstreams::answer(&self.world, &self.script, Upstream::Sipago, question);
                (answer, question.path.clone())
            }
            Face::Telegram => self.bot.answer(self, question),
            // The mail catcher speaks another protocol and never gets here.
            Face::Webhook | Face::Mail => (hooks::answer(self, question), question.path.clone()),
        };
        let answered = answered(&answer);
        let line = format!("{} {path}", question.method);
        self.caught.put_asked(Asked { face: self.face, at: self.world.now(), line, answered });
        answer
    }
}

/// The status that goes out, if any.
fn answered(answer: &Answer) -> Option<u16> {
    match answer.manner {
        Manner::Whole | Manner::Delayed(_) | Manner::CutOff => Some(answer.status),
        Manner::Hang | Manner::Reset => None,
    }
}

/// Serves a peer on a bound listener until `stop`; then connections get a short farewell.
pub(super) async fn serve(listener: TcpListener, peer: Peer, stop: CancellationToken) {
    let connections = TaskTracker::new();
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let Some(Ok(permit)) = stop.run_until_cancelled(Arc::clone(&room).acquire_owned()).await else { break };
        let Some(accepted) = stop.run_until_cancelled(listener.accept()).await else { break };
        let Ok((stream, _)) = accepted else {
            // Out of descriptors, or a client that left: a pause keeps a lasting error from spinning.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let (peer, stop) = (peer.clone(), stop.clone());
        connections.spawn(async move {
            connection(stream, peer, stop).await;
            drop(permit);
        });
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn connection(stream: TcpStream, peer: Peer, stop: CancellationToken) {
    // Small answers should not wait for an acknowledgement; where it cannot be set they are slower, no more.
    drop(stream.set_nodelay(true));
    let abrupt = Abrupt::default();
    let service = hyper::service::service_fn({
        let abrupt = abrupt.clone();
        move |request| answer_one(request, peer.clone(), abrupt.clone())
    });
    let mut connection = std::pin::pin!(
        hyper::server::conn::http1::Builder::new().serve_connection(Socket::new(stream, abrupt), service)
    );
    tokio::select! {
        // An error here is a client that left or a fault that we caused.
        _ended = connection.as_mut() => return,
        () = stop.cancelled() => {}
    }
    connection.as_mut().graceful_shutdown();
    let _late = tokio::time::timeout(FAREWELL, connection).await;
}

async fn answer_one(
    request: hyper::Request<Incoming>,
    peer: Peer,
    abrupt: Abrupt,
) -> io::Result<hyper::Response<Body>> {
    let question = match read(request).await {
        Ok(question) => question,
        Err(refusal) => return Ok(whole(&refusal)),
    };
    let answer = peer.answer(&question);
    match answer.manner {
        Manner::Whole => Ok(whole(&answer)),
        Manner::Delayed(delay) => {
            tokio::time::sleep(delay).await;
            Ok(whole(&answer))
        }
        Manner::Hang => std::future::pending().await,
        Manner::Reset => {
            abrupt.set();
            Err(io::ErrorKind::ConnectionReset.into())
        }
        Manner::CutOff => Ok(cut_off(&answer)),
    }
}

async fn read(request: hyper::Request<Incoming>) -> Result<Question, Answer> {
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(Body::new(body), MOST_REQUEST).await else {
        return Err(Answer::json(413, r#"{"status":"error","message":"request too large"}"#));
    };
    let headers = head
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    Ok(Question {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: headers.collect(),
        body,
    })
}

fn whole(answer: &Answer) -> hyper::Response<Body> {
    with_head(answer, Body::from(answer.body.clone()))
}

/// Announces the whole length, sends half, then breaks.
fn cut_off(answer: &Answer) -> hyper::Response<Body> {
    let half = answer.body.slice(..answer.body.len() / 2);
    let first = stream::once(std::future::ready(Ok::<Bytes, io::Error>(half)));
    let then = stream::once(async {
        // hyper flushes what it has only when the body makes it wait; without this not even the head would go out.
        tokio::task::yield_now().await;
        Err(io::ErrorKind::UnexpectedEof.into())
    });
    let mut response = with_head(answer, Body::from_stream(first.chain(then)));
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(answer.body.len().max(1)));
    response
}

fn with_head(answer: &Answer, body: Body) -> hyper::Response<Body> {
    let mut response = hyper::Response::new(body);
    *response.status_mut() =
        hyper::StatusCode::from_u16(answer.status).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    if let Some(wait) = answer.retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs()));
    }
    if let Some(location) = answer.location.as_deref().and_then(|to| HeaderValue::from_str(to).ok()) {
        headers.insert(LOCATION, location);
    }
    response
}

#[cfg(test)]
mod tests;
