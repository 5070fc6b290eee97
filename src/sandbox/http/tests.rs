//! The wire: what sockets show is what [`crate::sandbox::direct`] shows, and what breaks breaks for real.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use teloxide::payloads::SendMessageSetters as _;
use teloxide::requests::Requester as _;
use teloxide::types::{ChatAction, ChatId, MessageId, ParseMode, ReplyParameters};
use teloxide::{ApiError, Bot, RequestError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use url::Url;

use crate::clock::SystemClock;
use crate::domain::account::Upstream;
use crate::domain::money::Money;
use crate::http::{Method, Request, Transport as _, TransportError};
use crate::sandbox::direct::DirectTransport;
use crate::sandbox::{API_KEY, BOT_TOKEN, Face, Fault, Ports, Rule, Sandbox};

const PATIENCE: Duration = Duration::from_secs(20);
const TRACE: &str = "3cc1aabd-eb40-48bc-bb84-d1c34f1e2934";

async fn sandbox() -> Sandbox {
    Sandbox::start(Ports::default(), Arc::new(SystemClock), 1).await.unwrap()
}

/// One request over a fresh socket, read to its end: status line and headers, body.
async fn ask(url: &Url, head: &str, body: &str) -> io::Result<(String, String)> {
    let (verb, headers) = head.split_once('\n').unwrap_or((head, ""));
    let mut wire = TcpStream::connect((url.host_str().unwrap(), url.port().unwrap())).await?;
    let request = format!(
        "{verb} {} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n{}\r\n{body}",
        &url[url::Position::BeforePath..],
        body.len(),
        headers.lines().fold(String::new(), |all, line| all + line + "\r\n")
    );
    wire.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    tokio::time::timeout(PATIENCE, wire.read_to_end(&mut answer)).await??;
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    Ok((head.to_owned(), body.to_owned()))
}

fn movements(sandbox: &Sandbox, page: u32) -> Url {
    let mut url = sandbox.sipago_url();
    url.set_path(&format!("/services/transactions/page/{page}"));
    url
}

fn day(sandbox: &Sandbox) -> String {
    let day = sandbox.world().wall_clock().date();
    format!(r#"{{"startDate":"{day}","endDate":"{day}"}}"#)
}

#[tokio::test]
async fn sockets_and_the_direct_way_give_the_same_bytes() {
    let sandbox = sandbox().await;
    for _ in 0..3 {
        sandbox.world().sipago_sale(Money::from_cents(123_456));
    }
    let direct = DirectTransport::new(sandbox.world().clone(), sandbox.script().clone(), Upstream::Sipago);
    let json = "application/json";
    for (key, fault) in [
        (API_KEY, None),
        ("wrong", None),
        (API_KEY, Some(Fault::Html)),
        (API_KEY, Some(Fault::Truncated)),
        (API_KEY, Some(Fault::slow_down(503, Duration::from_secs(9)))),
    ] {
        sandbox.script().clear();
        if let Some(fault) = fault {
            sandbox.script().add(Rule::always(Face::Sipago, "transactions/page", fault));
        }
        let url = movements(&sandbox, 0);
        let head = format!("POST\napikey: {key}\nx-trace-id: {TRACE}\nx-version: 1\ncontent-type: {json}");
        let (head, body) = ask(&url, &head, &day(&sandbox)).await.unwrap();
        let headers = vec![("apikey", key.to_owned()), ("X-TRACE-ID", TRACE.to_owned()), ("X-VERSION", "1".to_owned())];
        let request = Request {
            method: Method::POST,
            url,
            headers,
            body: Some((json, day(&sandbox).into())),
            timeout: PATIENCE,
            body_cap: 1 << 20,
        };
        let response = direct.call(request).await.unwrap();
        assert!(head.starts_with(&format!("HTTP/1.1 {}", response.status)), "{head}");
        assert_eq!(body.as_bytes(), response.body.as_ref());
        assert_eq!(head.contains("retry-after: 9"), response.retry_after == Some(Duration::from_secs(9)));
    }
    sandbox.stop().await;
}

#[tokio::test]
async fn the_wire_breaks_where_the_script_says() {
    let sandbox = sandbox().await;
    let head = format!("POST\napikey: {API_KEY}\nx-trace-id: {TRACE}\nx-version: 1");
    let strike = async |fault| {
        sandbox.script().clear();
        let rule = sandbox.script().add(Rule::always(Face::Sipago, "transactions", fault));
        let answer = ask(&movements(&sandbox, 0), &head, &day(&sandbox)).await;
        assert_eq!(sandbox.script().struck(rule), 1);
        answer
    };
    let reset = strike(Fault::Reset { after_effect: false }).await.unwrap_err();
    assert_eq!(reset.kind(), io::ErrorKind::ConnectionReset);
    let (cut, body) = strike(Fault::CutOff).await.unwrap();
    let announced: usize = cut.split("content-length: ").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
    assert!(body.len() < announced, "{} of {announced}", body.len());
    let (_, large) = strike(Fault::Oversized(9 << 20)).await.unwrap();
    assert!(large.len() > 9 << 20);
    let (moved, _) = strike(Fault::Redirect(String::from("http://127.0.0.1:9/"))).await.unwrap();
    assert!(moved.starts_with("HTTP/1.1 302") && moved.contains("location: http://127.0.0.1:9/"));
    let slow = strike(Fault::Slow(Duration::from_millis(5))).await.unwrap();
    assert!(slow.0.starts_with("HTTP/1.1 200"));
    sandbox.stop().await;
}

#[tokio::test]
async fn a_hanging_answer_does_not_hold_the_stop() {
    let sandbox = sandbox().await;
    sandbox.script().add(Rule::always(Face::Webhook, "hooks", Fault::Hang { after_effect: true }));
    let url = sandbox.webhook_url("erp");
    let asking = tokio::spawn(async move { ask(&url, "POST", "{}").await });
    sandbox.caught().wait_until(|shelves| shelves.webhooks.len() == 1, PATIENCE).await.unwrap();
    assert_eq!(sandbox.caught().webhooks()[0].answered, None);
    tokio::time::timeout(PATIENCE, sandbox.stop()).await.unwrap();
    let (head, _) = asking.await.unwrap().unwrap_or_default();
    assert_eq!(head, "", "no answer ever came");
}

#[tokio::test]
async fn webhooks_are_kept_with_headers_and_bytes_refused_ones_too() {
    let sandbox = sandbox().await;
    sandbox.script().add(Rule::once(Face::Webhook, "hooks/erp", Fault::status(500)));
    let url = sandbox.webhook_url("erp");
    for status in ["500", "200"] {
        let (head, _) = ask(&url, "POST\nwebhook-id: evt_1", "{\"ñ\": 1 }").await.unwrap();
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{head}");
    }
    sandbox.caught().wait_for_webhooks("erp", 1, PATIENCE).await.unwrap();
    let hooks = sandbox.caught().webhooks();
    assert_eq!([hooks[0].answered, hooks[1].answered], [Some(500), Some(200)]);
    assert_eq!((hooks[1].header("webhook-id"), hooks[1].body.as_ref()), (Some("evt_1"), "{\"ñ\": 1 }".as_bytes()));
    let (head, _) = ask(&url, "GET", "").await.unwrap();
    assert!(head.starts_with("HTTP/1.1 405"));
    assert_eq!(sandbox.caught().asked().len(), 3);
    sandbox.stop().await;
}

#[tokio::test]
async fn the_world_is_moved_over_the_wire() {
    let sandbox = sandbox().await;
    let said = r#"{"op":"credit","amount":"1500.00"}"#;
    for url in [sandbox.control_url(), sandbox.telepagos_url().join("/_control").unwrap()] {
        let (head, body) = ask(&url, "POST", said).await.unwrap();
        assert!(head.starts_with("HTTP/1.1 200") && body.contains(r#""ok":true"#), "{head} {body}");
    }
    assert_eq!(sandbox.world().truth().len(), 2);
    sandbox.stop().await;
}

/// teloxide is not ours: what it understands has the real shape.
#[tokio::test]
async fn a_real_client_of_the_bot_api_understands_every_answer() {
    let sandbox = sandbox().await;
    let bot = Bot::new(BOT_TOKEN).set_api_url(sandbox.telegram_url());
    assert_eq!(bot.get_me().await.unwrap().username(), "pregonero_sandbox_bot");
    for chat in [42, -77, -1_001_234_567_890] {
        let chat = ChatId(chat);
        let text = "<b>Entró</b> $ 1 &amp; más";
        let sent = bot.send_message(chat, text).parse_mode(ParseMode::Html).await.unwrap();
        assert_eq!((sent.chat.id, sent.text()), (chat, Some("Entró $ 1 & más")));
        let reply = ReplyParameters::new(sent.id);
        let answer = bot.send_message(chat, "se devolvió").reply_parameters(reply).await.unwrap();
        assert_ne!(answer.id, sent.id);
        let edited = bot.edit_message_text(chat, sent.id, "otra cosa").await.unwrap();
        assert_eq!((edited.id, edited.text()), (sent.id, Some("otra cosa")));
        bot.send_chat_action(chat, ChatAction::Typing).await.unwrap();
    }
    let chats = sandbox.caught().chats();
    assert_eq!(chats.len(), 9);
    assert_eq!(chats[1].reply_to, Some(chats[0].message_id));
    assert!(chats[2].edit && !chats[0].edit);
    assert_eq!(chats[0].text, "<b>Entró</b> $ 1 &amp; más", "as sent, markup included");
    assert!(sandbox.caught().asked().iter().all(|asked| !asked.line.contains(BOT_TOKEN)));
    sandbox.stop().await;
}

#[tokio::test]
async fn a_real_client_of_the_bot_api_understands_every_refusal() {
    let sandbox = sandbox().await;
    let bot = Bot::new(BOT_TOKEN).set_api_url(sandbox.telegram_url());
    let chat = ChatId(42);
    let refused = async |fault: Fault| {
        sandbox.script().add(Rule::once(Face::Telegram, "sendMessage", fault).mentions("42"));
        bot.send_message(chat, "hola").await.unwrap_err()
    };
    assert!(matches!(refused(Fault::chat_flood(7)).await, RequestError::RetryAfter(wait) if wait.seconds() == 7));
    assert!(matches!(refused(Fault::chat_migrated(-1_009)).await, RequestError::MigrateToChatId(ChatId(-1_009))));
    assert!(matches!(refused(Fault::chat_blocked()).await, RequestError::Api(ApiError::BotBlocked)));
    assert!(matches!(refused(Fault::chat_not_found()).await, RequestError::Api(ApiError::ChatNotFound)));
    assert!(matches!(refused(Fault::chat_bad_markup()).await, RequestError::Api(ApiError::CantParseEntities(_))));
    assert!(sandbox.caught().chats().is_empty(), "what was refused stands nowhere");

    let own = async |text: &str| bot.send_message(chat, text).parse_mode(ParseMode::Html).await.unwrap_err();
    assert!(matches!(own("<x>a</x>").await, RequestError::Api(ApiError::CantParseEntities(_))));
    assert!(matches!(own("<b></b>").await, RequestError::Api(ApiError::MessageTextIsEmpty)));
    assert!(matches!(own(&"a".repeat(4097)).await, RequestError::Api(ApiError::MessageIsTooLong)));
    let gone = bot.edit_message_text(chat, MessageId(99), "x").await.unwrap_err();
    assert!(matches!(gone, RequestError::Api(ApiError::MessageToEditNotFound)));
    let sent = bot.send_message(chat, "hola").await.unwrap();
    let same = bot.edit_message_text(chat, sent.id, "hola").await.unwrap_err();
    assert!(matches!(same, RequestError::Api(ApiError::MessageNotModified)));
    let stranger = Bot::new("1:x").set_api_url(sandbox.telegram_url());
    assert!(matches!(stranger.get_me().await.unwrap_err(), RequestError::Api(ApiError::InvalidToken)));
    sandbox.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_direct_way_knows_every_end_of_a_call() {
    let clock = crate::clock::TokioClock::starting_at("2026-11-21T17:00:00Z".parse().unwrap(), 1);
    let world = crate::sandbox::World::new(Arc::new(clock), 1);
    let script = crate::sandbox::Script::default();
    let direct = DirectTransport::new(world, script.clone(), Upstream::Telepagos);
    let call = async |fault: Fault| {
        script.add(Rule::once(Face::Telepagos, "", fault));
        let request = Request {
            method: Method::GET,
            url: Url::parse("https://api.example.com/v2/account/balance").unwrap(),
            headers: Vec::new(),
            body: None,
            timeout: Duration::from_secs(30),
            body_cap: 1000,
        };
        direct.call(request).await
    };
    let started = tokio::time::Instant::now();
    assert_eq!(call(Fault::Slow(Duration::from_secs(20))).await.unwrap().status, 401);
    assert_eq!(started.elapsed().as_secs(), 20);
    assert!(matches!(call(Fault::Slow(Duration::from_secs(60))).await, Err(TransportError::Timeout(_))));
    assert!(matches!(call(Fault::Hang { after_effect: false }).await, Err(TransportError::Timeout(_))));
    assert_eq!(started.elapsed().as_secs(), 80);
    assert!(matches!(call(Fault::Reset { after_effect: false }).await, Err(TransportError::Broken(_))));
    assert!(matches!(call(Fault::CutOff).await, Err(TransportError::Broken(_))));
    assert!(matches!(call(Fault::Oversized(2000)).await, Err(TransportError::TooLarge(1000))));
    assert_eq!(direct.caught().asked().len(), 6);
}
