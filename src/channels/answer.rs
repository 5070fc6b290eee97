//! What is kept of a failed attempt: its class, and the beginning of the answer without control characters, secrets
//! and personal data. A receiver that echoes our request must not carry a payer's name into the store and the log.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::Write as _;
use std::io;

use crate::domain::delivery::FailureClass;
use crate::domain::event::{Body, Event};

use super::webhook::target::RefusedTarget;

/// The most bytes of an answer that are kept (DESIGN, section 7).
const KEPT: usize = 1024;

/// How much of an answer is looked at. More than is kept, because hiding things makes text shorter.
const LOOKED_AT: usize = 4096;

/// What stands for something hidden.
const HIDDEN: &str = "…";

/// Runs of digits from this length on are account, tax or card numbers. CUIT has eleven.
const LONG_NUMBER: usize = 11;

/// The beginning of an answer, fit to be kept and shown. `hide` lists what must not be seen.
pub(super) fn keep(raw: &[u8], hide: &[Cow<'_, str>]) -> String {
    let text = String::from_utf8_lossy(raw.get(..LOOKED_AT).unwrap_or(raw));
    let mut text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    for needle in hide.iter().filter(|needle| needle.chars().count() >= 3) {
        if text.contains(needle.as_ref()) {
            text = text.replace(needle.as_ref(), HIDDEN);
        }
    }
    let mut kept = String::with_capacity(KEPT);
    for word in text.split_whitespace() {
        let shown = if word.contains('@') { Cow::Borrowed(HIDDEN) } else { hide_numbers(word) };
        if kept.len() + shown.len() + 1 > KEPT {
            break;
        }
        if !kept.is_empty() {
            kept.push(' ');
        }
        kept.push_str(&shown);
    }
    if kept.is_empty() && !text.trim().is_empty() {
        // One word of more than a kilobyte: cut it.
        kept = hide_numbers(text.trim()).chars().take(KEPT / 4).collect();
    }
    kept
}

/// What an answer to this event may echo of its payer, in the forms in which it was sent.
pub(super) fn personal(event: &Event) -> Vec<Cow<'_, str>> {
    let Body::Payment(payment) = &event.body else { return Vec::new() };
    let payer = &payment.payer;
    let mut hide = Vec::new();
    for value in [&payer.name, &payer.cuit, &payer.cvu_cbu].into_iter().flatten() {
        hide.push(Cow::Borrowed(value.as_str()));
        if !value.is_ascii() {
            hide.push(Cow::Owned(ascii_json(value)));
        }
    }
    for free in [&payment.references.description, &payment.references.concept].into_iter().flatten() {
        hide.push(Cow::Borrowed(free.as_str()));
    }
    // Receivers often split names into fields.
    hide.extend(payer.name.iter().flat_map(|name| name.split(' ')).filter(|word| word.len() >= 4).map(Cow::Borrowed));
    hide
}

/// As the JSON writers of PHP and Python print it: everything beyond ASCII as `\uXXXX`.
fn ascii_json(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 16);
    for unit in text.encode_utf16() {
        match char::from_u32(u32::from(unit)) {
            Some(c) if c.is_ascii() => escaped.push(c),
            // Writing to a string cannot fail.
            _ => write!(escaped, "\\u{unit:04x}").unwrap_or_default(),
        }
    }
    escaped
}

fn hide_numbers(word: &str) -> Cow<'_, str> {
    let long =
        word.as_bytes().chunk_by(|a, b| a.is_ascii_digit() && b.is_ascii_digit()).any(|run| run.len() >= LONG_NUMBER);
    if !long {
        return Cow::Borrowed(word);
    }
    let mut shown = String::with_capacity(word.len());
    let mut digits = String::new();
    for c in word.chars().chain(std::iter::once('\0')) {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        shown.push_str(if digits.len() >= LONG_NUMBER { HIDDEN } else { &digits });
        digits.clear();
        if c != '\0' {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// The class of a failed call, from its chain of causes. `connecting`: the error arose before anything was sent.
pub(super) fn class_of(error: &(dyn Error + 'static), connecting: bool, timed_out: bool) -> FailureClass {
    // Types first: a refused target is wrapped in words about DNS.
    if let Some(class) = chain(error).find_map(class_by_type) {
        return class;
    }
    if chain(error).any(speaks_of_dns) {
        return FailureClass::Dns;
    }
    if timed_out && !connecting { FailureClass::Timeout } else { FailureClass::Connect }
}

/// What is said of a failure of that class when there is no answer to quote. The error's own text is never used: it
/// may hold a URL.
pub(super) const fn words(class: FailureClass) -> &'static str {
    match class {
        FailureClass::Dns => "the name could not be resolved",
        FailureClass::Connect => "no connection, or it broke",
        FailureClass::Tls => "the TLS handshake failed",
        FailureClass::Timeout => "no complete answer in time",
        FailureClass::RefusedTarget => "none of the name's addresses is allowed; see `allow_private`",
        FailureClass::Http => "an answer that is no success",
        FailureClass::RateLimited => "the other side asked for a pause",
        FailureClass::Credentials => "the credentials were refused",
        FailureClass::Recipient => "the recipient is gone",
        FailureClass::Protocol => "an answer that breaks the protocol",
        FailureClass::Internal => "a fault of our own",
    }
}

fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let cause = next?;
        next = cause.source();
        Some(cause)
    })
}

fn class_by_type(cause: &(dyn Error + 'static)) -> Option<FailureClass> {
    if cause.is::<RefusedTarget>() {
        return Some(FailureClass::RefusedTarget);
    }
    if cause.is::<rustls::Error>() {
        return Some(FailureClass::Tls);
    }
    // An io::Error's `source()` skips what it wraps, so the wrapped one is asked here.
    let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref)?;
    class_by_type(inner)
}

/// hyper's connector and getaddrinfo give no type to recognise, only these words.
fn speaks_of_dns(cause: &(dyn Error + 'static)) -> bool {
    let words = cause.to_string();
    words.starts_with("dns error") || words.starts_with("failed to lookup address")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_hidden_and_no_control_character_is_kept() {
        let hide = [Cow::Borrowed("JOSÉ PÉREZ"), Cow::Borrowed("s3cret"), Cow::Borrowed("JOS\\u00c9 P\\u00c9REZ")];
        let raw = "bad\u{1b}[31m request\nfrom JOSÉ PÉREZ cuit 20267565393 to a@b.com token=s3cret ".as_bytes();
        let kept = keep(raw, &hide);
        assert_eq!(kept, "bad [31m request from … cuit … to … token=…");
        assert_eq!(keep("{\"name\":\"JOS\\u00c9 P\\u00c9REZ\"}".as_bytes(), &hide), "{\"name\":\"…\"}");
        assert_eq!(ascii_json("JOSÉ PÉREZ"), "JOS\\u00c9 P\\u00c9REZ");
    }

    #[test]
    fn a_kilobyte_is_the_most() {
        for body in ["x ".repeat(9000), "é".repeat(9000), "1".repeat(9000), format!("{}é", "x".repeat(4095))] {
            assert!(keep(body.as_bytes(), &[]).len() <= KEPT);
        }
        assert_eq!(keep(b"", &[]), "");
        assert!(keep(&[0xff, 0xfe, b'a'], &[]).contains('a'));
    }

    #[test]
    fn short_numbers_stay() {
        assert_eq!(hide_numbers("error-1234567890:42"), "error-1234567890:42");
        assert_eq!(hide_numbers("\"2850590940090418135201\","), "\"…\",");
    }
}
