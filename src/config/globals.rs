//! The whole of the configuration: what stands at the top, the sections that exist once, and what must fit together.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::TimeZone;
use url::Url;

use super::destinations::{Inherited, LANGUAGES};
use super::problem::{Read, nearest};
use super::section::{Field, Section};
use super::values;
use super::{
    Backend, Config, Flood, HttpConfig, Language, Log, LogFormat, Nightly, RedisTls, RedisUrl, SmtpConfig,
    SmtpSecurity, StoreConfig,
};
use super::{accounts, destinations};

const DAY: Duration = Duration::from_secs(86_400);
const DECADE: Duration = Duration::from_secs(3_653 * 86_400);

/// Where a Redis may be. `redis+unix` and `unix` are a socket file.
const REDIS_SCHEMES: [&str; 8] =
    ["redis", "rediss", "redis+unix", "unix", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster"];

/// What tells this process from its neighbours when no `instance` is written.
pub(super) struct Whereabouts {
    /// This machine.
    pub(super) host: String,
    /// The configuration's path, hashed; for daemons that listen nowhere.
    pub(super) file: String,
}

/// Everything.
pub(super) fn document(root: &Section<'_>, whereabouts: &Whereabouts) -> Read<Config> {
    let never = "see `config.toml.example`";
    let language = root.required("language", never, |field| field.choice(&LANGUAGES));
    let timezone = root.required("timezone", never, Field::zone);
    let retention = root.required("retention", never, |field| field.duration(DAY, DECADE));
    let late_after = root.required("late_after", never, |field| field.duration(Duration::ZERO, 366 * DAY));
    let flood = flood(&root.section("flood"));
    let reconcile = reconcile(&root.section("reconcile"));
    let log = log(&root.section("log"));
    let http = http(&root.section("http"));
    let listen = http.as_ref().map(|http| http.listen);
    let store = store(&root.section("store"), listen.ok().flatten(), whereabouts);

    let zone = timezone.clone().unwrap_or(TimeZone::UTC);
    let inherited = Inherited { language: language.unwrap_or(Language::Es), zone: zone.clone() };
    // Accounts first: destinations name them.
    let telepagos = each(root, "telepagos", |section| accounts::telepagos(section, &zone));
    let sipago = each(root, "sipago", |section| accounts::sipago(section, &zone));
    let webhook = each(root, "webhook", destinations::webhook);
    let email = each(root, "email", |section| destinations::email(section, &inherited));
    let telegram = each(root, "telegram", |section| destinations::telegram(section, &inherited));
    let relay = root.section("smtp");
    let smtp = if relay.is_empty() { Ok(None) } else { smtp(&relay).map(Some) };
    if relay.is_empty()
        && let Some(mailing) = root.sections("email").first()
    {
        mailing.wrong_itself("has no mail relay", "write `[smtp]` with `url` and `from`");
    }
    root.refuse_unknown_keys();
    if let Ok(retention) = retention {
        retention_covers_the_look_back(root, retention);
    }
    Ok(Config {
        language: language?,
        timezone: timezone?,
        retention: retention?,
        late_after: late_after?,
        flood: flood?,
        reconcile: reconcile?,
        log: log?,
        store: store?,
        http: http?,
        telepagos: telepagos?,
        sipago: sipago?,
        webhook: webhook?,
        smtp: smtp?,
        email: email?,
        telegram: telegram?,
    })
}

/// Reads every table of `[[key]]`, so that all of their problems are noted.
fn each<T>(root: &Section<'_>, key: &'static str, read: impl Fn(&Section<'_>) -> Read<T>) -> Read<Vec<T>> {
    let all: Vec<Read<T>> = root.sections(key).iter().map(read).collect();
    all.into_iter().collect()
}

fn retention_covers_the_look_back(root: &Section<'_>, retention: Duration) {
    let longest = root.context.notes.borrow().lookbacks.iter().max_by_key(|(_, days)| *days).cloned();
    let Some((account, days)) = longest else { return };
    if retention < DAY * days
        && let Some(field) = root.find("retention")
    {
        let what = format!("is shorter than the look-back of {account}, {days}d");
        field.wrong(&what, &format!("write at least `{days}d`, or shorten that `lookback`"));
    }
}

fn flood(section: &Section<'_>) -> Read<Flood> {
    let never = "see `config.toml.example`";
    let limit = section.required("limit", never, |field| field.whole(0..=1_000_000_usize));
    let older_than = section.required("older_than", never, |field| field.duration(Duration::ZERO, 366 * DAY));
    section.refuse_unknown_keys();
    Ok(Flood { limit: limit?, older_than: older_than? })
}

fn reconcile(section: &Section<'_>) -> Read<Option<Nightly>> {
    let never = "see `config.toml.example`";
    let at = section.required("at", never, |field| {
        if field.text_if_any().is_some_and(|text| text.trim().is_empty()) {
            return Ok(None);
        }
        let text = field.text()?.trim();
        // A time of the day and nothing more: the crate would take seconds, fractions and a `T` too.
        let well_formed = text.len() == 5 && text.as_bytes().get(2) == Some(&b':');
        let at = text.parse::<jiff::civil::Time>().ok().filter(|_| well_formed);
        at.map(Some).ok_or_else(|| field.wrong("is no time of the day", "write one such as `03:30`, or \"\" for never"))
    });
    let days = section.required("days", never, |field| field.whole(1..=366_u32));
    section.refuse_unknown_keys();
    let (at, days) = (at?, days?);
    Ok(at.map(|at| Nightly { at, days }))
}

fn log(section: &Section<'_>) -> Read<Log> {
    let filter = section.optional("filter", |field| {
        let filter = field.text()?;
        let understood = tracing_subscriber::EnvFilter::builder().parse(filter);
        understood.map(|_| filter.to_owned()).map_err(|_| {
            field.wrong("is no filter", "write directives such as `info` or `warn,pregonero::sources=debug`")
        })
    });
    let format = section.required("format", "see `config.toml.example`", |field| {
        field.choice(&[("text", LogFormat::Text), ("json", LogFormat::Json)])
    });
    section.refuse_unknown_keys();
    Ok(Log { filter: filter?, format: format? })
}

fn http(section: &Section<'_>) -> Read<HttpConfig> {
    let token = section.optional("token", Field::secret);
    let has_token = !matches!(token, Ok(None));
    let listen = section.required("listen", "see `config.toml.example`", |field| {
        if field.text_if_any().is_some_and(|text| text.trim().is_empty()) {
            return Ok(None);
        }
        let address: SocketAddr = field.text()?.trim().parse().map_err(|_| {
            field.wrong("is no address", "write address and port, such as `127.0.0.1:8780`; `\"\"` switches it off")
        })?;
        if !address.ip().to_canonical().is_loopback() && !has_token {
            let remedy = "write a `token` beside it, or listen on 127.0.0.1";
            return Err(field.wrong("can be reached by others and has no token", remedy));
        }
        Ok(Some(address))
    });
    section.refuse_unknown_keys();
    Ok(HttpConfig { listen: listen?, token: token? })
}

fn store(section: &Section<'_>, listen: Option<SocketAddr>, whereabouts: &Whereabouts) -> Read<StoreConfig> {
    let backend = section.required("url", "see `config.toml.example`", backend);
    let prefix = section.required("prefix", "see `config.toml.example`", |field| {
        let text = field.text()?;
        if values::is_name(text) {
            return Ok(text.to_owned());
        }
        Err(field.wrong("cannot stand in front of keys", "use letters, digits, `-`, `_` and `.`, at most 64"))
    });
    let instance = section.optional("instance", |field| {
        let text = field.text()?;
        let fits = text.len() <= 128 && text.chars().all(|c| c.is_ascii_graphic() && !"{}".contains(c));
        if fits { Ok(text.to_owned()) } else { Err(field.wrong("is no name", "use letters, digits, `-`, `:` and `.`")) }
    });
    let [ca_file, cert_file, key_file] = ["ca_file", "cert_file", "key_file"].map(|key| section.optional(key, pem));
    section.refuse_unknown_keys();
    let client = match (cert_file?, key_file?) {
        (Some(cert), Some(key)) => Some((cert, key)),
        (None, None) => None,
        (Some(_), None) => return Err(section.wrong("key_file", "is missing", "name the key of `cert_file`")),
        (None, Some(_)) => return Err(section.wrong("cert_file", "is missing", "name the certificate of `key_file`")),
    };
    let tls = RedisTls { ca_file: ca_file?, client };
    let instance = instance?.unwrap_or_else(|| match listen {
        // Only one living process can listen there, and it will again after a restart.
        Some(listen) if listen.port() != 0 => format!("{}:{}", whereabouts.host, listen.port()),
        _ => format!("{}:{}", whereabouts.host, whereabouts.file),
    });
    Ok(StoreConfig { backend: backend?, prefix: prefix?, instance, tls })
}

/// The URL may hold a password: nothing of it is ever shown.
fn backend(field: &Field<'_>) -> Read<Backend> {
    let remedy = "write `file:./pregonero.db` or `redis://127.0.0.1:6379/0`";
    let text = field.secret_text()?;
    let text = text.trim();
    if let Some(path) = text.strip_prefix("file:") {
        let path = match path.strip_prefix("//") {
            Some(absolute) if absolute.starts_with('/') => absolute,
            Some(_) => return Err(field.wrong("names a host", "write `file:/path` or `file:./path`")),
            None => path,
        };
        if path.is_empty() || path.ends_with('/') {
            return Err(field.wrong("names no file", remedy));
        }
        return Ok(Backend::Embedded(PathBuf::from(path)));
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(field.wrong("is no URL of a store", remedy));
    };
    if !REDIS_SCHEMES.contains(&scheme) {
        let near = nearest(scheme, REDIS_SCHEMES).map(|near| format!("did you mean `{near}://`?"));
        return Err(field.wrong("has no scheme of a store", &near.unwrap_or_else(|| remedy.to_owned())));
    }
    // Sentinels and clusters list several hosts, which no URL parser reads; the store has the last word on those.
    let single = matches!(scheme, "redis" | "rediss");
    let has_host = || Url::parse(text).is_ok_and(|url| url.host_str().is_some_and(|host| !host.is_empty()));
    if rest.is_empty() || rest.contains(char::is_whitespace) || (single && !has_host()) {
        return Err(field.wrong("has no host", remedy));
    }
    Ok(Backend::Redis(RedisUrl(text.to_owned())))
}

/// A file of certificates, or of a key.
fn pem(field: &Field<'_>) -> Read<PathBuf> {
    let path = field.path()?;
    if path.is_file() { Ok(path) } else { Err(field.wrong("is no file", "name a PEM file that can be read")) }
}

/// What the URL of a relay says.
struct Relay {
    host: String,
    port: u16,
    security: SmtpSecurity,
    user: Option<String>,
}

fn smtp(section: &Section<'_>) -> Read<SmtpConfig> {
    let allow_plain = section.or("allow_plain", false, Field::flag);
    let relay = section
        .required("url", "\"smtps://user@mail.example.com:465\"", |field| relay(field, allow_plain.unwrap_or(false)));
    let password = section.optional("password", Field::secret);
    let from = section.required("from", "\"Avisos <avisos@example.com>\"", |field| {
        let text = field.text()?;
        if values::is_mailbox(text) {
            return Ok(text.trim().to_owned());
        }
        Err(field.wrong("is no mail address", "write `name@host` or `Name <name@host>`"))
    });
    let ca_file = section.optional("ca_file", pem);
    section.refuse_unknown_keys();
    let (relay, password) = (relay?, password?);
    let credentials = match (relay.user, password) {
        (Some(user), Some(password)) => Some((user, password)),
        (None, None) => None,
        (Some(_), None) => {
            return Err(section.wrong("password", "is missing", "write it, or take the user out of `url`"));
        }
        (None, Some(_)) => {
            return Err(section.wrong("url", "names no user for the password", "write `smtps://user@host:465`"));
        }
    };
    if relay.security == SmtpSecurity::Plain && credentials.is_some() && !is_local(&relay.host) {
        section.warn("allow_plain", "user and password travel in the clear to another machine");
    }
    let Relay { host, port, security, .. } = relay;
    Ok(SmtpConfig { host, port, security, credentials, from: from?, ca_file: ca_file? })
}

fn is_local(host: &str) -> bool {
    host == "localhost"
        || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// `smtps://user@host:465` or `smtp://user@host:587`. Nothing of it is shown: people put the password into it.
fn relay(field: &Field<'_>, allow_plain: bool) -> Read<Relay> {
    let remedy = "write `smtps://user@mail.example.com:465` or `smtp://user@mail.example.com:587`";
    let text = field.secret_text()?;
    let url = Url::parse(text.trim()).map_err(|error| field.wrong(&format!("is no URL ({error})"), remedy))?;
    // Ports: RFC 8314 (465), RFC 6409 (587); a local relay listens on 25.
    let (security, default_port) = match (url.scheme(), allow_plain) {
        ("smtps", _) => (SmtpSecurity::ImplicitTls, 465),
        ("smtp", false) => (SmtpSecurity::RequiredStarttls, 587),
        ("smtp", true) => (SmtpSecurity::Plain, 25),
        _ => return Err(field.wrong("is neither smtps:// nor smtp://", remedy)),
    };
    if url.password().is_some() {
        return Err(field.wrong("holds a password", "take it out and write `password = { … }` beside it"));
    }
    let host = url.host_str().filter(|host| host.chars().all(|c| c.is_ascii_alphanumeric() || "-._:[]".contains(c)));
    let Some(host) = host.filter(|host| !host.is_empty()) else { return Err(field.wrong("has no host", remedy)) };
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err(field.wrong("has something after the host", remedy));
    }
    let user = match url.username() {
        "" => None,
        user => match values::percent_decoded(user) {
            Some(user) if !user.contains(char::is_control) => Some(user),
            _ => return Err(field.wrong("has an unreadable user", "write `%40` for an `@` inside the user")),
        },
    };
    let port = url.port().unwrap_or(default_port);
    Ok(Relay { host: host.trim_matches(['[', ']']).to_owned(), port, security, user })
}
