//! The command line as an operator meets it: stdout is data, stderr is words, and the exit code is 0, 1 or 2.
#![expect(clippy::expect_used, reason = "a test that cannot be set up must fail loudly")]

mod beside;
mod copies;
mod help;
mod lists;
mod made;
mod mistakes;
mod pings;
mod probe;
mod shelf;
mod sipago;
mod telepagos;
mod terminal;
mod watch;

use std::fs;
use std::path::PathBuf;
use std::process::Output;
use std::time::Duration;

use assert_cmd::Command;
use tempfile::TempDir;

/// No command that is not told to stay may take longer; generous, because the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// One account, one destination, nobody behind either.
const QUIET: &str = r#"
[http]
listen = ""
[[telepagos]]
name = "centro"
base_url = "http://127.0.0.1:9"
allow_http = true
username = "someone"
password = "not-a-real-password"
[[webhook]]
name = "erp"
url = "http://127.0.0.1:9/hooks"
secret = "whsec_c2FuZGJveC13ZWJob29rLXNlY3JldC1ub3QtcmVhbCE="
allow_private = ["127.0.0.0/8"]
"#;

/// A folder that a command runs in.
struct Place(TempDir);

impl Place {
    /// Without a configuration.
    fn bare() -> Self {
        Self(TempDir::new().expect("a temporary folder"))
    }

    /// With this `config.toml`, which only its owner can read.
    fn with(text: &str) -> Self {
        let place = Self::bare();
        place.write("config.toml", text);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        fs::write(self.path(name), text).expect("a file");
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o600)).expect("its permissions");
    }

    /// The program, in this folder, with nothing of the caller's environment that could change its words.
    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pregonero"));
        command.current_dir(self.0.path()).args(arguments.split_whitespace()).timeout(PATIENCE);
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("PREGONERO_") || name == "RUST_LOG" || name == "NOTIFY_SOCKET" {
                command.env_remove(name.as_ref());
            }
        }
        command.env("COLUMNS", "100");
        command
    }

    fn run(&self, arguments: &str) -> Said {
        Said::of(arguments, &self.command(arguments).output().expect("the program starts"))
    }
}

/// What a command said; printed as a whole where an assertion fails.
#[derive(Debug)]
#[expect(dead_code, reason = "`arguments` is there to be printed")]
struct Said {
    arguments: String,
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Said {
    fn of(arguments: &str, output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
        Self {
            arguments: arguments.to_owned(),
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    /// It ended with 0 and had nothing to say beside its data.
    #[track_caller]
    fn done(&self) -> &str {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""), "{self:?}");
        &self.stdout
    }

    /// It ended with `code`, gave no data and said one thing on stderr.
    #[track_caller]
    fn refused(&self, code: i32) -> &str {
        assert_eq!((self.code, self.stdout.as_str()), (Some(code), ""), "{self:?}");
        assert!(self.stderr.starts_with("error: "), "{self:?}");
        assert!(!self.stderr.contains("panicked"), "{self:?}");
        self.stderr.trim_end()
    }

    /// It ended with 0 and printed one JSON object a line.
    #[track_caller]
    fn objects(&self) -> Vec<serde_json::Value> {
        let objects: Vec<serde_json::Value> = self
            .done()
            .lines()
            .map(|line| serde_json::from_str(line).expect("every line of `--json` is JSON by itself"))
            .collect();
        assert!(objects.iter().all(serde_json::Value::is_object), "{self:?}");
        objects
    }
}
