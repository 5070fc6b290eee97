//! Defaults < file < `conf.d/*.toml` beside it, by name < `PREGONERO_…`: read, laid over each other, and every value
//! remembers where it was written. The only file that knows figment (upstream is stalled, so it must be replaceable).
//!
//! Figment's own environment provider is not used: it parses values (`0012` becomes 12) and its errors print them.
//! Nor is its extraction: it stops at the first error, and that prints the value too.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use figment::providers::{Format as _, Toml};
use figment::value::{Dict, Empty, Map, Num, Tag, Value as Written};
use figment::{Figment, Metadata, Profile, Provider};

use super::environment::Environment;
use super::node::{Node, Origin, Table, Value};
use super::problem::Problem;

/// The annotated example, which is the lowest layer.
pub const EXAMPLE: &str = include_str!("../../config.toml.example");

/// In front of every variable that is configuration.
pub(super) const VARIABLE_PREFIX: &str = "PREGONERO_";

/// Names the file; no key.
pub(super) const VARIABLE_OF_FILE: &str = "PREGONERO_CONFIG";

/// Keys at the top that are one table.
pub(super) const TABLES: [&str; 6] = ["flood", "reconcile", "log", "store", "http", "smtp"];

/// Keys at the top that are tables with names: `[[webhook]]`. Those of several layers add up.
pub(super) const LISTS: [&str; 5] = ["telepagos", "sipago", "webhook", "email", "telegram"];

/// The most bytes of one file: far above the largest sensible configuration, far below what hurts.
const FILE_CAP: u64 = 16 << 20;

/// The layers, one over the other, and what could not be read.
pub(super) struct Layers {
    figment: Figment,
    origins: Vec<Origin>,
    /// What is wrong so far.
    pub(super) problems: Vec<Problem>,
    /// Everything that was read, for the check of its permissions.
    pub(super) files: Vec<PathBuf>,
}

/// One layer for figment; its name is the index of its origin.
struct Layer(usize, Dict);

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.0.to_string())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.1.clone()))
    }
}

impl Layers {
    /// The defaults alone.
    pub(super) fn defaults() -> Self {
        let empty = Self { figment: Figment::new(), origins: Vec::new(), problems: Vec::new(), files: Vec::new() };
        empty.with_text(EXAMPLE, &Origin::Defaults)
    }

    /// A TOML text on top.
    pub(super) fn with_text(mut self, text: &str, origin: &Origin) -> Self {
        // A byte-order mark is what Windows editors leave; no TOML parser wants it.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        match Toml::from_str::<Dict>(text) {
            Ok(dict) => self.with_dict(dict, origin),
            Err(error) => {
                let place = error.span().map(|span| line_and_column(text, span.start));
                // The message names what was expected; the text around it, which `Display` would print, may be a secret.
                let message = error.message().lines().collect::<Vec<_>>().join(", ");
                self.complain("", origin, &format!("this is no TOML ({message})"), "correct the line", place);
                self
            }
        }
    }

    /// A file on top.
    pub(super) fn with_file(mut self, path: &Path) -> Self {
        let origin = Origin::File(Arc::from(path.display().to_string()));
        match read_capped(path) {
            Ok(text) => {
                self.files.push(path.to_path_buf());
                self.with_text(&text, &origin)
            }
            Err(reason) => {
                self.complain(
                    "",
                    &origin,
                    &format!("the file cannot be read ({reason})"),
                    "check path and permissions",
                    None,
                );
                self
            }
        }
    }

    /// Every `*.toml` of a folder on top, in the order of their names. A folder that is not there is no layer.
    pub(super) fn with_folder(mut self, folder: &Path) -> Self {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return self,
            Err(error) => {
                let origin = Origin::File(Arc::from(folder.display().to_string()));
                let what = format!("the folder cannot be read ({})", error.kind());
                self.complain("", &origin, &what, "check its permissions", None);
                return self;
            }
        };
        let mut paths: Vec<PathBuf> =
            entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| wanted(path)).collect();
        paths.sort();
        paths.iter().fold(self, |layers, path| layers.with_file(path))
    }

    /// Every `PREGONERO_…` variable on top, as raw text; two underscores separate section and key.
    pub(super) fn with_environment(mut self, environment: &Environment) -> Self {
        for (name, value) in environment.iter() {
            let Some(rest) = name.strip_prefix(VARIABLE_PREFIX).filter(|_| name != VARIABLE_OF_FILE) else { continue };
            let origin = Origin::Variable(Arc::from(name));
            let key = rest.to_lowercase();
            let Some(value) = value else {
                self.complain(&key.replace("__", "."), &origin, "the value is no UTF-8", "set it again", None);
                continue;
            };
            let segments: Vec<&str> = key.split("__").collect();
            if segments.iter().any(|segment| segment.is_empty()) {
                self.complain(&key, &origin, "the name has an empty part", "write PREGONERO_SECTION__KEY", None);
                continue;
            }
            let leaf = Written::from(value);
            let nested = segments
                .iter()
                .rev()
                .fold(leaf, |inner, segment| Written::from(Dict::from([((*segment).to_owned(), inner)])));
            if let Written::Dict(_, dict) = nested {
                self = self.with_dict(dict, &origin);
            }
        }
        self
    }

    fn with_dict(mut self, mut dict: Dict, origin: &Origin) -> Self {
        // Before the layers are one: a scalar over a table would replace it, and nobody would see.
        dict.retain(|key, value| self.has_its_shape(key, value, origin));
        let index = self.origins.len();
        self.origins.push(origin.clone());
        self.figment = self.figment.admerge(Layer(index, dict));
        self
    }

    fn has_its_shape(&mut self, key: &str, value: &Written, origin: &Origin) -> bool {
        let is_table = |value: &Written| matches!(value, Written::Dict(..));
        let remedy = if TABLES.contains(&key) {
            if is_table(value) {
                return true;
            }
            format!("write `[{key}]` on a line of its own and the keys below it")
        } else if LISTS.contains(&key) {
            if matches!(value, Written::Array(_, elements) if elements.iter().all(is_table)) {
                return true;
            }
            match origin {
                Origin::Variable(_) => "write it in a file: the environment reaches no tables with names".to_owned(),
                Origin::Defaults | Origin::File(_) | Origin::Given => {
                    format!("write `[[{key}]]` with two brackets and the keys below it")
                }
            }
        } else {
            return true;
        };
        self.complain(key, origin, "has the wrong form", &remedy, None);
        false
    }

    fn complain(&mut self, key: &str, origin: &Origin, what: &str, remedy: &str, place: Option<(usize, usize)>) {
        let (key, file) = (key.to_owned(), origin.to_string());
        self.problems.push(Problem { key, file, place, what: what.to_owned(), remedy: remedy.to_owned() });
    }

    /// All layers as one table.
    pub(super) fn table(&self) -> Table {
        let dict = self.figment.data().ok().and_then(|mut profiles| profiles.remove(&Profile::Default));
        self.convert_dict(dict.unwrap_or_default())
    }

    fn convert_dict(&self, dict: Dict) -> Table {
        dict.into_iter().map(|(key, value)| (key, self.convert(value))).collect()
    }

    fn convert(&self, written: Written) -> Node {
        let origin = self.origin(written.tag());
        let value = match written {
            Written::String(_, text) => Value::Text(text),
            Written::Char(_, letter) => Value::Text(letter.to_string()),
            Written::Bool(_, flag) => Value::Flag(flag),
            Written::Num(_, number) => whole(number).map_or(Value::Fraction, Value::Whole),
            Written::Empty(_, Empty::None | Empty::Unit) => Value::List(Vec::new()),
            Written::Array(_, elements) => {
                Value::List(elements.into_iter().map(|element| self.convert(element)).collect())
            }
            Written::Dict(_, mut dict) => match bare_date(&mut dict) {
                Some(date) => Value::Text(date),
                None => Value::Table(self.convert_dict(dict)),
            },
        };
        Node { origin, value }
    }

    fn origin(&self, tag: Tag) -> Origin {
        let index = self.figment.get_metadata(tag).and_then(|metadata| metadata.name.parse::<usize>().ok());
        index.and_then(|index| self.origins.get(index)).cloned().unwrap_or(Origin::Defaults)
    }
}

/// The text of a TOML date without quotes (`start = 2026-11-01`), which the TOML crate hands over as a table of one.
fn bare_date(dict: &mut Dict) -> Option<String> {
    match dict.remove("$__toml_private_datetime")? {
        Written::String(_, text) => Some(text),
        Written::Char(..)
        | Written::Bool(..)
        | Written::Num(..)
        | Written::Empty(..)
        | Written::Dict(..)
        | Written::Array(..) => None,
    }
}

fn whole(number: Num) -> Option<i128> {
    match number {
        Num::F32(_) | Num::F64(_) => None,
        Num::U8(_)
        | Num::U16(_)
        | Num::U32(_)
        | Num::U64(_)
        | Num::U128(_)
        | Num::USize(_)
        | Num::I8(_)
        | Num::I16(_)
        | Num::I32(_)
        | Num::I64(_)
        | Num::I128(_)
        | Num::ISize(_) => number.to_i128().or_else(|| number.to_u128().and_then(|number| i128::try_from(number).ok())),
    }
}

/// `20-x.toml`, but not the hidden files and back-ups that editors leave.
fn wanted(path: &Path) -> bool {
    let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
    !hidden && path.extension().is_some_and(|extension| extension == "toml") && path.is_file()
}

fn read_capped(path: &Path) -> Result<String, String> {
    let file = fs::File::open(path).map_err(|error| error.kind().to_string())?;
    let mut bytes = Vec::new();
    file.take(FILE_CAP + 1).read_to_end(&mut bytes).map_err(|error| error.kind().to_string())?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > FILE_CAP) {
        return Err(format!("it is larger than {} MiB", FILE_CAP >> 20));
    }
    String::from_utf8(bytes).map_err(|error| format!("it is no UTF-8 at byte {}", error.utf8_error().valid_up_to()))
}

/// Line and column, from 1, of a byte.
fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before.get(line_start..).unwrap_or("").chars().count() + 1)
}
