//! Strangers' programs as peers of the real daemon: whoever wrote them has not read our code.

mod chats;
mod mails;
mod stranger;
mod webhooks;

use std::time::Duration;

use stranger::Stranger;
pub(crate) use stranger::python_with;

use crate::support::{House, Memory};

/// For what should take a second or two.
const SOON: Duration = Duration::from_secs(30);

/// A house whose configuration goes on with `lines`, in a file of their own.
async fn house(seed: u64, lines: &str) -> House {
    let house = House::build(Memory::File, seed).await;
    more(&house, lines);
    house
}

fn more(house: &House, lines: &str) {
    std::fs::create_dir_all(house.path("conf.d")).unwrap();
    std::fs::write(house.path("conf.d/peers.toml"), lines).unwrap();
}
