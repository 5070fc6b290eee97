//! The whole: the real daemon as a child process, against the sandbox over sockets.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "the support of tests fails loudly, and says what it measured"
)]

mod bad_input;
mod cli;
mod closing;
mod crashes;
mod created;
mod demo;
mod hints;
mod outages;
mod peers;
mod redis_forms;
mod replicas;
mod simulation;
mod sources;
mod stopping;
mod storage;
mod support;
mod watches;
