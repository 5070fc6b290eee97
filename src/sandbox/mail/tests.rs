//! The mail catcher against lettre, which is not ours, and against bare lines.

use std::sync::Arc;

use lettre::transport::smtp::authentication::Credentials;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::clock::SystemClock;
use crate::sandbox::{Face, Fault, Ports, Rule, Sandbox};

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

async fn sandbox() -> Sandbox {
    Sandbox::start(Ports::default(), Arc::new(SystemClock), 1).await.unwrap()
}

async fn send(sandbox: &Sandbox, body: &str) -> Result<(), lettre::transport::smtp::Error> {
    let mail = Message::builder()
        .from("Avisos <avisos@example.com>".parse().unwrap())
        .to("pagos@example.com".parse().unwrap())
        .subject("Entró un pago")
        .body(body.to_owned())
        .unwrap();
    let transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous("127.0.0.1")
        .port(sandbox.smtp_addr().port())
        .credentials(Credentials::new("avisos".to_owned(), "clave".to_owned()))
        .build();
    tokio::time::timeout(PATIENCE, transport.send(mail)).await.unwrap().map(drop)
}

#[tokio::test]
async fn a_mail_is_caught_as_it_was_sent() {
    let sandbox = sandbox().await;
    send(&sandbox, ".una línea con punto\r\n..dos\r\nfin").await.unwrap();
    let mails = sandbox.caught().mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(
        (mails[0].from.as_str(), mails[0].to.as_slice()),
        ("avisos@example.com", &["pagos@example.com".to_owned()][..])
    );
    assert_eq!(mails[0].user.as_deref(), Some("avisos"));
    assert!(mails[0].text().contains("Subject: "));
    sandbox.stop().await;
}

#[tokio::test]
async fn replies_follow_the_script() {
    let sandbox = sandbox().await;
    for (command, status, permanent) in
        [("CONNECT", 421, false), ("AUTH", 535, true), ("MAIL", 451, false), ("RCPT", 550, true), ("BODY", 452, false)]
    {
        let fault = Fault::Status { status, body: String::from("scripted words"), retry_after: None };
        sandbox.script().add(Rule::once(Face::Mail, command, fault));
        let error = send(&sandbox, "hola").await.unwrap_err();
        assert_eq!(error.is_permanent(), permanent, "{command}: {error}");
    }
    assert!(sandbox.caught().mails().is_empty());
    sandbox.script().add(Rule::once(Face::Mail, "BODY", Fault::Reset { after_effect: true }));
    send(&sandbox, "hola").await.unwrap_err();
    assert_eq!(sandbox.caught().mails().len(), 1, "taken, though nobody heard");
    sandbox.script().add(Rule::once(Face::Mail, "DATA", Fault::Reset { after_effect: false }));
    send(&sandbox, "hola").await.unwrap_err();
    send(&sandbox, "hola").await.unwrap();
    assert_eq!(sandbox.caught().mails().len(), 2);
    sandbox.stop().await;
}

async fn say(wire: &mut BufReader<TcpStream>, line: &str) -> String {
    wire.get_mut().write_all(line.as_bytes()).await.unwrap();
    let mut reply = String::new();
    tokio::time::timeout(PATIENCE, wire.read_line(&mut reply)).await.unwrap().unwrap();
    reply.trim_end().to_owned()
}

#[tokio::test]
async fn commands_out_of_order_are_refused_and_dots_unstuffed() {
    let sandbox = sandbox().await;
    let mut wire = BufReader::new(TcpStream::connect(sandbox.smtp_addr()).await.unwrap());
    assert!(say(&mut wire, "").await.starts_with("220 "));
    for (line, code) in [
        ("NOOP\r\n", "250"),
        ("MAIL\r\n", "501"),
        ("RCPT TO:<a@b>\r\n", "503"),
        ("HELO x\r\n", "250"),
        ("mail from:<a@b> SIZE=3\r\n", "250"),
        ("MAIL FROM:<a@b>\r\n", "503"),
        ("DATA\r\n", "503"),
        ("RSET\r\n", "250"),
        ("MAIL FROM:<>\r\n", "250"),
        ("RCPT TO:<c@d>\r\n", "250"),
        ("RCPT TO:<e@f>\r\n", "250"),
        ("FLY\r\n", "500"),
        ("AUTH XOAUTH2\r\n", "504"),
        ("DATA\r\n", "354"),
        ("..dot\r\n...\r\nlast\r\n.\r\n", "250"),
        ("QUIT\r\n", "221"),
    ] {
        let reply = say(&mut wire, line).await;
        assert!(reply.starts_with(code), "{line} → {reply}");
    }
    let mut rest = Vec::new();
    wire.read_to_end(&mut rest).await.unwrap();
    let mails = sandbox.caught().mails();
    assert_eq!((mails[0].from.as_str(), mails[0].to.len()), ("", 2));
    assert_eq!(mails[0].text(), ".dot\r\n..\r\nlast\r\n");
    sandbox.stop().await;
}

#[tokio::test]
async fn a_mute_session_does_not_hold_the_stop() {
    let sandbox = sandbox().await;
    let rule = sandbox.script().add(Rule::always(Face::Mail, "EHLO", Fault::Hang { after_effect: false }));
    let mut wire = BufReader::new(TcpStream::connect(sandbox.smtp_addr()).await.unwrap());
    assert!(say(&mut wire, "").await.starts_with("220 "));
    wire.get_mut().write_all(b"EHLO x\r\n").await.unwrap();
    let muted = async {
        while sandbox.script().struck(rule) == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, muted).await.unwrap();
    tokio::time::timeout(PATIENCE, sandbox.stop()).await.unwrap();
    assert_eq!(say(&mut wire, "").await, "", "closed without a word");
}
