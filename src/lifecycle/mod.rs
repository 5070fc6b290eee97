//! The story of a start and a stop: signals, tasks, the drain, what systemd is told, and an honest exit code.
//!
//! The first SIGTERM or SIGINT stops softly: loops take nothing new and finish what they hold. The second stops hard.
//! A task that ends by itself, by a panic or by returning, stops the daemon with exit code 1, because a daemon with a
//! dead loop looks alive and announces nothing. SIGHUP asks for a reload.

mod heartbeat;
mod systemd;

use std::io;
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::heartbeat::{Heartbeat, Heartbeats};
pub use self::systemd::Systemd;

/// How long a drain may take. With what follows it makes 25 s, as Sidekiq, whose deploys wait for it (its
/// documentation, 2026-11-21); the unit's `TimeoutStopSec` is ten seconds more.
const DRAIN_LIMIT: Duration = Duration::from_secs(24);

/// How long dropped tasks have to be gone. They are dropped where they wait, so this is for one that computes.
const LEAVE_LIMIT: Duration = Duration::from_secs(1);

/// How often systemd hears of the drain.
const DRAIN_TICK: Duration = Duration::from_secs(1);

/// How long a loop may be silent where no watchdog says otherwise: half of the unit's `WatchdogSec`.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Stop: softly the first time, hard the second.
    Stop,
    /// Read the configuration again.
    Reload,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Everything in hand was finished.
    Drained,
    /// The drain took too long or a second signal cut it: something was sent, or being sent, and could not be written
    /// down. It is leased still and is sent again later under the same id, which is why this is no success.
    Cut,
    /// A task had ended by itself.
    Crashed,
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Drained => Self::SUCCESS,
            Ending::Cut | Ending::Crashed => Self::FAILURE,
        }
    }
}

/// Owns the tasks of a running daemon and ends them.
#[derive(Debug)]
pub struct Lifecycle {
    soft: CancellationToken,
    hard: CancellationToken,
    tasks: TaskTracker,
    crashed: Arc<AtomicBool>,
    /// A task was dropped before its end.
    cut: Arc<AtomicBool>,
    reloads: watch::Sender<u64>,
    heartbeats: Heartbeats,
    systemd: Systemd,
}

impl Lifecycle {
    /// Listens to this process's signals from now on, so that a start that hangs can be stopped too.
    /// Must be called inside a runtime.
    ///
    /// # Errors
    /// When a signal handler cannot be installed.
    pub fn new() -> io::Result<Self> {
        Ok(Self::with(process_signals()?, Systemd::of_environment()))
    }

    /// With signals and a service manager of the caller's choice.
    pub fn with(wishes: BoxStream<'static, Wish>, systemd: Systemd) -> Self {
        let lifecycle = Self {
            soft: CancellationToken::new(),
            hard: CancellationToken::new(),
            tasks: TaskTracker::new(),
            crashed: Arc::default(),
            cut: Arc::default(),
            reloads: watch::Sender::new(0),
            heartbeats: Heartbeats::new(),
            systemd,
        };
        let (soft, hard, reloads) = (lifecycle.soft.clone(), lifecycle.hard.clone(), lifecycle.reloads.clone());
        tokio::spawn(async move {
            let mut wishes = wishes;
            while let Some(wish) = wishes.next().await {
                match wish {
                    Wish::Stop if soft.is_cancelled() => hard.cancel(),
                    Wish::Stop => soft.cancel(),
                    Wish::Reload => reloads.send_modify(|count| *count = count.wrapping_add(1)),
                }
            }
        });
        lifecycle
    }

    /// Cancelled when no new work may begin. Cancelling it begins the drain.
    pub fn stop_token(&self) -> CancellationToken {
        self.soft.clone()
    }

    /// Cancelled when everything has to be dropped at once.
    pub fn kill_token(&self) -> CancellationToken {
        self.hard.clone()
    }

    /// Requests to read the configuration again; those that came before are not in it.
    pub fn reloads(&self) -> Reloads {
        Reloads(self.reloads.subscribe())
    }

    /// Where loops show that they turn.
    pub fn heartbeats(&self) -> Heartbeats {
        self.heartbeats.clone()
    }

    /// What to tell the service manager with.
    pub fn systemd(&self) -> Systemd {
        self.systemd.clone()
    }

    /// Runs a task that is to end only after the soft stop. If it ends before, or panics, the daemon stops. At the hard
    /// stop it is dropped where it waits, so it must be cancel-safe.
    pub fn spawn<F>(&self, name: impl Into<String>, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (name, soft, crashed) = (name.into(), self.soft.clone(), Arc::clone(&self.crashed));
        let (hard, cut) = (self.hard.clone(), Arc::clone(&self.cut));
        self.tasks.spawn(async move {
            // The task is not looked at again after a panic, so nothing half changed in it can be seen.
            let guarded = AssertUnwindSafe(task).catch_unwind();
            let Some(ended) = hard.run_until_cancelled_owned(guarded).await else {
                return cut.store(true, Ordering::Release);
            };
            let panicked = ended.is_err();
            if panicked || !soft.is_cancelled() {
                tracing::error!(task.name = %name, task.panicked = panicked, "a task ended by itself; the daemon stops");
                crashed.store(true, Ordering::Release);
                soft.cancel();
            }
        });
    }

    /// Waits for the end: until a stop is asked for, then until everything in hand is finished, at most 24 s; what is not
    /// finished by then, or at a second signal, is dropped.
    ///
    /// Call it after [`Systemd::ready`]. It pings the watchdog while every registered loop turns.
    pub async fn run_until_stopped(self) -> Ending {
        self.watch_until_stop().await;
        tracing::info!("stopping: no new work, finishing what is in hand");
        self.tasks.close();
        self.systemd.stopping();
        let drained = self.drain().await;
        if !drained {
            tracing::warn!(tasks.left = self.tasks.len(), "the drain was cut; what was in hand will be tried again");
            self.hard.cancel();
            // Attempts under way are dropped with the runtime.
            let left = tokio::time::timeout(LEAVE_LIMIT, self.tasks.wait()).await;
            tracing::debug!(tasks.all_left = left.is_ok(), "stopped hard");
        }
        match (self.crashed.load(Ordering::Acquire), drained) {
            (true, _) => Ending::Crashed,
            (false, true) => Ending::Drained,
            (false, false) => Ending::Cut,
        }
    }

    async fn watch_until_stop(&self) {
        let Some(watchdog) = self.systemd.watchdog() else { return self.soft.cancelled().await };
        // A quarter: the loops are given half, and one ping may be late.
        let mut tick = tokio::time::interval((watchdog / 4).max(Duration::from_millis(1)));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut was_stalled = false;
        loop {
            tokio::select! {
                () = self.soft.cancelled() => return,
                _ = tick.tick() => {}
            }
            let stalled = self.heartbeats.stalled(watchdog / 2);
            if stalled.is_empty() {
                self.systemd.alive();
            } else if !was_stalled {
                tracing::error!(tasks.stalled = ?stalled, "a loop does not turn; the watchdog is no longer fed");
            }
            was_stalled = !stalled.is_empty();
        }
    }

    /// Whether all tasks came to their own end in time.
    async fn drain(&self) -> bool {
        let end = Instant::now() + DRAIN_LIMIT;
        let mut tick = tokio::time::interval(DRAIN_TICK);
        loop {
            tokio::select! {
                biased;
                // At a second signal they are gone at once, and have finished nothing.
                () = self.tasks.wait() => return !self.cut.load(Ordering::Acquire),
                () = self.hard.cancelled() => return false,
                () = tokio::time::sleep_until(end) => return false,
                _ = tick.tick() => {
                    self.systemd.draining(self.tasks.len(), end.duration_since(Instant::now()), DRAIN_TICK * 5);
                }
            }
        }
    }
}

/// Requests to read the configuration again. Several that come while one is served are one.
#[derive(Debug)]
pub struct Reloads(watch::Receiver<u64>);

impl Reloads {
    /// Waits for the next request; `None` when there can be none any more. Cancel-safe.
    pub async fn next(&mut self) -> Option<()> {
        self.0.changed().await.ok()
    }
}

fn process_signals() -> io::Result<BoxStream<'static, Wish>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(stream::poll_fn(move |cx| {
        if terminate.poll_recv(cx).is_ready() || interrupt.poll_recv(cx).is_ready() {
            Poll::Ready(Some(Wish::Stop))
        } else if hangup.poll_recv(cx).is_ready() {
            Poll::Ready(Some(Wish::Reload))
        } else {
            Poll::Pending
        }
    })
    .boxed())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc;

    /// A lifecycle whose signals the test sends, and what systemd heard.
    fn lifecycle(watchdog: Option<Duration>) -> (Lifecycle, mpsc::UnboundedSender<Wish>, systemd::Heard) {
        let (wishes, inbox) = mpsc::unbounded_channel();
        let stream = stream::unfold(inbox, |mut inbox| async { inbox.recv().await.map(|wish| (wish, inbox)) });
        let (systemd, heard) = Systemd::recording(watchdog);
        (Lifecycle::with(stream.boxed(), systemd), wishes, heard)
    }

    /// In paused time an end that never comes is noticed at once.
    async fn ending(lifecycle: Lifecycle) -> Ending {
        tokio::time::timeout(Duration::from_secs(86_400), lifecycle.run_until_stopped()).await.expect("it ends")
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_signal_lets_work_in_hand_finish() {
        let (lifecycle, wishes, heard) = lifecycle(None);
        let stop = lifecycle.stop_token();
        let finished = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&finished);
        lifecycle.spawn("loop", async move {
            stop.cancelled().await;
            tokio::time::sleep(Duration::from_secs(20)).await;
            flag.store(true, Ordering::Release);
        });
        wishes.send(Wish::Stop).unwrap();
        assert_eq!(ending(lifecycle).await, Ending::Drained);
        assert!(finished.load(Ordering::Acquire));
        assert!(heard.count("STOPPING=1") == 1 && heard.count("EXTEND_TIMEOUT_USEC=") > 10);
    }

    #[tokio::test(start_paused = true)]
    async fn the_second_signal_cuts_the_drain_at_once() {
        let (lifecycle, wishes, _heard) = lifecycle(None);
        lifecycle.spawn("loop", std::future::pending());
        wishes.send(Wish::Stop).unwrap();
        wishes.send(Wish::Stop).unwrap();
        let kill = lifecycle.kill_token();
        let started = Instant::now();
        assert_eq!(ending(lifecycle).await, Ending::Cut);
        assert!(kill.is_cancelled());
        assert!(started.elapsed() <= DRAIN_TICK);
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_has_an_end() {
        let (lifecycle, _wishes, _heard) = lifecycle(None);
        lifecycle.spawn("loop", std::future::pending());
        lifecycle.stop_token().cancel();
        let started = Instant::now();
        assert_eq!(ending(lifecycle).await, Ending::Cut);
        assert!(started.elapsed() >= DRAIN_LIMIT && DRAIN_LIMIT + LEAVE_LIMIT <= Duration::from_secs(25));
        assert_eq!(started.elapsed().as_secs(), DRAIN_LIMIT.as_secs(), "a task that waits is dropped at once");
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_returns_or_panics_stops_the_others_and_fails() {
        for panics in [false, true] {
            let (lifecycle, _wishes, _heard) = lifecycle(None);
            let stop = lifecycle.stop_token();
            lifecycle.spawn("faithful", async move { stop.cancelled().await });
            lifecycle.spawn("faithless", async move { assert!(!panics, "on purpose") });
            assert_eq!(ending(lifecycle).await, Ending::Crashed);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_during_the_drain_is_not_a_clean_end() {
        let (lifecycle, wishes, _heard) = lifecycle(None);
        let stop = lifecycle.stop_token();
        lifecycle.spawn("loop", async move {
            stop.cancelled().await;
            panic!("on purpose");
        });
        wishes.send(Wish::Stop).unwrap();
        assert_eq!(ending(lifecycle).await, Ending::Crashed);
    }

    #[tokio::test(start_paused = true)]
    async fn the_watchdog_starves_when_one_loop_stalls() {
        let watchdog = Duration::from_secs(60);
        let (lifecycle, _wishes, heard) = lifecycle(Some(watchdog));
        let (heartbeats, stop) = (lifecycle.heartbeats(), lifecycle.stop_token());
        let healthy = heartbeats.register("healthy");
        let _stuck = heartbeats.register("stuck");
        lifecycle.spawn("healthy", async move {
            while stop.run_until_cancelled(tokio::time::sleep(Duration::from_secs(5))).await.is_some() {
                healthy.beat();
            }
        });
        let stop = lifecycle.stop_token();
        let running = tokio::spawn(ending(lifecycle));
        tokio::time::sleep(Duration::from_secs(31)).await;
        let fed = heard.count("WATCHDOG=1");
        assert!(fed >= 2, "fed while both were fresh: {fed}");
        tokio::time::sleep(watchdog * 5).await;
        assert_eq!(heard.count("WATCHDOG=1"), fed, "one stuck loop is enough");
        stop.cancel();
        assert_eq!(running.await.unwrap(), Ending::Drained);
    }

    #[tokio::test(start_paused = true)]
    async fn a_hang_up_asks_for_a_reload_and_stops_nothing() {
        let (lifecycle, wishes, _heard) = lifecycle(None);
        let mut reloads = lifecycle.reloads();
        wishes.send(Wish::Reload).unwrap();
        assert_eq!(reloads.next().await, Some(()));
        assert!(!lifecycle.stop_token().is_cancelled());
    }

    #[test]
    fn only_a_clean_end_is_a_success() {
        let code = |ending| format!("{:?}", ExitCode::from(ending));
        assert_eq!(code(Ending::Drained), format!("{:?}", ExitCode::SUCCESS));
        assert_eq!(code(Ending::Cut), format!("{:?}", ExitCode::FAILURE));
        assert_eq!(code(Ending::Crashed), format!("{:?}", ExitCode::FAILURE));
    }
}
