//! TelePagos, tried with bodies of every quirk and with transports that misbehave by a script.

mod again;
mod cashins;
mod errors;
mod laws;
mod pages;
mod rejects;
mod rows;
mod token;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::TelepagosSource;
use super::read::{Catalogue, Reader};
use super::wire;
use crate::config::{Secret, TelepagosAccount};
use crate::domain::account::SourceKind;
use crate::domain::row::{Reject, Row};
use crate::sources::scripted::{Answer, Scripted, account, clock, data, file};
use crate::sources::{SourceError, Task, json};

pub(super) const USERNAME: &str = "cajera-ficticia";
pub(super) const PASSWORD: &str = "contraseña-de-mentira";
/// The token of `login.json`.
const TOKEN: &str = "ficha-de-prueba-1";

pub(super) fn config() -> TelepagosAccount {
    TelepagosAccount {
        common: account("centro"),
        username: USERNAME.to_owned(),
        password: Secret::new(PASSWORD.to_owned()),
        paginate: false,
        filters_in_body: false,
        cashout: false,
        income: BTreeMap::new(),
        watch_cashin: Vec::new(),
        follow: None,
    }
}

/// What `filters.json` says.
fn catalogue() -> Arc<Catalogue> {
    let body = data("telepagos/filters.json");
    let answer: wire::Filters<'_> = json::object(&body).unwrap();
    Arc::new(Catalogue::of(&json::list("operations", answer.operations).unwrap()))
}

fn read_with(config: &TelepagosAccount, body: &[u8]) -> Result<(Vec<Row>, Vec<Reject>), SourceError> {
    Reader { config, catalogue: catalogue() }.listing(&[Bytes::copy_from_slice(body)])
}

/// Everything in a body of `tests/data`.
fn listing(name: &str) -> (Vec<Row>, Vec<Reject>) {
    read_with(&config(), &data(&format!("telepagos/{name}"))).unwrap()
}

/// The rows of a body that holds nothing odd.
fn rows(name: &str) -> Vec<Row> {
    let (rows, rejects) = listing(name);
    assert_eq!(rejects, [], "{name}");
    rows
}

pub(super) fn source(config: TelepagosAccount, transport: &Arc<Scripted>) -> TelepagosSource {
    let transport = Arc::clone(transport);
    TelepagosSource::new(config, transport, clock())
}

/// A login, then these.
pub(super) fn after_login(answers: impl IntoIterator<Item = Answer>) -> Arc<Scripted> {
    Scripted::queue(std::iter::once(file("telepagos/login.json")).chain(answers))
}

fn watched() -> Task {
    Task::Watched { source: SourceKind::Cashin, id: "31".to_owned() }
}
