//! What an operator may write.

use crate::config::{Config, from_toml};

/// A password; it may stand in no message.
const SECRET: &str = "swordfish-swordfish";

/// Laws: a text is a configuration or a list of problems, never silently neither; a configuration's names are unique, its
/// cadences and quotas are above zero, and no `Debug` prints a secret; neither does a problem where one was written as such.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // Secrets may be read from files; a fuzzer must not wait for a device.
    if text.contains("/dev") || text.contains("/proc") || text.contains("\\u") {
        return;
    }
    match from_toml(text) {
        Ok(config) => assert_sound(&config, text),
        Err(errors) => {
            assert!(!errors.0.is_empty(), "refused without a word");
            let printed = format!("{errors} {errors:?}");
            assert!(!is_secret(text) || !printed.contains(SECRET), "a secret stands in a problem");
        }
    }
}

/// Whether the password stands there once and as nothing but a password.
fn is_secret(text: &str) -> bool {
    let mut lines = text.lines().filter(|line| line.contains(SECRET));
    let line = lines.next().unwrap_or_default();
    let keys = ["password", "api_key", "token", "secret"];
    let written = keys.iter().any(|key| line == format!("{key} = \"{SECRET}\""));
    written && lines.next().is_none() && !text.contains("\"\"\"") && !text.contains("'''")
}

fn assert_sound(config: &Config, text: &str) {
    let mut names: Vec<&str> = config.accounts().map(|account| account.name.as_str()).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all, "two accounts of one name");
    let mut destinations: Vec<String> =
        config.routes().iter().map(|route| route.destination.as_str().to_owned()).collect();
    let all = destinations.len();
    destinations.sort_unstable();
    destinations.dedup();
    assert_eq!(destinations.len(), all, "two destinations of one name");
    for account in config.accounts() {
        let poll = account.poll;
        assert!([poll.hot, poll.warm, poll.cold, poll.watch].iter().all(|cadence| !cadence.is_zero()));
        assert!(!account.rate.per.is_zero() && !account.timeout.is_zero());
        assert!(account.lookback_days > 0 && account.body_cap > 0 && account.max_pages > 0);
        assert!(account.allow_http || account.base_url.scheme() == "https", "credentials in the clear, unasked");
        assert!(account.base_url.path().ends_with('/'));
    }
    assert!(!is_secret(text) || !format!("{config:?}").contains(SECRET), "a `Debug` prints a secret");
}
