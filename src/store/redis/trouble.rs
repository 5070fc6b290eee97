//! What an error of Redis or of the way to it means for us. No text of ours carries an argument, a key or a secret.

use redis::{ErrorKind, RedisError, ServerError};

use crate::store::StoreError;

/// Codes after which a later try may succeed. Scripts of Redis 6.2 hide them in the middle of a sentence.
const LATER: [&str; 10] = [
    "LOADING",
    "BUSY",
    "READONLY",
    "MISCONF",
    "OOM",
    "CLUSTERDOWN",
    "TRYAGAIN",
    "MASTERDOWN",
    "NOREPLICAS",
    "UNKILLABLE",
];

/// What is wrong for good, and what to do.
const NEVER: [(&str, &str); 7] = [
    ("NOAUTH", "asks for a password: put it into `store.url`"),
    ("WRONGPASS", "refuses the user or the password of `store.url`"),
    ("NOPERM", "does not allow our user (ACL) a command that is needed"),
    ("WRONGTYPE", "holds something else under our keys: choose another `store.prefix`"),
    ("MOVED", "is part of a Redis Cluster, which `redis://` cannot use: write `redis+cluster://`"),
    ("CROSSSLOT", "is part of a Redis Cluster, which `redis://` cannot use: write `redis+cluster://`"),
    ("NOSCRIPT", "lost a script that it was just given"),
];

/// Whether the connection is of no further use. After a time-out it is thrown away too: a server that vanished without
/// a word would keep it mute until the kernel gives up, a quarter of an hour later. After READONLY the name may lead
/// to the new master.
pub(super) fn breaks_the_connection(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Io | ErrorKind::Parse | ErrorKind::AuthenticationFailed | ErrorKind::Client)
}

/// Whether a script must be loaded again.
pub(super) fn is_unknown_script(error: &ServerError) -> bool {
    error.code() == "NOSCRIPT"
}

/// The meaning of a server's error.
pub(super) fn of_server(place: &str, error: &ServerError) -> StoreError {
    classify(place, error.code(), error.details().unwrap_or_default())
}

/// The meaning of any error.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the enumeration is open; what it will hold is told by code and text"
)]
pub(super) fn of_client(place: &str, error: RedisError) -> StoreError {
    match error.kind() {
        ErrorKind::Io if error.is_timeout() => {
            StoreError::Unavailable(format!("redis at {place} gave no answer in time"), None)
        }
        ErrorKind::Io if error.is_connection_refusal() => StoreError::Unavailable(
            format!("redis at {place} takes no connections; is it running, and is `store.url` right?"),
            Some(Box::new(error)),
        ),
        ErrorKind::Io => {
            StoreError::Unavailable(format!("the connection to redis at {place} failed"), Some(Box::new(error)))
        }
        ErrorKind::AuthenticationFailed => classify(place, "WRONGPASS", ""),
        ErrorKind::Parse => {
            StoreError::Unavailable(format!("what answers at {place} does not speak as Redis does"), None)
        }
        _ => {
            let (code, detail) = (error.code().unwrap_or("ERR"), error.detail().unwrap_or_default());
            classify(place, code, detail)
        }
    }
}

fn classify(place: &str, code: &str, detail: &str) -> StoreError {
    let words = || {
        std::iter::once(code).chain(detail.split(|c: char| !c.is_ascii_alphanumeric())).filter(|word| !word.is_empty())
    };
    if let Some(later) = words().find(|word| LATER.contains(word)) {
        return StoreError::Unavailable(format!("redis at {place} cannot serve now ({later})"), None);
    }
    if detail.contains("max number of clients") {
        return StoreError::Unavailable(format!("redis at {place} has too many clients"), None);
    }
    if let Some((_, what)) = NEVER.iter().find(|(never, _)| words().any(|word| word == *never)) {
        return StoreError::Unusable(format!("redis at {place} {what}"));
    }
    // An unknown command is repeated with its arguments: they are ours to keep.
    let detail = detail.split("with args").next().unwrap_or_default();
    let detail: String = detail.chars().filter(|c| !c.is_control()).take(160).collect();
    StoreError::Unusable(format!("redis at {place} refuses ({code}): {}", detail.trim_end_matches([' ', ','])))
}

/// The same error, as said while connecting: who does not speak Redis' language then is not Redis.
pub(super) fn at_first_contact(place: &str, error: StoreError) -> StoreError {
    match &error {
        StoreError::Unavailable(text, _) if text.contains("does not speak") => StoreError::Unusable(format!(
            "what answers at {place} is not Redis, or it expects TLS (`rediss://`): check `store.url`"
        )),
        StoreError::Unavailable(..) | StoreError::Unusable(_) => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(code: &str, detail: &str) -> (bool, String) {
        match classify("h:1", code, detail) {
            StoreError::Unavailable(text, _) => (true, text),
            StoreError::Unusable(text) => (false, text),
        }
    }

    #[test]
    fn what_passes_is_told_from_what_stays() {
        for code in LATER {
            assert!(text(code, "some words").0, "{code}");
            let hidden = format!("Error running script (call to f_12): @user_script:7: -{code} not now");
            assert!(text("ERR", &hidden).0, "{code} inside a script of Redis 6.2");
        }
        for (code, _) in NEVER {
            assert!(!text(code, "some words").0, "{code}");
        }
        assert!(text("ERR", "max number of clients reached").0);
        assert!(!text("ERR", "DB index is out of range").0);
    }

    #[test]
    fn arguments_do_not_leak() {
        let (_, text) = text("ERR", "unknown command `EVALSHA`, with args beginning with: `Ana Gómez`, ");
        assert_eq!(text, "redis at h:1 refuses (ERR): unknown command `EVALSHA`");
    }
}
