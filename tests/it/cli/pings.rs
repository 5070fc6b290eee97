//! `send-test`: one message, now, and what the other side really said.

use pregonero::sandbox::{Face, Fault, Rule};

use super::{Place, Said};
use crate::support::{House, Memory, Plan};

/// Webhook `erp`, mailing `contaduria`, chat `caja`, all caught; webhook `inner` may go nowhere.
async fn house() -> (House, Place) {
    let house = House::build(Memory::File, 1).await;
    let forbidden = (String::from("inner"), String::from("allow_private = [\"10.0.0.0/8\"]"));
    let hooks = vec![(String::from("erp"), String::new())];
    let plan = Plan { people: Some(String::new()), hooks, ..Plan::default() };
    let path = house.write(&plan, 0);
    let text = std::fs::read_to_string(path).unwrap();
    let inner = format!(
        "[[webhook]]\nname = \"{}\"\nurl = \"{}\"\nsecret = \"{}\"\n{}\n",
        forbidden.0,
        house.sandbox.webhook_url("inner"),
        pregonero::sandbox::WEBHOOK_SECRET,
        forbidden.1
    );
    let place = Place::with(&format!("{text}{inner}"));
    (house, place)
}

/// The program runs beside this test's sandbox, not in its way.
pub(super) async fn run(place: &Place, arguments: &str) -> Said {
    let (mut command, words) = (place.command(arguments), arguments.to_owned());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    Said::of(&words, &output)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_accepted_test_arrives_and_ends_with_0() {
    let (house, place) = house().await;
    for name in ["erp", "contaduria", "caja"] {
        let said = run(&place, &format!("send-test {name}")).await;
        assert!(said.done().starts_with(&format!("`{name}` accepted evt_")), "{said:?}");
        let json = run(&place, &format!("send-test {name} --json")).await.objects();
        assert_eq!((&json[0]["accepted"], &json[0]["failure"]), (&true.into(), &serde_json::Value::Null));
    }
    let caught = house.sandbox.caught();
    assert_eq!((caught.webhooks().len(), caught.mails().len(), caught.chats().len()), (2, 2, 2));
    assert!(caught.chats()[0].text.contains("Mensaje de prueba"), "{}", caught.chats()[0].text);
    assert!(!place.path("pregonero.db").exists(), "a test needs no store");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_test_ends_with_1_and_names_the_class_of_the_failure() {
    let (house, place) = house().await;
    let script = house.sandbox.script();
    let no_such_box = Fault::Status { status: 550, body: String::from("no such mailbox"), retry_after: None };
    script.add(Rule::always(Face::Webhook, "hooks/erp", Fault::status(500)));
    script.add(Rule::always(Face::Mail, "RCPT", no_such_box));
    script.add(Rule::always(Face::Telegram, "sendMessage", Fault::chat_blocked()));
    for (name, class, status) in [
        ("erp", "http", Some(500)),
        ("contaduria", "recipient", Some(550)),
        ("caja", "recipient", Some(403)),
        ("inner", "refused_target", None),
    ] {
        let said = run(&place, &format!("send-test {name}")).await;
        assert_eq!((said.code, said.stderr.as_str()), (Some(1), ""), "{said:?}");
        let status_text = status.map(|status| format!(" {status}")).unwrap_or_default();
        assert!(said.stdout.contains("did not accept"), "{said:?}");
        assert!(said.stdout.contains(&format!(": {class}{status_text} after ")), "{said:?}");
        let said = run(&place, &format!("send-test {name} --json")).await;
        let json: serde_json::Value = serde_json::from_str(&said.stdout).expect("one object");
        assert_eq!((said.code, &json["accepted"], &json["failure"]), (Some(1), &false.into(), &class.into()));
        assert_eq!(json["status"].as_u64(), status, "{json}");
        for secret in [pregonero::sandbox::BOT_TOKEN, pregonero::sandbox::WEBHOOK_SECRET] {
            assert!(!said.stdout.contains(secret), "{said:?}");
        }
    }
}
