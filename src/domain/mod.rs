//! The pure core: money, days, rows, the ledger and its diff, facts, events, routes, deliveries and the retry curve.
//!
//! Nothing in here reads a clock, draws chance, waits or touches the outside. Time and chance come in as values,
//! decisions come out. Whatever must never be wrong lives here, because here it can be tested without a world.
//!
//! Reading order: [`row`] (what an upstream printed) → [`fact`] (what that asserts) → [`ledger`] (what is new) →
//! [`refund`] (several signals, one refund) and [`pairing`] (two sources, one payment) → [`event`] (our announcement, with its eternal id) → [`route`] (who asked)
//! → [`delivery`] and [`retry`] (what becomes of it).

pub mod account;
pub mod argentina;
pub mod cause;
pub mod closing;
pub mod day;
pub mod delivery;
pub mod event;
pub mod fact;
pub mod ledger;
pub mod money;
pub mod pairing;
pub mod payout;
pub mod policy;
pub mod refund;
pub mod retry;
pub mod rhythm;
pub mod route;
pub mod row;
pub mod watch;
