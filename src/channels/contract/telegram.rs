//! The contract for Telegram.

use super::receiver::{Act, Receiver};
use super::*;
use crate::channels::telegram::{TelegramBots, TelegramChannel};
use crate::channels::text::Texts;
use crate::config::{Language, TelegramConfig};

fn config(port: u16, chat_id: i64) -> TelegramConfig {
    TelegramConfig {
        common: destination("caja"),
        token: secret("123456:bot-t0ken"),
        chat_id,
        thread_id: None,
        api_url: format!("http://127.0.0.1:{port}").parse().unwrap(),
        language: Language::Es,
        zone: zone(),
    }
}

fn chat(config: &TelegramConfig, bots: &mut TelegramBots) -> TelegramChannel {
    TelegramChannel::new(config, bots, Arc::new(Texts::new().unwrap()), clock()).unwrap()
}

fn lonely(port: u16) -> TelegramChannel {
    let mut config = config(port, 42);
    config.common.timeout = Duration::from_millis(600);
    chat(&config, &mut TelegramBots::default())
}

fn error(code: u16, description: &str) -> Act {
    let body = serde_json::json!({ "ok": false, "error_code": code, "description": description });
    Act::Answer(code, "content-type: application/json\r\n", body.to_string())
}

fn taken() -> Act {
    Act::Answer(200, "", String::from(r#"{"ok":true,"result":{"message_id":1}}"#))
}

fn with_parameter(code: u16, name: &str, value: i64) -> Act {
    let body =
        serde_json::json!({ "ok": false, "error_code": code, "description": "x", "parameters": { name: value } });
    Act::Answer(code, "", body.to_string())
}

#[tokio::test]
async fn every_behaviour_has_its_reaction() {
    use FailureClass::{Connect, Credentials, Http, Protocol, RateLimited, Recipient, Timeout};
    for (act, expected) in [
        (taken(), Word::Accepted),
        (error(403, "Forbidden: bot was blocked by the user"), Word::Park(Recipient)),
        (error(403, "Forbidden: bot was kicked from the supergroup chat"), Word::Park(Recipient)),
        (error(403, "Forbidden: user is deactivated"), Word::Park(Recipient)),
        (error(400, "Bad Request: chat not found"), Word::Park(Recipient)),
        (error(401, "Unauthorized"), Word::Park(Credentials)),
        (error(404, "Not Found"), Word::Park(Credentials)),
        (error(400, "Bad Request: message text is empty"), Word::Never(Protocol)),
        (with_parameter(429, "retry_after", 6), Word::Park(RateLimited)),
        (error(429, "Too Many Requests"), Word::Park(RateLimited)),
        (error(500, "Internal Server Error"), Word::Later(Http)),
        (Act::Answer(502, "", String::from("<html>bad gateway</html>")), Word::Later(Http)),
        (Act::Answer(200, "", String::from("<html>log in to the wifi</html>")), Word::Later(Protocol)),
        (Act::EndlessBody(200), Word::Later(Protocol)),
        (Act::SlowBody(200), Word::Later(Timeout)),
        (Act::Hang, Word::Later(Timeout)),
        (Act::Reset, Word::Later(Connect)),
        (Act::Nonsense, Word::Later(Connect)),
    ] {
        let receiver = Receiver::start([act.clone()]).await;
        let report = announce(&lonely(receiver.port)).await;
        assert_eq!(word(&report), expected, "{act:?}: {report:?}");
        assert_eq!(receiver.got().len(), 1, "{act:?}");
        assert_eq!(receiver.got()[0].target, "/bot123456:bot-t0ken/sendMessage");
    }
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    assert_eq!(word(&announce(&lonely(free)).await), Word::Later(Connect));
}

#[tokio::test]
async fn a_redirect_is_no_answer_and_carries_no_token() {
    let elsewhere = Receiver::start([taken()]).await;
    let location = format!("http://127.0.0.1:{}/hotel-wifi", elsewhere.port);
    let moved = Act::Answer(302, Box::leak(format!("location: {location}\r\n").into_boxed_str()), String::new());
    let receiver = Receiver::start([moved]).await;
    assert_eq!(word(&announce(&lonely(receiver.port)).await), Word::Later(FailureClass::Protocol));
    assert!(!format!("{:?}", elsewhere.got()).contains("bot-t0ken"));
}

#[tokio::test]
async fn a_group_that_moved_is_followed_at_once_and_from_then_on() {
    let moved = with_parameter(400, "migrate_to_chat_id", -1_001_234);
    let receiver = Receiver::start([moved, taken(), taken()]).await;
    let channel = chat(&config(receiver.port, -55), &mut TelegramBots::default());
    assert_eq!(word(&announce(&channel).await), Word::Accepted);
    assert_eq!(word(&announce(&channel).await), Word::Accepted);
    let chats: Vec<i64> = receiver.got().iter().map(|got| got.json()["chat_id"].as_i64().unwrap()).collect();
    assert_eq!(chats, [-55, -1_001_234, -1_001_234]);
}

#[tokio::test]
async fn two_groups_that_point_at_each_other_do_not_spin() {
    let to = |chat| with_parameter(400, "migrate_to_chat_id", chat);
    let receiver = Receiver::start((0..40).map(|n| to(if n % 2 == 0 { -2 } else { -1 })).collect::<Vec<_>>()).await;
    let report = announce(&chat(&config(receiver.port, -1), &mut TelegramBots::default())).await;
    assert!(matches!(word(&report), Word::Later(_)));
    assert!(receiver.got().len() <= 5);
}

#[tokio::test]
async fn refused_markup_goes_out_as_plain_text() {
    let receiver = Receiver::start([error(400, "Bad Request: can't parse entities: x"), taken()]).await;
    assert_eq!(word(&announce(&lonely(receiver.port)).await), Word::Accepted);
    let (first, second) = (receiver.got()[0].json(), receiver.got()[1].json());
    assert_eq!(first["parse_mode"], "HTML");
    assert!(first["text"].as_str().unwrap().contains("M&lt;RÍA"));
    assert!(second.get("parse_mode").is_none());
    assert!(second["text"].as_str().unwrap().contains("M<RÍA"));
}

#[tokio::test]
async fn a_dead_topic_is_left_out_and_stays_out() {
    let receiver = Receiver::start([error(400, "Bad Request: message thread not found"), taken(), taken()]).await;
    let mut config = config(receiver.port, -100);
    config.thread_id = Some(7);
    let channel = chat(&config, &mut TelegramBots::default());
    assert_eq!(word(&announce(&channel).await), Word::Accepted);
    assert_eq!(word(&announce(&channel).await), Word::Accepted);
    let topics: Vec<_> = receiver.got().iter().map(|got| got.json()["message_thread_id"].as_i64()).collect();
    assert_eq!(topics, [Some(7), None, None]);
}

#[tokio::test]
async fn a_long_text_is_shortened_by_showing_less() {
    let receiver = Receiver::start([error(400, "Bad Request: message is too long"), taken()]).await;
    assert_eq!(word(&announce(&lonely(receiver.port)).await), Word::Accepted);
    let text = receiver.got()[1].json()["text"].as_str().unwrap().to_owned();
    assert!(text.starts_with("Cobro recibido · $\u{a0}1.500,00") && !text.contains('\n'), "{text}");
    let always = (0..9).map(|_| error(400, "Bad Request: message is too long"));
    let receiver = Receiver::start(always).await;
    assert!(matches!(word(&announce(&lonely(receiver.port)).await), Word::Never(_)));
}

#[tokio::test]
async fn one_limited_chat_delays_no_other_chat_of_the_same_bot() {
    let receiver = Receiver::start([with_parameter(429, "retry_after", 3600), taken()]).await;
    let mut bots = TelegramBots::default();
    let noisy = chat(&config(receiver.port, -7), &mut bots);
    let quiet = chat(&config(receiver.port, 42), &mut bots);
    assert_eq!(word(&announce(&noisy).await), Word::Park(FailureClass::RateLimited));
    assert!(noisy.rest() > Duration::from_secs(3500));
    assert_eq!(quiet.rest(), Duration::ZERO);
    assert_eq!(word(&announce(&quiet).await), Word::Accepted);
    assert_eq!(word(&announce(&noisy).await), Word::Park(FailureClass::RateLimited), "and nothing is sent meanwhile");
    assert_eq!(receiver.got().len(), 2);
}

#[tokio::test]
async fn a_chat_is_paced_before_telegram_has_to_ask() {
    let receiver = Receiver::start([]).await;
    let channel = chat(&config(receiver.port, -7), &mut TelegramBots::default());
    // The receiver's empty 200 is no Bot API answer; what counts is how many calls went out.
    for _ in 0..3 {
        announce(&channel).await;
    }
    assert!(channel.rest() > Duration::from_secs(1));
    assert_eq!(word(&announce(&channel).await), Word::Park(FailureClass::RateLimited));
    assert_eq!(receiver.got().len(), 3);
}

#[tokio::test]
async fn a_second_try_says_that_it_is_one() {
    let receiver = Receiver::start([Act::Hang, taken()]).await;
    let channel = lonely(receiver.port);
    let event = samples::payment(EventType::CreditReceived);
    assert_eq!(word(&send(&channel, &event, 1).await), Word::Later(FailureClass::Timeout));
    assert_eq!(word(&send(&channel, &event, 2).await), Word::Accepted);
    let texts: Vec<String> = receiver.got().iter().map(|got| got.json()["text"].to_string()).collect();
    assert!(!texts[0].contains("(reenviado)") && texts[1].contains("(reenviado)"));
}
