//! pregonero, the town crier: asks TelePagos and Sipago what came in and cries it out by webhook, e-mail and Telegram.
//!
//! The folder tree is the architecture, and each folder's `mod.rs` is its door. Read [`domain`] first: it is what the
//! program is. `ARCHITECTURE.md` has the picture, the arrows and two walkthroughs.

pub mod domain;
