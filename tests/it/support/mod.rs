//! What the tests of the whole share: a house (sandbox, store, folder), daemons in it, and what was heard of them.
//!
//! Nothing here sleeps and then asserts: [`until`] waits for a predicate and fails with words when it never holds.

mod daemon;
mod heard;
mod house;
mod load;
mod proxy;
mod server;

use std::process::Stdio;
use std::time::Duration;

use pregonero::clock::Stopwatch;
use tokio::process::{Child, Command};

pub(crate) use daemon::{Daemon, unprivileged};
pub(crate) use heard::{Heard, announced, happened, webhooks_by_id};
pub(crate) use house::{House, Memory, Plan};
pub(crate) use load::Load;
pub(crate) use proxy::{Mood, Proxy};
pub(crate) use server::{AccountLease, Server};

/// How often a predicate is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Sends a signal, such as `TERM`, to a process that runs.
pub(crate) async fn signal(child: &Child, name: &str) {
    let id = child.id().expect("it runs");
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} {id}")]).status().await.unwrap();
    assert!(sent.success(), "the signal was not sent");
}

/// Waits until `holds`; returns how long it took. Fails with `what` after `limit`.
pub(crate) async fn until(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) -> Duration {
    let watch = Stopwatch::start();
    while !holds() {
        assert!(watch.elapsed() < limit, "not within {limit:?}: {what}");
        tokio::time::sleep(LOOK).await;
    }
    watch.elapsed()
}

/// Starts a program that dies with the thread that starts it, where the system can do that, and with its handle anywhere.
pub(crate) fn guarded(program: &str, arguments: &[&str], stdout: Stdio, stderr: Stdio) -> Child {
    // A file that has reached its limit is a failed write and not the end: the disk of one test is full for a while.
    let guard = r#"trap '' XFSZ; if command -v setpriv >/dev/null; then exec setpriv --pdeathsig KILL -- "$@"; else exec "$@"; fi"#;
    let mut command = Command::new("sh");
    command.args(["-c", guard, "sh", program]).args(arguments);
    command.stdin(Stdio::null()).stdout(stdout).stderr(stderr).kill_on_drop(true);
    command.spawn().expect("there is a shell")
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("there are free ports");
    listener.local_addr().expect("it is bound").port()
}
