//! pregonero, the town crier: asks TelePagos and Sipago what came in and cries it out by webhook, e-mail and Telegram.
//!
//! The folder tree is the architecture, and each folder's `mod.rs` is its door. Read [`domain`] first: it is what the
//! program is. `ARCHITECTURE.md` has the picture, the arrows and two walkthroughs.

pub mod api;
pub mod app;
pub mod channels;
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod http;
pub mod lifecycle;
pub mod pipeline;
pub mod sandbox;
pub mod sources;
pub mod store;
pub mod telemetry;
