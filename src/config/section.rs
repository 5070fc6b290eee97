//! Readers of one table and of one value. A reader that finds something wrong notes it with its key and its file and
//! goes on, so that an operator sees all problems at once; it never prints what was written unless told to.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::PathBuf;

use super::environment::Environment;
use super::layers::{LISTS, TABLES, VARIABLE_PREFIX};
use super::node::{Node, Origin, Table, Value};
use super::problem::{Flawed, Problem, Read, did_you_mean, listed, nearest, shown};

/// What the readers share: where secrets come from, and what was noted.
pub(super) struct Context<'a> {
    /// Where `{ env = "…" }` and `{ credential = "…" }` look.
    pub(super) environment: &'a Environment,
    /// The folder that relative paths start from.
    pub(super) base: PathBuf,
    /// What was noted.
    pub(super) notes: RefCell<Notes>,
}

/// What was noted while reading.
#[derive(Default)]
pub(super) struct Notes {
    /// Everything that is wrong.
    pub(super) problems: Vec<Problem>,
    /// What an operator should know although it works.
    pub(super) warnings: Vec<String>,
    /// Keys of secrets that stand in a file in plain text, with the file.
    pub(super) plain: Vec<(Origin, String)>,
    /// Variables that secrets were read from: they are no keys.
    pub(super) variables: BTreeSet<String>,
    /// Every account's key and look-back in days.
    pub(super) lookbacks: Vec<(String, u32)>,
    /// Names that are taken, and by whom: those of accounts and those of destinations.
    pub(super) names: BTreeMap<(Kind, String), (String, Origin)>,
}

/// Two kinds of names, each unique.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Of an account.
    Account,
    /// Of a destination.
    Destination,
}

/// One table.
pub(super) struct Section<'a> {
    pub(super) context: &'a Context<'a>,
    table: &'a Table,
    origin: Origin,
    /// Dotted, for people.
    path: String,
    known: RefCell<BTreeSet<&'static str>>,
}

/// One value and its key.
pub(super) struct Field<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) node: &'a Node,
    pub(super) key: String,
}

static EMPTY: Table = Table::new();

impl<'a> Section<'a> {
    /// The whole configuration.
    pub(super) fn root(context: &'a Context<'a>, table: &'a Table) -> Self {
        Self::at(context, table, Origin::Defaults, String::new())
    }

    fn at(context: &'a Context<'a>, table: &'a Table, origin: Origin, path: String) -> Self {
        Self { context, table, origin, path, known: RefCell::default() }
    }

    fn dotted(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The value of a key, which is known from now on.
    pub(super) fn find(&self, key: &'static str) -> Option<Field<'a>> {
        self.known.borrow_mut().insert(key);
        self.table.get(key).map(|node| Field { context: self.context, node, key: self.dotted(key) })
    }

    /// A key that may be left out.
    pub(super) fn optional<T>(&self, key: &'static str, read: impl FnOnce(&Field<'a>) -> Read<T>) -> Read<Option<T>> {
        self.find(key).map(|field| read(&field)).transpose()
    }

    /// A key that means `default` when left out.
    pub(super) fn or<T>(&self, key: &'static str, default: T, read: impl FnOnce(&Field<'a>) -> Read<T>) -> Read<T> {
        self.find(key).map_or(Ok(default), |field| read(&field))
    }

    /// A key that must be there. `sample` is a value to show.
    pub(super) fn required<T>(
        &self,
        key: &'static str,
        sample: &str,
        read: impl FnOnce(&Field<'a>) -> Read<T>,
    ) -> Read<T> {
        match self.find(key) {
            Some(field) => read(&field),
            None => Err(self.wrong(key, "is missing", &format!("write it, such as `{key} = {sample}`"))),
        }
    }

    /// A table below; an empty one when it is left out or is none (which is noted).
    pub(super) fn section(&self, key: &'static str) -> Section<'a> {
        let (table, origin) = match self.find(key) {
            None => (&EMPTY, self.origin.clone()),
            Some(field) => match field.node {
                Node { origin, value: Value::Table(table) } => (table, origin.clone()),
                Node { origin, .. } => {
                    field.wrong("must be a table", &format!("write `{key} = {{ … }}`"));
                    (&EMPTY, origin.clone())
                }
            },
        };
        Self::at(self.context, table, origin, self.dotted(key))
    }

    /// Whether the table has anything in it.
    pub(super) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// The tables of `[[key]]`, each under its name, else its index.
    pub(super) fn sections(&self, key: &'static str) -> Vec<Section<'a>> {
        let Some(Field { node: Node { value: Value::List(elements), .. }, .. }) = self.find(key) else {
            return Vec::new();
        };
        let element = |(index, node): (usize, &'a Node)| {
            let Node { origin, value: Value::Table(table) } = node else { return None };
            let path = match table.get("name") {
                Some(Node { value: Value::Text(name), .. }) if super::values::is_name(name) => format!("{key}.{name}"),
                _ => format!("{key}[{index}]"),
            };
            Some(Self::at(self.context, table, origin.clone(), path))
        };
        elements.iter().enumerate().filter_map(element).collect()
    }

    /// Every key and value of a table whose keys are the operator's own.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&'a str, Field<'a>)> {
        self.table
            .iter()
            .map(|(key, node)| (key.as_str(), Field { context: self.context, node, key: self.dotted(key) }))
    }

    /// Notes how far back an account looks.
    pub(super) fn note_lookback(&self, days: u32) {
        self.context.notes.borrow_mut().lookbacks.push((self.path.clone(), days));
    }

    /// Notes a problem of a key that need not be there.
    pub(super) fn wrong(&self, key: &str, what: &str, remedy: &str) -> Flawed {
        note(self.context, self.dotted(key), &self.origin, what, remedy)
    }

    /// Notes a problem of the whole table.
    pub(super) fn wrong_itself(&self, what: &str, remedy: &str) -> Flawed {
        note(self.context, self.path.clone(), &self.origin, what, remedy)
    }

    /// Notes what an operator should know although it works.
    pub(super) fn warn(&self, key: &str, what: &str) {
        let warning = format!("{} in {}: {what}", self.dotted(key), self.origin);
        self.context.notes.borrow_mut().warnings.push(warning);
    }

    /// Refuses what is left: to be called when every key was looked for.
    pub(super) fn refuse_unknown_keys(&self) {
        let known = self.known.borrow();
        for (key, node) in self.table.iter().filter(|(key, _)| !known.contains(key.as_str())) {
            if let (true, Origin::Variable(name)) = (self.path.is_empty(), &node.origin) {
                self.unknown_variable(key, name, &node.origin);
                continue;
            }
            let remedy = did_you_mean(key, known.iter().copied());
            note(self.context, self.dotted(key), &node.origin, "is no known key", &remedy);
        }
    }

    /// A stray variable with our prefix (such as the one that names a token, or one of a deployment script) stops
    /// nothing, unless it is nearly a key.
    fn unknown_variable(&self, key: &str, name: &str, origin: &Origin) {
        if self.context.notes.borrow().variables.contains(name) {
            return;
        }
        let known = self.known.borrow();
        let sections = TABLES.into_iter().chain(LISTS);
        let one_underscore = sections.clone().find_map(|section| {
            let rest = key.strip_prefix(section)?.strip_prefix('_')?;
            Some(format!("{VARIABLE_PREFIX}{}__{}", section.to_uppercase(), rest.to_uppercase()))
        });
        let near = nearest(key, known.iter().copied()).map(|near| format!("{VARIABLE_PREFIX}{}", near.to_uppercase()));
        match one_underscore.or(near) {
            Some(meant) => {
                note(self.context, key.to_owned(), origin, "is no known key", &format!("did you mean `{meant}`?"));
            }
            None if name.contains("__") => {
                let remedy = format!("known are {}", listed(&known.iter().copied().collect::<Vec<_>>()));
                note(self.context, key.to_owned(), origin, "is no known key", &remedy);
            }
            None => {
                let warning = format!("{origin} is no key of the configuration and is ignored");
                self.context.notes.borrow_mut().warnings.push(warning);
            }
        }
    }
}

fn note(context: &Context<'_>, key: String, origin: &Origin, what: &str, remedy: &str) -> Flawed {
    let file = origin.to_string();
    let problem = Problem { key, file, place: None, what: what.to_owned(), remedy: remedy.to_owned() };
    context.notes.borrow_mut().problems.push(problem);
    Flawed
}

impl<'a> Field<'a> {
    /// Notes a problem. `what` never holds the value unless [`shown`] made it presentable and the key is no secret.
    pub(super) fn wrong(&self, what: &str, remedy: &str) -> Flawed {
        note(self.context, self.key.clone(), &self.node.origin, what, remedy)
    }

    fn is_from_environment(&self) -> bool {
        matches!(self.node.origin, Origin::Variable(_))
    }

    /// Text in quotes, not empty.
    pub(super) fn text(&self) -> Read<&'a str> {
        match &self.node.value {
            Value::Text(text) if text.trim().is_empty() => {
                Err(self.wrong("is empty", "write a value or remove the line"))
            }
            Value::Text(text) => Ok(text),
            other @ (Value::Whole(_) | Value::Fraction | Value::Flag(_) | Value::List(_) | Value::Table(_)) => {
                Err(self.wrong(&format!("must be text, but {} was written", other.article()), "put it in quotes"))
            }
        }
    }

    /// The text, when it is one.
    pub(super) fn text_if_any(&self) -> Option<&'a str> {
        if let Value::Text(text) = &self.node.value { Some(text) } else { None }
    }

    /// `true` or `false`; from the environment also as text.
    pub(super) fn flag(&self) -> Read<bool> {
        match &self.node.value {
            Value::Flag(flag) => Ok(*flag),
            Value::Text(text) if self.is_from_environment() && text.trim() == "true" => Ok(true),
            Value::Text(text) if self.is_from_environment() && text.trim() == "false" => Ok(false),
            Value::Text(_) | Value::Whole(_) | Value::Fraction | Value::List(_) | Value::Table(_) => {
                Err(self.wrong("must be true or false", "write `true` or `false` without quotes"))
            }
        }
    }

    /// A whole number of a range; from the environment also as text.
    pub(super) fn whole<N: TryFrom<i128> + Copy + PartialOrd + std::fmt::Display>(
        &self,
        range: RangeInclusive<N>,
    ) -> Read<N> {
        let number = match &self.node.value {
            Value::Whole(number) => Some(*number),
            Value::Text(text) if self.is_from_environment() => text.trim().parse().ok(),
            Value::Text(_) | Value::Fraction | Value::Flag(_) | Value::List(_) | Value::Table(_) => None,
        };
        let Some(number) = number else {
            return Err(self.wrong("must be a whole number", "write digits without quotes"));
        };
        N::try_from(number).ok().filter(|number| range.contains(number)).ok_or_else(|| {
            self.wrong("is out of range", &format!("write a number from {} to {}", range.start(), range.end()))
        })
    }

    /// One of these words.
    pub(super) fn choice<T: Copy>(&self, words: &[(&str, T)]) -> Read<T> {
        let text = self.text()?;
        words.iter().find(|(word, _)| *word == text.trim()).map(|(_, meaning)| *meaning).ok_or_else(|| {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let remedy = match nearest(text, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("write one of {}", listed(&known)),
            };
            self.wrong(&format!("{} is no choice", shown(text)), &remedy)
        })
    }

    /// The values of a list; a single value is a list of one.
    pub(super) fn elements(&self) -> Vec<Field<'a>> {
        let Value::List(elements) = &self.node.value else {
            return vec![Field { context: self.context, node: self.node, key: self.key.clone() }];
        };
        let element = |(index, node)| Field { context: self.context, node, key: format!("{}[{index}]", self.key) };
        elements.iter().enumerate().map(element).collect()
    }

    /// Every value of a list, all of their problems noted.
    pub(super) fn each<T>(&self, read: impl Fn(&Field<'a>) -> Read<T>) -> Read<Vec<T>> {
        let all: Vec<Read<T>> = self.elements().iter().map(read).collect();
        all.into_iter().collect()
    }
}
