//! Requests to the pretend upstreams without sockets.

use std::io;

use async_trait::async_trait;

use crate::domain::account::Upstream;
use crate::http::{Request, Response, Transport, TransportError};
use crate::sandbox::caught::{Asked, Caught};
use crate::sandbox::script::{Face, Script};
use crate::sandbox::upstreams::{Answer, Manner, Question, answer};
use crate::sandbox::world::World;

/// One upstream of a world.
#[derive(Clone, Debug)]
pub struct DirectTransport {
    world: World,
    script: Script,
    caught: Caught,
    upstream: Upstream,
}

impl DirectTransport {
    /// To `upstream` in this world, under this script. Host and port of a URL do not matter.
    pub fn new(world: World, script: Script, upstream: Upstream) -> Self {
        Self { world, script, caught: Caught::default(), upstream }
    }

    /// What was asked through this transport.
    pub fn caught(&self) -> &Caught {
        &self.caught
    }

    fn note(&self, question: &Question, answered: Option<u16>) {
        let face = match self.upstream {
            Upstream::Telepagos => Face::Telepagos,
            Upstream::Sipago => Face::Sipago,
        };
        let line = format!("{} {}", question.method, question.path);
        self.caught.put_asked(Asked { face, at: self.world.now(), line, answered });
    }
}

#[async_trait]
impl Transport for DirectTransport {
    async fn call(&self, request: Request) -> Result<Response, TransportError> {
        let (limit, cap) = (request.timeout, request.body_cap);
        let question = question_of(request);
        let answer = answer(&self.world, &self.script, self.upstream, &question);
        let broken = |why: io::ErrorKind| Box::new(io::Error::from(why));
        match answer.manner {
            Manner::Whole => {}
            Manner::Delayed(delay) if delay < limit => tokio::time::sleep(delay).await,
            Manner::Delayed(_) | Manner::Hang => {
                self.note(&question, None);
                tokio::time::sleep(limit).await;
                return Err(TransportError::Timeout(limit));
            }
            Manner::Reset => {
                self.note(&question, None);
                // The connection stood: over sockets, too, it breaks after the request went out.
                return Err(TransportError::Broken(broken(io::ErrorKind::ConnectionReset)));
            }
            Manner::CutOff => {
                self.note(&question, Some(answer.status));
                return Err(TransportError::Broken(broken(io::ErrorKind::UnexpectedEof)));
            }
        }
        self.note(&question, Some(answer.status));
        let Answer { status, retry_after, location: _, content_type, body, manner: _ } = answer;
        if body.len() > cap {
            return Err(TransportError::TooLarge(cap));
        }
        Ok(Response { status, retry_after, content_type: Some(content_type.to_owned()), body })
    }
}

fn question_of(request: Request) -> Question {
    let mut headers: Vec<(String, String)> =
        request.headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
    let body = match request.body {
        Some((kind, body)) => {
            headers.push((String::from("content-type"), kind.to_owned()));
            body
        }
        None => bytes::Bytes::new(),
    };
    Question {
        method: request.method,
        path: request.url.path().to_owned(),
        query: request.url.query().unwrap_or_default().to_owned(),
        headers,
        body,
    }
}
