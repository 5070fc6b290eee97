//! TelePagos' tokens: who got which, and until when it is good.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::World;

/// The most tokens that are good at once; the oldest go first. A client that logs in on every poll must not fill memory.
const MOST_TOKENS: usize = 1_000;

/// The tokens that were given out.
#[derive(Default)]
pub(super) struct Tokens(VecDeque<Token>);

struct Token {
    text: String,
    username: Arc<str>,
    until: Timestamp,
}

impl World {
    /// Gives a token, with its end, for the right user name and password.
    pub(in crate::sandbox) fn log_in(&self, username: &str, password: &str) -> Option<(String, Timestamp)> {
        let now = self.now();
        self.with(|state| {
            let (username, wallet) = state.wallets.get_key_value(username)?;
            if !wallet.opens_with(password) {
                return None;
            }
            let life = SignedDuration::try_from(state.settings.token_life).unwrap_or(SignedDuration::MAX);
            let until = now.checked_add(life).unwrap_or(Timestamp::MAX);
            let text = format!("sandbox-{:032x}", state.rng.u128(..));
            if state.tokens.0.len() >= MOST_TOKENS {
                state.tokens.0.pop_front();
            }
            state.tokens.0.push_back(Token { text: text.clone(), username: Arc::clone(username), until });
            Some((text, until))
        })
    }

    /// The world as the holder of a good token sees it.
    pub(in crate::sandbox) fn by_token(&self, token: &str) -> Option<Self> {
        let now = self.now();
        let username = self.with(|state| {
            let found = state.tokens.0.iter().find(|known| known.text == token && known.until > now);
            found.map(|known| Arc::clone(&known.username))
        })?;
        Some(self.by_username(username))
    }

    /// Makes every token of TelePagos worthless at once.
    pub fn expire_tokens(&self) {
        self.with(|state| state.tokens.0.clear());
    }

    /// Changes a TelePagos password, as an operator at the upstream might; tokens stay good.
    pub fn change_password(&self, password: &str) {
        self.in_wallet(|wallet, _| wallet.change_password(password));
    }
}
