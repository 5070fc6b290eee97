//! `store copy` to a Redis with an authority, a client's certificate and a user of its own, and from there to a cluster.

use std::fmt::Write as _;
use std::path::Path;

use pregonero::domain::money::Money;
use serde_json::Value;
use tokio::process::Command;

use super::servers::{Node, Sliced, secured};
use crate::support::{House, Load, Memory, Plan, webhooks_by_id};

/// Runs a copy in a folder; the exit code, stdout and stderr.
async fn copy(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pregonero"));
    command.current_dir(folder).args(["store", "copy"]).args(arguments).arg("--json");
    command.env("FAR_AWAY", "rediss://pregonero:geheim-7@127.0.0.1:9/0");
    let output = command.output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

async fn kinds(folder: &Path, arguments: &[&str]) -> Value {
    let (code, data, words) = copy(folder, arguments).await;
    assert_eq!(code, Some(0), "{arguments:?}: {words}");
    assert!(!words.contains("PASSWORD"), "{words}");
    serde_json::from_str::<Value>(&data).unwrap()["kinds"].clone()
}

/// Both lines of the manual, with their password.
async fn let_in(node: &Node) {
    let manual = include_str!("../../../docs/operating.md");
    let lines: Vec<&str> = manual.lines().filter(|line| line.starts_with("ACL SETUSER pregonero ")).collect();
    assert_eq!(lines.len(), 2);
    for line in lines {
        assert_eq!(node.tell(&line.split_whitespace().collect::<Vec<_>>()).await, "OK");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_moves_by_configurations_to_tls_with_a_user_and_on_to_a_cluster() {
    let mut house = House::build(Memory::File, 44).await;
    let mut load = Load::new(house.sandbox.world(), 44);
    let plan = Plan { sipago: load.watch(), telepagos: String::from("cashout = true"), ..Plan::default() };
    let mut daemon = house.contacted(&plan).await;
    house.sandbox.world().telepagos_credit(Money::from_cents(500_000));
    let send = "telepagos cashout --cvu 0000630500000060195375 --cuit 20055361682 --amount 10 --concept VAR --reference r --yes";
    let send: Vec<&str> = send.split(' ').collect();
    assert!(house.ask(&plan, &send).await.contains("done"));
    load.strike(20);
    house.all_told("erp", super::SOON).await;
    house.nothing_pending(super::SOON).await;
    daemon.stop().await;

    let folder = house.path("");
    let (redis, secure) = secured(&folder).await;
    let_in(&redis).await;
    let url = format!("rediss://pregonero:PASSWORD@127.0.0.1:{secure}/0");
    let mut store = format!("[store]\nurl = \"{url}\"\nprefix = \"pregonero\"\n");
    std::fs::write(house.path("bare.toml"), &store).unwrap();
    for (key, file) in [("ca_file", "ca.pem"), ("cert_file", "client.pem"), ("key_file", "client.key")] {
        writeln!(store, "{key} = \"{file}\"").unwrap();
    }
    std::fs::write(house.path("far.toml"), &store).unwrap();

    // Without the authority nobody is believed, and nothing of the URL is said.
    for to in ["config:bare.toml", "env:FAR_AWAY"] {
        let (code, _, words) = copy(&folder, &["config:one.toml", to]).await;
        assert!(code == Some(1) && words.contains("the target"), "{words}");
        assert!(!words.contains("PASSWORD") && !words.contains("geheim"), "{words}");
    }
    let there = kinds(&folder, &["config:one.toml", "config:far.toml"]).await;
    assert!(there["events"]["count"].as_u64().unwrap() > 5, "{there}");
    assert_eq!(there["cash-outs"]["count"], 1);
    let cluster = Sliced::start().await;
    let further = kinds(&folder, &["--config", "far.toml", "config", &cluster.url()]).await;
    assert_eq!(further, there);
    let back = kinds(&folder, &[&cluster.url(), "file:back.db"]).await;
    assert_eq!(back, there);

    // A daemon goes on there: nothing is announced anew, what comes is announced.
    let told = webhooks_by_id(house.sandbox.caught(), "erp").len();
    house.move_to(cluster.url());
    let mut daemon = house.daemon(&plan).await;
    house.read_again().await;
    house.nothing_pending(super::SOON).await;
    assert_eq!(webhooks_by_id(house.sandbox.caught(), "erp").len(), told);
    assert!(house.ask(&plan, &send).await.contains("done"));
    assert_eq!(house.sandbox.world().telepagos_cashouts().len(), 1, "the reference came along");
    load.strike(10);
    house.all_told("erp", super::SOON).await;
    daemon.stop().await;
}

#[tokio::test]
async fn a_configuration_that_cannot_be_taken_is_named() {
    let house = tempfile::tempdir().unwrap();
    let folder = house.path();
    for name in ["one.toml", "far.toml"] {
        std::fs::write(folder.join(name), format!("[store]\nurl = \"file:{name}.db\"\n")).unwrap();
    }
    for (arguments, words) in [
        (["config:one.toml", "config:none.toml", ""], "none.toml"),
        (["config:one.toml", "config:one.toml", ""], "the same store"),
        (["config:one.toml", "config:", ""], "`config:FILE`"),
        (["config:one.toml", "config:far.toml", "--prefix-to=x"], "leave one of them out"),
    ] {
        let arguments: Vec<&str> = arguments.into_iter().filter(|word| !word.is_empty()).collect();
        let (code, _, said) = copy(folder, &arguments).await;
        assert!(code == Some(2) && said.contains(words), "{arguments:?}: {said}");
    }
}
