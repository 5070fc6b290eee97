//! Laws of lists that are left where what is known begins, with the real source and its pages.

use super::deposits::account;
use super::*;
use crate::http::{Request, Response, Transport, TransportError};
use crate::sources::sipago::SipagoSource;

const PAGE: usize = 3;

/// Movements by id, each of as many pesos, and which of them are flagged as refunded.
#[derive(Debug, Default)]
struct Pages {
    list: Mutex<Vec<u32>>,
    refunded: Mutex<Vec<u32>>,
}

#[async_trait]
impl Transport for Pages {
    async fn call(&self, request: Request) -> Result<Response, TransportError> {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let number: usize = request.url.path().rsplit('/').next().unwrap().parse().unwrap();
        let (list, refunded) = (self.list.lock().unwrap(), self.refunded.lock().unwrap());
        let row = |id: &u32| {
            let refunded = refunded.contains(id);
            format!(
                r#"{{"_id":{id},"amount":{id},"dateTime":"2026-11-21","operation":"Venta","payment":{{"hasRefund":{refunded}}}}}"#
            )
        };
        let rows: Vec<String> = list.iter().skip(number * PAGE).take(PAGE).map(row).collect();
        let more = list.len() > (number + 1) * PAGE;
        let body = format!(r#"{{"page":{number},"existMore":{more},"listTrx":[{}]}}"#, rows.join(","));
        Ok(Response { status: 200, retry_after: None, content_type: None, body: body.into() })
    }
}

impl Town {
    fn shop(&self, pages: &Arc<Pages>) -> SipagoSource {
        SipagoSource::new(account(), Arc::<Pages>::clone(pages), Arc::clone(&self.clock))
    }
}

#[tokio::test(start_paused = true)]
async fn news_that_the_reading_of_the_week_finds_first_end_the_trust_too() {
    let town = Town::new();
    let pages = Arc::new(Pages::default());
    let mut watcher = town.watcher_of(Arc::<MemoryStore>::clone(&town.store), Arc::new(town.shop(&pages)));
    pages.list.lock().unwrap().extend((1..=10).rev());
    town.watch(&mut watcher, MINUTE).await;
    for id in 11..=14 {
        pages.list.lock().unwrap().insert(0, id);
        town.watch(&mut watcher, MINUTE).await;
    }
    // From now on news stand at the end.
    let mut late = 0;
    for id in 15..=60 {
        pages.list.lock().unwrap().push(id);
        town.watch(&mut watcher, 2 * MINUTE).await;
        late += usize::from(!town.cried().await.contains(&format!("credit.received {id}.00")));
        town.watch(&mut watcher, MINUTE).await;
    }
    town.watch(&mut watcher, 15 * MINUTE).await;
    assert_eq!(town.cried().await.len(), 50, "none is lost");
    assert!(late <= 5, "{late} of them were told late: nobody noticed for more than one warm reading");
}

#[tokio::test(start_paused = true)]
async fn a_refund_far_down_shortly_before_the_day_is_closed_is_no_difference() {
    for ahead in 1..=14 {
        let mut town = Town::new();
        town.nightly = Some(Nightly { at: "03:30".parse().unwrap(), days: 7 });
        town.policy.start = Start::Today;
        let pages = Arc::new(Pages::default());
        let source = town.shop(&pages).believing();
        let mut watcher = town.watcher_of(Arc::<MemoryStore>::clone(&town.store), Arc::new(source));
        town.watch(&mut watcher, MINUTE).await;
        for id in 1..=10 {
            pages.list.lock().unwrap().insert(0, id);
            town.watch(&mut watcher, MINUTE).await;
        }
        let closing: jiff::Timestamp = "2026-11-22T06:30:00Z".parse().unwrap();
        let left = Duration::try_from(closing.duration_since(town.clock.now())).unwrap();
        town.watch(&mut watcher, left.saturating_sub(ahead * MINUTE)).await;
        pages.refunded.lock().unwrap().push(1);
        town.watch(&mut watcher, (ahead + 5) * MINUTE).await;
        let after = town.cried().await.split_off(10);
        assert_eq!(after, ["payment.refunded 1.00", "day.closed"], "{ahead} min before");
    }
}
