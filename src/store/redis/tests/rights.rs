//! The manual grants what we ask of a server, and nothing else.

use std::collections::BTreeSet;
use std::path::Path;

use redis::Value;

use super::forms::{Servers, acl, rights, rights_of_copies, tell};

/// A server that lets us copy as well.
pub(crate) async fn mover() -> Servers {
    let servers = acl().await;
    tell(servers.ports[0], &rights_of_copies());
    tell(servers.ports[0], &["ACL", "LOG", "RESET"]);
    servers
}

/// What our user was not let do, but for what the manual says that it can do without.
pub(crate) fn denied(servers: &Servers) -> Vec<String> {
    let Value::Array(entries) = tell(servers.ports[0], &["ACL", "LOG", "1000"]) else { panic!("it is a list") };
    let text = |value: &Value| {
        if let Value::BulkString(text) = value { String::from_utf8_lossy(text).into() } else { String::new() }
    };
    let objects = entries.iter().map(|entry| {
        let Value::Array(fields) = entry else { panic!("it is a list") };
        let at = fields.iter().position(|field| text(field) == "object").expect("every entry has it");
        text(&fields[at + 1])
    });
    objects.filter(|object: &String| !["info", "config|get", "client|setinfo"].contains(&object.as_str())).collect()
}

/// What stands between a mark and the next quotation mark of its kind.
fn quoted(text: &str, mark: &str) -> Vec<String> {
    let end = mark.chars().last().expect("a quotation mark");
    let found = text.split(mark).skip(1).filter_map(|rest| Some(rest.split_once(end)?.0.to_lowercase()));
    found.collect()
}

/// Every command in the source of a folder, the tests left out.
fn asked(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("tests") {
                asked(&path, found);
            }
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        found.extend(quoted(&text, "redis::cmd(\""));
        found.extend(quoted(&text, "redis.call('"));
    }
}

#[test]
fn the_manual_grants_exactly_what_is_asked() {
    let mut asked_here = BTreeSet::new();
    asked(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/redis"), &mut asked_here);
    assert!(asked_here.contains("evalsha") && asked_here.contains("zrem"), "{asked_here:?}");
    // Sentinels have users of their own; the manual speaks of the other two apart.
    for other in ["sentinel", "info", "config"] {
        assert!(asked_here.remove(other), "{other}");
    }
    // Named by a variable, and what the crate says when it connects to another database than the first.
    asked_here.extend(["zcard", "hlen", "hdel", "select"].map(str::to_owned));
    let lines = [rights(), rights_of_copies()].concat();
    let granted = lines.iter().filter_map(|word| word.strip_prefix('+'));
    let granted: BTreeSet<String> =
        granted.map(|word| word.split_once('|').map_or(word, |(word, _)| word).to_owned()).collect();
    assert_eq!(granted, asked_here);
}

#[tokio::test]
async fn what_the_manual_does_not_grant_is_denied() {
    let servers = mover().await;
    let url = servers.url().0;
    let mut connection = redis::Client::open(url).unwrap().get_connection().unwrap();
    let mut say = |words: &[&str]| {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.query::<Value>(&mut connection)
    };
    assert_eq!(say(&["HGET", "p:{0}:meta", "x"]).unwrap(), Value::Nil);
    for words in [
        &["FLUSHALL"][..],
        &["GET", "p:{0}:meta"],
        &["KEYS", "*"],
        &["HGET", "other:{0}:meta", "x"],
        &["EVAL", "return 1", "0"],
        &["SCRIPT", "FLUSH"],
        &["CONFIG", "SET", "maxmemory", "1"],
        &["CLUSTER", "RESET"],
        &["ACL", "LIST"],
    ] {
        let error = say(words).unwrap_err().to_string();
        assert!(error.contains("NOPERM") || error.contains("permission"), "{words:?}: {error}");
    }
    let denied = denied(&servers);
    assert!(denied.contains(&"flushall".to_owned()) && denied.contains(&"other:{0}:meta".to_owned()), "{denied:?}");
}
