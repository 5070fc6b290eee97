//! Redis Cluster: each command goes to the node that serves its slot.
//!
//! Not redis' own `ClusterConnection`: it repeats by itself what failed, keeps a node whose answers time out, and tells
//! nobody that it reached another node than before, of which the copies in this process must know.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use redis::{Cmd, Value};

use super::address::{self, Forge, Node};
use super::line::{Dial, Line, pipeline};
use super::slots::{self, Map};
use super::{Script, checked};
use crate::store::StoreError;

/// How often a command is sent at the most: elsewhere, with its script, or once more while its slot moves.
const ROUNDS: u32 = 6;
/// So many rounds follow each other without a pause beyond the first: elsewhere, and there with its script.
const AT_ONCE: u32 = 2;
/// The pause after the first answer that a slot is being moved; it doubles.
const MOVING: Duration = Duration::from_millis(20);
/// How long a node may take to tell who serves what.
const TELL: Duration = Duration::from_secs(2);

/// What is known of the nodes.
#[derive(Default)]
struct Knowledge {
    map: Map,
    /// Grows with every map, so that who waited for one does not ask again.
    version: u64,
    /// Something did not fit the map.
    is_stale: bool,
    /// Who failed since the last map: asked for a new one only when nobody else answers.
    suspects: HashSet<Node>,
    lines: HashMap<Node, Arc<Line>>,
}

/// The way to all masters of a cluster.
pub(super) struct Cluster {
    forge: Forge,
    seeds: Vec<Node>,
    known: Mutex<Knowledge>,
    asking: tokio::sync::Mutex<()>,
    opened: Arc<AtomicU64>,
}

/// A command on its way.
struct Item {
    /// Where it stands in the question.
    place: usize,
    /// Where it must go, whatever the map says.
    node: Option<Node>,
    /// The slot is on its way to that node.
    asking: bool,
    /// The node does not know the script.
    load: bool,
}

type Answer = Result<Value, StoreError>;

impl Cluster {
    /// Nothing is sent yet.
    pub(super) fn new(forge: Forge, seeds: Vec<Node>, opened: Arc<AtomicU64>) -> Self {
        let known = Mutex::new(Knowledge { is_stale: true, ..Knowledge::default() });
        Self { forge, seeds, known, asking: tokio::sync::Mutex::default(), opened }
    }

    /// What may be said of where it is.
    pub(super) fn place(&self) -> String {
        let nodes: Vec<_> = self.seeds.iter().map(address::text).collect();
        format!("the cluster of {}", nodes.join(", "))
    }

    fn known(&self) -> MutexGuard<'_, Knowledge> {
        // Nothing panics while it is held, and what it holds can be found out anew.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The masters.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub(super) async fn nodes(&self) -> Result<Vec<Node>, StoreError> {
        self.refresh().await?;
        Ok(self.known().map.nodes().into_iter().cloned().collect())
    }

    fn line(&self, node: &Node) -> Result<Arc<Line>, StoreError> {
        let mut known = self.known();
        if let Some(line) = known.lines.get(node) {
            return Ok(Arc::clone(line));
        }
        let dial = Dial::Server(Box::new(self.forge.client(node)?));
        let line = Arc::new(Line::new(dial, address::text(node), Arc::clone(&self.opened)));
        known.lines.insert(node.clone(), Arc::clone(&line));
        Ok(line)
    }

    /// Sends commands to one node.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub(super) async fn send_to(&self, node: &Node, commands: Vec<Cmd>) -> Result<Vec<Value>, StoreError> {
        let answer = match self.line(node) {
            Ok(line) => line.send(&pipeline(commands)).await,
            Err(error) => Err(error),
        };
        if answer.is_err() {
            self.suspect(node);
        }
        answer
    }

    fn suspect(&self, node: &Node) {
        let mut known = self.known();
        known.is_stale = true;
        known.suspects.insert(node.clone());
    }

    /// Asks who serves what, if that is in doubt. All are asked at once, the first answer counts; who failed lately may be
    /// of yesterday and is asked last.
    async fn refresh(&self) -> Result<(), StoreError> {
        let version = {
            let known = self.known();
            if !known.is_stale {
                return Ok(());
            }
            known.version
        };
        let _one_at_a_time = self.asking.lock().await;
        let (good, bad): (Vec<Node>, Vec<Node>) = {
            let known = self.known();
            if known.version != version {
                return Ok(());
            }
            let all: HashSet<_> = known.map.nodes().into_iter().chain(&self.seeds).cloned().collect();
            all.into_iter().partition(|node| !known.suspects.contains(node))
        };
        let mut last = None;
        for nodes in [good, bad] {
            let mut asked: FuturesUnordered<_> = nodes.iter().map(|node| self.told_by(node)).collect();
            while let Some(told) = asked.next().await {
                match told {
                    Ok(map) => {
                        self.learn(map);
                        return Ok(());
                    }
                    Err(error) => last = Some(error),
                }
            }
        }
        Err(last.unwrap_or_else(|| StoreError::Unavailable(format!("{}: no node is named", self.place()), None)))
    }

    async fn told_by(&self, node: &Node) -> Result<Map, StoreError> {
        let mut command = redis::cmd("CLUSTER");
        command.arg("SLOTS");
        let place = address::text(node);
        let asked = tokio::time::timeout(TELL, self.send_to(node, vec![command])).await;
        let values = asked.unwrap_or_else(|_| {
            Err(StoreError::Unavailable(format!("redis at {place} gave no answer in time"), None))
        })?;
        let map = Map::read(checked(&place, values.into_iter().next().unwrap_or_default())?, node)?;
        if map.nodes().is_empty() {
            return Err(StoreError::Unavailable(
                format!("redis at {place} knows nobody who serves (CLUSTERDOWN)"),
                None,
            ));
        }
        Ok(map)
    }

    fn learn(&self, map: Map) {
        let mut known = self.known();
        if known.map != map && known.version > 0 {
            // Another node has what was ours: it may not have everything.
            self.opened.fetch_add(1, Ordering::AcqRel);
        }
        let nodes: HashSet<Node> = map.nodes().into_iter().chain(&self.seeds).cloned().collect();
        known.lines.retain(|node, _| nodes.contains(node));
        known.map = map;
        known.version += 1;
        known.is_stale = false;
        known.suspects.clear();
    }

    /// Sends each command to the node of its slot, all nodes at once, and takes the answers in the order of the question.
    /// Follows slots that move; gives a script to who does not know it.
    pub(super) async fn send(&self, commands: &[Cmd], script: Option<&Script>) -> Vec<Answer> {
        let mut answers: Vec<Option<Answer>> = commands.iter().map(|_| None).collect();
        let mut items: Vec<Item> =
            (0..commands.len()).map(|place| Item { place, node: None, asking: false, load: false }).collect();
        let mut pause = MOVING;
        for round in 0..ROUNDS {
            let refreshed = self.refresh().await;
            let mut by_node: BTreeMap<Node, Vec<Item>> = BTreeMap::new();
            for item in items.drain(..) {
                match self.target(&item, commands) {
                    Some(node) => by_node.entry(node).or_default().push(item),
                    None => fill(&mut answers, item.place, Err(self.unserved(refreshed.as_ref().err()))),
                }
            }
            let trips = by_node.into_iter().map(|(node, items)| self.trip(node, items, commands, script));
            let mut moving = false;
            for (node, items_, values) in join_all(trips).await {
                for (item, value) in items_.into_iter().zip(values) {
                    match self.follow(&node, &item, value, script.is_some()) {
                        Next::Done(place, answer) => fill(&mut answers, place, answer),
                        Next::Again(item) => items.push(item),
                        Next::Later(item) => {
                            moving = true;
                            items.push(item);
                        }
                    }
                }
            }
            if items.is_empty() {
                break;
            }
            // Right after a slot has moved, two nodes may send to each other until the news is everywhere.
            if moving || round >= AT_ONCE {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
        }
        let restless = || {
            let text = format!("{} is moving a slot that is needed (TRYAGAIN)", self.place());
            Err(StoreError::Unavailable(text, None))
        };
        answers.into_iter().map(|answer| answer.unwrap_or_else(restless)).collect()
    }

    fn target(&self, item: &Item, commands: &[Cmd]) -> Option<Node> {
        if item.node.is_some() {
            return item.node.clone();
        }
        let known = self.known();
        match commands.get(item.place).and_then(slots::of) {
            Some(slot) => known.map.node(slot).cloned(),
            None => known.map.nodes().first().copied().cloned(),
        }
    }

    fn unserved(&self, error: Option<&StoreError>) -> StoreError {
        self.known().is_stale = true;
        match error {
            Some(StoreError::Unusable(text)) => StoreError::Unusable(text.clone()),
            Some(StoreError::Unavailable(text, _)) => StoreError::Unavailable(text.clone(), None),
            None => {
                StoreError::Unavailable(format!("{}: a slot is served by nobody (CLUSTERDOWN)", self.place()), None)
            }
        }
    }

    /// One round trip to one node.
    async fn trip(
        &self,
        node: Node,
        items: Vec<Item>,
        commands: &[Cmd],
        script: Option<&Script>,
    ) -> (Node, Vec<Item>, Vec<Answer>) {
        let mut sent = Vec::with_capacity(items.len());
        // Where in the answers those to our commands stand.
        let mut ends = Vec::with_capacity(items.len());
        for item in &items {
            if let Some(script) = script.filter(|_| item.load) {
                sent.push(script.load());
            }
            if item.asking {
                sent.push(redis::cmd("ASKING"));
            }
            ends.push(sent.len());
            sent.extend(commands.get(item.place).cloned());
        }
        let answers = match self.send_to(&node, sent).await {
            Ok(values) => ends.into_iter().map(|end| Ok(values.get(end).cloned().unwrap_or_default())).collect(),
            Err(StoreError::Unusable(text)) => items.iter().map(|_| Err(StoreError::Unusable(text.clone()))).collect(),
            Err(StoreError::Unavailable(text, _)) => {
                items.iter().map(|_| Err(StoreError::Unavailable(text.clone(), None))).collect()
            }
        };
        (node, items, answers)
    }

    /// What an answer means for its command.
    fn follow(&self, node: &Node, item: &Item, answer: Answer, has_script: bool) -> Next {
        let error = match answer {
            Ok(Value::ServerError(error)) => error,
            answer => return Next::Done(item.place, answer),
        };
        // `MOVED 3999 127.0.0.1:6381`; without a host it is the one that answers.
        let elsewhere = || {
            let (slot, place) = error.details()?.trim().split_once(' ')?;
            let (host, port) = place.trim().rsplit_once(':')?;
            let host = host.trim_matches(['[', ']']);
            let host = if host.is_empty() || host == "?" { node.0.clone() } else { host.to_owned() };
            Some((slot.parse().ok()?, (host, port.parse().ok()?)))
        };
        let Item { place, asking, load, .. } = *item;
        match (error.code(), elsewhere()) {
            ("MOVED", Some((slot, to))) => {
                let mut known = self.known();
                known.is_stale = true;
                if known.map.node(slot) != Some(&to) {
                    known.map.moved(slot, to.clone());
                    self.opened.fetch_add(1, Ordering::AcqRel);
                }
                Next::Again(Item { place, node: Some(to), asking: false, load: false })
            }
            ("ASK", Some((_, to))) => Next::Again(Item { place, node: Some(to), asking: true, load: false }),
            ("TRYAGAIN", _) => Next::Later(Item { place, node: None, asking: false, load: false }),
            ("NOSCRIPT", _) if has_script && !load => {
                Next::Again(Item { place, node: Some(node.clone()), asking, load: true })
            }
            ("CLUSTERDOWN" | "MASTERDOWN", _) => {
                self.suspect(node);
                Next::Done(place, Ok(Value::ServerError(error)))
            }
            _ => Next::Done(place, Ok(Value::ServerError(error))),
        }
    }
}

enum Next {
    Done(usize, Answer),
    Again(Item),
    Later(Item),
}

fn fill(answers: &mut [Option<Answer>], place: usize, answer: Answer) {
    if let Some(slot) = answers.get_mut(place) {
        *slot = Some(answer);
    }
}
