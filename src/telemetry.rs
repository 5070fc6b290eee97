//! The log: one subscriber for the process, on stderr, because stdout is data.
//!
//! Libraries that would print bodies, addresses or the AUTH line of a mail dialogue when asked for detail are held down
//! whatever the operator's filter says.

use std::io::{self, IsTerminal as _};

use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, Subscriber};
use tracing_subscriber::filter::{FilterExt as _, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::config::{Log, LogFormat};

/// What may be said at most by those that see secrets. A target counts with everything that begins with it, so `hyper`
/// is `hyper_util` too.
const CEILINGS: [(&str, LevelFilter); 6] = [
    ("h2", LevelFilter::INFO),
    ("hyper", LevelFilter::INFO),
    ("lettre", LevelFilter::WARN),
    ("reqwest", LevelFilter::INFO),
    ("rustls", LevelFilter::WARN),
    ("teloxide", LevelFilter::WARN),
];

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter cannot be read: wrong configuration.
    #[error("{0} is no filter; write directives such as `info` or `warn,pregonero::sources=debug`")]
    Filter(&'static str),
    /// A second subscriber: a defect of the caller's.
    #[error("the log was set up before")]
    Twice,
}

/// Sets up the log of this process: filter of the file, else `RUST_LOG`, else `info`; colours only on a terminal, and
/// not where `NO_COLOR` is set.
///
/// # Errors
/// When the filter cannot be read, or when the log was set up before.
pub fn init(log: &Log) -> Result<(), TelemetryError> {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let ansi = io::stderr().is_terminal() && set("NO_COLOR").is_none();
    let dispatch = subscriber(log, set("RUST_LOG").as_deref(), ansi, io::stderr)?;
    // Takes over the records of libraries that use the `log` crate, too.
    dispatch.try_init().map_err(|_| TelemetryError::Twice)
}

fn subscriber<W>(log: &Log, rust_log: Option<&str>, ansi: bool, writer: W) -> Result<Dispatch, TelemetryError>
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let (directives, source) = match (log.filter.as_deref(), rust_log) {
        (Some(filter), _) => (filter, "`log.filter`"),
        (None, Some(filter)) => (filter, "RUST_LOG"),
        (None, None) => ("info", "the default"),
    };
    let wanted = EnvFilter::builder().parse(directives).map_err(|_| TelemetryError::Filter(source))?;
    let ceilings = Targets::new().with_default(LevelFilter::TRACE).with_targets(CEILINGS);
    let lines = lines(log.format, ansi, writer);
    Ok(Dispatch::new(Registry::default().with(lines.with_filter(wanted.and(ceilings)))))
}

fn lines<S, W>(format: LogFormat, ansi: bool, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    // A closed stderr must not end the daemon: complaining about it would be a write to stderr that panics.
    let layer = tracing_subscriber::fmt::layer().with_writer(writer).log_internal_errors(false);
    match format {
        LogFormat::Text => layer.with_ansi(ansi).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).with_current_span(true).with_span_list(false).boxed(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::{debug, error, info};

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no writer panics").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(filter: Option<&str>, rust_log: Option<&str>, format: LogFormat, say: impl FnOnce()) -> String {
        let page = Page::default();
        let log = Log { filter: filter.map(str::to_owned), format };
        let handle = page.clone();
        let dispatch = subscriber(&log, rust_log, false, move || handle.clone()).expect("a good filter");
        tracing::dispatcher::with_default(&dispatch, say);
        let bytes = page.0.lock().expect("no writer panics").clone();
        String::from_utf8(bytes).expect("log lines are UTF-8")
    }

    #[test]
    fn libraries_that_see_secrets_are_held_down_whatever_the_filter_says() {
        let text = written(Some("trace,lettre::transport=trace,hyper=trace"), None, LogFormat::Text, || {
            debug!(target: "lettre::transport::smtp", "AUTH PLAIN hunter2");
            info!(target: "lettre", "AUTH LOGIN hunter2");
            debug!(target: "hyper_util::client", "hunter2");
            debug!(target: "reqwest::connect", "hunter2");
            debug!(target: "teloxide_core::net", "hunter2");
            debug!(target: "pregonero::sources", "polled");
            error!(target: "lettre", "refused");
        });
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("polled") && text.contains("refused"), "{text}");
    }

    #[test]
    fn the_file_goes_before_the_environment_and_both_before_info() {
        let say = || {
            debug!("fine");
            info!("plain");
        };
        let text = |filter, rust_log| written(filter, rust_log, LogFormat::Text, say);
        assert!(!text(None, None).contains("fine") && text(None, None).contains("plain"));
        assert!(text(None, Some("debug")).contains("fine"));
        assert!(!text(Some("error"), Some("debug")).contains("plain"));
    }

    #[test]
    fn json_is_one_object_a_line() {
        let text = written(None, None, LogFormat::Json, || info!(account.name = "centro", "polled"));
        let line: serde_json::Value = serde_json::from_str(text.trim()).expect("one JSON object");
        assert_eq!(line["message"], "polled");
        assert_eq!(line["account.name"], "centro");
    }

    #[test]
    fn a_bad_filter_is_named_by_its_place() {
        let log = Log { filter: None, format: LogFormat::Text };
        let refused = subscriber(&log, Some("a=b=c"), false, io::sink).expect_err("no filter");
        assert!(refused.to_string().starts_with("RUST_LOG"), "{refused}");
    }
}
