//! Faults by the book: which request goes wrong, how often, and how.
//!
//! A [`Script`] is a list of [`Rule`]s. The first rule that fits a request and is not used up strikes; nothing is drawn
//! at random. The same words serve the upstreams, the Bot API, the webhook catcher and the mail catcher.

mod apply;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub(super) use self::apply::{Twist, apply};

/// The most rules at once; the oldest go first. Used-up ones stay, so that [`Script::struck`] can tell of them.
const MOST_RULES: usize = 1_000;

/// Which pretend peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Face {
    /// The wallet.
    Telepagos,
    /// The acquirer.
    Sipago,
    /// The Bot API.
    Telegram,
    /// The webhook catcher.
    Webhook,
    /// The mail catcher.
    Mail,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This status with this body, in JSON; nothing happens. An SMTP reply at the mail catcher.
    Status {
        /// HTTP or SMTP status.
        status: u16,
        /// Body, or text of the SMTP reply.
        body: String,
        /// `Retry-After`, in whole seconds.
        retry_after: Option<Duration>,
    },
    /// `{"status":"error","message":…}` with HTTP 200.
    ErrorInOk(String),
    /// An HTML page with HTTP 200.
    Html,
    /// This body with HTTP 200: `[]`, `null`, …
    Body(String),
    /// A 302 to there.
    Redirect(String),
    /// Half the body, in an answer that is whole by HTTP's rules.
    Truncated,
    /// Half the body, then the connection breaks.
    CutOff,
    /// A right answer, late.
    Slow(Duration),
    /// No answer, ever. What was asked for happens or not.
    Hang {
        /// It happens.
        after_effect: bool,
    },
    /// The connection is reset. What was asked for happens or not.
    Reset {
        /// It happens.
        after_effect: bool,
    },
    /// A right answer with that many spaces behind it: valid, and too large for whoever has a cap.
    Oversized(usize),
    /// TelePagos: every token is worthless from this request on. Skip one to hit the second page.
    TokenExpiry,
    /// Before any page but the first is read, a new row slips in on top: one row of the page before repeats.
    PageShift,
    /// Any page but the first repeats the one before.
    RepeatedPage,
    /// The totals change from page to page (TelePagos); the page number is wrong (Sipago).
    LyingTotals,
    /// There is always a next page.
    EndlessPages,
    /// The first row of the answer has no date.
    RowWithoutDate,
    /// The first row of the answer has this JSON text for an amount: `1e400`, `"mil"`, `null`, …
    RowAmount(String),
}

impl Fault {
    /// A bare status.
    pub fn status(status: u16) -> Self {
        Self::Status { status, body: format!(r#"{{"status":"error","message":"HTTP {status}"}}"#), retry_after: None }
    }

    /// 429 or 503 with `Retry-After`.
    pub fn slow_down(status: u16, retry_after: Duration) -> Self {
        let body = String::from(r#"{"status":"error","message":"Too many requests"}"#);
        Self::Status { status, body, retry_after: Some(retry_after) }
    }

    /// Bot API: 429 with `parameters.retry_after`.
    pub fn chat_flood(retry_after: u32) -> Self {
        let text = format!("Too Many Requests: retry after {retry_after}");
        Self::bot(429, &text, &format!(r#","parameters":{{"retry_after":{retry_after}}}"#))
    }

    /// Bot API: 403, the user has blocked the bot.
    pub fn chat_blocked() -> Self {
        Self::bot(403, "Forbidden: bot was blocked by the user", "")
    }

    /// Bot API: 400, there is no such chat.
    pub fn chat_not_found() -> Self {
        Self::bot(400, "Bad Request: chat not found", "")
    }

    /// Bot API: 400, the markup is refused.
    pub fn chat_bad_markup() -> Self {
        Self::bot(400, "Bad Request: can't parse entities: Unsupported start tag \"x\" at byte offset 0", "")
    }

    /// Bot API: 400, the forum topic is gone.
    pub fn chat_dead_topic() -> Self {
        Self::bot(400, "Bad Request: message thread not found", "")
    }

    /// Bot API: 400, the group has become a supergroup of that id.
    pub fn chat_migrated(to: i64) -> Self {
        let parameters = format!(r#","parameters":{{"migrate_to_chat_id":{to}}}"#);
        Self::bot(400, "Bad Request: group chat was upgraded to a supergroup chat", &parameters)
    }

    fn bot(status: u16, description: &str, rest: &str) -> Self {
        let description = serde_json::Value::from(description);
        let body = format!(r#"{{"ok":false,"error_code":{status},"description":{description}{rest}}}"#);
        Self::Status { status, body, retry_after: None }
    }
}

/// Which requests a fault strikes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// At whom.
    pub face: Face,
    /// Beginning of the path, without a leading slash: `v2/account/transactions`, `transactions/page`, `sendMessage`,
    /// `hooks/erp`. Of the command at the mail catcher: `CONNECT`, `EHLO`, `AUTH`, `MAIL`, `RCPT`, `DATA`, `BODY` (the
    /// final dot). Empty: everything. Letter case does not count.
    pub path: String,
    /// Stands somewhere in the query, the body or the mail command; empty: everything.
    pub mentions: String,
    /// How many fitting requests are spared first.
    pub skip: u32,
    /// How many are struck then; `None`: all.
    pub times: Option<u32>,
    /// How.
    pub fault: Fault,
}

impl Rule {
    /// Strikes every request there.
    pub fn always(face: Face, path: &str, fault: Fault) -> Self {
        Self { face, path: path.to_owned(), mentions: String::new(), skip: 0, times: None, fault }
    }

    /// Strikes the next request there.
    pub fn once(face: Face, path: &str, fault: Fault) -> Self {
        Self::times(face, path, 1, fault)
    }

    /// Strikes the next `times` requests there.
    pub fn times(face: Face, path: &str, times: u32, fault: Fault) -> Self {
        Self { times: Some(times), ..Self::always(face, path, fault) }
    }

    /// Spares the first `skip` fitting requests.
    #[must_use]
    pub fn skip(self, skip: u32) -> Self {
        Self { skip, ..self }
    }

    /// Strikes only what has this text in its query, body or mail command.
    #[must_use]
    pub fn mentions(self, text: &str) -> Self {
        Self { mentions: text.to_owned(), ..self }
    }

    fn fits(&self, face: Face, path: &str, texts: &[&[u8]]) -> bool {
        let head = path.trim_start_matches('/').as_bytes().get(..self.path.len());
        self.face == face
            && head.is_some_and(|head| head.eq_ignore_ascii_case(self.path.as_bytes()))
            && (self.mentions.is_empty() || texts.iter().any(|text| holds(text, self.mentions.as_bytes())))
    }
}

/// Names a rule in its script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RuleId(pub u64);

/// The rules in force. Clones are the same script.
#[derive(Clone, Default)]
pub struct Script(Arc<Mutex<Rules>>);

#[derive(Default)]
struct Rules {
    last: u64,
    standing: Vec<Standing>,
}

struct Standing {
    id: RuleId,
    rule: Rule,
    seen: u32,
    struck: u32,
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Script(…)")
    }
}

impl Script {
    /// Puts a rule behind those in force.
    pub fn add(&self, rule: Rule) -> RuleId {
        let mut rules = self.lock();
        rules.last += 1;
        let id = RuleId(rules.last);
        if rules.standing.len() >= MOST_RULES {
            rules.standing.remove(0);
        }
        rules.standing.push(Standing { id, rule, seen: 0, struck: 0 });
        id
    }

    /// Takes a rule out; `false` when it is out already.
    pub fn remove(&self, id: RuleId) -> bool {
        let mut rules = self.lock();
        let before = rules.standing.len();
        rules.standing.retain(|standing| standing.id != id);
        rules.standing.len() < before
    }

    /// Takes all rules out.
    pub fn clear(&self) {
        self.lock().standing.clear();
    }

    /// How often a rule has struck; 0 for one that is out.
    pub fn struck(&self, id: RuleId) -> u32 {
        self.lock().standing.iter().find(|standing| standing.id == id).map_or(0, |standing| standing.struck)
    }

    /// The fault that strikes this request, if any. Counts.
    pub(super) fn strike(&self, face: Face, path: &str, texts: &[&[u8]]) -> Option<Fault> {
        let mut rules = self.lock();
        for standing in &mut rules.standing {
            if !standing.rule.fits(face, path, texts) {
                continue;
            }
            if standing.seen < standing.rule.skip {
                standing.seen += 1;
                continue;
            }
            if standing.rule.times.is_none_or(|times| standing.struck < times) {
                standing.struck = standing.struck.saturating_add(1);
                return Some(standing.rule.fault.clone());
            }
        }
        None
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Rules> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn holds(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len().max(1)).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_spares_then_strikes_then_is_spent() {
        let script = Script::default();
        let id = script.add(Rule::times(Face::Sipago, "transactions/page", 2, Fault::Html).skip(1));
        let strike = || script.strike(Face::Sipago, "/transactions/page/0", &[]).is_some();
        assert_eq!([strike(), strike(), strike(), strike()], [false, true, true, false]);
        assert_eq!(script.struck(id), 2);
        assert!(script.remove(id));
        assert!(!script.remove(id));
    }

    #[test]
    fn a_rule_strikes_only_its_own() {
        let script = Script::default();
        script.add(Rule::always(Face::Telegram, "sendmessage", Fault::chat_blocked()).mentions("\"chat_id\":42"));
        let strike = |face, path, body: &str| script.strike(face, path, &[body.as_bytes()]).is_some();
        assert!(strike(Face::Telegram, "SendMessage", r#"{"chat_id":42}"#));
        assert!(!strike(Face::Telegram, "SendMessage", r#"{"chat_id":43}"#));
        assert!(!strike(Face::Telegram, "send", r#"{"chat_id":42}"#));
        assert!(!strike(Face::Webhook, "SendMessage", r#"{"chat_id":42}"#));
    }

    #[test]
    fn rules_strike_in_their_order() {
        let script = Script::default();
        script.add(Rule::once(Face::Mail, "", Fault::status(451)));
        script.add(Rule::once(Face::Mail, "", Fault::status(550)));
        let strike = || script.strike(Face::Mail, "MAIL", &[]);
        assert_eq!([strike(), strike(), strike()], [Some(Fault::status(451)), Some(Fault::status(550)), None]);
    }
}
