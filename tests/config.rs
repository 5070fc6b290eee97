//! The configuration as an operator meets it: the example is the defaults, every wrong thing is named with its key and
//! file, all at once, and no secret is ever printed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pregonero::config::{
    Backend, Config, Detail, EXAMPLE, Environment, Income, Language, Loaded, LogFormat, SmtpSecurity, Start, from_toml,
    load_in,
};
use pregonero::domain::row::StatusKind;
use proptest::prelude::*;
use tempfile::TempDir;

const WHSEC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

const TELEPAGOS: &str = "[[telepagos]]\nname = \"centro\"\nbase_url = \"https://api.telepagos.com.ar\"\n\
    username = \"u\"\npassword = \"p\"\n";
const SIPAGO: &str = "[[sipago]]\nname = \"palermo\"\nbase_url = \"https://api.example/services\"\napi_key = \"k\"\n";
const EMAIL: &str = "[[email]]\nname = \"contaduria\"\nto = \"a@example.com\"\n";
const SMTP: &str = "[smtp]\nurl = \"smtp://mail.example.com\"\nfrom = \"a@example.com\"\n";
const TELEGRAM: &str = "[[telegram]]\nname = \"caja\"\ntoken = \"123:abc\"\nchat_id = -100\n";

fn webhook() -> String {
    format!("[[webhook]]\nname = \"erp\"\nurl = \"https://erp.example.com/x\"\nsecret = \"{WHSEC}\"\n")
}

/// A folder with a `config.toml`, everything that the example's samples name, and an environment.
struct Place {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

impl Place {
    fn with(text: &str) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let place = Self { folder, variables: Vec::new() };
        place.write("secrets/telepagos", "file-secret\n");
        place.write("secrets/mail-ca.pem", "");
        place.write("credentials/smtp", "smtp-secret\n");
        place.write("credentials/bot", "123456:credential-secret\n");
        place.write("config.toml", text);
        let credentials = place.path("credentials").display().to_string();
        place
            .and("SIPAGO_KEY", "sipago-secret")
            .and("ERP_SECRET", WHSEC)
            .and("ERP_AUTHORIZATION", "Bearer x")
            .and("CREDENTIALS_DIRECTORY", &credentials)
            .and_if(text.contains("PREGONERO_TOKEN"), "PREGONERO_TOKEN", "console-secret")
    }

    fn and(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    fn and_if(self, wanted: bool, name: &str, value: &str) -> Self {
        if wanted { self.and(name, value) } else { self }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("inside the folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    fn try_load(&self) -> Result<Loaded, String> {
        let environment: Environment = self.variables.iter().cloned().collect();
        load_in(Some(&self.path("config.toml")), &environment).map_err(|errors| errors.to_string())
    }

    fn load(&self) -> Loaded {
        self.try_load().unwrap_or_else(|errors| panic!("{errors}"))
    }

    fn refused(&self) -> String {
        let text = fs::read_to_string(self.path("config.toml")).expect("the file");
        self.try_load().err().unwrap_or_else(|| panic!("must be refused: {text}"))
    }
}

fn refused(text: &str) -> String {
    Place::with(text).refused()
}

/// Asserts that one line of the complaints begins with this key, names the file and holds these words.
fn complains(errors: &str, key: &str, file: &str, words: &str) {
    let found = errors.lines().any(|line| {
        line.starts_with(&format!("error: {key} in ")) && line.contains(&format!("{file}: ")) && line.contains(words)
    });
    assert!(found, "no complaint of {key} in {file} about {words}:\n{errors}");
}

fn shape(config: &Config) -> String {
    format!("{config:#?}")
}

// --- the example ---------------------------------------------------------------------------------------------------

/// Lines of the example: those that are in force, the samples (`#key`), and which part of which section they are.
struct Line {
    part: String,
    text: String,
    is_sample: bool,
}

fn example_lines() -> Vec<Line> {
    let mut part = String::new();
    let mut lines = Vec::new();
    for line in EXAMPLE.lines() {
        if let Some(title) = line.strip_prefix("# --- ") {
            title.clone_into(&mut part);
        } else if line.starts_with("# ") || line == "#" || line.is_empty() {
        } else if let Some(sample) = line.strip_prefix('#') {
            lines.push(Line { part: part.clone(), text: sample.to_owned(), is_sample: true });
        } else {
            lines.push(Line { part: part.clone(), text: line.to_owned(), is_sample: false });
        }
    }
    lines
}

fn joined<'a>(lines: impl Iterator<Item = &'a Line>) -> String {
    lines.map(|line| line.text.clone() + "\n").collect()
}

#[test]
fn the_example_as_it_stands_is_the_defaults() {
    let defaults = Place::with("").load().config;
    assert_eq!(shape(&Place::with(EXAMPLE).load().config), shape(&defaults));
    assert_eq!(shape(&from_toml(EXAMPLE).expect("the example")).lines().count(), shape(&defaults).lines().count());
    // What the daemon's authors agreed on; whoever changes the example changes what runs.
    assert_eq!(defaults.language, Language::Es);
    assert_eq!(defaults.timezone.iana_name(), Some("America/Argentina/Buenos_Aires"));
    assert_eq!(defaults.retention, Duration::from_secs(90 * 86_400));
    assert_eq!(defaults.late_after, Duration::from_secs(3_600));
    assert_eq!((defaults.flood.limit, defaults.flood.older_than), (50, Duration::from_secs(3_600)));
    assert_eq!((&defaults.log.filter, defaults.log.format), (&None, LogFormat::Text));
    assert_eq!(defaults.store.backend, Backend::Embedded(PathBuf::from("./pregonero.db")));
    assert_eq!(defaults.store.prefix, "pregonero");
    assert!(defaults.store.instance.ends_with(":8780"), "{}", defaults.store.instance);
    assert_eq!(defaults.http.listen.map(|listen| listen.to_string()).as_deref(), Some("127.0.0.1:8780"));
    assert!(defaults.http.token.is_none() && defaults.smtp.is_none());
    assert!(defaults.accounts().next().is_none() && defaults.routes().is_empty());
}

#[test]
fn every_sample_line_is_accepted() {
    let config = Place::with(&joined(example_lines().iter())).load().config;
    assert_eq!(config.telepagos.len() + config.sipago.len(), 2);
    assert_eq!(config.routes().len(), 3);
    assert!(config.smtp.is_some() && config.http.token.is_some() && config.log.filter.is_some());
    assert_eq!(config.store.instance, "caja-1");
    // And each of them alone, beside what its section requires.
    for (index, line) in example_lines().iter().enumerate().filter(|(_, line)| line.part.contains("optional")) {
        let alone = example_lines().into_iter().enumerate().filter(|(other, candidate)| {
            candidate.part.contains("required") || *other == index || burst_needs_its_rate(line, candidate)
        });
        let lines: Vec<Line> = alone.map(|(_, line)| line).filter(|line| line.is_sample).collect();
        let place = Place::with(&joined(lines.iter()));
        assert!(place.try_load().is_ok(), "{}: {}", line.text, place.refused());
    }
}

fn burst_needs_its_rate(line: &Line, candidate: &Line) -> bool {
    line.text.starts_with("burst") && candidate.part == line.part && candidate.text.starts_with("rate")
}

#[test]
fn what_the_example_calls_a_default_is_one() {
    let required = |line: &&Line| line.is_sample && line.part.contains("required");
    let lines = example_lines();
    let bare = Place::with(&joined(lines.iter().filter(required))).load().config;
    let defaults = |line: &&Line| required(line) || line.is_sample && line.part.contains("optional, with defaults");
    let spelled = Place::with(&joined(lines.iter().filter(defaults))).load().config;
    assert_eq!(shape(&spelled), shape(&bare));
    assert!(lines.iter().filter(|line| line.part.contains("with defaults")).count() > 40);
}

#[test]
fn every_key_stands_in_the_example() {
    let known_of = |text: &str| -> Vec<String> {
        let errors = refused(text);
        let line = errors.lines().find(|line| line.contains("zzzzzz")).unwrap_or_else(|| panic!("{errors}")).to_owned();
        let (_, known) = line.split_once("known are ").unwrap_or_else(|| panic!("{line}"));
        known.split(", ").map(|word| word.trim_matches('`').to_owned()).collect()
    };
    let sections = ["flood", "log", "store", "http", "smtp", "telepagos", "sipago", "webhook", "email", "telegram"];
    for section in sections {
        let header =
            if EXAMPLE.contains(&format!("[[{section}]]")) { format!("[[{section}]]") } else { format!("[{section}]") };
        let (_, after) = EXAMPLE.split_once(&header).unwrap_or_else(|| panic!("{section} is not in the example"));
        let body: Vec<&str> =
            after.lines().skip(1).take_while(|line| !line.trim_start_matches('#').starts_with('[')).collect();
        for key in known_of(&format!("{header}\nzzzzzz = 1\n")) {
            let written = body.iter().any(|line| line.trim_start_matches('#').starts_with(&format!("{key} = ")));
            assert!(written, "{section}.{key} is not in the example");
        }
    }
    for key in known_of("zzzzzz = 1\n") {
        let found = EXAMPLE.lines().any(|line| {
            let line = line.trim_start_matches('#');
            line.starts_with(&format!("{key} = ")) || line == format!("[{key}]") || line == format!("[[{key}]]")
        });
        assert!(found, "{key} is not in the example");
    }
}

// --- layers --------------------------------------------------------------------------------------------------------

#[test]
fn each_layer_goes_over_the_one_before() {
    let place = Place::with(&format!("retention = \"100d\"\nlate_after = \"2h\"\nlanguage = \"en\"\n{TELEPAGOS}"));
    place.write("conf.d/20-b.toml", &format!("late_after = \"4h\"\n{SIPAGO}"));
    place.write("conf.d/10-a.toml", "late_after = \"3h\"\nlanguage = \"es\"\n");
    place.write("conf.d/.hidden.toml", "not = toml = at all");
    place.write("conf.d/note.txt", "nor this");
    let place = place.and("PREGONERO_LATE_AFTER", "5h").and("PREGONERO_STORE__PREFIX", "0012");
    let config = place.and("PREGONERO_FLOOD__LIMIT", "7").and("PREGONERO_HTTP__TOKEN", "0012").load().config;
    assert_eq!(config.retention, Duration::from_secs(100 * 86_400));
    assert_eq!(config.late_after, Duration::from_secs(5 * 3_600));
    assert_eq!(config.language, Language::Es);
    assert_eq!(config.flood.limit, 7);
    assert_eq!(config.store.prefix, "0012", "raw text, not the number 12");
    assert_eq!(config.http.token.as_ref().expect("a token").expose(), "0012");
    assert_eq!(config.accounts().map(|account| account.name.to_string()).collect::<Vec<_>>(), ["centro", "palermo"]);
}

#[test]
fn a_problem_names_the_layer_that_it_stands_in() {
    let place = Place::with("retention = \"x\"\n");
    place.write("conf.d/20-x.toml", "[log]\nformat = \"xml\"\n");
    let errors = place.and("PREGONERO_FLOOD__LIMIT", "many").and("PREGONERO_STORE__URLL", "x").refused();
    complains(&errors, "retention", "config.toml", "is no duration");
    complains(&errors, "log.format", "conf.d/20-x.toml", "write one of `text`, `json`");
    complains(&errors, "flood.limit", "environment variable PREGONERO_FLOOD__LIMIT", "whole number");
    complains(&errors, "store.urll", "environment variable PREGONERO_STORE__URLL", "did you mean `url`?");
    assert_eq!(errors.lines().count(), 4, "{errors}");
}

#[test]
fn a_stray_variable_is_refused_only_where_it_is_nearly_a_key() {
    let place = Place::with("").and("PREGONERO_BIN", "/usr/bin/pregonero").and("PREGONERO_CONFIG", "elsewhere.toml");
    let warnings = place.load().warnings;
    assert!(warnings.iter().any(|warning| warning.contains("PREGONERO_BIN") && warning.contains("ignored")));
    assert!(!warnings.iter().any(|warning| warning.contains("PREGONERO_CONFIG")));
    let errors = place.and("PREGONERO_RETENTON", "90d").and("PREGONERO_STORE_URL", "x").refused();
    complains(&errors, "retenton", "environment variable PREGONERO_RETENTON", "did you mean `PREGONERO_RETENTION`?");
    complains(&errors, "store_url", "environment variable PREGONERO_STORE_URL", "did you mean `PREGONERO_STORE__URL`?");
    // The one that the token is read from is no key.
    let place = Place::with("[http]\ntoken = { env = \"PREGONERO_TOKEN\" }\n");
    assert!(place.load().warnings.is_empty(), "{:?}", place.load().warnings);
}

#[test]
fn the_file_is_found_by_option_then_variable() {
    let place = Place::with("late_after = \"2h\"\n");
    place.write("other.toml", "late_after = \"3h\"\n");
    let other = place.path("other.toml");
    let environment: Environment = [("PREGONERO_CONFIG", other.display().to_string())].into_iter().collect();
    let loaded = load_in(None, &environment).expect("the other file");
    assert_eq!((loaded.config.late_after, loaded.file), (Duration::from_secs(3 * 3_600), Some(other)));
    let loaded = load_in(Some(&place.path("config.toml")), &environment).expect("the file");
    assert_eq!(loaded.config.late_after, Duration::from_secs(2 * 3_600));
    let errors = load_in(Some(Path::new("/no/such/config.toml")), &environment).expect_err("no file").to_string();
    assert!(errors.starts_with("error: /no/such/config.toml: the file cannot be read"), "{errors}");
}

#[test]
fn without_a_listener_the_instance_is_told_by_the_file() {
    let instance = |place: &Place| place.load().config.store.instance;
    let (one, other) = (Place::with("[http]\nlisten = \"\"\n"), Place::with("[http]\nlisten = \"\"\n"));
    assert_ne!(instance(&one), instance(&other));
    assert_eq!(instance(&one), instance(&one));
}

// --- meanings ------------------------------------------------------------------------------------------------------

#[test]
fn an_account_says_what_its_upstream_means() {
    let config = Place::with(&format!(
        "{TELEPAGOS}start = 2026-11-01\nlookback = \"10d\"\nrate = \"5/s\"\nburst = 3\ntimezone = \"UTC\"\n\
         watch = {{ cashin = [7, \"8\", 7], links = [] }}\nstatus = {{ \" Acreditada \" = \"approved\" }}\n\
         income = {{ 1 = \"credit\", D = \"debit\" }}\npoll = {{ hot = \"1s\" }}\n\
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

// --- what is refused -----------------------------------------------------------------------------------------------

/// What is added to a good file, the key that is complained of, and words of the complaint.
fn mistakes() -> Vec<(String, &'static str, &'static str)> {
    let account = |line: &str| format!("{TELEPAGOS}{line}\n");
    let hook = |line: &str| format!("{}{line}\n", webhook());
    let hook_with = |from: &str, to: &str| webhook().replace(from, to);
    let at = "https://erp.example.com/x";
    let telegram_with = |from: &str, to: &str| TELEGRAM.replace(from, to);
    let relay = |url: &str| format!("[smtp]\nurl = \"{url}\"\nfrom = \"a@b.c\"\n");
    vec![
        ("retenton = \"1d\"".into(), "retenton", "did you mean `retention`?"),
        ("[http]\nlisen = \"x\"".into(), "http.lisen", "did you mean `listen`?"),
        (account("passwrd = \"x\""), "telepagos.centro.passwrd", "did you mean `password`?"),
        (account("poll = { warn = \"1s\" }"), "telepagos.centro.poll.warn", "did you mean `warm`?"),
        (account("poll = \"1s\""), "telepagos.centro.poll", "must be a table"),
        (account("rate = \"30/mon\""), "telepagos.centro.rate", "`30/mon` has no unit of time"),
        (account("rate = 30"), "telepagos.centro.rate", "put it in quotes"),
        (account("burst = 0\nrate = \"1/s\""), "telepagos.centro.burst", "out of range"),
        (account("burst = 3"), "telepagos.centro.burst", "has no `rate` beside it"),
        (account("timeout = \"5\""), "telepagos.centro.timeout", "number without a unit"),
        (account("timeout = \"1h\""), "telepagos.centro.timeout", "write a duration from 100ms to 5min"),
        (account("lookback = \"36h\""), "telepagos.centro.lookback", "whole days"),
        (account("start = \"yesterday\""), "telepagos.centro.start", "`now`, `today` or a date"),
        (account("timezone = \"Buenos_Aires\""), "telepagos.centro.timezone", "`America/Argentina/Buenos_Aires`?"),
        (account("status = { Ok = \"aproved\" }"), "telepagos.centro.status.Ok", "did you mean `approved`?"),
        (account("status = { A = \"approved\", a = \"pending\" }"), "telepagos.centro.status.a", "capitals aside"),
        (account("income = { 1 = \"in\" }"), "telepagos.centro.income.1", "known are `credit`, `debit`"),
        (account("date_formats = [\"%!\"]"), "telepagos.centro.date_formats[0]", "strftime"),
        (account("date_formats = [\"%d/%m/%Y\", \"%H:%M\"]"), "telepagos.centro.date_formats[1]", "strftime"),
        (account("watch = { cashin = [0] }"), "telepagos.centro.watch.cashin[0]", "out of range"),
        (account("watch = { links = [\"x\"] }"), "telepagos.centro.watch.links", "`[[sipago]]`"),
        (format!("{SIPAGO}watch = {{ links = [\"x\"] }}"), "sipago.palermo.watch.links[0]", "holds no uuid"),
        (account("max_body = \"8 gallons\""), "telepagos.centro.max_body", "`8MiB`"),
        (account("paginate = \"yes\""), "telepagos.centro.paginate", "without quotes"),
        (TELEPAGOS.replace("https", "http"), "telepagos.centro.base_url", "allow_http = true"),
        (TELEPAGOS.replace("https://api", "ftp://api"), "telepagos.centro.base_url", "neither https"),
        (TELEPAGOS.replace("https://api", "https://u:p@api"), "telepagos.centro.base_url", "take them out"),
        (TELEPAGOS.replace("https://", ""), "telepagos.centro.base_url", "is no URL"),
        (TELEPAGOS.replace("centro", "el centro"), "telepagos[0].name", "is no name"),
        (TELEPAGOS.replace("name = \"centro\"\n", ""), "telepagos[0].name", "is missing"),
        (format!("{TELEPAGOS}{}", SIPAGO.replace("palermo", "centro")), "sipago.centro.name", "is taken"),
        ("[telepagos]\nname = \"x\"".into(), "telepagos", "two brackets"),
        ("[[store]]\nurl = \"x\"".into(), "store", "a line of its own"),
        ("webhook = \"x\"".into(), "webhook", "two brackets"),
        ("[store]\nurl = \"postgres://x\"".into(), "store.url", "redis://127.0.0.1"),
        ("[store]\nurl = \"reds://x\"".into(), "store.url", "did you mean `redis://`?"),
        ("[store]\nurl = \"file:\"".into(), "store.url", "names no file"),
        ("[store]\nprefix = \"{x}\"".into(), "store.prefix", "in front of keys"),
        ("[http]\nlisten = \"8780\"".into(), "http.listen", "is no address"),
        ("[http]\nlisten = \"0.0.0.0:8780\"".into(), "http.listen", "has no token"),
        ("[log]\nfilter = \"a=b=c\"".into(), "log.filter", "is no filter"),
        ("timezone = \"Mars/Olympus\"".into(), "timezone", "is no known time zone"),
        ("language = \"fr\"".into(), "language", "write one of `es`, `en`"),
        ("retention = 90".into(), "retention", "put it in quotes"),
        (format!("retention = \"30d\"\n{TELEPAGOS}"), "retention", "look-back of telepagos.centro, 45d"),
        (hook("events = [\"credit.recieved\"]"), "webhook.erp.events[0]", "did you mean `credit.received`?"),
        (hook("events = []"), "webhook.erp.events", "nothing would be sent"),
        (hook("accounts = [\"center\"]"), "webhook.erp.accounts[0]", "is no account"),
        (format!("{TELEPAGOS}{}", hook("accounts = \"center\"")), "webhook.erp.accounts", "did you mean `centro`?"),
        (hook("retry = [\"5s\", \"soon\"]"), "webhook.erp.retry[1]", "is no duration"),
        (hook("in_flight = 0"), "webhook.erp.in_flight", "from 1 to 256"),
        (hook("detail = \"ful\""), "webhook.erp.detail", "did you mean `full`?"),
        (hook("allow_private = [\"10.0.0.0/33\"]"), "webhook.erp.allow_private[0]", "is no network"),
        (hook("headers = { \"Webhook-Id\" = \"x\" }"), "webhook.erp.headers.Webhook-Id", "set by the sender"),
        (hook("headers = { \"a b\" = \"x\" }"), "webhook.erp.headers.a b", "no name of a header"),
        (hook("rate = \"fast\""), "webhook.erp.rate", "is no rate"),
        (hook_with("https", "http"), "webhook.erp.url", "plain http"),
        (hook_with(at, "https://u:p@x.example"), "webhook.erp.url", "a user or a password"),
        (hook_with(WHSEC, "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), "webhook.erp.secret", "begin with `whsec_`"),
        (hook_with(WHSEC, "whsec_c2hvcnQ="), "webhook.erp.secret", "fewer than 24"),
        (hook_with(WHSEC, "whsec_%%%"), "webhook.erp.secret", "no base64"),
        (hook_with(&format!("\"{WHSEC}\""), "[]"), "webhook.erp.secret", "at least one"),
        (hook_with(&format!("\"{WHSEC}\""), "{ env = \"NOT_SET\" }"), "webhook.erp.secret", "`NOT_SET` is not set"),
        (hook_with(&format!("\"{WHSEC}\""), "{ file = \"none\" }"), "webhook.erp.secret", "`none` cannot be read"),
        (hook_with(&format!("\"{WHSEC}\""), "{ flie = \"x\" }"), "webhook.erp.secret", "did you mean `file`?"),
        (hook_with(&format!("\"{WHSEC}\""), "{ credential = \"../x\" }"), "webhook.erp.secret", "without a path"),
        (format!("{}{}", webhook(), webhook()), "webhook.erp.name", "is taken by webhook.erp.name"),
        (format!("{}{}", webhook(), TELEGRAM.replace("caja", "erp")), "telegram.erp.name", "is taken"),
        (EMAIL.into(), "email.contaduria", "write `[smtp]`"),
        (format!("{SMTP}{}", EMAIL.replace("a@", "a ")), "email.contaduria.to", "no mail address"),
        (format!("{SMTP}{}", EMAIL.replace("\"a@example.com\"", "[]")), "email.contaduria.to", "at least one"),
        (relay("smtps://u:hunter2@x.example"), "smtp.url", "holds a password"),
        (relay("smtps://u@x.example"), "smtp.password", "is missing"),
        (relay("imap://x.example"), "smtp.url", "neither smtps"),
        (format!("{}password = \"x\"\n", relay("smtps://x.example")), "smtp.url", "names no user"),
        (format!("{SMTP}ca_file = \"none.pem\"\n"), "smtp.ca_file", "is no file"),
        (SMTP.replace("from = \"a@example.com\"", "from = \"a\""), "smtp.from", "no mail address"),
        (telegram_with("123:abc", "123"), "telegram.caja.token", "@BotFather"),
        (telegram_with("-100", "0"), "telegram.caja.chat_id", "is no chat"),
        (telegram_with("-100", "\"-100\""), "telegram.caja.chat_id", "without quotes"),
        (format!("{TELEGRAM}thread_id = -1\n"), "telegram.caja.thread_id", "out of range"),
        (format!("{TELEGRAM}api_url = \"http://bots.example\"\n"), "telegram.caja.api_url", "plain http"),
        (telegram_with("chat_id = -100\n", ""), "telegram.caja.chat_id", "is missing"),
    ]
}

#[test]
fn every_mistake_is_named_with_its_key_and_file() {
    for (text, key, words) in mistakes() {
        let errors = refused(&text);
        complains(&errors, key, "config.toml", words);
        assert_eq!(errors.lines().count(), 1, "one mistake, one complaint: {errors}\n{text}");
        assert!(errors.lines().all(|line| line.contains("; ")), "what to do: {errors}");
    }
}

#[test]
fn what_is_allowed_is_not_refused() {
    let good = [
        format!("{}allow_http = true\n", TELEPAGOS.replace("https", "http")),
        webhook().replace("https://erp.example.com", "http://127.0.0.1:9000"),
        webhook().replace("https://erp.example.com", "http://localhost:9000"),
        format!("{}allow_private = [\"10.0.0.0/8\", \"::1\"]\n", webhook().replace("https", "http")),
        format!("{}allow_http = true\n", webhook().replace("https", "http")),
        format!("{TELEGRAM}thread_id = 4\napi_url = \"http://127.0.0.1:8081\"\n"),
        format!("{}retry = []\nevents = \"system.*\"\n", webhook()),
        "[http]\nlisten = \"[::1]:8780\"\n".to_owned(),
        "[http]\nlisten = \"0.0.0.0:8780\"\ntoken = { env = \"PREGONERO_TOKEN\" }\n".to_owned(),
        "[store]\nurl = \"redis+sentinel://a:26379,b:26379/main/0\"\n".to_owned(),
        "[store]\nurl = \"redis://:secret@127.0.0.1:6379/0\"\n".to_owned(),
        "\u{feff}late_after = \"2h\"\r\n".to_owned(),
    ];
    for text in good {
        Place::with(&text).load();
    }
}

#[test]
fn all_mistakes_come_at_once() {
    let texts = ["retenton = \"1d\"", "language = \"fr\""];
    let tables = [
        "[http]\nlisten = \"8780\"".to_owned(),
        TELEPAGOS.replace("https", "http"),
        webhook().replace(WHSEC, "x"),
        format!("{TELEGRAM}thread_id = -1"),
        EMAIL.to_owned(),
    ];
    let errors = refused(&format!("{}\n{}", texts.join("\n"), tables.join("\n")));
    let keys =
        ["retenton", "language", "http.listen", "telepagos.centro.base_url", "webhook.erp.secret", "email.contaduria"];
    for key in keys {
        complains(&errors, key, "config.toml", "");
    }
    assert_eq!(errors.lines().count(), keys.len() + 1, "{errors}");
}

#[test]
fn a_duplicate_in_a_later_file_names_both() {
    let place = Place::with(&webhook());
    place.write("conf.d/20-x.toml", &webhook());
    let errors = place.refused();
    complains(&errors, "webhook.erp.name", "conf.d/20-x.toml", "is taken by webhook.erp.name in ");
    assert!(errors.contains("config.toml; choose"), "{errors}");
}

#[test]
fn a_syntax_error_has_a_line_and_no_text_of_it() {
    let errors = refused("language = \"es\"\n[http]\ntoken = hunter2\n");
    assert!(errors.contains("config.toml, line 3, column 9: this is no TOML"), "{errors}");
    assert!(!errors.contains("hunter2"), "{errors}");
}

#[test]
fn tables_with_names_cannot_come_from_the_environment() {
    let errors = Place::with("").and("PREGONERO_WEBHOOK__ERP__URL", "https://x.example/hunter2").refused();
    complains(&errors, "webhook", "environment variable PREGONERO_WEBHOOK__ERP__URL", "write it in a file");
    assert!(!errors.contains("hunter2"));
}

// --- nothing leaks, nothing panics ---------------------------------------------------------------------------------

/// Wrong forms of a secret; in each of them the marker is what must not be seen.
const WRONG_SECRETS: [&str; 14] = [
    "MARKER",
    "\"MARKER",
    "'MARKER",
    "\"\"\"MARKER",
    "\"MARKER\\q\"",
    "\"MARKER\\n\"",
    "\"MARKER\" \"x\"",
    "[\"MARKER\"]",
    "[[\"MARKER\"]]",
    "{ value = \"MARKER\" }",
    "{ env = \"X\", file = \"MARKER\" }",
    "{ env = [\"MARKER\"] }",
    "\"whsec_MARKER\"",
    "\"MARKER:MARKER\"",
];

#[test]
fn no_error_shows_a_secret() {
    const MARKER: &str = "hunter2000correct9horse";
    let sections = [
        ("[http]\nlisten = \"x\"\ntoken = ", ""),
        ("[store]\nprefix = \"{}\"\nurl = ", ""),
        ("[[telepagos]]\nname = \"a\"\npassword = ", ""),
        ("[[sipago]]\nname = \"a\"\napi_key = ", ""),
        ("[[webhook]]\nname = \"a\"\nsecret = ", ""),
        ("[[webhook]]\nname = \"a\"\nurl = ", ""),
        ("[[webhook]]\nname = \"a\"\nheaders = { Authorization = ", " }"),
        ("[smtp]\nfrom = \"x\"\npassword = ", ""),
        ("[[telegram]]\nname = \"a\"\ntoken = ", ""),
        ("[[telegram]]\nname = \"a\"\ntokn = ", ""),
    ];
    for (before, after) in sections {
        for wrong in WRONG_SECRETS {
            let text = format!("{before}{}{after}\n", wrong.replace("MARKER", MARKER));
            let errors =
                Place::with(&text).try_load().map(|loaded| shape(&loaded.config)).unwrap_or_else(|errors| errors);
            assert!(!errors.contains(MARKER), "{text}\n{errors}");
        }
        let number = format!("{before}8277465{after}\n");
        assert!(!refused(&number).contains("8277465"), "{number}");
    }
    for url in ["smtps://u:MARKER@x y", "smtp://u:MARKER@x.example", "MARKER", "https://MARKER"] {
        let errors = refused(&format!("[smtp]\nfrom = \"x\"\nurl = \"{}\"\n", url.replace("MARKER", MARKER)));
        assert!(!errors.contains(MARKER), "{errors}");
    }
    for url in ["redis://:MARKER@", "redis://:MARKER@x y/0", "rediss+foo://MARKER", "MARKER"] {
        let errors = refused(&format!("[store]\nurl = \"{}\"\n", url.replace("MARKER", MARKER)));
        assert!(!errors.contains(MARKER), "{errors}");
    }
    for variable in
        ["PREGONERO_HTTP__TOKEN__ENV__X", "PREGONERO_HTTP__TOKEN__X", "PREGONERO_HTTP", "PREGONERO_HTPP__TOKEN"]
    {
        let errors = Place::with("").and(variable, MARKER).refused();
        assert!(!errors.contains(MARKER), "{errors}");
    }
}

#[test]
fn debug_of_a_configuration_shows_no_secret() {
    let config = Place::with(&joined(example_lines().iter())).load().config;
    let text = shape(&config);
    for secret in [
        "file-secret",
        "smtp-secret",
        "credential-secret",
        "console-secret",
        "sipago-secret",
        WHSEC,
        "/pagos",
        "Bearer",
    ] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

/// One of the example's lines, with something else behind the `=`.
fn mangled() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        "\\PC{0,20}",
        "\"\\PC{0,20}\"",
        "-?[0-9]{1,40}(\\.[0-9]{1,5})?",
        Just("[]".to_owned()),
        Just("{}".to_owned()),
        Just("true".to_owned()),
        "\\[\"[a-z0-9:/.@%-]{0,12}\", [0-9]{1,3}\\]",
        "\"(https?|smtps?|redis|file|redis\\+sentinel)://[a-z0-9:/.@%\\[\\]-]{0,20}\"",
        "\\{ (env|file|credential|x) = \"[a-zA-Z./]{0,8}\" \\}",
    ];
    let lines = example_lines().into_iter().map(|line| line.text).collect::<Vec<_>>();
    proptest::collection::vec((any::<prop::sample::Index>(), value), 0..6).prop_map(move |changes| {
        let mut lines = lines.clone();
        for (index, value) in changes {
            let line = index.get_mut(&mut lines);
            if let Some((key, _)) = line.clone().split_once(" = ") {
                *line = format!("{key} = {value}");
            }
        }
        lines.join("\n")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(text in "(\\PC|\n){0,200}") {
        if let Err(errors) = from_toml(&text) {
            prop_assert!(!errors.0.is_empty());
        }
    }

    #[test]
    fn no_mangled_example_panics_and_every_refusal_says_what_and_where(text in mangled()) {
        if let Err(errors) = from_toml(&text) {
            prop_assert!(!errors.0.is_empty());
            for problem in errors.0 {
                prop_assert!(!problem.what.is_empty() && !problem.remedy.is_empty() && !problem.file.is_empty());
                prop_assert_eq!(problem.to_string().lines().count(), 1);
                prop_assert!(!problem.remedy.contains("report this"), "a reader gave up without a word");
            }
        }
    }
}
