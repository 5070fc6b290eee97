//! What was caught: webhooks, mails, chat messages, and which questions the upstreams were asked.
//!
//! Each shelf is bounded by number and by size; the oldest go first. Whoever waits is woken by every arrival.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::watch;

use super::script::Face;

/// The most items on one shelf.
const MOST_ITEMS: usize = 10_000;

/// The most bytes on one shelf.
const MOST_BYTES: usize = 64 << 20;

/// A webhook attempt.
#[derive(Clone)]
pub struct Webhook {
    /// Name in `/hooks/{name}`.
    pub name: String,
    /// When it came.
    pub at: Timestamp,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The very bytes.
    pub body: Bytes,
    /// The status that it is answered with; `None`: no answer (hang, reset).
    pub answered: Option<u16>,
}

impl Webhook {
    /// A header's value; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether it was answered with 2xx.
    pub fn accepted(&self) -> bool {
        self.answered.is_some_and(|status| (200..300).contains(&status))
    }
}

/// A mail that was accepted.
#[derive(Clone)]
pub struct Mail {
    /// When it came.
    pub at: Timestamp,
    /// User name that logged in.
    pub user: Option<String>,
    /// Envelope sender, without angle brackets.
    pub from: String,
    /// Envelope recipients, without angle brackets.
    pub to: Vec<String>,
    /// Headers and body as sent, dots unstuffed.
    pub data: Bytes,
}

impl Mail {
    /// The data as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.data).into_owned()
    }
}

/// A message that stands in a chat.
#[derive(Clone)]
pub struct ChatMessage {
    /// When it came.
    pub at: Timestamp,
    /// Chat.
    pub chat_id: i64,
    /// Its number, unique over all chats.
    pub message_id: i64,
    /// Forum topic.
    pub thread_id: Option<i64>,
    /// As sent, markup included.
    pub text: String,
    /// `parse_mode`.
    pub parse_mode: Option<String>,
    /// The message that it answers.
    pub reply_to: Option<i64>,
    /// It changed a message that was there.
    pub edit: bool,
}

/// A question that an upstream, the Bot API or the webhook catcher was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Who was asked.
    pub face: Face,
    /// When.
    pub at: Timestamp,
    /// `POST /v2/auth/token`, without the query; a bot's token is cut out.
    pub line: String,
    /// What it was answered with; `None`: no answer.
    pub answered: Option<u16>,
}

/// Prints nothing of the content: what is caught is treated as somebody's.
macro_rules! closed {
    ($($name:ident),+) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    )+};
}
closed!(Webhook, Mail, ChatMessage, Caught, Shelves);

/// All shelves.
#[derive(Default)]
pub struct Shelves {
    /// Webhook attempts, refused ones included.
    pub webhooks: Shelf<Webhook>,
    /// Accepted mails.
    pub mails: Shelf<Mail>,
    /// Messages that came to stand in a chat.
    pub chats: Shelf<ChatMessage>,
    /// Questions.
    pub asked: Shelf<Asked>,
}

/// A bounded list, oldest first.
#[derive(Debug)]
pub struct Shelf<T> {
    items: VecDeque<(usize, T)>,
    bytes: usize,
    total: u64,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self { items: VecDeque::new(), bytes: 0, total: 0 }
    }
}

impl<T> Shelf<T> {
    /// Oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.items.iter().map(|(_, item)| item)
    }

    /// How many are there now.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether nothing is there.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// How many ever came, those that had to go included.
    pub fn total(&self) -> u64 {
        self.total
    }

    fn put(&mut self, size: usize, item: T) {
        self.total = self.total.saturating_add(1);
        self.bytes = self.bytes.saturating_add(size);
        self.items.push_back((size, item));
        while self.items.len() > MOST_ITEMS || (self.bytes > MOST_BYTES && self.items.len() > 1) {
            let gone = self.items.pop_front().map_or(0, |(size, _)| size);
            self.bytes = self.bytes.saturating_sub(gone);
        }
    }
}

/// A handle on what was caught. Clones are the same shelves.
#[derive(Clone)]
pub struct Caught(Arc<Shared>);

struct Shared {
    shelves: Mutex<Shelves>,
    arrivals: watch::Sender<u64>,
}

impl Default for Caught {
    fn default() -> Self {
        Self(Arc::new(Shared { shelves: Mutex::default(), arrivals: watch::Sender::new(0) }))
    }
}

/// What was waited for did not come in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not caught in time")]
pub struct NotCaught;

impl Caught {
    /// Looks at the shelves. Others cannot put anything there meanwhile.
    pub fn look<T>(&self, look: impl FnOnce(&Shelves) -> T) -> T {
        look(&self.0.shelves.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Copies of all webhook attempts, oldest first.
    pub fn webhooks(&self) -> Vec<Webhook> {
        self.look(|shelves| shelves.webhooks.iter().cloned().collect())
    }

    /// Copies of all mails, oldest first.
    pub fn mails(&self) -> Vec<Mail> {
        self.look(|shelves| shelves.mails.iter().cloned().collect())
    }

    /// Copies of all chat messages, oldest first.
    pub fn chats(&self) -> Vec<ChatMessage> {
        self.look(|shelves| shelves.chats.iter().cloned().collect())
    }

    /// Copies of all questions, oldest first.
    pub fn asked(&self) -> Vec<Asked> {
        self.look(|shelves| shelves.asked.iter().cloned().collect())
    }

    /// Waits until `wanted` holds. Cancel-safe.
    ///
    /// # Errors
    /// When it does not hold within `timeout`.
    pub async fn wait_until(&self, wanted: impl Fn(&Shelves) -> bool, timeout: Duration) -> Result<(), NotCaught> {
        // Subscribed before the first look, so that no arrival between look and wait is lost.
        let mut arrivals = self.0.arrivals.subscribe();
        tokio::time::timeout(timeout, async {
            while !self.look(&wanted) {
                if arrivals.changed().await.is_err() {
                    return Err(NotCaught);
                }
            }
            Ok(())
        })
        .await
        .unwrap_or(Err(NotCaught))
    }

    /// Waits for that many accepted webhooks under a name. Cancel-safe.
    ///
    /// # Errors
    /// When they do not come within `timeout`.
    pub async fn wait_for_webhooks(&self, name: &str, count: usize, timeout: Duration) -> Result<(), NotCaught> {
        let taken = |hook: &&Webhook| hook.name == name && hook.accepted();
        self.wait_until(|shelves| shelves.webhooks.iter().filter(taken).count() >= count, timeout).await
    }

    /// Empties all shelves.
    pub fn clear(&self) {
        self.put(|shelves| *shelves = Shelves::default());
    }

    pub(super) fn put_webhook(&self, webhook: Webhook) {
        let headers: usize = webhook.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        self.put(|shelves| shelves.webhooks.put(headers + webhook.body.len(), webhook));
    }

    pub(super) fn put_mail(&self, mail: Mail) {
        self.put(|shelves| shelves.mails.put(mail.data.len(), mail));
    }

    pub(super) fn put_chat(&self, message: ChatMessage) {
        self.put(|shelves| shelves.chats.put(message.text.len(), message));
    }

    pub(super) fn put_asked(&self, asked: Asked) {
        self.put(|shelves| shelves.asked.put(asked.line.len(), asked));
    }

    fn put(&self, put: impl FnOnce(&mut Shelves)) {
        put(&mut self.0.shelves.lock().unwrap_or_else(PoisonError::into_inner));
        self.0.arrivals.send_modify(|count| *count = count.wrapping_add(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_shelf_drops_its_oldest() {
        let mut shelf = Shelf::default();
        for item in 0..MOST_ITEMS + 5 {
            shelf.put(1, item);
        }
        assert_eq!((shelf.len(), shelf.iter().next(), shelf.total()), (MOST_ITEMS, Some(&5), 10_005));
        shelf.put(MOST_BYTES, 0);
        assert_eq!((shelf.len(), shelf.bytes), (1, MOST_BYTES));
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_ends_with_the_arrival_or_with_the_time() {
        let caught = Caught::default();
        let mail =
            || Mail { at: Timestamp::UNIX_EPOCH, user: None, from: String::new(), to: Vec::new(), data: Bytes::new() };
        let waiting = caught.wait_until(|shelves| shelves.mails.len() == 2, Duration::from_secs(5));
        let (result, ()) = tokio::join!(waiting, async {
            caught.put_mail(mail());
            tokio::task::yield_now().await;
            caught.put_mail(mail());
        });
        assert_eq!(result, Ok(()));
        let never = caught.wait_until(|shelves| shelves.mails.len() == 3, Duration::from_secs(5)).await;
        assert_eq!(never, Err(NotCaught));
    }
}
