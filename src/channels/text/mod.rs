//! Messages for people: by channel, language and family of events, from templates that are built into the program.
//!
//! The templates see one published structure ([`view`]) and nothing else: no loader, no I/O, bounded steps, and an
//! undefined name is an error. A template fault may change the look of a notice, it never stops it: the plain line of
//! [`Texts::line`] goes out instead.

mod day;
pub mod view;
mod words;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Error, Output, State, UndefinedBehavior, Value};

use self::view::View;
use crate::config::{Detail, Language};
use crate::domain::event::{Body, Event};

/// Steps that a template may take; the largest of ours takes about 300.
const FUEL: u64 = 20_000;

/// For whom a message is made.
#[derive(Clone, Debug)]
pub struct Style {
    /// Of the words.
    pub language: Language,
    /// How much of the payer is shown.
    pub detail: Detail,
    /// Of the times.
    pub zone: TimeZone,
}

/// When and how often.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// When the message leaves; the reader is told how long we took.
    pub now: Timestamp,
    /// An earlier try may have arrived.
    pub repeated: bool,
}

/// The three parts of a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// One line.
    pub subject: String,
    /// For readers without HTML; amounts with an ordinary space.
    pub text: String,
    /// With inline styles.
    pub html: String,
}

/// The templates are broken; found at start and by the tests.
#[derive(Debug, thiserror::Error)]
#[error("a built-in template cannot be read")]
pub struct TextError(#[source] Error);

/// Every template, compiled.
#[derive(Debug)]
pub struct Texts {
    templates: Environment<'static>,
}

macro_rules! templates {
    ($($name:literal),* $(,)?) => {
        /// Name and source of every template.
        const TEMPLATES: &[(&str, &str)] = &[$(($name, include_str!(concat!("../templates/", $name)))),*];
    };
}

templates![
    "es/payment.telegram.html",
    "es/payment.subject.txt",
    "es/payment.mail.txt",
    "es/payment.mail.html",
    "es/notice.telegram.html",
    "es/notice.subject.txt",
    "es/notice.mail.txt",
    "es/notice.mail.html",
    "en/payment.telegram.html",
    "en/payment.subject.txt",
    "en/payment.mail.txt",
    "en/payment.mail.html",
    "en/notice.telegram.html",
    "en/notice.subject.txt",
    "en/notice.mail.txt",
    "en/notice.mail.html",
];

impl Texts {
    /// Compiles every template.
    ///
    /// # Errors
    /// When one is broken, which the tests exclude.
    pub fn new() -> Result<Self, TextError> {
        let mut templates = Environment::new();
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        templates.set_fuel(Some(FUEL));
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().map_err(TextError)?;
        templates.set_syntax(syntax);
        templates.set_formatter(escape);
        for (name, source) in TEMPLATES {
            templates.add_template(name, source).map_err(TextError)?;
        }
        Ok(Self { templates })
    }

    /// A chat message in Telegram's HTML.
    pub fn telegram(&self, event: &Event, style: &Style, moment: Moment) -> String {
        let view = View::of(event, style, moment);
        self.render(event, style, "telegram.html", &view).unwrap_or_else(|| escaped(&view.line()))
    }

    /// A chat message without markup, for when the markup is refused.
    pub fn plain(&self, event: &Event, style: &Style, moment: Moment) -> String {
        let view = View::of(event, style, moment);
        self.render(event, style, "mail.txt", &view).unwrap_or_else(|| view.line())
    }

    /// The parts of a mail.
    pub fn mail(&self, event: &Event, style: &Style, moment: Moment) -> Mail {
        let view = View::of(event, style, moment);
        // No no-break spaces where they are shown as odd characters.
        let space = |text: &Option<String>| text.as_ref().map(|text| text.replace('\u{a0}', " "));
        let spaced = View { amount: space(&view.amount), reason: space(&view.reason), ..view.clone() };
        let line = || spaced.line();
        Mail {
            subject: one_line(&self.render(event, style, "subject.txt", &spaced).unwrap_or_else(line)),
            text: self.render(event, style, "mail.txt", &spaced).unwrap_or_else(line),
            html: self.render(event, style, "mail.html", &view).unwrap_or_else(|| escaped(&view.line())),
        }
    }

    /// One plain line: for terminals, and when a template fails.
    pub fn line(&self, event: &Event, style: &Style, moment: Moment) -> String {
        View::of(event, style, moment).line()
    }

    fn render(&self, event: &Event, style: &Style, part: &str, view: &View) -> Option<String> {
        let family = match event.body {
            Body::Payment(_) => "payment",
            Body::Notice(_) => "notice",
        };
        let language = match style.language {
            Language::Es => "es",
            Language::En => "en",
        };
        let template = self.templates.get_template(&format!("{language}/{family}.{part}"));
        match template.and_then(|template| template.render(Serde(view))) {
            Ok(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
            Err(error) => {
                // minijinja's errors name the template and the line; values appear only in its debug output.
                tracing::error!(template.part = part, template.error = ?error.kind(), "a template failed; a plain line is sent instead");
                None
            }
        }
    }
}

/// Escapes `<`, `>` and `&` and nothing else: Telegram knows no other named entities, and values never stand inside
/// an attribute.
fn escape(out: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    if matches!(state.auto_escape(), AutoEscape::Html) && !value.is_safe() {
        let text = value.to_string();
        return out.write_str(&escaped(&text)).map_err(Error::from);
    }
    minijinja::escape_formatter(out, state, value)
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            other => safe.push(other),
        }
    }
    safe
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
