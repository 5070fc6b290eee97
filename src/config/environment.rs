//! The environment of a process, taken once and handed on as a value, so that tests need not change their own.

use std::collections::BTreeMap;
use std::fmt;

/// Environment variables by name. Values are raw text: nothing guesses that `0012` is a number.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, Option<String>>);

/// What is known of a variable.
pub(super) enum Variable<'a> {
    /// Its value.
    Set(&'a str),
    /// It is there, but no UTF-8.
    Unreadable,
    /// It is not there.
    Unset,
}

impl Environment {
    /// Of this process. Names that are no UTF-8 are left out; a value that is none is known to be there.
    pub fn of_process() -> Self {
        let readable = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()))
        };
        Self(std::env::vars_os().filter_map(readable).collect())
    }

    /// What is known of a variable.
    pub(super) fn variable(&self, name: &str) -> Variable<'_> {
        match self.0.get(name) {
            Some(Some(value)) => Variable::Set(value),
            Some(None) => Variable::Unreadable,
            None => Variable::Unset,
        }
    }

    /// The value of a variable that is set, readable and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_deref().filter(|value| !value.is_empty())
    }

    /// All variables, by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_deref()))
    }
}

/// For tests and embedders.
impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), Some(value.into()))).collect())
    }
}

/// Values may be secrets.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Environment({} variables)", self.0.len())
    }
}
