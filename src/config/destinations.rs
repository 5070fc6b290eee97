//! `[[webhook]]`, `[[email]]` and `[[telegram]]`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use ipnet::IpNet;
use jiff::tz::TimeZone;
use url::{Host, Url};

use super::fields::is_loopback;
use super::problem::{Read, did_you_mean, nearest, shown};
use super::secret::Secret;
use super::section::{Field, Kind, Section};
use super::values;
use super::{DestinationConfig, Detail, EmailConfig, Language, TelegramConfig, WebhookConfig};
use crate::domain::account::AccountName;
use crate::domain::event::EventType;
use crate::domain::retry::Schedule;
use crate::domain::route::{ChannelKind, DestinationName, Pattern};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

/// Padding may be left out, as the sender of webhooks reads it too.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The most attempts of one delivery.
const MOST_RETRIES: usize = 50;

/// Headers that are ours to set, or that belong to the connection.
const RESERVED_HEADERS: [&str; 11] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "te",
    "transfer-encoding",
    "upgrade",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
];

/// Languages by their names.
pub(super) const LANGUAGES: [(&str, Language); 2] = [("es", Language::Es), ("en", Language::En)];

/// What people's destinations inherit.
pub(super) struct Inherited {
    /// Of messages.
    pub(super) language: Language,
    /// Of times.
    pub(super) zone: TimeZone,
}

/// One `[[webhook]]`.
pub(super) fn webhook(section: &Section<'_>) -> Read<WebhookConfig> {
    let common = common(section, ChannelKind::Webhook);
    let allow_private = section.or("allow_private", Vec::new(), |field| field.each(network));
    let allow_http = section.or("allow_http", false, Field::flag);
    let may_be_plain = allow_http.unwrap_or(true) || !allow_private.as_ref().is_ok_and(Vec::is_empty);
    let url = section.required("url", "\"https://erp.example.com/pagos\"", |field| {
        https(field, &field.secret_text()?, may_be_plain)
    });
    if let (Ok(url), Ok(allowed)) = (&url, &allow_private)
        && unlisted_private(url, allowed)
    {
        section.warn("url", "the host is private and not listed in `allow_private`, so nothing will be sent there");
    }
    let secrets = section.required("secret", "{ env = \"…\" }", |field| {
        let secrets = field.each(signing_secret)?;
        if secrets.is_empty() {
            return Err(field.wrong("is an empty list", "write at least one secret"));
        }
        Ok(secrets)
    });
    let rate = section.rate();
    let headers = headers(&section.section("headers"));
    section.refuse_unknown_keys();
    Ok(WebhookConfig {
        common: common?,
        url: url?,
        secrets: secrets?,
        allow_private: allow_private?,
        rate: rate?,
        headers: headers?,
    })
}

/// One `[[email]]`.
pub(super) fn email(section: &Section<'_>, inherited: &Inherited) -> Read<EmailConfig> {
    let common = common(section, ChannelKind::Email);
    let to = section.required("to", "[\"pagos@example.com\"]", |field| {
        let to = field.each(mailbox)?;
        if to.is_empty() {
            return Err(field.wrong("is an empty list", "write at least one address"));
        }
        Ok(to)
    });
    let language = section.or("language", inherited.language, |field| field.choice(&LANGUAGES));
    let zone = section.or("timezone", inherited.zone.clone(), Field::zone);
    section.refuse_unknown_keys();
    Ok(EmailConfig { common: common?, to: to?, language: language?, zone: zone? })
}

/// One `[[telegram]]`.
pub(super) fn telegram(section: &Section<'_>, inherited: &Inherited) -> Read<TelegramConfig> {
    let common = common(section, ChannelKind::Telegram);
    let token = section.required("token", "{ credential = \"…\" }", bot_token);
    let chat_id = section.required("chat_id", "-1001234567890", |field| {
        let id = field.whole(i64::MIN..=i64::MAX)?;
        if id == 0 { Err(field.wrong("is no chat", "write the chat's number; groups are negative")) } else { Ok(id) }
    });
    let thread_id = section.optional("thread_id", |field| field.whole(1..=i32::MAX));
    let allow_http = section.or("allow_http", false, Field::flag);
    let api_url = section
        .optional("api_url", |field| https(field, field.text()?, allow_http.unwrap_or(true)))
        .and_then(|url| url.map_or_else(|| telegrams_own(section), Ok));
    let language = section.or("language", inherited.language, |field| field.choice(&LANGUAGES));
    let zone = section.or("timezone", inherited.zone.clone(), Field::zone);
    section.refuse_unknown_keys();
    Ok(TelegramConfig {
        common: common?,
        token: token?,
        chat_id: chat_id?,
        thread_id: thread_id?,
        api_url: api_url?,
        language: language?,
        zone: zone?,
    })
}

/// <https://core.telegram.org/bots/api#making-requests>, 2026-11-21.
fn telegrams_own(section: &Section<'_>) -> Read<Url> {
    Url::parse("https://api.telegram.org").map_err(|_| section.wrong("api_url", "has no default", "write one"))
}

fn common(section: &Section<'_>, channel: ChannelKind) -> Read<DestinationConfig> {
    // Mail servers dislike many connections of one client; people's channels are slower than machines.
    let (in_flight, timeout, detail) = match channel {
        ChannelKind::Webhook => (8, 15 * SECOND, Detail::Full),
        ChannelKind::Email => (2, 30 * SECOND, Detail::Masked),
        ChannelKind::Telegram => (8, 30 * SECOND, Detail::Masked),
    };
    let name = section.required("name", "\"erp\"", |field| field.name(Kind::Destination));
    let patterns = section.or("events", Pattern::defaults(channel), |field| {
        let patterns = field.each(pattern)?;
        if patterns.is_empty() {
            return Err(field.wrong("is an empty list, so nothing would be sent", "name events, or remove the line"));
        }
        Ok(patterns)
    });
    let accounts = section.or("accounts", Vec::new(), |field| field.each(account));
    let in_flight = section.or("in_flight", in_flight, |field| field.whole(1..=256));
    let timeout = section.or("timeout", timeout, |field| field.duration(SECOND / 10, 300 * SECOND));
    let retry = section.or("retry", Schedule::default(), |field| {
        let waits = field.each(|wait| wait.duration(Duration::ZERO, 30 * DAY))?;
        if waits.len() > MOST_RETRIES {
            return Err(field.wrong("is too long a list", &format!("write at most {MOST_RETRIES} waits")));
        }
        Ok(Schedule::new(waits))
    });
    let detail = section.or("detail", detail, |field| {
        field.choice(&[("full", Detail::Full), ("masked", Detail::Masked), ("thin", Detail::Thin)])
    });
    Ok(DestinationConfig {
        name: DestinationName::new(&name?),
        patterns: patterns?,
        accounts: accounts?,
        in_flight: in_flight?,
        timeout: timeout?,
        retry: retry?,
        detail: detail?,
    })
}

fn pattern(field: &Field<'_>) -> Read<Pattern> {
    let text = field.text()?;
    Pattern::parse(text.trim()).ok_or_else(|| {
        let types = EventType::ALL.map(EventType::as_str);
        let families: Vec<String> =
            types.iter().filter_map(|kind| Some(format!("{}.*", kind.split_once('.')?.0))).collect();
        let known = types.into_iter().chain(families.iter().map(String::as_str)).chain(["system.*", "*"]);
        let remedy = match nearest(text, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "write a type such as `credit.received`, a family such as `credit.*`, `system.*` or `*`".to_owned(),
        };
        field.wrong(&format!("{} matches no event", shown(text)), &remedy)
    })
}

/// The accounts were read before, so that all names are known.
fn account(field: &Field<'_>) -> Read<AccountName> {
    let name = field.text()?;
    let known: Vec<String> = {
        let notes = field.context.notes.borrow();
        let accounts = notes.names.keys().filter(|(kind, _)| *kind == Kind::Account);
        accounts.map(|(_, name)| name.clone()).collect()
    };
    if known.iter().any(|known| known == name) {
        return Ok(AccountName::new(name));
    }
    let remedy = if known.is_empty() {
        "write a `[[telepagos]]` or `[[sipago]]` of that name".to_owned()
    } else {
        did_you_mean(name, known.iter().map(String::as_str))
    };
    Err(field.wrong(&format!("{} is no account", shown(name)), &remedy))
}

fn https(field: &Field<'_>, text: &str, may_be_plain: bool) -> Read<Url> {
    let url = field.url(text)?;
    if url.scheme() == "http" && !may_be_plain && !is_loopback(&url) {
        let remedy = "write https://, or `allow_http = true` beside it if it may travel in the clear";
        return Err(field.wrong("is plain http:// to another machine", remedy));
    }
    Ok(url)
}

/// Whether the host is, by its own text, in a private network that nobody allowed. The sender has the last word, after
/// DNS; this spares an operator the first failed delivery.
fn unlisted_private(url: &Url, allowed: &[IpNet]) -> bool {
    let is_private = |address: IpAddr| match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_private(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local(),
    };
    let addresses = match url.host() {
        Some(Host::Ipv4(address)) => vec![IpAddr::V4(address)],
        Some(Host::Ipv6(address)) => vec![IpAddr::V6(address).to_canonical()],
        Some(Host::Domain(_)) if is_loopback(url) => {
            vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]
        }
        Some(Host::Domain(_)) | None => Vec::new(),
    };
    let listed = |address: &IpAddr| allowed.iter().any(|network| network.contains(address));
    addresses.iter().copied().any(is_private) && !addresses.iter().any(listed)
}

fn network(field: &Field<'_>) -> Read<IpNet> {
    let text = field.text()?;
    let network = text.trim().parse::<IpNet>();
    let network = network.or_else(|_| text.trim().parse::<IpAddr>().map(IpNet::from));
    network.map_err(|_| {
        field.wrong(&format!("{} is no network", shown(text)), "write addresses and prefix, such as `10.0.0.0/8`")
    })
}

/// `whsec_` and base64 of 24 to 64 bytes (Standard Webhooks 1.0, "Signature scheme", 2026-11-21). Kept as written.
fn signing_secret(field: &Field<'_>) -> Read<Secret> {
    let secret = field.secret()?;
    let remedy = "write `whsec_` and the base64 of 24 to 64 random bytes, such as `openssl rand -base64 32` prints";
    let Some(encoded) = secret.expose().strip_prefix("whsec_") else {
        return Err(field.wrong("does not begin with `whsec_`", remedy));
    };
    match BASE64.decode(encoded) {
        Ok(bytes) if (24..=64).contains(&bytes.len()) => Ok(secret),
        Ok(_) => Err(field.wrong("has fewer than 24 or more than 64 bytes", remedy)),
        Err(_) => Err(field.wrong("is no base64 after `whsec_`", remedy)),
    }
}

/// `123456:ABC…`, as the bot's father hands it out.
fn bot_token(field: &Field<'_>) -> Read<Secret> {
    let token = field.secret()?;
    let well_formed = token.expose().split_once(':').is_some_and(|(bot, key)| {
        let digits = !bot.is_empty() && bot.len() <= 20 && bot.bytes().all(|b| b.is_ascii_digit());
        digits && !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    });
    if well_formed {
        return Ok(token);
    }
    Err(field.wrong("is no bot token", "copy it from @BotFather: digits, a colon, letters and digits"))
}

fn mailbox(field: &Field<'_>) -> Read<String> {
    let text = field.text()?;
    if values::is_mailbox(text) {
        return Ok(text.trim().to_owned());
    }
    Err(field.wrong("is no mail address", "write `name@host` or `Name <name@host>`"))
}

fn headers(section: &Section<'_>) -> Read<Vec<(String, Secret)>> {
    let all: Vec<Read<(String, Secret)>> = section.entries().map(|(name, field)| header(name, &field)).collect();
    let headers = all.into_iter().collect::<Read<Vec<_>>>()?;
    for (index, (name, _)) in headers.iter().enumerate() {
        if headers.iter().take(index).any(|(other, _)| other.eq_ignore_ascii_case(name)) {
            return Err(section.wrong(name, "is written twice, capitals aside", "keep one of them"));
        }
    }
    Ok(headers)
}

fn header(name: &str, field: &Field<'_>) -> Read<(String, Secret)> {
    // RFC 9110, 5.6.2: the characters of a token.
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || !name.chars().all(token) {
        return Err(field.wrong("is no name of a header", "use letters, digits and `-`"));
    }
    if RESERVED_HEADERS.contains(&name.to_lowercase().as_str()) {
        return Err(field.wrong("is a header that is set by the sender", "remove it"));
    }
    // A header is a secret only where it looks like one; `X-Shop = "3"` in plain text deserves no warning.
    let credential = ["auth", "token", "key", "secret", "cookie"].iter().any(|part| name.to_lowercase().contains(part));
    let value = if credential { field.secret()? } else { field.secret_text().map(Secret::new)? };
    if value.expose().bytes().all(|b| b == b' ' || b.is_ascii_graphic()) {
        return Ok((name.to_owned(), value));
    }
    Err(field.wrong("cannot stand in a header", "write letters, digits and signs of ASCII only"))
}
