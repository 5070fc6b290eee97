//! The sandbox without sockets, for tests in simulated time: a [`Transport`](crate::http::Transport) over the same
//! answers as the sockets give, and a [`Channel`](crate::channels::Channel) that keeps what it is given.
//!
//! Delays are tokio's sleeps, so that paused time moves them.

mod channel;
mod transport;

pub use self::channel::{Conduct, DirectChannel};
pub use self::transport::DirectTransport;
