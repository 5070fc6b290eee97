//! A Bot API: what a bot that announces needs of it, in the shapes of core.telegram.org/bots/api (2026-11-21).
//!
//! Parameters come as JSON, form, multipart or query, method names in any letter case. Messages stand in chats, can be
//! edited, and are checked as the real one checks them: length, HTML markup, chat and reply that exist.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use super::{Peer, markup};
use crate::sandbox::caught::ChatMessage;
use crate::sandbox::script::{Face, apply};
use crate::sandbox::upstreams::{Answer, Fields, Manner, Question, fields};

/// The most characters of a message after markup (core.telegram.org/bots/api#sendmessage, 2026-11-21).
const MOST_TEXT: usize = 4096;

/// The most messages that can still be edited; the oldest go first.
const MOST_STANDING: usize = 10_000;

/// The longest that `getUpdates` is held open (core.telegram.org/bots/api#getupdates takes any; clients use ≤ 50 s).
const LONGEST_POLL: u64 = 50;

/// The bot's own memory: which messages stand where.
#[derive(Default)]
pub(in crate::sandbox) struct Bot(Mutex<Standing>);

#[derive(Default)]
struct Standing {
    last: i64,
    messages: BTreeMap<i64, ChatMessage>,
}

type Refusal = (u16, String);

impl Bot {
    /// Answers `/bot<token>/<method>`; the second value is the path without the token, for the shelf.
    pub(super) fn answer(&self, peer: &Peer, question: &Question) -> (Answer, String) {
        let mut segments = question.path.rsplitn(2, '/');
        let method = segments.next().unwrap_or_default();
        let token = segments.next().and_then(|rest| rest.rsplit('/').next()).and_then(|bot| bot.strip_prefix("bot"));
        let path = format!("/bot…/{method}");
        let Some(token) = token else { return (refusal(404, "Not Found"), path) };
        let fault = peer.script.strike(Face::Telegram, method, &[question.query.as_bytes(), &question.body]);
        let answer = apply(fault, |_| {
            if token != crate::sandbox::BOT_TOKEN {
                return refusal(401, "Unauthorized");
            }
            self.perform(peer, &method.to_ascii_lowercase(), &fields(question))
        });
        (answer, path)
    }

    fn perform(&self, peer: &Peer, method: &str, fields: &Fields) -> Answer {
        let result = match method {
            "getme" => Ok(me(true)),
            "sendmessage" => self.send(peer, fields),
            "editmessagetext" => self.edit(peer, fields),
            "deletemessage" => self.delete(fields),
            "sendchataction" | "deletewebhook" | "setmycommands" | "close" | "logout" => Ok(Value::Bool(true)),
            "getchat" => chat_id(fields).map(full_chat),
            "getwebhookinfo" => Ok(json!({ "url": "", "has_custom_certificate": false, "pending_update_count": 0 })),
            "getupdates" => {
                let held = fields.get("timeout").and_then(|text| text.parse().ok()).unwrap_or(0).min(LONGEST_POLL);
                let manner = Manner::Delayed(Duration::from_secs(held));
                return Answer { manner, ..Answer::json(200, r#"{"ok":true,"result":[]}"#) };
            }
            _ => Err((404, String::from("Not Found: method not found"))),
        };
        match result {
            Ok(result) => Answer::json(200, json!({ "ok": true, "result": result }).to_string()),
            Err((status, description)) => refusal(status, &description),
        }
    }

    fn send(&self, peer: &Peer, fields: &Fields) -> Result<Value, Refusal> {
        let chat_id = chat_id(fields)?;
        let (plain, text) = checked_text(fields)?;
        let reply_to = reply_to(fields);
        let mut standing = self.lock();
        let answers = reply_to.filter(|id| standing.messages.get(id).is_some_and(|known| known.chat_id == chat_id));
        if reply_to.is_some() && answers.is_none() && !allows_orphans(fields) {
            return Err(bad("message to be replied not found"));
        }
        standing.last += 1;
        let message = ChatMessage {
            at: peer.world.now(),
            chat_id,
            message_id: standing.last,
            thread_id: number(fields, "message_thread_id"),
            text,
            parse_mode: fields.get("parse_mode").cloned(),
            reply_to: answers,
            edit: false,
        };
        let printed = print(&message, &plain, None);
        standing.keep(message.clone());
        drop(standing);
        peer.caught.put_chat(message);
        Ok(printed)
    }

    fn edit(&self, peer: &Peer, fields: &Fields) -> Result<Value, Refusal> {
        let chat_id = chat_id(fields)?;
        let (plain, text) = checked_text(fields)?;
        let message_id = number(fields, "message_id").ok_or_else(|| bad("message identifier is not specified"))?;
        let mut standing = self.lock();
        let known = standing.messages.get(&message_id).filter(|known| known.chat_id == chat_id);
        let Some(known) = known else { return Err(bad("message to edit not found")) };
        if known.text == text {
            return Err(bad(
                "message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message",
            ));
        }
        let sent = known.at.as_second();
        let message = ChatMessage {
            at: peer.world.now(),
            text,
            parse_mode: fields.get("parse_mode").cloned(),
            edit: true,
            ..known.clone()
        };
        let printed = print(&message, &plain, Some(sent));
        standing.keep(message.clone());
        drop(standing);
        peer.caught.put_chat(message);
        Ok(printed)
    }

    fn delete(&self, fields: &Fields) -> Result<Value, Refusal> {
        let id = number(fields, "message_id").unwrap_or_default();
        match self.lock().messages.remove(&id) {
            Some(_) => Ok(Value::Bool(true)),
            None => Err(bad("message to delete not found")),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Standing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Standing {
    fn keep(&mut self, message: ChatMessage) {
        self.messages.insert(message.message_id, message);
        if self.messages.len() > MOST_STANDING {
            self.messages.pop_first();
        }
    }
}

fn refusal(status: u16, description: &str) -> Answer {
    Answer::json(status, json!({ "ok": false, "error_code": status, "description": description }).to_string())
}

fn bad(why: &str) -> Refusal {
    (400, format!("Bad Request: {why}"))
}

fn number(fields: &Fields, name: &str) -> Option<i64> {
    fields.get(name).and_then(|text| text.parse().ok())
}

fn chat_id(fields: &Fields) -> Result<i64, Refusal> {
    match fields.get("chat_id") {
        None => Err(bad("chat_id is empty")),
        Some(text) => text.parse().ok().filter(|id| *id != 0).ok_or_else(|| bad("chat not found")),
    }
}

/// The text that people would see, and the text as sent.
fn checked_text(fields: &Fields) -> Result<(String, String), Refusal> {
    let text = fields.get("text").cloned().unwrap_or_default();
    let html = fields.get("parse_mode").is_some_and(|mode| mode.eq_ignore_ascii_case("html"));
    let plain = if html { markup::plain(&text).map_err(|why| bad(&why))? } else { text.clone() };
    if plain.trim().is_empty() {
        return Err(bad("message text is empty"));
    }
    // The real one counts UTF-16 units.
    if plain.encode_utf16().count() > MOST_TEXT {
        return Err(bad("message is too long"));
    }
    Ok((plain, text))
}

/// `reply_parameters` is an object, in JSON or as JSON text; the older `reply_to_message_id` is taken, too.
fn reply_to(fields: &Fields) -> Option<i64> {
    let parameters: Option<Value> = fields.get("reply_parameters").and_then(|text| serde_json::from_str(text).ok());
    let id = parameters.as_ref().and_then(|parameters| parameters.get("message_id")).and_then(Value::as_i64);
    id.or_else(|| number(fields, "reply_to_message_id"))
}

fn allows_orphans(fields: &Fields) -> bool {
    let parameters: Option<Value> = fields.get("reply_parameters").and_then(|text| serde_json::from_str(text).ok());
    let flag = parameters.as_ref().and_then(|parameters| parameters.get("allow_sending_without_reply"));
    flag.and_then(Value::as_bool).unwrap_or(false)
        || fields.get("allow_sending_without_reply").is_some_and(|flag| flag == "true")
}

fn me(full: bool) -> Value {
    let mut me = json!({
        "id": 1_000_000, "is_bot": true, "first_name": "Pregonero (sandbox)", "username": "pregonero_sandbox_bot",
    });
    if let (true, Some(me)) = (full, me.as_object_mut()) {
        for (name, value) in [
            ("can_join_groups", true),
            ("can_read_all_group_messages", false),
            ("supports_inline_queries", false),
            ("can_connect_to_business", false),
            ("has_main_web_app", false),
        ] {
            me.insert(name.to_owned(), Value::Bool(value));
        }
    }
    me
}

/// A positive id is a person, `-100…` a supergroup, any other negative one a group.
fn chat(id: i64) -> Value {
    if id > 0 {
        json!({ "id": id, "first_name": "Caja", "type": "private" })
    } else if id <= -1_000_000_000_000 {
        json!({ "id": id, "title": "Caja", "type": "supergroup" })
    } else {
        json!({ "id": id, "title": "Caja", "type": "group" })
    }
}

fn full_chat(id: i64) -> Value {
    let mut chat = chat(id);
    if let Some(chat) = chat.as_object_mut() {
        chat.insert(String::from("accent_color_id"), Value::from(0));
        chat.insert(String::from("max_reaction_count"), Value::from(11));
    }
    chat
}

fn print(message: &ChatMessage, plain: &str, sent: Option<i64>) -> Value {
    let now = message.at.as_second();
    let mut printed = json!({
        "message_id": message.message_id, "from": me(false), "chat": chat(message.chat_id),
        "date": sent.unwrap_or(now), "text": plain,
    });
    if let Some(printed) = printed.as_object_mut() {
        if sent.is_some() {
            printed.insert(String::from("edit_date"), Value::from(now));
        }
        if let Some(thread) = message.thread_id {
            printed.insert(String::from("message_thread_id"), Value::from(thread));
            printed.insert(String::from("is_topic_message"), Value::Bool(true));
        }
    }
    printed
}
