//! Readers of values that mean something: durations, rates, addresses of the web, time zones, names, secrets.

use std::fs;
use std::io::Read as _;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::TimeZone;
use url::{Host, Url};

use super::environment::Variable;
use super::node::{Node, Origin, Table, Value};
use super::problem::{Read, nearest, shown};
use super::secret::Secret;
use super::section::{Field, Kind, Section};
use super::values::{self, Rate};

/// The most bytes of a secret's file.
const SECRET_CAP: u64 = 64 << 10;

const WHAT_A_SECRET_IS: &str =
    "write text in quotes, `{ env = \"NAME\" }`, `{ file = \"path\" }` or `{ credential = \"name\" }`";

impl Field<'_> {
    /// A duration between two bounds.
    pub(super) fn duration(&self, least: Duration, most: Duration) -> Read<Duration> {
        let text = self.text()?;
        let remedy = "write a number with its unit, such as `500ms`, `15s`, `15min`, `24h`, `45d` or `1h30m`";
        let duration = values::duration(text).map_err(|what| self.wrong(&format!("{} {what}", shown(text)), remedy))?;
        if (least..=most).contains(&duration) {
            return Ok(duration);
        }
        let remedy = format!("write a duration from {} to {}", values::spell(least), values::spell(most));
        Err(self.wrong(&format!("{} is out of range", shown(text)), &remedy))
    }

    /// A size in bytes between two bounds.
    pub(super) fn size(&self, least: usize, most: usize) -> Read<usize> {
        let text = self.text()?;
        let remedy = format!("write a size such as `8MiB` or `512KiB`, from {least} B to {most} B");
        let size = values::size(text).map_err(|what| self.wrong(&format!("{} {what}", shown(text)), &remedy))?;
        let fits = (least..=most).contains(&size);
        if fits { Ok(size) } else { Err(self.wrong(&format!("{} is out of range", shown(text)), &remedy)) }
    }

    fn count_and_time(&self) -> Read<(NonZeroU32, Duration)> {
        let text = self.text()?;
        let remedy = "write requests per time, such as `30/min`, `5/s` or `100/h`";
        values::rate(text).map_err(|what| self.wrong(&format!("{} {what}", shown(text)), remedy))
    }

    /// A time zone of the IANA database, which is compiled in.
    pub(super) fn zone(&self) -> Read<TimeZone> {
        let name = self.text()?;
        TimeZone::get(name.trim()).map_err(|_| {
            let database = jiff::tz::db();
            let known: Vec<String> = database.available().map(|zone| zone.to_string()).collect();
            let remedy = match nearest_zone(name, &known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "write a name such as `America/Argentina/Buenos_Aires`".to_owned(),
            };
            self.wrong(&format!("{} is no known time zone", shown(name)), &remedy)
        })
    }

    /// A name, unique among its kind.
    pub(super) fn name(&self, kind: Kind) -> Read<String> {
        let name = self.text()?;
        let taken = {
            let mut notes = self.context.notes.borrow_mut();
            let here = (self.key.clone(), self.node.origin.clone());
            let entry = notes.names.entry((kind, name.to_owned()));
            match entry {
                std::collections::btree_map::Entry::Occupied(taken) => Some(taken.get().clone()),
                std::collections::btree_map::Entry::Vacant(free) => {
                    free.insert(here);
                    None
                }
            }
        };
        if let Some((key, origin)) = taken {
            let what = format!("the name {} is taken by {key} in {origin}", shown(name));
            return Err(self.wrong(&what, "choose another name"));
        }
        if values::is_name(name) {
            return Ok(name.to_owned());
        }
        Err(self.wrong(
            &format!("{} is no name", shown(name)),
            "use letters without accents, digits, `-`, `_` and `.`, at most 64, a letter or digit first",
        ))
    }

    /// An address of the web: http or https, with a host, without user, password and fragment. The address is never shown, because
    /// it may hold a token.
    pub(super) fn url(&self, text: &str) -> Read<Url> {
        let sample = "write an address such as `https://host.example/path`";
        let url = Url::parse(text.trim()).map_err(|error| self.wrong(&format!("is no URL ({error})"), sample))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(self.wrong("is neither https:// nor http://", sample));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(self.wrong("has no host", sample));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(self.wrong("holds a user or a password", "take them out; credentials have keys of their own"));
        }
        if url.fragment().is_some() {
            return Err(self.wrong("has a fragment, which is never sent", "remove it from the `#` on"));
        }
        Ok(url)
    }

    /// A path; a relative one starts from the configuration's folder.
    pub(super) fn path(&self) -> Read<PathBuf> {
        Ok(self.context.base.join(self.text()?))
    }

    /// A secret: text, or where to find it. Notes which stand in a file in plain text.
    pub(super) fn secret(&self) -> Read<Secret> {
        if let (Value::Text(_), Origin::File(_)) = (&self.node.value, &self.node.origin) {
            self.context.notes.borrow_mut().plain.push((self.node.origin.clone(), self.key.clone()));
        }
        self.secret_text().map(Secret::new)
    }

    /// The text of what may be a secret. A place that is named is always looked into.
    pub(super) fn secret_text(&self) -> Read<String> {
        let text = match &self.node.value {
            Value::Text(text) => text.clone(),
            Value::Table(table) => self.secret_from(table)?,
            Value::Whole(_) | Value::Fraction | Value::Flag(_) | Value::List(_) => {
                return Err(self.wrong("is not written as text", WHAT_A_SECRET_IS));
            }
        };
        if text.trim().is_empty() {
            return Err(self.wrong("is empty", "give it a value"));
        }
        if text.contains(char::is_control) {
            return Err(self.wrong("contains a line break or another control character", "give it in one line"));
        }
        Ok(text)
    }

    fn secret_from(&self, table: &Table) -> Read<String> {
        let mut entries = table.iter();
        let (Some((place, Node { value: Value::Text(name), .. })), None) = (entries.next(), entries.next()) else {
            return Err(self.wrong("does not name one place", WHAT_A_SECRET_IS));
        };
        match place.as_str() {
            "env" => self.secret_from_variable(name),
            "file" => self.secret_from_file(&self.context.base.join(name), name),
            "credential" => self.secret_from_credential(name),
            other => {
                let remedy = match nearest(other, ["env", "file", "credential"]) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => WHAT_A_SECRET_IS.to_owned(),
                };
                Err(self.wrong(&format!("{} is no place of secrets", shown(other)), &remedy))
            }
        }
    }

    fn secret_from_variable(&self, name: &str) -> Read<String> {
        self.context.notes.borrow_mut().variables.insert(name.to_owned());
        match self.context.environment.variable(name) {
            Variable::Set(value) => Ok(value.to_owned()),
            Variable::Unreadable => {
                Err(self.wrong(&format!("environment variable {} is no UTF-8", shown(name)), "set it again"))
            }
            Variable::Unset => {
                let what = format!("environment variable {} is not set", shown(name));
                Err(self.wrong(&what, "set it where the daemon is started"))
            }
        }
    }

    fn secret_from_credential(&self, name: &str) -> Read<String> {
        let Some(folder) = self.context.environment.get("CREDENTIALS_DIRECTORY") else {
            return Err(self.wrong(
                "needs systemd, which did not hand over any credentials",
                "start by the unit with `LoadCredential=`, or name an `env` or `file`",
            ));
        };
        if name.is_empty() || name.contains('/') || matches!(name, "." | "..") {
            return Err(
                self.wrong(&format!("{} is no name of a credential", shown(name)), "write the name without a path")
            );
        }
        self.secret_from_file(&PathBuf::from(folder).join(name), name)
    }

    fn secret_from_file(&self, path: &std::path::Path, name: &str) -> Read<String> {
        let wrong = |reason: &str| {
            self.wrong(&format!("{} {reason}", shown(name)), "check its path, its permissions and its content")
        };
        let file = fs::File::open(path).map_err(|error| wrong(&format!("cannot be read ({})", error.kind())))?;
        let mut bytes = Vec::new();
        let read = file.take(SECRET_CAP + 1).read_to_end(&mut bytes);
        read.map_err(|error| wrong(&format!("cannot be read ({})", error.kind())))?;
        if u64::try_from(bytes.len()).is_ok_and(|length| length > SECRET_CAP) {
            return Err(wrong("is larger than 64 KiB"));
        }
        let text = String::from_utf8(bytes).map_err(|_| wrong("is no UTF-8"))?;
        Ok(text.trim_end_matches(['\n', '\r']).to_owned())
    }
}

impl Section<'_> {
    /// `rate` and the `burst` beside it.
    pub(super) fn rate(&self) -> Read<Option<Rate>> {
        let rate = self.optional("rate", Field::count_and_time);
        let burst = self.find("burst").map(|field| (field.whole(1..=1_000_000_u32), field));
        let Some((count, per)) = rate? else {
            return match burst {
                Some((_, field)) => Err(field.wrong("has no `rate` beside it", "write a `rate`, or remove the line")),
                None => Ok(None),
            };
        };
        let rate = Rate::with_default_burst(count, per);
        match burst {
            Some((burst, _)) => Ok(burst.ok().and_then(NonZeroU32::new).map(|burst| Rate { burst, ..rate })),
            None => Ok(Some(rate)),
        }
    }
}

/// Whether an address cannot leave this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.to_canonical().is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

/// The zone that was probably meant; people leave out the continent, or the `Argentina/` in the middle.
fn nearest_zone<'a>(name: &str, known: &'a [String]) -> Option<&'a str> {
    let city = |zone: &str| zone.rsplit('/').next().unwrap_or(zone).to_lowercase().replace(' ', "_");
    let wanted = city(name.trim());
    let same_city = known.iter().filter(|zone| city(zone) == wanted).max_by_key(|zone| zone.len());
    same_city.map(String::as_str).or_else(|| {
        let lower: Vec<(String, &String)> = known.iter().map(|zone| (zone.to_lowercase(), zone)).collect();
        let near = nearest(name, lower.iter().map(|(lower, _)| lower.as_str()))?;
        lower.iter().find(|(lower, _)| lower == near).map(|(_, zone)| zone.as_str())
    })
}
