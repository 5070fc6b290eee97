//! Laws of the right to poll an account. Where only one daemon can have the store, those with two hold by nature.

use super::*;

pub(crate) async fn a_holder_renews_under_the_same_fence<H: Harness>(harness: H) {
    let store = harness.store();
    let fence = store.acquire(&account("centro"), LONG).await.unwrap().expect("nobody holds it");
    assert_eq!(store.acquire(&account("centro"), LONG).await.unwrap(), Some(fence));
    assert!(store.acquire(&account("palermo"), LONG).await.unwrap().is_some(), "each account has its own");
}

pub(crate) async fn a_held_account_is_refused_to_another<H: Harness>(harness: H) {
    let store = harness.store();
    let Some(other) = harness.replica("two").await else { return };
    assert!(store.acquire(&account("centro"), LONG).await.unwrap().is_some());
    assert_eq!(other.acquire(&account("centro"), LONG).await.unwrap(), None);
    assert!(other.acquire(&account("palermo"), LONG).await.unwrap().is_some());
    assert_eq!(store.acquire(&account("palermo"), LONG).await.unwrap(), None);
}

pub(crate) async fn a_lapsed_account_is_taken_over_with_a_higher_fence<H: Harness>(harness: H) {
    let store = harness.store();
    let Some(other) = harness.replica("two").await else { return };
    let first = store.acquire(&account("centro"), SHORT).await.unwrap().expect("nobody holds it");
    let taken = async || other.acquire(&account("centro"), LONG).await.unwrap();
    let second = eventually(&harness, "the lease lapses", taken).await;
    assert!(second > first);
    assert_eq!(store.acquire(&account("centro"), LONG).await.unwrap(), None);
}

pub(crate) async fn a_released_account_is_free_and_only_its_holder_releases_it<H: Harness>(harness: H) {
    let store = harness.store();
    store.release(&account("centro")).await.expect("releasing what nobody holds is nothing");
    let first = store.acquire(&account("centro"), LONG).await.unwrap().expect("nobody holds it");
    let Some(other) = harness.replica("two").await else { return };
    other.release(&account("centro")).await.unwrap();
    assert_eq!(other.acquire(&account("centro"), LONG).await.unwrap(), None, "it was not theirs to release");
    store.release(&account("centro")).await.unwrap();
    let second = other.acquire(&account("centro"), LONG).await.unwrap().expect("it was released");
    assert!(second > first);
}
