//! One replica's process: the real loops over a broken world, killed at any await point, put to sleep, stopped in order.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::Notify;
use tokio::time::Instant;

/// How long a process lives, and whether it is awake.
#[derive(Debug)]
pub(super) struct Life {
    /// Polls of its futures until it dies.
    polls: AtomicU64,
    dead: AtomicBool,
    died: Notify,
    asleep_until: Mutex<Option<Instant>>,
}

impl Life {
    /// A process that dies in the n-th poll of its futures.
    pub(super) fn of_polls(polls: u64) -> Arc<Self> {
        let (dead, died, asleep_until) = (AtomicBool::new(false), Notify::new(), Mutex::new(None));
        Arc::new(Self { polls: AtomicU64::new(polls), dead, died, asleep_until })
    }

    /// It will die of nothing any more, and is awake.
    pub(super) fn spare(&self) {
        self.polls.store(u64::MAX, Ordering::Relaxed);
        *self.asleep_until.lock().unwrap() = None;
    }

    /// Nothing of it is polled for that long, as under SIGSTOP.
    pub(super) fn sleep(&self, time: Duration) {
        *self.asleep_until.lock().unwrap() = Some(Instant::now() + time);
    }

    pub(super) fn die(&self) {
        self.dead.store(true, Ordering::Relaxed);
        self.died.notify_waiters();
    }

    pub(super) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }

    pub(super) async fn dead(&self) {
        let died = self.died.notified();
        tokio::pin!(died);
        died.as_mut().enable();
        if !self.is_dead() {
            died.await;
        }
    }

    /// Waits until it is awake.
    pub(super) async fn awake(&self) {
        while let Some(until) = self.asleep() {
            tokio::time::sleep_until(until).await;
        }
    }

    fn asleep(&self) -> Option<Instant> {
        self.asleep_until.lock().unwrap().filter(|until| *until > Instant::now())
    }

    /// Spends one poll; false when that was the last.
    fn spend(&self) -> bool {
        let left = self.polls.load(Ordering::Relaxed);
        if left == 0 {
            self.die();
            return false;
        }
        if left < u64::MAX {
            self.polls.store(left - 1, Ordering::Relaxed);
        }
        true
    }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// All loops returned.
    Ordered,
    /// It was killed.
    Crashed,
}

/// The loops of a process, as one future that counts its polls.
pub(super) struct Body {
    loops: FuturesUnordered<Counted>,
    life: Arc<Life>,
    nap: Option<Pin<Box<tokio::time::Sleep>>>,
}

struct Counted {
    inner: BoxFuture<'static, ()>,
    life: Arc<Life>,
}

impl Future for Counted {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.life.is_dead() || !self.life.spend() {
            return Poll::Pending;
        }
        self.inner.poll_unpin(cx)
    }
}

impl Body {
    pub(super) fn new(life: &Arc<Life>, loops: Vec<BoxFuture<'static, ()>>) -> Self {
        let counted = |inner| Counted { inner, life: Arc::clone(life) };
        Self { loops: loops.into_iter().map(counted).collect(), life: Arc::clone(life), nap: None }
    }
}

impl Future for Body {
    type Output = End;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<End> {
        let this = &mut *self;
        if let Some(until) = this.life.asleep() {
            let nap = this.nap.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
            nap.as_mut().reset(until);
            if nap.poll_unpin(cx).is_pending() {
                return Poll::Pending;
            }
        }
        let polled = loop {
            match this.loops.poll_next_unpin(cx) {
                Poll::Ready(Some(())) => {}
                Poll::Ready(None) => break Poll::Ready(End::Ordered),
                Poll::Pending => break Poll::Pending,
            }
        };
        // Dropping what is left is the crash: no loop gets to say goodbye.
        if this.life.is_dead() { Poll::Ready(End::Crashed) } else { polled }
    }
}
