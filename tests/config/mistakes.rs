//! Every mistake is named with its key and file, in one line, and all of them at once.

use super::{EMAIL, Place, SIPAGO, SMTP, TELEGRAM, TELEPAGOS, WHSEC, complains, refused, webhook};

/// What is added to a good file, the key that is complained of, and words of the complaint.
type Mistake = (String, &'static str, &'static str);

fn of_accounts() -> Vec<Mistake> {
    let account = |line: &str| format!("{TELEPAGOS}{line}\n");
    vec![
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
        (account("follow = { from = 0 }"), "telepagos.centro.follow.from", "out of range"),
        (account("follow = { from = \"x\" }"), "telepagos.centro.follow.from", "is no cash-in id"),
        (account("follow = { ahead = 5 }"), "telepagos.centro.follow.from", "is missing"),
        (account("follow = { from = 1, ahead = 1001 }"), "telepagos.centro.follow.ahead", "from 1 to 1000"),
        (account("follow = { from = 1, behind = 5 }"), "telepagos.centro.follow.behind", "known are `ahead`, `from`"),
        (account("follow = 1"), "telepagos.centro.follow", "must be a table"),
        (format!("{SIPAGO}follow = {{ from = 1 }}"), "sipago.palermo.follow", "is no known key"),
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
    ]
}

fn of_globals() -> Vec<Mistake> {
    vec![
        ("retenton = \"1d\"".into(), "retenton", "did you mean `retention`?"),
        ("[http]\nlisen = \"x\"".into(), "http.lisen", "did you mean `listen`?"),
        ("[telepagos]\nname = \"x\"".into(), "telepagos", "two brackets"),
        ("[[store]]\nurl = \"x\"".into(), "store", "a line of its own"),
        ("webhook = \"x\"".into(), "webhook", "two brackets"),
        ("[store]\nurl = \"postgres://x\"".into(), "store.url", "redis://127.0.0.1"),
        ("[store]\nca_file = \"none.pem\"".into(), "store.ca_file", "is no file"),
        ("[store]\ncert_file = \"config.toml\"".into(), "store.key_file", "is missing"),
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
    ]
}

fn of_webhooks() -> Vec<Mistake> {
    let hook = |line: &str| format!("{}{line}\n", webhook());
    let hook_with = |from: &str, to: &str| webhook().replace(from, to);
    let at = "https://erp.example.com/x";
    vec![
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
    ]
}

fn of_people() -> Vec<Mistake> {
    let telegram_with = |from: &str, to: &str| TELEGRAM.replace(from, to);
    let relay = |url: &str| format!("[smtp]\nurl = \"{url}\"\nfrom = \"a@b.c\"\n");
    vec![
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
    for (text, key, words) in [of_accounts(), of_globals(), of_webhooks(), of_people()].concat() {
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
        "[store]\nurl = \"rediss+cluster://ana:secret@a,b:7000\"\n".to_owned(),
        "[store]\nurl = \"unix:///run/redis.sock\"\n".to_owned(),
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
