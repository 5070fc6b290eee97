//! The contract for mail.

use std::io::Write as _;

use super::relay::{MailRelay, Say, Tls, authority};
use super::*;
use crate::channels::email::EmailChannel;
use crate::channels::email::relay::Relay;
use crate::channels::text::Texts;
use crate::config::{EmailConfig, Language, SmtpConfig, SmtpSecurity};

fn smtp(port: u16) -> SmtpConfig {
    SmtpConfig {
        host: String::from("localhost"),
        port,
        security: SmtpSecurity::Plain,
        credentials: Some((String::from("user"), secret("smtp-s3cret"))),
        from: String::from("Avisos <avisos@example.com>"),
        ca_file: None,
    }
}

fn mailing(smtp: &SmtpConfig, to: &[&str], timeout: Duration) -> EmailChannel {
    let mut common = destination("contaduria");
    common.timeout = timeout;
    let to = to.iter().map(|to| (*to).to_owned()).collect();
    let config = EmailConfig { common, to, language: Language::Es, zone: zone() };
    let relay = Arc::new(Relay::new(smtp).unwrap());
    EmailChannel::new(&config, &smtp.from, relay, Arc::new(Texts::new().unwrap()), clock()).unwrap()
}

const PATIENT: Duration = Duration::from_secs(20);
const IMPATIENT: Duration = Duration::from_millis(500);

#[tokio::test]
async fn every_behaviour_has_its_reaction() {
    use FailureClass::{Connect, Credentials, Protocol, RateLimited, Recipient, Timeout};
    use Say::{HangUp, Nothing, Reply};
    for (command, say, expected) in [
        ("NOOP", Reply("250 ok"), Word::Accepted),
        ("GREETING", Reply("554 go away"), Word::Later(Protocol)),
        ("GREETING", Reply("421 busy"), Word::Later(Protocol)),
        ("GREETING", Nothing, Word::Later(Timeout)),
        ("GREETING", HangUp, Word::Later(Connect)),
        ("GREETING", Reply("HTTP/1.1 400 Bad Request"), Word::Later(Protocol)),
        ("EHLO", HangUp, Word::Later(Connect)),
        ("AUTH", Reply("535 5.7.8 bad login of caja@example.org 20267565393"), Word::Park(Credentials)),
        ("AUTH", Reply("534 5.7.9 use an app password"), Word::Park(Credentials)),
        ("AUTH", Reply("454 4.7.0 later"), Word::Later(Protocol)),
        ("MAIL", Reply("530 5.7.0 log in first"), Word::Park(Credentials)),
        ("MAIL", Reply("550 5.7.1 not your address avisos@example.com"), Word::Park(Credentials)),
        ("MAIL", Reply("451 4.3.0 later"), Word::Later(Protocol)),
        ("RCPT", Reply("550 5.1.1 <caja@example.org> unknown"), Word::Never(Recipient)),
        ("RCPT", Reply("551 moved"), Word::Never(Recipient)),
        ("RCPT", Reply("553 no"), Word::Never(Recipient)),
        ("RCPT", Reply("450 4.2.0 greylisted"), Word::Later(Protocol)),
        ("RCPT", Reply("452 4.5.3 too many"), Word::Later(RateLimited)),
        ("DATA", Reply("451 later"), Word::Later(Protocol)),
        (".", Reply("552 5.3.4 too big"), Word::Never(Protocol)),
        (".", Reply("554-5.7.1 spam\r\n554 5.7.1 really"), Word::Never(Protocol)),
        (".", Reply("451 later"), Word::Later(Protocol)),
        (".", HangUp, Word::Later(Connect)),
        (".", Nothing, Word::Later(Timeout)),
        ("MAIL", Nothing, Word::Later(Timeout)),
    ] {
        let relay = MailRelay::start(&[(command, say)], Tls::default());
        let timeout = if matches!(say, Nothing) { IMPATIENT } else { PATIENT };
        let report = announce(&mailing(&smtp(relay.port), &["caja@example.org"], timeout)).await;
        assert_eq!(word(&report), expected, "{command} {say:?}: {report:?}");
        assert_eq!(relay.taken().len(), usize::from(expected == Word::Accepted), "{command} {say:?}");
    }
}

#[tokio::test]
async fn nobody_there_is_no_connection_and_no_such_name_is_dns() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let to = ["caja@example.org"];
    let report = announce(&mailing(&smtp(free), &to, PATIENT)).await;
    assert_eq!(word(&report), Word::Later(FailureClass::Connect));
    let nowhere = SmtpConfig { host: String::from("does-not-exist.invalid"), ..smtp(free) };
    assert_eq!(word(&announce(&mailing(&nowhere, &to, PATIENT)).await), Word::Later(FailureClass::Dns));
}

#[tokio::test]
async fn after_a_time_out_no_reply_slips_into_the_next_mail() {
    // The first conversation is cut before the relay answers; its answer comes later, while the next mail is refused.
    let script = [("MAIL", Say::LateReply("250 ok")), ("RCPT", Say::Reply("550 5.1.1 unknown"))];
    let relay = MailRelay::start(&script, Tls::default());
    let channel = mailing(&smtp(relay.port), &["caja@example.org"], IMPATIENT);
    assert_eq!(word(&send(&channel, &samples::numbered(1), 1).await), Word::Later(FailureClass::Timeout));
    relay.open_gate();
    let second = send(&channel, &samples::numbered(2), 1).await;
    assert_eq!(word(&second), Word::Never(FailureClass::Recipient), "a refused mail must not count as sent");
    assert_eq!(word(&send(&channel, &samples::numbered(3), 1).await), Word::Accepted);
    assert_eq!(relay.connections(), 3, "whatever goes wrong costs the connection");
    assert_eq!(relay.taken().len(), 1);
}

#[tokio::test]
async fn a_connection_is_used_again_only_after_it_was_asked() {
    let relay = MailRelay::start(&[("NOOP", Say::Reply("250 ok")), ("NOOP", Say::HangUp)], Tls::default());
    let channel = mailing(&smtp(relay.port), &["caja@example.org"], PATIENT);
    for n in 1..=3 {
        assert_eq!(word(&send(&channel, &samples::numbered(n), 1).await), Word::Accepted);
    }
    let connections: Vec<_> = relay.taken().iter().map(|taken| taken.connection).collect();
    assert_eq!(connections, [1, 1, 2]);
    assert_eq!(relay.heard("NOOP"), 2);
}

#[tokio::test]
async fn each_recipient_has_an_envelope_and_is_written_to_once() {
    // The second of three is greylisted once; the third is unknown.
    let script = [
        ("RCPT", Say::Reply("250 ok")),
        ("RCPT", Say::Reply("451 4.7.1 greylisted")),
        ("RCPT", Say::Reply("550 5.1.1 unknown")),
    ];
    let relay = MailRelay::start(&script, Tls::default());
    let channel = mailing(&smtp(relay.port), &["a@example.org", "b@example.org", "c@example.org"], PATIENT);
    let event = samples::numbered(1);
    let first = send(&channel, &event, 1).await;
    assert_eq!(word(&first), Word::Later(FailureClass::Protocol));
    assert!(first.detail.starts_with("1 of 3 recipients accepted, 1 refused: 451"), "{}", first.detail);
    let second = send(&channel, &event, 2).await;
    assert_eq!(word(&second), Word::Never(FailureClass::Recipient), "all is settled, and one never got it");
    let to: Vec<String> = relay.taken().iter().map(|taken| taken.to.clone()).collect();
    assert_eq!(to, ["RCPT TO:<a@example.org>", "RCPT TO:<b@example.org>"]);
    assert!(!relay.taken()[0].text.contains("b@example.org"), "recipients do not see each other");
    assert!(relay.taken()[1].text.contains("(reenviado)"));
    // An operator mends the third address at the relay and requeues.
    assert_eq!(word(&send(&channel, &event, 1).await), Word::Accepted);
    assert_eq!(relay.taken().len(), 3);
}

#[tokio::test]
async fn a_relay_sees_two_conversations_at_once_at_most() {
    let relay = MailRelay::start(&[], Tls::default());
    let channel = mailing(&smtp(relay.port), &["caja@example.org"], PATIENT);
    assert_eq!(channel.in_flight(), 2);
    let events: Vec<Event> = (1..=12).map(samples::numbered).collect();
    let sends = events.iter().map(|event| send(&channel, event, 1));
    let reports = futures_util::future::join_all(sends).await;
    assert!(reports.iter().all(|report| word(report) == Word::Accepted));
    assert!(relay.most_open() <= 2, "{}", relay.most_open());
    assert_eq!(relay.taken().len(), 12);
}

#[tokio::test]
async fn nothing_is_sent_without_the_tls_that_was_asked_for() {
    let to = ["caja@example.org"];
    let plain = MailRelay::start(&[], Tls::default());
    let strict = SmtpConfig { security: SmtpSecurity::RequiredStarttls, ..smtp(plain.port) };
    assert_eq!(word(&announce(&mailing(&strict, &to, PATIENT)).await), Word::Later(FailureClass::Tls));
    assert_eq!(plain.heard("AUTH"), 0, "the password stays at home");
    for implicit in [false, true] {
        let (pem, tls) = authority(implicit);
        let relay = MailRelay::start(&[], tls);
        let security = if implicit { SmtpSecurity::ImplicitTls } else { SmtpSecurity::RequiredStarttls };
        let strict = SmtpConfig { security, ..smtp(relay.port) };
        let unknown = announce(&mailing(&strict, &to, PATIENT)).await;
        assert_eq!(word(&unknown), Word::Later(FailureClass::Tls), "an unknown authority: {unknown:?}");
        assert_eq!(relay.heard("AUTH"), 0);
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(pem.as_bytes()).unwrap();
        let trusting = SmtpConfig { ca_file: Some(file.path().to_owned()), ..strict };
        assert_eq!(word(&announce(&mailing(&trusting, &to, PATIENT)).await), Word::Accepted);
        assert!(relay.taken()[0].encrypted);
        let elsewhere = SmtpConfig { host: String::from("127.0.0.1"), ..trusting };
        let report = announce(&mailing(&elsewhere, &to, PATIENT)).await;
        assert_eq!(word(&report), Word::Later(FailureClass::Tls), "the certificate must show the host: {report:?}");
    }
}
