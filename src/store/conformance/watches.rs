//! Laws of the watches.

use super::*;
use crate::domain::watch::{Origin, Watch, WatchId, WatchKind};
use crate::store::Watches;

fn watch<H: Harness>(harness: &H, kind: WatchKind, id: &str) -> Watch {
    Watch::new(WatchId { kind, id: id.to_owned() }, Origin::Operator, harness.born())
}

pub(crate) async fn watches_are_read_as_they_were_written_and_by_account<H: Harness>(harness: H) {
    let store = harness.store();
    assert_eq!(store.watches(&account("centro")).await.unwrap(), crate::store::Watchlist::default());
    let mut link = watch(&harness, WatchKind::IssuedLink, "7");
    (link.expires, link.until, link.reusable) = (Some(harness.now()), Some(Timestamp::MAX), true);
    let cashin = watch(&harness, WatchKind::Cashin, "7");
    store.put_watches(&account("centro"), &[link.clone(), cashin.clone()]).await.unwrap();
    let list = store.watches(&account("centro")).await.unwrap();
    assert_eq!(list.watches, [cashin, link], "the same number of another kind is another watch");
    assert!(store.watches(&account("palermo")).await.unwrap().watches.is_empty());
}

pub(crate) async fn every_change_of_the_watches_shows_in_their_version<H: Harness>(harness: H) {
    let (store, centro) = (harness.store(), account("centro"));
    let mut order = watch(&harness, WatchKind::Order, "0f");
    let ids = [order.id.clone()];
    let mut seen = vec![store.watches_version(&centro).await.unwrap()];
    store.put_watches(&centro, std::slice::from_ref(&order)).await.unwrap();
    seen.push(store.watches_version(&centro).await.unwrap());
    order.ended = Some(harness.born());
    store.put_watches(&centro, std::slice::from_ref(&order)).await.unwrap();
    seen.push(store.watches_version(&centro).await.unwrap());
    assert_eq!(store.watches(&centro).await.unwrap().watches, [order], "replaced, not doubled");
    assert_eq!(store.remove_watches(&centro, &ids).await.unwrap(), 1);
    seen.push(store.watches_version(&centro).await.unwrap());
    assert!(seen.is_sorted_by(|a, b| a < b), "{seen:?}");
    assert_eq!(store.remove_watches(&centro, &ids).await.unwrap(), 0, "it is gone already");
    store.put_watches(&centro, &[]).await.unwrap();
    assert_eq!(store.watches_version(&centro).await.unwrap(), seen[3], "nothing changed");
}

pub(crate) async fn many_watches_survive_a_restart<H: Harness>(harness: H) {
    let centro = account("centro");
    let many: Vec<_> = (1000..2200).map(|n| watch(&harness, WatchKind::Cashin, &n.to_string())).collect();
    harness.store().put_watches(&centro, &many).await.unwrap();
    let ids: Vec<_> = many.iter().take(700).map(|watch| watch.id.clone()).collect();
    assert_eq!(harness.store().remove_watches(&centro, &ids).await.unwrap(), 700);
    let Some(harness) = harness.reopen().await else { return };
    assert_eq!(harness.store().watches(&centro).await.unwrap().watches, many[700..]);
}
