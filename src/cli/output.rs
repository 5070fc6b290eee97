//! stdout and stderr. A reader who leaves early (`| head`) is no error.

use std::io::{self, IsTerminal as _, Write as _};

use comfy_table::{Table, presets};

/// Standard output for data.
#[derive(Debug)]
pub(super) struct Out {
    stdout: io::Stdout,
    /// Whether a person reads it: then colour is welcome, unless `NO_COLOR` is set.
    pub(super) colour: bool,
}

impl Out {
    pub(super) fn new() -> Self {
        let stdout = io::stdout();
        let colour = stdout.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { stdout, colour }
    }

    /// One line. An error other than a closed pipe is returned.
    pub(super) fn line(&mut self, text: &str) -> anyhow::Result<()> {
        tolerate(writeln!(self.stdout.lock(), "{text}"))
    }

    /// One JSON value on a line of its own.
    pub(super) fn json(&mut self, value: &serde_json::Value) -> anyhow::Result<()> {
        self.line(&value.to_string())
    }

    /// A table; `empty` goes to stderr when there are no rows.
    pub(super) fn table(&mut self, head: &[&str], rows: Vec<Vec<String>>, empty: &str) -> anyhow::Result<()> {
        if rows.is_empty() {
            say(empty);
            return Ok(());
        }
        let mut table = Table::new();
        table.load_preset(presets::NOTHING).set_header(head.iter().copied()).add_rows(rows);
        for line in table.lines() {
            self.line(line.trim_end())?;
        }
        Ok(())
    }
}

/// `1 delivery`, `2 deliveries`.
pub(super) fn counted<N: PartialEq + From<u8> + std::fmt::Display + Copy>(count: N, one: &str, many: &str) -> String {
    let noun = if count == N::from(1) { one } else { many };
    format!("{count} {noun}")
}

/// One line of words on stderr.
pub(super) fn say(text: &str) {
    // Nobody could be told that stderr is closed.
    drop(writeln!(io::stderr().lock(), "{text}"));
}

fn tolerate(result: io::Result<()>) -> anyhow::Result<()> {
    match result {
        // Whoever read it has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(Into::into),
    }
}
