//! How much may be sent, and to which chat.
//!
//! A bucket for each chat and one for the bot. Telegram documents about 30 messages a second over all chats, one a
//! second in a chat with short bursts, 20 a minute in a group (Bots FAQ, 2026-11-21); exact limits are not specified,
//! so we stay below and obey 429 besides. A 429 rests the one chat that earned it: teloxide's `Throttle` would stop
//! every chat (measured on 0.17.0).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::channels::bucket::{Bucket, PATIENCE};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// At once after a pause.
const BURST: u32 = 3;

/// Over all chats, in a second.
const BOT_RATE: u32 = 25;

/// In a group, in a minute.
const GROUP_RATE: u32 = 18;

/// The limits of one bot. Chats are those of the configuration and their successors, so the map is bounded.
#[derive(Debug)]
pub(super) struct Limits {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    bot: Bucket,
    chats: HashMap<i64, Chat>,
}

#[derive(Debug)]
struct Chat {
    bucket: Bucket,
    parked_until: Option<Instant>,
}

impl Chat {
    fn new(id: i64) -> Self {
        // Groups, supergroups and channels have negative ids.
        let bucket = if id < 0 { Bucket::new(GROUP_RATE, MINUTE, BURST) } else { Bucket::new(1, SECOND, BURST) };
        Self { bucket, parked_until: None }
    }
}

impl State {
    fn chat(&mut self, id: i64) -> &mut Chat {
        self.chats.entry(id).or_insert_with(|| Chat::new(id))
    }

    fn wait(&mut self, id: i64, now: Instant) -> Duration {
        let of_bot = self.bot.wait(now);
        let chat = self.chat(id);
        let parked = chat.parked_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        chat.bucket.wait(now).max(of_bot).max(parked)
    }

    fn book(&mut self, id: i64, now: Instant) {
        self.bot.book(now);
        self.chat(id).bucket.book(now);
    }
}

impl Limits {
    /// Full buckets.
    pub(super) fn new() -> Self {
        let state = State { bot: Bucket::new(BOT_RATE, SECOND, BOT_RATE), chats: HashMap::new() };
        Self { state: Mutex::new(state) }
    }

    /// How long until the chat may get something.
    pub(super) fn rest(&self, chat: i64) -> Duration {
        self.with(|state, now| state.wait(chat, now))
    }

    /// Books a permit: the time to sleep before it counts, or, when that is longer than anyone should sleep, how long
    /// it would be (and nothing is booked).
    pub(super) fn book(&self, chat: i64) -> Result<Duration, Duration> {
        self.with(|state, now| {
            let wait = state.wait(chat, now);
            if wait > PATIENCE {
                return Err(wait);
            }
            state.book(chat, now);
            Ok(wait)
        })
    }

    /// Books a permit for a second call of the same attempt, which goes out at once.
    pub(super) fn charge(&self, chat: i64) {
        self.with(|state, now| state.book(chat, now));
    }

    /// Rests a chat.
    pub(super) fn park(&self, chat: i64, rest: Duration) {
        self.with(|state, now| state.chat(chat).parked_until = now.checked_add(rest));
    }

    fn with<T>(&self, act: impl FnOnce(&mut State, Instant) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut state, Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_parked_chat_delays_no_other() {
        let limits = Limits::new();
        limits.park(-7, Duration::from_secs(10_072));
        assert_eq!(limits.book(-7), Err(Duration::from_secs(10_072)));
        assert_eq!(limits.book(42), Ok(Duration::ZERO));
        assert_eq!(limits.rest(43), Duration::ZERO);
        tokio::time::advance(Duration::from_secs(10_072)).await;
        assert_eq!(limits.book(-7), Ok(Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn a_chat_takes_three_at_once_then_one_a_second_and_a_group_eighteen_a_minute() {
        let limits = Limits::new();
        let booked: Vec<_> = (0..5).map(|_| limits.book(42).map(|wait| wait.as_millis())).collect();
        assert_eq!(booked, [Ok(0), Ok(0), Ok(0), Ok(1000), Err(Duration::from_secs(2))]);
        for _ in 0..3 {
            assert_eq!(limits.book(-42), Ok(Duration::ZERO));
        }
        assert!(limits.rest(-42) > Duration::from_secs(3));
        // Five minutes of a busy group never exceed the rate by more than the burst.
        let mut sent = 0;
        for _ in 0..300 {
            tokio::time::advance(SECOND).await;
            sent += u32::from(limits.book(-42).is_ok());
        }
        assert!((85..=93).contains(&sent), "{sent}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_bot_sends_twenty_five_a_second_over_all_chats() {
        let limits = Limits::new();
        let at_once = (1..=100).filter(|chat| limits.book(*chat) == Ok(Duration::ZERO)).count();
        assert_eq!(at_once, 25);
    }
}
