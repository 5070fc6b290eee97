//! Sipago, tried with bodies of every quirk and with transports that misbehave by a script.

mod deposits;
mod errors;
mod laws;
mod movements;
mod newest;
mod orders;
mod pages;
mod privacy;

use std::sync::Arc;

use jiff::Timestamp;

use super::SipagoSource;
use super::read::Reader;
use super::wire;
use crate::config::{Secret, SipagoAccount};
use crate::domain::account::SourceKind;
use crate::domain::row::{Reject, Row};
use crate::sources::scripted::{Scripted, account, clock, data};
use crate::sources::{SourceError, Task, json};

pub(super) const API_KEY: &str = "clave-de-mentira";
/// The order of all bodies.
pub(super) const UUID: &str = "99868576-6b2d-4e1b-8aae-784317301e46";

pub(super) fn config() -> SipagoAccount {
    SipagoAccount {
        common: account("caja"),
        api_key: Secret::new(API_KEY.to_owned()),
        x_version: "100".to_owned(),
        deposits: false,
        early_stop: true,
        watch_links: Vec::new(),
    }
}

/// Everything in a page, row by row.
fn page(config: &SipagoAccount, body: &[u8]) -> (Vec<Row>, Vec<Reject>) {
    let page: wire::Page<'_> = json::object(body).unwrap();
    let reader = Reader { config };
    let (mut rows, mut rejects) = (Vec::new(), Vec::new());
    for (position, raw) in json::list("listTrx", page.list_trx).unwrap().into_iter().enumerate() {
        match reader.movement(position, raw) {
            Ok(row) => rows.push(row),
            Err(reject) => rejects.push(reject),
        }
    }
    (rows, rejects)
}

/// The movements of a body that holds nothing odd.
fn movements(name: &str) -> Vec<Row> {
    let (rows, rejects) = page(&config(), &data(&format!("sipago/{name}")));
    assert_eq!(rejects, [], "{name}");
    rows
}

fn read_order(body: &[u8]) -> Result<(Vec<Row>, Vec<Reject>), SourceError> {
    let at: Timestamp = "2026-11-22T01:30:00Z".parse().unwrap();
    Reader { config: &config() }.order(UUID, body, at)
}

/// The order and its payments in a body that holds nothing odd.
fn order(name: &str) -> Vec<Row> {
    let (rows, rejects) = read_order(&data(&format!("sipago/{name}"))).unwrap();
    assert_eq!(rejects, [], "{name}");
    rows
}

fn source(transport: &Arc<Scripted>) -> SipagoSource {
    source_with(config(), transport)
}

fn source_with(config: SipagoAccount, transport: &Arc<Scripted>) -> SipagoSource {
    let transport = Arc::clone(transport);
    SipagoSource::new(config, transport, clock())
}

fn watched() -> Task {
    Task::Watched { source: SourceKind::Links, id: UUID.to_owned() }
}

/// Everything that a row keeps, its payer too.
fn everything(row: &Row) -> String {
    let payer = &row.payer;
    let payer = [&payer.name, &payer.cuit, &payer.cvu_cbu, &payer.card_brand, &payer.card_last4];
    format!("{row:?} {payer:?}")
}
