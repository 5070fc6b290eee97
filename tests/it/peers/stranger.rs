//! A program in Python that serves on a port of its own and prints what it is told, one JSON object a line.

use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};

/// It ends with this handle, and, because its stdin does, with this process.
pub(super) struct Stranger {
    _child: Child,
    _stdin: ChildStdin,
    pub(super) port: u16,
    heard: Arc<Mutex<Vec<Value>>>,
}

impl Stranger {
    /// Starts a script of this folder and waits until it serves.
    pub(super) async fn start(script: &str, arguments: &[&str], module: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/peers").join(script);
        let mut child = Command::new(python_with(module).await)
            .arg(path)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut lines = BufReader::new(stdout).lines();
        let first = lines.next_line().await.unwrap().expect("it says where it serves");
        let first: Value = serde_json::from_str(&first).unwrap();
        let heard: Arc<Mutex<Vec<Value>>> = Arc::default();
        let shelf = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                shelf.lock().unwrap().push(serde_json::from_str(&line).unwrap());
            }
        });
        let port = first["port"].as_u64().and_then(|port| u16::try_from(port).ok()).unwrap();
        Self { _child: child, _stdin: stdin, port, heard }
    }

    /// All that it printed so far.
    pub(super) fn heard(&self) -> Vec<Value> {
        self.heard.lock().unwrap().clone()
    }
}

/// The Python that has this module: `$TEST_PYTHON`, else the first in `PATH`, else Debian's.
pub(crate) async fn python_with(module: &str) -> String {
    let named = std::env::var("TEST_PYTHON").ok().filter(|name| !name.is_empty());
    let candidates = named.into_iter().chain(["python3", "/usr/bin/python3"].map(str::to_owned));
    for python in candidates {
        let asked =
            Command::new(&python).args(["-c", &format!("import {module}")]).stderr(Stdio::null()).status().await;
        if asked.is_ok_and(|status| status.success()) {
            return python;
        }
    }
    panic!("no python has `{module}`: apt-get install python3 python3-aiosmtpd, or name one in $TEST_PYTHON");
}
