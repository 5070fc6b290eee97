//! What a good file means.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use pregonero::config::{Detail, FollowConfig, Income, Language, SmtpSecurity, Start};
use pregonero::domain::row::StatusKind;

use super::example::{example_lines, joined};
use super::{EMAIL, Place, SIPAGO, SMTP, TELEGRAM, TELEPAGOS, WHSEC, webhook};

#[test]
fn an_account_says_what_its_upstream_means() {
    let config = Place::with(&format!(
        "{TELEPAGOS}start = 2026-11-01\nlookback = \"10d\"\nrate = \"5/s\"\nburst = 3\ntimezone = \"UTC\"\n\
         watch = {{ cashin = [7, \"8\", 7], links = [] }}\nstatus = {{ \" Acreditada \" = \"approved\" }}\n\
         income = {{ 1 = \"credit\", D = \"debit\" }}\npoll = {{ hot = \"1s\" }}\nfollow = {{ from = \"123\" }}\n\
         {SIPAGO}watch = {{ links = \"https://x.example/orders/0F8FAD5B-d9cb-469f-a165-70867728950e\" }}\n"
    ));
    let config = config.load().config;
    let account = &config.telepagos[0];
    assert!(matches!(account.common.start, Start::Day(day) if day.to_string() == "2026-11-01"));
    assert_eq!(account.common.base_url.as_str(), "https://api.telepagos.com.ar/");
    assert_eq!((account.common.rate.count.get(), account.common.rate.burst.get()), (5, 3));
    assert_eq!(account.common.status.get("acreditada"), Some(&StatusKind::Approved));
    assert_eq!(account.common.provider_zone.iana_name(), Some("UTC"));
    assert_eq!(account.common.zone.iana_name(), Some("America/Argentina/Buenos_Aires"));
    assert_eq!((account.income.get("1"), account.income.get("d")), (Some(&Income::Credit), Some(&Income::Debit)));
    assert_eq!(account.watch_cashin, [7, 8]);
    assert_eq!(account.follow, Some(FollowConfig { from: 123, ahead: 20 }));
    assert_eq!(account.common.poll.hot, Duration::from_secs(1));
    assert_eq!(account.common.poll.warm, Duration::from_secs(900));
    assert_eq!(config.sipago[0].watch_links, ["0f8fad5b-d9cb-469f-a165-70867728950e"]);
    assert_eq!(config.sipago[0].common.base_url.as_str(), "https://api.example/services/");
}

#[test]
fn a_destination_has_the_defaults_of_its_channel() {
    let config = Place::with(&format!("{}{SMTP}{EMAIL}language = \"en\"\n{TELEGRAM}", webhook())).load().config;
    let (webhook, email, telegram) = (&config.webhook[0], &config.email[0], &config.telegram[0]);
    assert_eq!((webhook.common.timeout.as_secs(), webhook.common.detail), (15, Detail::Full));
    assert_eq!((email.common.timeout.as_secs(), email.common.detail), (30, Detail::Masked));
    assert_eq!((telegram.common.timeout.as_secs(), telegram.common.detail), (30, Detail::Masked));
    assert_eq!((email.language, telegram.language), (Language::En, Language::Es));
    assert_eq!(email.to, ["a@example.com"]);
    assert_eq!(telegram.api_url.as_str(), "https://api.telegram.org/");
    assert_eq!(webhook.secrets[0].expose(), WHSEC);
}

#[test]
fn a_relay_is_protected_unless_plain_is_wanted() {
    let relay = |url: &str, more: &str| {
        let text = format!("[smtp]\nurl = \"{url}\"\nfrom = \"A <a@b.c>\"\n{more}");
        Place::with(&text).load().config.smtp.expect("a relay")
    };
    let smtp = relay("smtps://me%40shop@mail.example.com", "password = \"p\"\n");
    assert_eq!((smtp.port, smtp.security), (465, SmtpSecurity::ImplicitTls));
    assert_eq!(smtp.credentials.map(|(user, _)| user).as_deref(), Some("me@shop"));
    let smtp = relay("smtp://mail.example.com", "");
    assert_eq!((smtp.port, smtp.security), (587, SmtpSecurity::RequiredStarttls));
    let smtp = relay("smtp://127.0.0.1:2525", "allow_plain = true\n");
    assert_eq!((smtp.host.as_str(), smtp.port, smtp.security), ("127.0.0.1", 2525, SmtpSecurity::Plain));
}

#[test]
fn secrets_come_from_variables_files_and_credentials() {
    let place = Place::with(&joined(example_lines().iter()));
    let config = place.load().config;
    assert_eq!(config.telepagos[0].password.expose(), "file-secret", "without its line break");
    assert_eq!(config.sipago[0].api_key.expose(), "sipago-secret");
    assert_eq!(config.telegram[0].token.expose(), "123456:credential-secret");
    assert_eq!(config.smtp.and_then(|smtp| smtp.credentials).expect("credentials").1.expose(), "smtp-secret");
    let two = format!("secret = [{{ env = \"ERP_SECRET\" }}, \"{WHSEC}\"]");
    let rotating = webhook().replace(&format!("secret = \"{WHSEC}\""), &two);
    assert_eq!(Place::with(&rotating).load().config.webhook[0].secrets.len(), 2);
}

#[test]
fn a_plain_secret_in_a_file_that_everybody_reads_is_warned_of() {
    let place = Place::with(TELEPAGOS);
    let mode = |mode| fs::set_permissions(place.path("config.toml"), fs::Permissions::from_mode(mode)).expect("chmod");
    mode(0o644);
    let warnings = place.load().warnings;
    assert!(warnings.len() == 1 && warnings[0].contains("telepagos.centro.password"), "{warnings:?}");
    mode(0o640);
    assert!(place.load().warnings.is_empty());
}

#[test]
fn a_private_host_that_nobody_allowed_is_warned_of() {
    let warnings = |host: &str, more: &str| {
        let text = webhook().replace("https://erp.example.com", host) + more;
        let warnings = Place::with(&text).load().warnings;
        warnings.iter().filter(|warning| warning.contains("allow_private")).count()
    };
    assert_eq!(warnings("http://127.0.0.1:9000", ""), 1);
    assert_eq!(warnings("http://localhost:9000", ""), 1);
    assert_eq!(warnings("https://192.168.1.9", "allow_private = \"10.0.0.0/8\"\n"), 1);
    assert_eq!(warnings("https://192.168.1.9", "allow_private = \"192.168.1.9\"\n"), 0);
    assert_eq!(warnings("http://localhost:9000", "allow_private = \"127.0.0.0/8\"\n"), 0);
    assert_eq!(warnings("https://erp.example.com", ""), 0);
}
