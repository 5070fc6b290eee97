//! A mail server that others wrote, and mails as Python's library reads them.

use std::path::PathBuf;

use base64::Engine as _;
use pregonero::domain::money::Money;
use serde_json::Value;
use tempfile::TempDir;

use super::{SOON, Stranger, house, more};
use crate::support::{Plan, until};

const USER: &str = "avisos@example.com";
const PASSWORD: &str = "mail-password-not-real";

/// A private authority and a certificate of `localhost` that it signed.
struct Papers(TempDir);

impl Papers {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ca_key = rcgen::KeyPair::generate().unwrap();
        let mut ca = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
        ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
        let issuer = rcgen::Issuer::new(ca, ca_key);
        let leaf_key = rcgen::KeyPair::generate().unwrap();
        let mut leaf = rcgen::CertificateParams::new(vec![String::from("localhost")]).unwrap();
        leaf.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
        let leaf_pem = leaf.signed_by(&leaf_key, &issuer).unwrap().pem();
        for (name, text) in [("ca.pem", ca_pem), ("leaf.pem", leaf_pem), ("leaf.key", leaf_key.serialize_pem())] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    async fn server(&self) -> Stranger {
        let (certificate, key) = (self.path("leaf.pem"), self.path("leaf.key"));
        let arguments = ["starttls", certificate.to_str().unwrap(), key.to_str().unwrap(), USER, PASSWORD];
        Stranger::start("smtp.py", &arguments, "aiosmtpd").await
    }
}

const MAILING: &str = r#"
[[email]]
name = "contaduria"
to = ["Pagos <pagos@example.com>", "socia@example.com"]
events = ["*"]
detail = "full"
"#;

fn by_starttls(port: u16, further: &str) -> String {
    format!(
        "[smtp]\nurl = \"smtp://{}@localhost:{port}\"\npassword = \"{PASSWORD}\"\nfrom = \"Avisos <{USER}>\"\n{further}\n{MAILING}",
        USER.replace('@', "%40")
    )
}

fn plain(port: u16, allow: bool) -> String {
    format!("[smtp]\nurl = \"smtp://127.0.0.1:{port}\"\nallow_plain = {allow}\nfrom = \"Avisos <{USER}>\"\n{MAILING}")
}

fn header<'a>(mail: &'a Value, name: &str) -> &'a str {
    mail["headers"][name].as_str().unwrap_or_else(|| panic!("no {name} in {mail}"))
}

/// What every mail must be, whatever it says.
fn assert_well_formed(mail: &Value) {
    assert_eq!(mail["defects"], Value::Array(Vec::new()), "{mail}");
    assert_eq!((&mail["seven_bit"], &mail["bare_newlines"]), (&true.into(), &0.into()), "{mail}");
    assert!(mail["longest_line"].as_u64().unwrap() <= 998, "RFC 5322, 2.1.1: {mail}");
    assert_eq!(mail["type"], "multipart/alternative");
    let types: Vec<&str> =
        mail["parts"].as_array().unwrap().iter().map(|part| part["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["text/plain", "text/html"], "the best form comes last");
    assert!(mail["parts"].as_array().unwrap().iter().all(|part| part["charset"] == "utf-8"), "{mail}");
    assert_eq!(mail["rcpt_to"].as_array().unwrap().len(), 1, "one envelope a recipient: {mail}");
    assert!(header(mail, "To").contains(mail["rcpt_to"][0].as_str().unwrap()), "nobody sees the others: {mail}");
    assert_eq!((header(mail, "From"), &mail["mail_from"]), ("Avisos <avisos@example.com>", &USER.into()));
    assert_eq!(header(mail, "Auto-Submitted"), "auto-generated");
    for name in ["Date", "Message-ID", "List-Unsubscribe", "MIME-Version"] {
        assert!(!header(mail, name).is_empty());
    }
}

/// A credit of $ 1.234,56 of somebody whose name is not ASCII, and its refund.
async fn pay_and_refund(house: &crate::support::House) {
    let world = house.sandbox.world();
    let holder = "María Núñez & Cía. «Ñandú» €";
    let row = world.telepagos_credit_with(Money::from_cents(123_456), |row| holder.clone_into(&mut row.holder));
    house.all_told("erp", SOON).await;
    world.telepagos_refund(row);
    house.all_told("erp", SOON).await;
}

fn assert_told(mails: &[Value]) {
    for mail in mails {
        assert_well_formed(mail);
    }
    let to = |address: &str| -> Vec<&Value> { mails.iter().filter(|mail| mail["rcpt_to"][0] == address).collect() };
    for address in ["pagos@example.com", "socia@example.com"] {
        let mails = to(address);
        let subjects: Vec<&str> = mails.iter().map(|mail| header(mail, "Subject")).collect();
        assert_eq!(
            subjects,
            [
                "Cobro recibido: $ 1.234,56 de María Núñez & Cía. «Ñandú» € · centro",
                "Devolución: $ 1.234,56 a María Núñez & Cía. «Ñandú» € · centro"
            ]
        );
        assert!(mails[0]["raw_subject"].as_str().unwrap().starts_with("Subject: "), "{}", mails[0]);
        let (text, html) = (&mails[0]["parts"][0]["text"], &mails[0]["parts"][1]["text"]);
        let (text, html) = (text.as_str().unwrap(), html.as_str().unwrap());
        assert!(text.starts_with("Cobro recibido\n$ 1.234,56 de María Núñez & Cía. «Ñandú» €\n"), "{text}");
        assert!(html.contains("María Núñez &amp; Cía. «Ñandú» €") && html.contains("<html lang=\"es\">"), "{html}");
    }
    let mut ids: Vec<&str> = mails.iter().map(|mail| header(mail, "Message-ID")).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), mails.len(), "every mail has an id of its own");
}

#[tokio::test]
async fn mails_go_by_starttls_and_auth_under_a_private_authority() {
    let papers = Papers::new();
    let server = papers.server().await;
    let house = house(31, "").await;
    let trusted = format!("ca_file = \"{}\"", papers.path("ca.pem").display());
    more(&house, &format!("[log]\nfilter = \"trace\"\n{}", by_starttls(server.port, &trusted)));
    let mut daemon = house.contacted(&Plan::default()).await;
    pay_and_refund(&house).await;
    until("four mails arrive", SOON, || server.heard().len() >= 4).await;
    daemon.stop().await;
    let mails = server.heard();
    assert_eq!(mails.len(), 4, "two facts, two recipients");
    for mail in &mails {
        assert_eq!((&mail["tls"], &mail["user"]), (&true.into(), &USER.into()));
    }
    assert_told(&mails);
    let log = daemon.log();
    assert!(log.contains(" DEBUG "), "every detail is logged, else nothing is shown by what is not in it");
    // As it goes over the wire: AUTH PLAIN, RFC 4616.
    let wire = base64::engine::general_purpose::STANDARD.encode(format!("\0{USER}\0{PASSWORD}"));
    for secret in [PASSWORD, wire.as_str(), "María", "pagos@example.com"] {
        assert!(!log.contains(secret), "{secret}: {:?}", log.lines().find(|line| line.contains(secret)));
    }
}

#[tokio::test]
async fn mails_go_in_the_clear_only_where_that_is_allowed() {
    let server = Stranger::start("smtp.py", &["plain"], "aiosmtpd").await;
    let house = house(32, "").await;
    more(&house, &plain(server.port, true));
    let mut daemon = house.contacted(&Plan::default()).await;
    pay_and_refund(&house).await;
    until("four mails arrive", SOON, || server.heard().len() >= 4).await;
    daemon.stop().await;
    let mails = server.heard();
    assert_eq!(mails.len(), 4, "two facts, two recipients");
    for mail in &mails {
        assert_eq!((&mail["tls"], &mail["user"]), (&false.into(), &Value::Null));
    }
    assert_told(&mails);

    more(&house, &plain(server.port, false));
    let (code, words) = send_test(&house).await;
    assert_eq!((code, server.heard().len()), (Some(1), 4), "{words}");
    assert!(words.contains("tls"), "{words}");
}

#[tokio::test]
async fn a_server_of_another_authority_hears_no_password() {
    let (papers, others) = (Papers::new(), Papers::new());
    let server = papers.server().await;
    let house = house(33, "").await;
    for further in [String::new(), format!("ca_file = \"{}\"", others.path("ca.pem").display())] {
        more(&house, &by_starttls(server.port, &further));
        let (code, words) = send_test(&house).await;
        assert_eq!(code, Some(1), "{words}");
        assert!(words.contains(": tls after "), "{words}");
        assert!(!words.contains(PASSWORD) && !words.contains("pagos@example.com"), "{words}");
    }
    let trusted = format!("ca_file = \"{}\"", papers.path("ca.pem").display());
    more(&house, &by_starttls(server.port, &trusted).replace(PASSWORD, "another-password"));
    let (code, words) = send_test(&house).await;
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains(": credentials 535 after ") && !words.contains("another-password"), "{words}");
    assert!(server.heard().is_empty());
}

/// `pregonero send-test contaduria`: its exit code and words.
async fn send_test(house: &crate::support::House) -> (Option<i32>, String) {
    let config = house.write(&Plan::default(), 0);
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_pregonero"))
        .args(["send-test", "contaduria", "--config", config.to_str().unwrap()])
        .output()
        .await
        .unwrap();
    let words = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(words).unwrap())
}
