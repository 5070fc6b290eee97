//! What happened in a run, line by line: hashed, so that two runs of one seed can be compared; the last lines are kept for
//! whoever has to understand a failure.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};

use tokio::time::Instant;
use xxhash_rust::xxh3::Xxh3;

/// How many lines are kept.
const TAIL: usize = 60;

/// The diary of one run. Clones are the same.
#[derive(Clone)]
pub(super) struct Trace(Arc<Mutex<Lines>>);

struct Lines {
    started: Instant,
    hash: Xxh3,
    count: u64,
    tail: VecDeque<String>,
    /// Every line goes to stderr, too.
    loud: bool,
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trace(…)")
    }
}

impl Trace {
    pub(super) fn new(loud: bool) -> Self {
        let tail = VecDeque::with_capacity(TAIL);
        Self(Arc::new(Mutex::new(Lines { started: Instant::now(), hash: Xxh3::new(), count: 0, tail, loud })))
    }

    /// Enters a line under the present virtual time.
    pub(super) fn say(&self, what: fmt::Arguments<'_>) {
        let mut lines = self.0.lock().unwrap();
        let line = format!("{:>10.3} {what}", lines.started.elapsed().as_secs_f64());
        lines.hash.update(line.as_bytes());
        lines.count += 1;
        if lines.loud {
            eprintln!("{line}");
        }
        if lines.tail.len() == TAIL {
            lines.tail.pop_front();
        }
        lines.tail.push_back(line);
    }

    /// Number of lines and their hash.
    pub(super) fn sum(&self) -> (u64, u64) {
        let lines = self.0.lock().unwrap();
        (lines.count, lines.hash.digest())
    }

    /// The last lines.
    pub(super) fn tail(&self) -> String {
        self.0.lock().unwrap().tail.iter().fold(String::new(), |text, line| text + "\n    " + line)
    }
}
