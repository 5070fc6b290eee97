//! A tokio socket as hyper wants it, that can be closed with a reset.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use hyper::rt::ReadBufCursor;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::net::TcpStream;

/// How much is read at once: a typical request with room to spare.
const CHUNK: usize = 8 * 1024;

/// Says that the connection shall end with a reset instead of a farewell.
#[derive(Clone, Default)]
pub(super) struct Abrupt(Arc<AtomicBool>);

impl Abrupt {
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// The socket.
pub(super) struct Socket {
    stream: TcpStream,
    abrupt: Abrupt,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, abrupt: Abrupt) -> Self {
        Self { stream, abrupt }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.abrupt.0.load(Ordering::Acquire) {
            // A zero linger makes the close a reset; where it cannot be set the close is a plain one.
            drop(self.stream.set_zero_linger());
        }
    }
}

impl hyper::rt::Read for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, mut to: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        // hyper's cursor hands out its memory only to unsafe code or by copy; here a copy is cheap enough.
        let mut chunk = [0; CHUNK];
        let room = to.remaining().min(CHUNK);
        let mut read = ReadBuf::new(chunk.split_at_mut(room).0);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read))?;
        to.put_slice(read.filled());
        Poll::Ready(Ok(()))
    }
}

impl hyper::rt::Write for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.abrupt.0.load(Ordering::Acquire) {
            // No farewell before a reset.
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }
}
