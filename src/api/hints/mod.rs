//! `POST /hints/{account}/{secret}`: an upstream's own push as "look now".

mod read;

pub use self::read::{MOST_IDS, ids};
