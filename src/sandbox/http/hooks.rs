//! The webhook catcher: `POST /hooks/{name}` is kept and answered 200, unless the script says otherwise.

use hyper::Method;

use super::{Peer, answered};
use crate::sandbox::caught::Webhook;
use crate::sandbox::script::{Face, apply};
use crate::sandbox::upstreams::{Answer, Question};

/// Keeps the attempt, whatever becomes of it, and answers. It is on the shelf before the answer leaves.
pub(super) fn answer(peer: &Peer, question: &Question) -> Answer {
    let Some(name) = question.path.strip_prefix("/hooks/") else {
        return Answer::json(404, r#"{"message":"try /hooks/{name}"}"#);
    };
    if question.method != Method::POST {
        return Answer::json(405, r#"{"message":"try POST"}"#);
    }
    let fault = peer.script.strike(Face::Webhook, &question.path, &[question.query.as_bytes(), &question.body]);
    let answer = apply(fault, |_| Answer::json(200, r#"{"ok":true}"#));
    peer.caught.put_webhook(Webhook {
        name: name.to_owned(),
        at: peer.world.now(),
        headers: question.headers.clone(),
        body: question.body.clone(),
        answered: answered(&answer),
    });
    answer
}
