//! A Bot API that answers as Telegram documents it, and not as our sandbox does.

use pregonero::domain::money::Money;
use pregonero::sandbox::BOT_TOKEN;
use serde_json::Value;

use super::{SOON, Stranger, house, more};
use crate::support::{Plan, until};

const CAJA: i64 = -1_001_234_567_890;
const DUENA: i64 = 77;

fn chats(port: u16) -> String {
    let chat = |name: &str, id: i64, lines: &str| {
        format!(
            "[[telegram]]\nname = \"{name}\"\ntoken = \"{BOT_TOKEN}\"\napi_url = \"http://127.0.0.1:{port}\"\n\
             chat_id = {id}\nevents = [\"*\"]\n{lines}\n"
        )
    };
    format!("{}{}", chat("caja", CAJA, ""), chat("duena", DUENA, "detail = \"full\"\nlanguage = \"en\""))
}

/// The calls of one chat that were answered with this status.
fn calls(bot: &Stranger, chat: i64, status: u16) -> Vec<Value> {
    bot.heard().into_iter().filter(|call| call["chat_id"] == chat && call["answered"] == status).collect()
}

#[tokio::test]
async fn a_429_is_obeyed_and_costs_no_message_and_no_other_chat() {
    let bot = Stranger::start("bot.py", &[BOT_TOKEN, &CAJA.to_string(), "3"], "http.server").await;
    let house = house(21, "").await;
    more(&house, &chats(bot.port));
    let mut daemon = house.contacted(&Plan::default()).await;
    let world = house.sandbox.world();
    for (cents, holder) in [(100_000, "Peña <b>& Hijos</b>"), (200_000, "José Núñez"), (300_000, "Ñ")] {
        world.telepagos_credit_with(Money::from_cents(cents), |row| holder.clone_into(&mut row.holder));
    }
    until("every chat has all three", SOON, || [CAJA, DUENA].iter().all(|chat| calls(&bot, *chat, 200).len() == 3))
        .await;
    daemon.stop().await;

    let heard = bot.heard();
    assert!(heard.iter().all(|call| call["early"] == false), "nothing is sent before the pause is over: {heard:?}");
    assert!(heard.iter().all(|call| call["method"] == "SendMessage" || call["method"] == "sendMessage"), "{heard:?}");
    assert_eq!((calls(&bot, CAJA, 429).len(), calls(&bot, DUENA, 429).len()), (1, 0));
    assert_eq!(heard.len(), 7, "three for each chat, and one that was put off: {heard:?}");
    let texts = |chat| -> Vec<String> {
        calls(&bot, chat, 200).iter().map(|call| call["text"].as_str().unwrap().to_owned()).collect()
    };
    let amounts = ["1.000,00", "2.000,00", "3.000,00"];
    for chat in [CAJA, DUENA] {
        for amount in amounts {
            assert_eq!(
                texts(chat).iter().filter(|text| text.contains(amount)).count(),
                1,
                "{amount} once: {:?}",
                texts(chat)
            );
        }
    }
    assert!(texts(CAJA).iter().all(|text| text.contains("Cobro recibido")), "{:?}", texts(CAJA));
    assert!(texts(DUENA).iter().any(|text| text.contains("Peña &lt;b&gt;&amp; Hijos&lt;/b&gt;")), "{:?}", texts(DUENA));
    let at = |call: &Value| call["at"].as_f64().unwrap();
    let (limited, last) = (at(&calls(&bot, CAJA, 429)[0]), at(calls(&bot, DUENA, 200).last().unwrap()));
    assert!(last < limited + 3.0, "the other chat did not wait");
}

#[tokio::test]
async fn a_token_that_telegram_does_not_know_loses_nothing() {
    let bot = Stranger::start("bot.py", &["1:somebody-elses-token", "0", "1"], "http.server").await;
    let house = house(22, "").await;
    more(&house, &chats(bot.port));
    let mut daemon = house.contacted(&Plan::default()).await;
    house.sandbox.world().telepagos_credit(Money::from_cents(100_000));
    house.all_told("erp", SOON).await;
    until("it was refused", SOON, || bot.heard().len() >= 2).await;
    assert!(bot.heard().iter().all(|call| call["answered"] == 401), "{:?}", bot.heard());
    daemon.stop().await;
    assert_eq!(bot.heard().len(), 2, "one attempt a chat; then both rest");
    assert!(!daemon.log().contains("SANDBOX-not-a-real-token"), "{}", daemon.log());
    assert!(daemon.log().contains("credentials"), "the operator is told why: {}", daemon.log());
}
