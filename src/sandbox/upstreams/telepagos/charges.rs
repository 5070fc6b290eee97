//! Links, QR codes, transfer links and static orders, as TelePagos' document prints them.

use jiff::civil::DateTime;
use jiff::fmt::strtime;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Answer, Fields, error};
use crate::domain::money::{Money, Unit};
use crate::sandbox::world::World;

/// A `decimal` of a request: a JSON number, or a form's text, of more than nothing.
pub(super) fn amount(fields: &Fields) -> Result<Money, Answer> {
    fields.get("amount").and_then(|text| decimal(text)).ok_or_else(|| error(400, "amount debe ser un decimal positivo"))
}

fn decimal(text: &str) -> Option<Money> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let amount = Money::from_json_number(text, Unit::Pesos).ok().filter(|_| plain)?;
    (amount.cents() > 0).then_some(amount)
}

/// A string that the document lists; it may be empty only where `may_be_empty`.
pub(super) fn text<'a>(fields: &'a Fields, name: &str, may_be_empty: bool) -> Result<&'a str, Answer> {
    match fields.get(name) {
        Some(text) if may_be_empty || !text.trim().is_empty() => Ok(text),
        _ => Err(error(400, &format!("Falta {name}"))),
    }
}

/// A row of digits of that length.
pub(super) fn number<'a>(fields: &'a Fields, name: &str, length: usize) -> Result<&'a str, Answer> {
    let text = text(fields, name, false)?;
    let right = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    if right { Ok(text) } else { Err(error(400, &format!("{name} debe tener {length} dígitos"))) }
}

fn either(answer: Result<Answer, Answer>) -> Answer {
    answer.unwrap_or_else(|refused| refused)
}

#[derive(Serialize)]
struct LinkAnswer {
    status: &'static str,
    link: String,
    link_id: u64,
}

#[derive(Deserialize)]
struct ShareForm<'a> {
    cvu: String,
    #[serde(borrow)]
    amount: &'a RawValue,
}

/// `POST v2/payment/cashin/link/generate`
pub(super) fn link(world: &World, fields: &Fields) -> Answer {
    either(made_link(world, fields))
}

fn made_link(world: &World, fields: &Fields) -> Result<Answer, Answer> {
    let amount = amount(fields)?;
    let concept = text(fields, "concept", false)?;
    // `Y-m-d H:m:s`, taken as hours, minutes and seconds.
    let printed = text(fields, "expiration_date", false)?;
    let expires = strtime::parse("%Y-%m-%d %H:%M:%S", printed).and_then(|parsed| parsed.to_datetime());
    let Some(expires) = expires.ok().filter(|expires: &DateTime| *expires > world.wall_clock()) else {
        return Err(error(400, "expiration_date debe ser posterior a hoy (Y-m-d H:m:s)"));
    };
    let multiple_use = match text(fields, "multiple_use", false)? {
        "true" | "1" => true,
        "false" | "0" => false,
        _ => return Err(error(400, "multiple_use debe ser bool")),
    };
    let distribution = match fields.get("distribution") {
        None => Vec::new(),
        Some(text) => shares(text).ok_or_else(|| error(400, "distribution inválida"))?,
    };
    if distribution.iter().fold(0_i64, |sum, (_, part)| sum.saturating_add(part.cents())) > amount.cents() {
        return Err(error(400, "distribution supera el monto"));
    }
    let link_id = world.telepagos_link(amount, |link| {
        concept.clone_into(&mut link.concept);
        link.multiple_use = multiple_use;
        link.expires = expires;
        link.distribution = distribution;
    });
    let link = format!("https://pagos.example.com/link/{link_id}");
    Ok(Answer::of(200, &LinkAnswer { status: "ok", link, link_id }))
}

fn shares(text: &str) -> Option<Vec<(String, Money)>> {
    let forms: Vec<ShareForm<'_>> = serde_json::from_str(text).ok()?;
    let share = |form: ShareForm<'_>| {
        let right = form.cvu.len() == 22 && form.cvu.bytes().all(|byte| byte.is_ascii_digit());
        Some((form.cvu, decimal(form.amount.get())?)).filter(|_| right)
    };
    forms.into_iter().map(share).collect()
}

#[derive(Serialize)]
struct QrAnswer {
    status: &'static str,
    qr_code: String,
    qr_order_id: u64,
}

/// `POST v2/payment/cashin/qr/generate`
pub(super) fn qr(world: &World, fields: &Fields) -> Answer {
    either(charge(fields).and_then(|(amount, concept, description)| {
        let order = world.telepagos_qr_order(amount, concept, description, None);
        let qr_order_id = order.ok_or_else(|| error(404, "Punto de venta inexistente"))?;
        Ok(Answer::of(200, &QrAnswer { status: "ok", qr_code: code("dinamico", qr_order_id), qr_order_id }))
    }))
}

/// Something that looks like an EMV code: invented, but well formed in its first fields.
fn code(kind: &str, number: u64) -> String {
    let name = format!("{kind}-{number}");
    format!("00020101021243{:02}{name}5802AR", name.len())
}

fn charge(fields: &Fields) -> Result<(Money, &str, &str), Answer> {
    Ok((amount(fields)?, text(fields, "concept", false)?, text(fields, "description", true)?))
}

#[derive(Serialize)]
struct TransferAnswer {
    status: &'static str,
    payment_link: String,
}

/// `POST v2/payment/cashin/transfer/generate`
pub(super) fn transfer(world: &World, fields: &Fields) -> Answer {
    either(charge(fields).and_then(|(amount, concept, _)| {
        number(fields, "cvu", 22)?;
        number(fields, "cuit", 11)?;
        let id = world.telepagos_link(amount, |link| concept.clone_into(&mut link.concept));
        let payment_link = format!("https://pagos.example.com/transferencia/{id}");
        Ok(Answer::of(200, &TransferAnswer { status: "ok", payment_link }))
    }))
}

#[derive(Serialize)]
struct StaticQrAnswer {
    status: &'static str,
    qr_code: String,
}

/// `GET v2/payment/cashin/qr/sale-point/static`
pub(super) fn static_qr(world: &World, fields: &Fields) -> Answer {
    let Some(kind @ ("open" | "closed")) = fields.get("type_amount").map(String::as_str) else {
        return error(400, "type_amount debe ser closed u open");
    };
    let point = fields.get("sale_point_id").and_then(|id| id.parse::<u64>().ok());
    match world.telepagos_sale_points().into_iter().find(|known| Some(known.id) == point) {
        Some(known) => Answer::of(200, &StaticQrAnswer { status: "ok", qr_code: code(kind, known.id) }),
        None => error(404, "Punto de venta inexistente"),
    }
}

#[derive(Serialize)]
struct OrderAnswer {
    status: &'static str,
    qr_order_id: u64,
}

/// `POST v2/payment/cashin/qr/static/order`
pub(super) fn static_order(world: &World, fields: &Fields) -> Answer {
    either(charge(fields).and_then(|(amount, concept, description)| {
        let point = fields.get("sale_point_id").and_then(|id| id.parse::<u64>().ok());
        let point = point.ok_or_else(|| error(400, "sale_point_id debe ser int"))?;
        let order = world.telepagos_qr_order(amount, concept, description, Some(point));
        let qr_order_id = order.ok_or_else(|| error(404, "Punto de venta inexistente"))?;
        Ok(Answer::of(200, &OrderAnswer { status: "ok", qr_order_id }))
    }))
}
