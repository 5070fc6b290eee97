//! Refused credentials and requests to slow down.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use pregonero::sandbox::caught::Asked;
use pregonero::sandbox::{Face, Fault, Rule};

use super::{end, listed, said, something_happens, with_every_detail};
use crate::support::{House, Memory, Plan, announced, until, webhooks_by_id};

const PATIENCE: Duration = Duration::from_secs(60);

/// What one upstream was asked, oldest first.
fn asked(house: &House, face: Face) -> Vec<Asked> {
    house.sandbox.caught().asked().into_iter().filter(|asked| asked.face == face).collect()
}

/// `erp` for money, `pager` and the chat `guardia` for what the daemon says of itself.
fn plan(house: &House) -> Plan {
    std::fs::create_dir_all(house.path("conf.d")).unwrap();
    let chat = format!(
        "[[telegram]]\nname = \"guardia\"\ntoken = \"{}\"\napi_url = \"{}\"\nchat_id = 5\nevents = [\"system.*\"]\n",
        pregonero::sandbox::BOT_TOKEN,
        house.sandbox.telegram_url()
    );
    std::fs::write(house.path("conf.d/guardia.toml"), chat).unwrap();
    let pager = format!(
        "[[webhook]]\nname = \"pager\"\nurl = \"{}\"\nsecret = \"{}\"\nallow_private = [\"127.0.0.0/8\"]\nevents = [\"system.*\"]\n",
        house.sandbox.webhook_url("pager"),
        pregonero::sandbox::WEBHOOK_SECRET
    );
    std::fs::write(house.path("conf.d/pager.toml"), pager).unwrap();
    Plan::default()
}

fn paged(house: &House) -> Vec<String> {
    announced(&webhooks_by_id(house.sandbox.caught(), "pager")).into_keys().map(|told| told.kind).collect()
}

#[tokio::test]
async fn credentials_that_are_refused_twice_raise_an_alarm_and_stop_the_asking() {
    let house = House::build(Memory::File, 500).await;
    with_every_detail(&house);
    let plan = plan(&house);
    let mut daemon = house.contacted(&plan).await;
    let script = house.sandbox.script();
    let rules = [(Face::Telepagos, "v2/account"), (Face::Sipago, "transactions")]
        .map(|(face, path)| script.add(Rule::always(face, path, Fault::status(401))));
    something_happens(&house, 10_000);
    until("both alarms", PATIENCE, || webhooks_by_id(house.sandbox.caught(), "pager").len() == 2).await;
    assert_eq!(paged(&house), ["source.failing", "source.failing"]);
    until("the chat hears of both", PATIENCE, || house.sandbox.caught().chats().len() == 2).await;
    for message in house.sandbox.caught().chats() {
        assert!(message.text.contains("No podemos consultar la cuenta"), "{}", message.text);
        assert!(message.text.contains("rechaza las credenciales"), "in the reader's language: {}", message.text);
        assert!(message.text.contains("Nada se pierde"), "{}", message.text);
    }
    let refused = |face| asked(&house, face).iter().filter(|asked| asked.answered == Some(401)).count();
    assert_eq!(refused(Face::Telepagos), 2, "one renewal, no hammering");
    assert_eq!(refused(Face::Sipago), 1, "there is nothing to renew");
    assert!(listed(&house, "--type credit.*").await.is_empty());
    // A restart begins anew: the operator may have changed the password.
    daemon.stop().await;
    assert!(rules.into_iter().all(|rule| script.remove(rule)));
    let mut daemon = house.daemon(&plan).await;
    house.all_told("erp", PATIENCE).await;
    until("both all-clears", PATIENCE, || webhooks_by_id(house.sandbox.caught(), "pager").len() == 4).await;
    assert_eq!(paged(&house).iter().filter(|kind| *kind == "source.recovered").count(), 2);
    let log = end(&house, &mut daemon).await;
    for account in ["centro", "palermo"] {
        assert_eq!(said(&log, account, "the source cannot be read").len(), 1, "{account}");
    }
}

#[tokio::test]
async fn a_password_that_was_changed_is_refused_at_the_login() {
    let house = House::build(Memory::File, 501).await;
    with_every_detail(&house);
    let plan = plan(&house);
    house.sandbox.world().change_password("another-password-not-real");
    let mut daemon = house.daemon(&plan).await;
    until("the alarm", PATIENCE, || webhooks_by_id(house.sandbox.caught(), "pager").len() == 1).await;
    until("the other account goes on", PATIENCE, || house.listings(Face::Sipago) >= 3).await;
    assert_eq!(asked(&house, Face::Telepagos).len(), 1, "one login, no hammering");
    let log = end(&house, &mut daemon).await;
    assert_eq!(said(&log, "centro", "class=\"unauthorized\"").len(), 1, "{log}");
    assert!(said(&log, "palermo", "cannot be read").is_empty());
}

/// The shortest pause between the answer `status` and the next question to that upstream.
fn pause_after(house: &House, face: Face, status: u16) -> SignedDuration {
    let asked = asked(house, face);
    let at: Vec<(Timestamp, bool)> = asked.iter().map(|asked| (asked.at, asked.answered == Some(status))).collect();
    let pauses = at.windows(2).filter(|pair| pair[0].1).map(|pair| pair[1].0.duration_since(pair[0].0));
    pauses.min().expect("it was asked again")
}

#[tokio::test]
async fn an_upstream_that_asks_to_slow_down_is_obeyed() {
    let house = House::build(Memory::File, 502).await;
    with_every_detail(&house);
    let mut daemon = house.contacted(&Plan::default()).await;
    let script = house.sandbox.script();
    let slow_down = |status| Fault::slow_down(status, Duration::from_secs(3));
    let rules = [(Face::Telepagos, "v2/account/transactions", 429), (Face::Sipago, "transactions/page", 503)]
        .map(|(face, path, status)| script.add(Rule::times(face, path, 2, slow_down(status))));
    until("both are told", PATIENCE, || rules.iter().all(|rule| script.struck(*rule) >= 1)).await;
    something_happens(&house, 10_000);
    house.all_told("erp", PATIENCE).await;
    house.read_again().await;
    house.nothing_invented("erp");
    for (face, status) in [(Face::Telepagos, 429), (Face::Sipago, 503)] {
        // Both clocks are this machine's; the sandbox notes the question when it answers.
        let pause = pause_after(&house, face, status);
        assert!(pause >= SignedDuration::from_millis(2_900), "{face:?} was asked again after {pause:#}");
    }
    let log = end(&house, &mut daemon).await;
    for account in ["centro", "palermo"] {
        assert_eq!(said(&log, account, "class=\"slow_down\"").len(), 1, "{account}");
    }
}
