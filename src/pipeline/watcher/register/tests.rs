//! Laws of the register alone.

use jiff::SignedDuration;

use super::*;
use crate::clock::{Clock, SystemClock};
use crate::domain::watch::Terms;
use crate::store::follow;
use crate::store::memory::MemoryStore;

#[tokio::test]
async fn what_somebody_names_again_while_it_is_let_go_stays() {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (store, account) = (Arc::new(MemoryStore::new("one", Arc::clone(&clock))), AccountName::new("centro"));
    let mut register = Register::new(Arc::<MemoryStore>::clone(&store), []);
    let id = |id: &str| WatchId { kind: WatchKind::Cashin, id: id.to_owned() };
    let (now, ids) = (clock.now(), BTreeSet::from([id("1"), id("2"), id("3")]));
    let terms = |until: i64| Terms {
        origin: Origin::Operator,
        until: now.checked_add(SignedDuration::from_secs(until)).ok(),
        expires: None,
        reusable: false,
        amount: None,
    };
    follow(&*store, &account, &ids, &terms(60), now).await.unwrap();
    register.refresh(&account, now).await.unwrap();
    // All of it is over here, one of it by an end that the store does not know of; then one is named for longer.
    register.end(&id("3"), now);
    for id in &ids {
        register.remove(id);
    }
    follow(&*store, &account, &BTreeSet::from([id("1")]), &terms(600), now).await.unwrap();
    register.write(&account).await.unwrap();
    let there = store.watches(&account).await.unwrap().watches;
    assert_eq!(there.iter().map(|watch| watch.id.id.as_str()).collect::<Vec<_>>(), ["1"]);
    assert!(register.refresh(&account, now).await.unwrap() && register.list.contains_key(&id("1")));
}
