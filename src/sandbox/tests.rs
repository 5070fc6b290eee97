//! The sandbox as a whole, and the destination without sockets.

use std::sync::Arc;
use std::time::Duration;

use super::direct::{Conduct, DirectChannel};
use super::*;
use crate::channels::{Channel as _, Dispatch};
use crate::clock::SystemClock;
use crate::domain::delivery::{FailureClass, Outcome};
use crate::domain::event::{Body, Event, EventId, EventType, Notice};
use crate::domain::route::ChannelKind;

const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn the_banner_names_every_address_and_credential() {
    let sandbox = Sandbox::start(Ports::default(), Arc::new(SystemClock), 1).await.unwrap();
    let banner = sandbox.banner();
    for part in [
        sandbox.telepagos_url().as_str(),
        sandbox.sipago_url().as_str(),
        sandbox.telegram_url().as_str(),
        sandbox.webhook_url("erp").as_str(),
        sandbox.control_url().as_str(),
        &sandbox.smtp_addr().to_string(),
        USERNAME,
        PASSWORD,
        API_KEY,
        BOT_TOKEN,
        WEBHOOK_SECRET,
        &sandbox.watched_links()[0],
        "1001, 1002",
    ] {
        assert!(banner.contains(part), "{part}");
    }
    sandbox.stop().await;
}

#[tokio::test]
async fn a_taken_port_is_an_error_and_a_stopped_one_is_free() {
    let first = Sandbox::start(Ports::default(), Arc::new(SystemClock), 1).await.unwrap();
    let ports = Ports { smtp: first.smtp_addr().port(), ..Ports::default() };
    assert!(Sandbox::start(ports, Arc::new(SystemClock), 1).await.is_err());
    first.stop().await;
    Sandbox::start(ports, Arc::new(SystemClock), 1).await.unwrap().stop().await;
}

#[tokio::test]
async fn a_served_world_lives_until_the_shutdown() {
    let sandbox = Sandbox::start(Ports::default(), Arc::new(SystemClock), 1).await.unwrap();
    let world = sandbox.world().clone();
    world.configure(|settings| settings.pace = Duration::from_millis(1));
    let lived = async {
        while world.truth().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, serve(sandbox, lived)).await.unwrap();
    assert!(!world.truth().is_empty());
}

fn dispatch() -> Dispatch {
    let event = Event {
        id: EventId::of_notice(&["test"]),
        kind: EventType::TestPing,
        account: None,
        upstream: None,
        source: None,
        occurred_at: String::from("2026-11-21"),
        detected_at: jiff::Timestamp::UNIX_EPOCH,
        late: false,
        sandbox: true,
        body: Body::Notice(Notice::default()),
    };
    Dispatch { event: Arc::new(event), attempt: 1 }
}

#[tokio::test(start_paused = true)]
async fn a_direct_channel_behaves_as_it_was_told() {
    let channel = DirectChannel::new("erp", ChannelKind::Webhook);
    let later = |class| Outcome::Later { class, retry_after: None };
    channel.next([
        Conduct::Say(later(FailureClass::Http)),
        Conduct::Slow(Duration::from_secs(3)),
        Conduct::TakeAndHang,
        Conduct::Hang,
        Conduct::Slow(Duration::from_secs(11)),
    ]);
    let mut outcomes = Vec::new();
    for _ in 0..6 {
        outcomes.push(channel.send(&dispatch()).await.outcome);
    }
    let timeout = later(FailureClass::Timeout);
    let expected =
        [later(FailureClass::Http), Outcome::Accepted, timeout.clone(), timeout.clone(), timeout, Outcome::Accepted];
    assert_eq!(outcomes, expected);
    assert_eq!((channel.attempts(), channel.taken().len(), channel.most_in_flight()), (6, 3, 1));
    channel.always(Conduct::Say(Outcome::Never { class: FailureClass::Recipient }));
    assert!(matches!(channel.send(&dispatch()).await.outcome, Outcome::Never { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_attempt_is_no_longer_under_way() {
    let channel = DirectChannel::new("erp", ChannelKind::Webhook);
    channel.always(Conduct::Hang);
    for _ in 0..3 {
        let dropped = tokio::time::timeout(Duration::from_secs(1), channel.send(&dispatch())).await;
        assert!(dropped.is_err());
    }
    assert_eq!((channel.attempts(), channel.most_in_flight()), (3, 1));
}
