//! What must hold for every input, however hostile: one function for each fuzz target, from bytes to nothing.
//!
//! Built for tests and for `cargo fuzz` (`fuzz/`) only. The ordinary tests replay `tests/data/fuzz/<target>/`: the seeds
//! that the fuzzer starts from, and every input that ever broke a law (`found-…`).
#![expect(clippy::panic, clippy::missing_panics_doc, reason = "a law that is broken fails loudly; that is their work")]

mod answers;
mod codec;
mod config;
mod diff;
mod entropy;
mod figures;
mod hints;
mod messages;
mod sipago;
mod telepagos;

pub use self::codec::codec;
pub use self::config::config;
pub use self::diff::diff;
pub use self::hints::hints;
pub use self::messages::messages;
pub use self::sipago::{sipago_movements, sipago_order};
pub use self::telepagos::{telepagos_cashin, telepagos_login, telepagos_transactions};

/// Takes any bytes; panics when a law is broken.
pub type Target = fn(&[u8]);

/// Every target by its name.
pub const TARGETS: [(&str, Target); 10] = [
    ("codec", codec),
    ("config", config),
    ("diff", diff),
    ("hints", hints),
    ("messages", messages),
    ("sipago_movements", sipago_movements),
    ("sipago_order", sipago_order),
    ("telepagos_cashin", telepagos_cashin),
    ("telepagos_login", telepagos_login),
    ("telepagos_transactions", telepagos_transactions),
];

#[cfg(test)]
mod replay;
