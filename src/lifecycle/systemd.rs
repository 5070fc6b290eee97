//! What the service manager is told. Without one every call does nothing.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;

/// Sends one datagram.
type Line = dyn Fn(&[NotifyState<'_>]) + Send + Sync;

/// A line to systemd. Cheap to clone.
#[derive(Clone)]
pub struct Systemd {
    send: Arc<Line>,
    watchdog: Option<Duration>,
}

impl fmt::Debug for Systemd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Systemd").field("watchdog", &self.watchdog).finish_non_exhaustive()
    }
}

impl Systemd {
    /// The manager that `NOTIFY_SOCKET` and `WATCHDOG_USEC` name, if any.
    pub fn of_environment() -> Self {
        let send = |states: &[NotifyState<'_>]| {
            if let Err(error) = sd_notify::notify(states) {
                // Not worth more: systemd will act on the silence itself.
                tracing::debug!(error = %error, "systemd could not be told");
            }
        };
        Self { send: Arc::new(send), watchdog: sd_notify::watchdog_enabled() }
    }

    /// Nobody listens.
    pub fn absent() -> Self {
        Self { send: Arc::new(|_| {}), watchdog: None }
    }

    /// How long the watchdog waits for a ping.
    pub const fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Everything is open and bound: the store, the listeners, the secrets. An upstream that is down is no reason to wait.
    pub fn ready(&self, status: &str) {
        (self.send)(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    /// The configuration is being read again; [`Systemd::ready`] ends it.
    pub fn reloading(&self) {
        // systemd 253 and later want the time with it; without, `systemctl reload` hangs until its time-out.
        match NotifyState::monotonic_usec_now() {
            Ok(now) => (self.send)(&[NotifyState::Reloading, now]),
            Err(_) => (self.send)(&[NotifyState::Reloading]),
        }
    }

    /// One line for `systemctl status`. No secret and no personal data.
    pub fn status(&self, status: &str) {
        (self.send)(&[NotifyState::Status(status)]);
    }

    /// The drain begins.
    pub fn stopping(&self) {
        (self.send)(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
    }

    pub(super) fn draining(&self, tasks: usize, left: Duration, extend: Duration) {
        let status = format!("stopping: {tasks} tasks finish what is in hand, {} s at most", left.as_secs());
        let extend = u32::try_from(extend.as_micros()).unwrap_or(u32::MAX);
        (self.send)(&[NotifyState::ExtendTimeoutUsec(extend), NotifyState::Status(&status)]);
    }

    pub(super) fn alive(&self) {
        (self.send)(&[NotifyState::Watchdog]);
    }
}

/// What a recording manager heard.
#[cfg(test)]
#[derive(Clone, Debug, Default)]
pub(super) struct Heard(Arc<std::sync::Mutex<Vec<String>>>);

#[cfg(test)]
impl Heard {
    /// How many messages begin so.
    pub(super) fn count(&self, start: &str) -> usize {
        self.0.lock().unwrap().iter().filter(|message| message.starts_with(start)).count()
    }
}

#[cfg(test)]
impl Systemd {
    /// A manager that remembers.
    pub(super) fn recording(watchdog: Option<Duration>) -> (Self, Heard) {
        let heard = Heard::default();
        let log = heard.clone();
        let send = move |states: &[NotifyState<'_>]| {
            log.0.lock().unwrap().extend(states.iter().map(ToString::to_string));
        };
        (Self { send: Arc::new(send), watchdog }, heard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_comes_with_a_status_and_reloading_with_its_time() {
        let (systemd, heard) = Systemd::recording(None);
        systemd.ready("2 accounts, 3 destinations");
        assert_eq!((heard.count("READY=1"), heard.count("STATUS=2 accounts")), (1, 1));
        systemd.reloading();
        assert_eq!((heard.count("RELOADING=1"), heard.count("MONOTONIC_USEC=")), (1, 1));
    }

    #[test]
    fn where_nobody_listens_nothing_happens() {
        let systemd = Systemd::absent();
        systemd.ready("");
        systemd.status("");
        systemd.stopping();
        assert_eq!(systemd.watchdog(), None);
    }
}
