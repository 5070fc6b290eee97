//! Laws of the dispatcher.

use super::*;

async fn deliver(town: &Town, ear: &Arc<Ear>, time: Duration) {
    let channel: Arc<dyn Channel> = Arc::<Ear>::clone(ear);
    let desks = vec![(channel, Schedule::default())];
    let store: Arc<dyn Store> = Arc::<MemoryStore>::clone(&town.store);
    let dispatcher = Dispatcher::new(store, Arc::clone(&town.clock), desks, 16, town.nudge.clone(), Arc::new(Nobody));
    let stop = CancellationToken::new();
    let running = tokio::spawn(dispatcher.run(stop.clone(), |_| {}));
    tokio::time::sleep(time).await;
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_committed_is_delivered_in_the_order_of_the_facts() {
    let town = Town::new();
    let mut watcher = town.watcher();
    town.watch(&mut watcher, MINUTE).await;
    let rows: Vec<Row> =
        (1..=4).rev().map(|n| sale(n, i64::try_from(n).unwrap(), &format!("2026-11-21T09:0{n}:00"))).collect();
    town.upstream.list(&rows);
    town.watch(&mut watcher, MINUTE).await;
    let ear = Ear::new("ear");
    deliver(&town, &ear, MINUTE).await;
    let expected: Vec<String> = (1..=4).map(|n| format!("credit.received {n}.00")).collect();
    assert_eq!(ear.heard(), expected);
    assert_eq!(town.store.counts().await.unwrap().pending, 0);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_tried_again_and_a_park_spends_no_attempt() {
    let town = Town::new();
    let mut watcher = town.watcher();
    town.watch(&mut watcher, MINUTE).await;
    town.upstream.list(&[sale(1, 10, "2026-11-21T09:01:00")]);
    town.watch(&mut watcher, MINUTE).await;
    let ear = Ear::new("ear");
    let later = Outcome::Later { class: FailureClass::Http, retry_after: None };
    let park = Outcome::Park { class: FailureClass::RateLimited, rest: 5 * MINUTE };
    *ear.answers.lock().unwrap() = vec![park.clone(), later, park];
    deliver(&town, &ear, 15 * MINUTE).await;
    assert_eq!(ear.heard(), ["credit.received 10.00"]);
    let view = town
        .store
        .deliveries(&crate::store::DeliveryFilter { limit: 9, ..Default::default() })
        .await
        .unwrap()
        .remove(0);
    assert_eq!((view.attempts, view.state.as_str()), (2, "delivered"));
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_always_fails_is_dead_after_its_schedule_and_can_be_requeued() {
    let town = Town::new();
    let mut watcher = town.watcher();
    town.watch(&mut watcher, MINUTE).await;
    town.upstream.list(&[sale(1, 10, "2026-11-21T09:01:00")]);
    town.watch(&mut watcher, MINUTE).await;
    let ear = Ear::new("ear");
    let later = Outcome::Later { class: FailureClass::Http, retry_after: None };
    *ear.answers.lock().unwrap() = vec![later; 11];
    deliver(&town, &ear, Duration::from_secs(100 * 3600)).await;
    assert_eq!((ear.heard().len(), town.store.counts().await.unwrap().dead), (0, 1));
    let dead = crate::store::DeliveryFilter { states: vec!["dead"], limit: 9, ..Default::default() };
    assert_eq!(town.store.requeue(&dead, false).await.unwrap(), 1);
    deliver(&town, &ear, MINUTE).await;
    assert_eq!(ear.heard(), ["credit.received 10.00"]);
}
