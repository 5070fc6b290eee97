//! Which slot a command belongs to, and which node serves it.

use redis::{Arg, Cmd, Value};

use super::super::reply;
use super::address::Node;
use crate::store::StoreError;

/// How many slots a Redis Cluster has.
const SLOTS: u16 = 16384;

/// The slot of a key: CRC16 (XMODEM) of the hash tag, by the Redis Cluster specification.
pub(super) fn of_key(key: &[u8]) -> u16 {
    let tag = key.iter().position(|byte| *byte == b'{').and_then(|open| {
        let rest = key.get(open + 1..)?;
        rest.iter().position(|byte| *byte == b'}').filter(|length| *length > 0).and_then(|length| rest.get(..length))
    });
    tag.unwrap_or(key).iter().fold(0, |crc: u16, byte| {
        let shift = |crc: u16, _| if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
        (0..8).fold(crc ^ (u16::from(*byte) << 8), shift)
    }) % SLOTS
}

/// The slot of the key that a command of ours names; `None`: it is about the server.
pub(super) fn of(command: &Cmd) -> Option<u16> {
    let mut arguments =
        command.args_iter().filter_map(|argument| if let Arg::Simple(bytes) = argument { Some(bytes) } else { None });
    let key = match arguments.next()? {
        b"CONFIG" | b"INFO" | b"KEYS" | b"SCRIPT" => return None,
        b"EVALSHA" => arguments.nth(2),
        b"MEMORY" => arguments.nth(1),
        _ => arguments.next(),
    };
    key.map(of_key)
}

/// Which node serves which slots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Map(Vec<(u16, u16, Node)>);

impl Map {
    /// Reads an answer to `CLUSTER SLOTS`; a node without a host is where the answer came from.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] when it is of an unexpected form.
    pub(super) fn read(value: Value, asked: &Node) -> Result<Self, StoreError> {
        let mut map = Vec::new();
        for range in reply::list(value)? {
            let mut parts = reply::list(range)?.into_iter();
            let mut next = || parts.next().unwrap_or_default();
            let (first, last, master) = (next(), next(), next());
            let mut master = reply::list(master)?.into_iter();
            let host = reply::maybe_bytes(master.next().unwrap_or_default())?.unwrap_or_default();
            let host = String::from_utf8(host).unwrap_or_default();
            let host = if host.is_empty() || host == "?" { asked.0.clone() } else { host };
            let number = |value: &Value| reply::integer(value).map(|number| u16::try_from(number).unwrap_or(0));
            let port = number(&master.next().unwrap_or_default())?;
            map.push((number(&first)?, number(&last)?, (host, port)));
        }
        map.sort();
        Ok(Self(map))
    }

    /// Who serves a slot.
    pub(super) fn node(&self, slot: u16) -> Option<&Node> {
        self.0.iter().find(|(first, last, _)| (*first..=*last).contains(&slot)).map(|(_, _, node)| node)
    }

    /// The masters, each once.
    pub(super) fn nodes(&self) -> Vec<&Node> {
        let mut nodes: Vec<_> = self.0.iter().map(|(_, _, node)| node).collect();
        nodes.sort();
        nodes.dedup();
        nodes
    }

    /// A slot is elsewhere than we thought.
    pub(super) fn moved(&mut self, slot: u16, node: Node) {
        let mut rest = Vec::with_capacity(self.0.len() + 2);
        for (first, last, owner) in std::mem::take(&mut self.0) {
            if !(first..=last).contains(&slot) {
                rest.push((first, last, owner));
                continue;
            }
            if first < slot {
                rest.push((first, slot - 1, owner.clone()));
            }
            if slot < last {
                rest.push((slot + 1, last, owner));
            }
        }
        rest.push((slot, slot, node));
        rest.sort();
        self.0 = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_specification() {
        assert_eq!(of_key(b"123456789"), 0x31C3);
        for key in ["pregonero:{7}:log", "a", "", "{}x", "}{", "x{15}y{3}", "{a"] {
            assert_eq!(
                redis::cluster_routing::Slot::new(of_key(key.as_bytes())),
                Some(redis::cluster_routing::Slot::for_key(key)),
                "{key}"
            );
        }
    }

    #[test]
    fn a_moved_slot_splits_its_range() {
        let node = |port| ("h".to_owned(), port);
        let mut map = Map(vec![(0, 99, node(1)), (100, 199, node(2))]);
        for slot in [0, 50, 99, 150] {
            map.moved(slot, node(3));
        }
        let owner = |slot| map.node(slot).map(|(_, port)| *port);
        assert_eq!([0, 1, 49, 50, 51, 98, 99, 100].map(owner), [3, 1, 1, 3, 1, 1, 3, 2].map(Some));
        assert_eq!((owner(150), owner(151), owner(200)), (Some(3), Some(2), None));
        assert_eq!(map.nodes().len(), 3);
    }
}
