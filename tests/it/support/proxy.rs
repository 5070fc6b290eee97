//! A way to a server that can be cut, slowed down, half closed and silenced while it is used.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How the way behaves. A change ends the connections that the mood before has spoiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Everything passes.
    Passes,
    /// Every piece passes, later.
    Delays(Duration),
    /// Connections end, new ones end at once.
    Cut,
    /// Questions arrive and take effect, the side of the answers is closed.
    HalfClosed,
    /// Questions arrive and take effect, no answer comes back.
    Deaf,
    /// Connections open, and nothing passes.
    Silent,
}

impl Mood {
    /// Whether a connection that went through this mood lacks bytes.
    fn spoils(self) -> bool {
        !matches!(self, Self::Passes | Self::Delays(_))
    }
}

/// The proxy. Dropped, it and its connections end.
pub(crate) struct Proxy {
    port: u16,
    mood: watch::Sender<Mood>,
    serving: JoinHandle<()>,
}

impl Proxy {
    /// Begins to pass everything to that port of this machine.
    pub(crate) async fn to(target: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (mood, moods) = watch::channel(Mood::Passes);
        let serving = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(connection(client, target, moods.clone()));
            }
        });
        Self { port, mood, serving }
    }

    /// Where it listens.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Changes the mood, for the connections that are open too.
    pub(crate) fn turn(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Question,
    Answer,
}

async fn connection(client: TcpStream, target: u16, moods: watch::Receiver<Mood>) {
    if *moods.borrow() == Mood::Cut {
        return;
    }
    let Ok(server) = TcpStream::connect(("127.0.0.1", target)).await else { return };
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    tokio::select! {
        () = pump(from_client, to_server, Way::Question, moods.clone()) => {}
        () = pump(from_server, to_client, Way::Answer, moods.clone()) => {}
        () = ended(moods) => {}
    }
}

/// Waits until the mood has no use for this connection any more, or nobody sets a mood.
async fn ended(mut moods: watch::Receiver<Mood>) {
    loop {
        let before = *moods.borrow_and_update();
        if before == Mood::Cut || moods.changed().await.is_err() {
            return;
        }
        if before.spoils() && *moods.borrow() != before {
            return;
        }
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, way: Way, mut moods: watch::Receiver<Mood>) {
    let mut piece = vec![0; 64 << 10];
    loop {
        let mood = *moods.borrow_and_update();
        if mood == Mood::HalfClosed && way == Way::Answer {
            // The other side's reader sees the end; whether its questions still take effect is not its business.
            drop(to.shutdown().await);
        }
        let read = tokio::select! {
            read = from.read(&mut piece) => read,
            changed = moods.changed() => {
                if changed.is_err() {
                    return;
                }
                continue;
            }
        };
        let Ok(count @ 1..) = read else { return };
        let mood = *moods.borrow();
        match (mood, way) {
            (Mood::Silent | Mood::Cut, _) | (Mood::Deaf | Mood::HalfClosed, Way::Answer) => continue,
            (Mood::Delays(delay), _) => tokio::time::sleep(delay).await,
            (Mood::Passes, _) | (Mood::Deaf | Mood::HalfClosed, Way::Question) => {}
        }
        if to.write_all(&piece[..count]).await.is_err() {
            return;
        }
    }
}
