//! The bearer token: one login at a time, renewed before it ends.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::domain::day::Moment;
use crate::sources::json::{self, Field};
use crate::sources::{CallError, SourceError};

/// Renewed that long before its end (as the public clients do, FACTS 1.1).
const EARLY: SignedDuration = SignedDuration::from_secs(60);

/// A token is used at least that long: a wrong clock must not make every request log in.
const AT_LEAST: SignedDuration = SignedDuration::from_secs(30);

/// The life of a token whose answer does not say.
const UNSAID: SignedDuration = SignedDuration::from_secs(600);

/// What a login answers. The document says `token`, one client reads `access_token`.
#[derive(Debug, Deserialize)]
pub(super) struct TokenAnswer<'a> {
    #[serde(borrow, default)]
    status: Field<'a>,
    #[serde(borrow, default)]
    token: Field<'a>,
    #[serde(borrow, default)]
    access_token: Field<'a>,
    #[serde(borrow, default)]
    expires_at: Field<'a>,
}

/// A token and when to renew it.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) value: String,
    renew_at: Timestamp,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

/// The token in hand. Whoever needs one while another logs in waits for that login.
#[derive(Debug, Default)]
pub(super) struct Auth(Mutex<Option<Token>>);

impl Auth {
    /// Keeps a token that was fetched by hand.
    pub(super) async fn hold(&self, token: Token) {
        *self.0.lock().await = Some(token);
    }

    /// A token that is good at `now`; logs in by `login` when there is none. A `spent` one was just refused with a 401:
    /// it is renewed, unless somebody else has renewed it meanwhile.
    pub(super) async fn token<F>(&self, now: Timestamp, spent: Option<&str>, login: F) -> Result<Token, CallError>
    where
        F: Future<Output = Result<Token, CallError>> + Send,
    {
        let mut held = self.0.lock().await;
        if let Some(token) = held.as_ref().filter(|token| now < token.renew_at && spent != Some(token.value.as_str())) {
            return Ok(token.clone());
        }
        // If the login fails or is dropped, nothing is held and the next one tries again.
        *held = None;
        let token = login.await?;
        *held = Some(token.clone());
        Ok(token)
    }
}

/// Reads a login's answer.
pub(super) fn read(body: &[u8], now: Timestamp, zone: &TimeZone) -> Result<Token, SourceError> {
    let answer: TokenAnswer<'_> = json::object(body)?;
    if json::text(answer.status).is_some_and(|status| status.eq_ignore_ascii_case("error")) {
        return Err(SourceError::Unauthorized { message: json::message(body, &[]) });
    }
    let value = json::string(answer.token)
        .or_else(|| json::string(answer.access_token))
        .ok_or_else(|| SourceError::Contract(String::from("the login answers without `token`")))?;
    let expires_at = expiry(answer.expires_at, now, zone);
    let renew_at = expires_at.checked_sub(EARLY).unwrap_or(now);
    let least = now.checked_add(AT_LEAST).unwrap_or(now);
    Ok(Token { value, renew_at: renew_at.max(least) })
}

/// What a login says of its token's end, as printed.
pub(super) fn expires_at(body: &[u8]) -> Field<'_> {
    json::object::<TokenAnswer<'_>>(body).ok()?.expires_at
}

/// Decides by magnitude: seconds of life, seconds since 1970, milliseconds since 1970; or a local date and time.
fn expiry(field: Field<'_>, now: Timestamp, zone: &TimeZone) -> Timestamp {
    let after = |life: SignedDuration| now.checked_add(life).unwrap_or(Timestamp::MAX);
    let Some(text) = json::text(field) else { return after(UNSAID) };
    if let Ok(number) = text.split('.').next().unwrap_or_default().parse::<i64>() {
        return match number {
            ..=99_999_999 => after(SignedDuration::from_secs(number.max(0))),
            100_000_000..=99_999_999_999 => Timestamp::from_second(number).unwrap_or_else(|_| after(UNSAID)),
            _ => Timestamp::from_millisecond(number).unwrap_or_else(|_| after(UNSAID)),
        };
    }
    Moment::read(&text, &[], zone).and_then(|moment| moment.instant()).unwrap_or_else(|| after(UNSAID))
}

/// The longest a login may take, whatever the account's time-out says.
pub(super) const LOGIN: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    fn renewed_after(body: &str) -> i64 {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let zone = TimeZone::get("America/Argentina/Buenos_Aires").unwrap();
        let token = read(body.as_bytes(), now, &zone).unwrap();
        assert_eq!(token.value, "t");
        token.renew_at.duration_since(now).as_secs()
    }

    #[test]
    fn the_expiry_is_understood_in_every_form() {
        let epoch = "2026-11-21T13:00:00Z".parse::<Timestamp>().unwrap().as_second();
        for expires in [
            format!("{epoch}"),
            format!("\"{epoch}\""),
            format!("{epoch}000"),
            "3600".into(),
            "\"2026-11-21 10:00:00\"".into(),
        ] {
            assert_eq!(
                renewed_after(&format!(r#"{{"status":"ok","token":"t","expires_at":{expires}}}"#)),
                3_540,
                "{expires}"
            );
        }
        assert_eq!(renewed_after(r#"{"access_token":"t"}"#), 540);
        assert_eq!(renewed_after(r#"{"token":"t","expires_at":"soon"}"#), 540);
        assert_eq!(renewed_after(r#"{"token":"t","expires_at":1}"#), 30, "a wrong clock does not hammer");
    }

    #[test]
    fn a_refusal_with_200_is_a_refusal() {
        let zone = TimeZone::UTC;
        let answer = read(br#"{"status":"error","message":"usuario incorrecto"}"#, Timestamp::UNIX_EPOCH, &zone);
        assert!(matches!(answer, Err(SourceError::Unauthorized { message }) if message == "usuario incorrecto"));
        assert!(matches!(read(br#"{"status":"ok"}"#, Timestamp::UNIX_EPOCH, &zone), Err(SourceError::Contract(_))));
    }

    #[tokio::test]
    async fn many_askers_log_in_once() {
        let auth = Auth::default();
        let now = Timestamp::UNIX_EPOCH;
        let logins = std::sync::atomic::AtomicU32::new(0);
        let login = || async {
            logins.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            tokio::task::yield_now().await;
            read(br#"{"token":"t","expires_at":3600}"#, now, &TimeZone::UTC)
                .map_err(|error| CallError::failed(error, None))
        };
        let all = futures_util::future::join_all((0..20).map(|_| auth.token(now, None, login()))).await;
        assert!(all.iter().all(Result::is_ok));
        assert_eq!(logins.load(std::sync::atomic::Ordering::SeqCst), 1);
        // Ten were refused with it: one renewal.
        let again = futures_util::future::join_all(
            (0..10).map(|n| auth.token(now, Some(if n == 0 { "t" } else { "old" }), login())),
        )
        .await;
        assert!(again.iter().all(Result::is_ok));
        assert_eq!(logins.load(std::sync::atomic::Ordering::SeqCst), 2);
    }
}
