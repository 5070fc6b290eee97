//! A mail's headers and parts.

use std::time::SystemTime;

use jiff::Timestamp;
use lettre::Message;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use sha2::{Digest as _, Sha256};

use crate::channels::text::Mail;
use crate::domain::event::{Body, Event};
use crate::domain::route::DestinationName;

/// Who writes to whom, about what.
pub(super) struct Letter<'a> {
    pub(super) destination: &'a DestinationName,
    pub(super) from: &'a Mailbox,
    pub(super) to: &'a Mailbox,
    pub(super) event: &'a Event,
    pub(super) mail: &'a Mail,
    pub(super) now: Timestamp,
}

impl Letter<'_> {
    /// The whole mail, ready for `DATA`.
    pub(super) fn write(&self) -> Option<Vec<u8>> {
        let domain = self.from.email.domain();
        let mut builder = Message::builder()
            .from(self.from.clone())
            .to(self.to.clone())
            .subject(self.mail.subject.clone())
            .date(SystemTime::from(self.now))
            .message_id(Some(self.message_id()))
            .raw_header(header("Auto-Submitted", "auto-generated")?)
            .raw_header(header("X-Auto-Response-Suppress", "All")?)
            .raw_header(header("List-Id", &format!("<{}.pregonero.{domain}>", self.destination))?)
            .raw_header(header("List-Unsubscribe", &format!("<mailto:{}?subject=unsubscribe>", self.from.email))?);
        if let Some(root) = self.thread_root() {
            builder = builder.references(root.clone()).in_reply_to(root);
        }
        let parts = MultiPart::alternative_plain_html(self.mail.text.clone(), self.mail.html.clone());
        builder.multipart(parts).ok().map(|message| message.formatted())
    }

    /// The same for every try, so that a repeated mail is recognised; another one for each recipient.
    fn message_id(&self) -> String {
        let hash: [u8; 32] = Sha256::digest(self.to.email.to_string().to_lowercase()).into();
        let [a, b, c, d, ..] = hash;
        format!("<{}.{a:02x}{b:02x}{c:02x}{d:02x}@{}>", self.event.id, self.from.email.domain())
    }

    /// A mail that was never sent and that all mails of one payment answer: so a refund lands beside its payment.
    fn thread_root(&self) -> Option<String> {
        match &self.event.body {
            Body::Payment(payment) => Some(format!("<{}@{}>", payment.key, self.from.email.domain())),
            Body::Notice(_) => None,
        }
    }
}

fn header(name: &str, value: &str) -> Option<HeaderValue> {
    let name = HeaderName::new_from_ascii(name.to_owned()).ok()?;
    Some(HeaderValue::new(name, value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channels::contract::samples;
    use crate::domain::event::EventType;

    fn letter(event: &Event, to: &str) -> String {
        let (from, to) = ("Avisos <avisos@example.com>".parse().unwrap(), to.parse().unwrap());
        let mail = Mail {
            subject: String::from("Devolución: $ 1.500,00\r\nBcc: x@example.org"),
            text: String::from("uno"),
            html: String::from("<p>dos</p>"),
        };
        let letter = Letter {
            destination: &DestinationName::new("contaduria"),
            from: &from,
            to: &to,
            event,
            mail: &mail,
            now: "2026-11-21T17:03:22Z".parse().unwrap(),
        };
        String::from_utf8(letter.write().unwrap()).unwrap()
    }

    fn line<'t>(text: &'t str, name: &str) -> &'t str {
        text.lines()
            .find_map(|line| line.strip_prefix(&format!("{name}: ")))
            .unwrap_or_else(|| panic!("{name} in {text}"))
    }

    #[test]
    fn a_repeat_and_a_refund_are_recognised() {
        let credit = samples::payment(EventType::CreditReceived);
        let mut refund = samples::payment(EventType::PaymentRefunded);
        refund.id = crate::domain::event::EventId::from_bytes([7; 16]);
        let (first, again, other) =
            (letter(&credit, "a@example.org"), letter(&credit, "A@example.org"), letter(&credit, "b@example.org"));
        assert_eq!(line(&first, "Message-ID"), line(&again, "Message-ID"));
        assert_ne!(line(&first, "Message-ID"), line(&other, "Message-ID"));
        let back = letter(&refund, "a@example.org");
        assert_ne!(line(&first, "Message-ID"), line(&back, "Message-ID"));
        assert_eq!(line(&first, "References"), line(&back, "References"));
        assert_eq!(line(&back, "In-Reply-To"), "<pay_00112233445566778899aabbccddeeff@example.com>");
    }

    #[test]
    fn machines_are_told_what_it_is_and_nothing_is_injected() {
        let text = letter(&samples::payment(EventType::CreditReceived), "a@example.org");
        assert_eq!(line(&text, "Auto-Submitted"), "auto-generated");
        assert_eq!(line(&text, "X-Auto-Response-Suppress"), "All");
        assert_eq!(line(&text, "List-Id"), "<contaduria.pregonero.example.com>");
        assert_eq!(line(&text, "List-Unsubscribe"), "<mailto:avisos@example.com?subject=unsubscribe>");
        assert_eq!(line(&text, "Date"), "Sat, 21 Nov 2026 17:03:22 +0000");
        assert!(!text.lines().any(|line| line.starts_with("Bcc")));
        assert!(text.is_ascii() && text.lines().all(|line| line.len() <= 998));
        assert!(
            text.find("text/plain").unwrap() < text.find("text/html").unwrap(),
            "the last part is the preferred one"
        );
        assert!(!letter(&samples::notice(EventType::SourceFailing), "a@example.org").contains("References:"));
    }
}
