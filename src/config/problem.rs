//! What is wrong with a configuration, and the words for it. No value of a secret key ever gets here.

use std::fmt;

/// One thing that is wrong, where it stands and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The dotted key, such as `webhook.erp.url`; `webhook[1].url` (from 0) where the table has no name.
    /// Empty where no key can be named: a syntax error, a file that cannot be read.
    pub key: String,
    /// The file as it was named, or `environment variable PREGONERO_…`.
    pub file: String,
    /// Line and column, from 1: syntax errors only.
    pub place: Option<(usize, usize)>,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("error: ")?;
        if !self.key.is_empty() {
            write!(f, "{} in ", self.key)?;
        }
        f.write_str(&self.file)?;
        if let Some((line, column)) = self.place {
            write!(f, ", line {line}, column {column}")?;
        }
        write!(f, ": {}; {}", self.what, self.remedy)
    }
}

/// Everything that is wrong with a configuration; never empty. Exit code 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<Problem>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// A problem was noted; there is no value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flawed;

/// A value, or a problem that was noted.
pub(super) type Read<T> = Result<T, Flawed>;

/// The known word that was probably meant, if any is near.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: String = word.trim().to_lowercase().chars().take(64).collect();
    let allowed = (word.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= allowed || strsim::jaro_winkler(&word, candidate) > 0.9)
        .min()
        .map(|(_, candidate)| candidate)
}

/// A remedy: the word that was probably meant, else all that there are.
pub(super) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    if let Some(near) = nearest(word, known.clone()) {
        return format!("did you mean `{near}`?");
    }
    let all: Vec<&str> = known.into_iter().collect();
    format!("known are {}", listed(&all))
}

/// Words in backticks, separated by commas.
pub(super) fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// A text of the operator's, short and in one line. Never for a secret.
pub(super) fn shown(text: &str) -> String {
    let short: String = text.chars().take(40).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    let more = if text.chars().count() > 40 { "…" } else { "" };
    format!("`{short}{more}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_near() {
        let known = ["retention", "language", "timezone", "log"];
        assert_eq!(nearest("retenton", known), Some("retention"));
        assert_eq!(nearest("Language", known), Some("language"));
        assert_eq!(nearest("time_zone", known), Some("timezone"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(did_you_mean("colour", ["a", "b"]), "known are `a`, `b`");
    }

    #[test]
    fn a_problem_prints_key_file_place_and_remedy() {
        let mut problem = Problem {
            key: "webhook.erp.url".into(),
            file: "config.toml".into(),
            place: None,
            what: "is no URL".into(),
            remedy: "write one".into(),
        };
        assert_eq!(problem.to_string(), "error: webhook.erp.url in config.toml: is no URL; write one");
        problem.key.clear();
        problem.place = Some((3, 7));
        assert_eq!(problem.to_string(), "error: config.toml, line 3, column 7: is no URL; write one");
        let both = ConfigErrors(vec![problem.clone(), problem]);
        assert_eq!(both.to_string().lines().count(), 2);
    }

    #[test]
    fn what_is_shown_is_short_and_in_one_line() {
        assert_eq!(shown("a\nb"), "`a\u{fffd}b`");
        assert_eq!(shown(&"x".repeat(50)).chars().count(), 43);
    }
}
