//! Lists whose news stand first are read as far as there are news, once that was seen; all others to their end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;

use super::{config, source_with};
use crate::config::SipagoAccount;
use crate::domain::fact::View;
use crate::domain::ledger::Slot;
use crate::domain::row::Identity;
use crate::sources::scripted::{Answer, Scripted, days, ok};
use crate::sources::sipago::SipagoSource;
use crate::sources::{Known, Reading, Source};

const PAGE: usize = 3;
const WARM: Duration = Duration::from_secs(900);

/// An id and whether it was refunded, as listed.
type Listing = Arc<Mutex<Vec<(u32, bool)>>>;

/// A source, what it lists, and what a watcher would remember.
struct Shop {
    list: Listing,
    transport: Arc<Scripted>,
    source: SipagoSource,
    known: Option<Known>,
    remembered: BTreeMap<u32, bool>,
    last: u32,
}

fn page(list: &Listing, number: usize) -> Answer {
    let list = list.lock().unwrap();
    let row = |(id, refunded): &(u32, bool)| {
        format!(
            r#"{{"_id":{id},"amount":1,"dateTime":"2026-11-21","operation":"Venta","payment":{{"hasRefund":{refunded}}}}}"#
        )
    };
    let rows: Vec<String> = list.iter().skip(number * PAGE).take(PAGE).map(row).collect();
    let more = list.len() > (number + 1) * PAGE;
    ok(format!(r#"{{"page":{number},"existMore":{more},"listTrx":[{}]}}"#, rows.join(",")))
}

impl Shop {
    fn new() -> Self {
        let mut settings = config();
        settings.common.max_pages = 100;
        Self::with(settings)
    }

    fn with(settings: SipagoAccount) -> Self {
        let list = Listing::default();
        let pages = Arc::clone(&list);
        let transport = Scripted::rule(move |asked| {
            let number = asked.path.rsplit('/').next().unwrap().parse().unwrap();
            page(&pages, number)
        });
        let source = source_with(settings, &transport);
        Self { list, transport, source, known: None, remembered: BTreeMap::new(), last: 0 }
    }

    /// One in which ten rows are listed and the order was seen.
    async fn trusted() -> Self {
        let mut shop = Self::new();
        for _ in 0..10 {
            shop.sell(0);
        }
        shop.look().await;
        for _ in 0..3 {
            shop.sell(0);
            shop.look().await;
        }
        shop
    }

    /// A new row at this place.
    fn sell(&mut self, at: usize) {
        self.last += 1;
        let mut list = self.list.lock().unwrap();
        let at = at.min(list.len());
        list.insert(at, (self.last, false));
    }

    fn refund(&self, at: usize) {
        if let Some((_, refunded)) = self.list.lock().unwrap().get_mut(at) {
            *refunded = true;
        }
    }

    /// Reads as a watcher does; returns how many requests that cost.
    async fn look(&mut self) -> usize {
        let before = self.transport.asked().len();
        let reading = match &self.known {
            Some(known) => self.source.read_again(&days(), known).await,
            None => self.source.read(&days(), None).await,
        };
        if let Reading::Snapshot(snapshot) = reading.unwrap() {
            let mut read = Vec::new();
            for row in &snapshot.rows {
                let Identity::Keyed(id) = &row.identity else { panic!("all of them have ids") };
                let View::Sale { refunded, .. } = row.view else { panic!("all of them are sales") };
                self.remembered.insert(id.parse().unwrap(), refunded);
                read.push(slot(id));
            }
            let left_out: Vec<Slot> = snapshot.same.iter().map(|(_, slot)| *slot).collect();
            let remembered: Vec<Slot> = self.remembered.keys().map(|id| slot(&id.to_string())).collect();
            assert!(left_out.iter().all(|slot| remembered.contains(slot) && !read.contains(slot)));
            self.known = Some(Known { fingerprint: snapshot.fingerprint, listed: snapshot.listed });
        }
        self.transport.asked().len() - before
    }

    /// Whether all that is listed is remembered as it is.
    fn is_up_to_date(&self) -> bool {
        self.list.lock().unwrap().iter().all(|(id, refunded)| self.remembered.get(id) == Some(refunded))
    }

    fn pages(&self) -> usize {
        self.list.lock().unwrap().len().div_ceil(PAGE).max(1)
    }
}

fn slot(id: &str) -> Slot {
    Slot::of(&config().common.name, crate::domain::account::SourceKind::Movements, &Identity::Keyed(id.to_owned()))
}

#[tokio::test(start_paused = true)]
async fn an_order_that_was_seen_three_times_makes_an_idle_poll_one_request() {
    let mut shop = Shop::new();
    for _ in 0..10 {
        shop.sell(0);
    }
    for _ in 0..4 {
        assert_eq!(shop.look().await, shop.pages(), "nobody has seen an order yet");
        shop.sell(0);
    }
    assert_eq!(shop.look().await, 1, "news on the first page");
    assert_eq!(shop.look().await, 1, "no news");
    for _ in 0..4 {
        shop.sell(0);
    }
    assert_eq!(shop.look().await, 2, "a page of news, and one more");
    assert!(shop.is_up_to_date());
    shop.refund(1);
    assert_eq!(shop.look().await, 1);
    assert!(shop.is_up_to_date(), "what changes on a page that is read is seen at once");
}

#[tokio::test(start_paused = true)]
async fn what_changes_far_down_is_seen_at_the_warm_cadence() {
    let mut shop = Shop::trusted().await;
    shop.refund(9);
    assert_eq!(shop.look().await, 1);
    assert!(!shop.is_up_to_date());
    tokio::time::advance(WARM).await;
    assert_eq!(shop.look().await, shop.pages());
    assert!(shop.is_up_to_date());
    assert_eq!(shop.look().await, 1, "a change contradicts no order");
    tokio::time::advance(WARM).await;
    assert_eq!(shop.look().await, shop.pages(), "however little there is to see");
    assert_eq!(shop.look().await, 1);
}

#[tokio::test(start_paused = true)]
async fn news_far_down_are_found_and_end_the_trust() {
    let mut shop = Shop::trusted().await;
    shop.sell(8);
    assert_eq!(shop.look().await, 1);
    tokio::time::advance(WARM).await;
    shop.look().await;
    assert!(shop.is_up_to_date());
    for _ in 0..6 {
        shop.sell(0);
        assert_eq!(shop.look().await, shop.pages(), "it must be seen twice as often now");
    }
    assert_eq!(shop.look().await, 1);
}

#[tokio::test(start_paused = true)]
async fn news_among_what_is_known_make_it_read_on() {
    let mut shop = Shop::trusted().await;
    shop.sell(1);
    assert_eq!(shop.look().await, shop.pages());
    assert!(shop.is_up_to_date());
    assert_eq!(shop.look().await, shop.pages(), "the order does not hold");
}

#[tokio::test(start_paused = true)]
async fn a_row_that_vanished_or_moved_makes_it_read_on() {
    let mut shop = Shop::trusted().await;
    shop.list.lock().unwrap().remove(1);
    assert_eq!(shop.look().await, shop.pages(), "it may have slipped to the next page");
    let moved = shop.list.lock().unwrap().remove(7);
    shop.list.lock().unwrap().insert(0, moved);
    assert_eq!(shop.look().await, shop.pages());
    shop.refund(7);
    let changed = shop.list.lock().unwrap().remove(7);
    shop.list.lock().unwrap().insert(0, changed);
    shop.look().await;
    assert!(shop.is_up_to_date());
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_oldest_first_is_always_read_to_its_end() {
    let mut shop = Shop::new();
    for _ in 0..20 {
        shop.sell(usize::MAX);
        assert_eq!(shop.look().await, shop.pages());
        assert!(shop.is_up_to_date());
    }
}

#[tokio::test(start_paused = true)]
async fn switched_off_all_pages_are_read() {
    let mut settings = config();
    settings.early_stop = false;
    settings.common.max_pages = 100;
    let mut shop = Shop::with(settings);
    for _ in 0..20 {
        shop.sell(0);
        assert_eq!(shop.look().await, shop.pages());
    }
}

#[derive(Clone, Debug)]
enum Happening {
    Sold,
    SoldAmong(usize),
    Refunded(usize),
    Vanished(usize),
    Looked,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        4 => Just(Happening::Sold),
        1 => (0..12_usize).prop_map(Happening::SoldAmong),
        1 => (0..12_usize).prop_map(Happening::Refunded),
        1 => (0..12_usize).prop_map(Happening::Vanished),
        4 => Just(Happening::Looked),
    ]
}

fn run(law: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(law);
}

proptest! {
    #[test]
    fn whatever_happens_a_whole_reading_within_the_warm_cadence_sees_it(
        happenings in prop::collection::vec(happening(), 0..60),
    ) {
        run(async {
            let mut shop = Shop::trusted().await;
            for happening in happenings {
                match happening {
                    Happening::Sold => shop.sell(0),
                    Happening::SoldAmong(at) => shop.sell(at),
                    Happening::Refunded(at) => shop.refund(at),
                    Happening::Vanished(at) => {
                        let mut list = shop.list.lock().unwrap();
                        if at < list.len() {
                            list.remove(at);
                        }
                    }
                    Happening::Looked => drop(shop.look().await),
                }
            }
            tokio::time::advance(WARM).await;
            shop.look().await;
            assert!(shop.is_up_to_date());
        });
    }

    #[test]
    fn news_in_front_and_changes_on_the_first_page_are_seen_at_once(
        bursts in prop::collection::vec((0..8_usize, prop::option::of(0..PAGE)), 0..20),
    ) {
        run(async {
            let mut shop = Shop::trusted().await;
            for (news, refunded) in bursts {
                for _ in 0..news {
                    shop.sell(0);
                }
                if let Some(at) = refunded {
                    shop.refund(at);
                }
                let pages = shop.look().await;
                assert!(shop.is_up_to_date());
                // One more where the last row of a page has changed.
                assert!(pages <= news / PAGE + 2, "{pages} pages for {news} news");
            }
        });
    }
}
