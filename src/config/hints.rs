//! `hints` of an account: where an upstream may push "look now", and where in its words an id may stand.

use super::Secret;
use super::problem::Read;
use super::section::{Field, Section};

/// How an upstream's own push is read. Nothing in it is believed.
#[derive(Clone, Debug)]
pub struct HintsConfig {
    /// The last part of the address that the upstream posts to.
    pub secret: Secret,
    /// JSON pointers (RFC 6901) to cash-in ids.
    pub cashin: Vec<String>,
    /// JSON pointers to order uuids, or to links that hold one.
    pub links: Vec<String>,
}

/// Beside a rate limit nobody guesses so many characters.
const LEAST_SECRET: usize = 16;

/// The longest secret and the longest pointer.
const MOST: usize = 256;

/// The most pointers of one list.
const POINTERS: usize = 16;

/// Where an order of Geopagos, the platform behind Sipago, stands in what it posts (FACTS 2.5).
const ORDER: &str = "/data/order/uuid";

/// Which ids an account's upstream knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ids {
    /// TelePagos: its payload is documented nowhere, so no pointer is assumed.
    Cashin,
    /// Sipago.
    Links,
}

/// `hints = { secret = "…", … }`; `None` where it is not written.
pub(super) fn hints(section: &Section<'_>, ids: Ids) -> Read<Option<HintsConfig>> {
    let hints = section.section("hints");
    if hints.is_empty() {
        return Ok(None);
    }
    let secret = hints.required("secret", "{ file = \"…\" }", secret);
    let list = |key, default: &[&str]| {
        let default = default.iter().map(|pointer| (*pointer).to_owned()).collect();
        hints.or(key, default, pointers)
    };
    let (cashin, links) = match ids {
        Ids::Cashin => {
            foreign(&hints, "links");
            (list("cashin", &[]), Ok(Vec::new()))
        }
        Ids::Links => {
            foreign(&hints, "cashin");
            (Ok(Vec::new()), list("links", &[ORDER]))
        }
    };
    hints.refuse_unknown_keys();
    Ok(Some(HintsConfig { secret: secret?, cashin: cashin?, links: links? }))
}

fn foreign(hints: &Section<'_>, key: &'static str) {
    if let Some(field) = hints.find(key).filter(|field| !field.elements().is_empty()) {
        field.wrong("is nothing that this upstream knows", "remove the line");
    }
}

/// The secret is a part of a path: it is compared as it stands in the address.
fn secret(field: &Field<'_>) -> Read<Secret> {
    let secret = field.secret()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~');
    if !(LEAST_SECRET..=MOST).contains(&secret.expose().len()) || !secret.expose().chars().all(plain) {
        return Err(field.wrong(
            "cannot stand in an address, or is too short",
            "write 16 to 256 letters without accents, digits, `-`, `_`, `.` or `~`, drawn at random",
        ));
    }
    Ok(secret)
}

fn pointers(field: &Field<'_>) -> Read<Vec<String>> {
    let pointers = field.each(pointer)?;
    if pointers.len() > POINTERS {
        return Err(field.wrong("names too many places", "name at most 16"));
    }
    Ok(pointers)
}

/// RFC 6901.
fn pointer(field: &Field<'_>) -> Read<String> {
    let text = field.text()?;
    let is_escaped = |part: &str| part.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    if text.len() > MOST || !(text.is_empty() || text.starts_with('/')) || !is_escaped(text) {
        return Err(field.wrong("is no JSON pointer", "write a path such as `/data/order/uuid`"));
    }
    Ok(text.to_owned())
}
