//! Sipago's payment links and QR codes, as its documents print them.

use serde::Serialize;

use super::{Answer, Fields, Question, fields};
use crate::domain::money::{Money, Unit};
use crate::sandbox::world::{ShopQr, World};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LinkAnswer {
    success: &'static str,
    success_url: String,
    whatsapp_url: String,
    facebook_url: String,
}

/// `POST /api/paymentButtonsToken`
pub(super) fn link(world: &World, question: &Question) -> Answer {
    let fields = fields(question);
    let Some(amount) = amount(world, &fields, "amount") else { return invalid("amount") };
    let Some(description) = fields.get("description").cloned() else { return invalid("description") };
    let uuid = world.order_create_with(amount, |order| order.item = description);
    let success_url = format!("https://checkout.example.com/orders/{uuid}");
    Answer::of(
        200,
        &LinkAnswer {
            success: "OK",
            whatsapp_url: format!("https://wa.me/?text={success_url}"),
            facebook_url: format!("https://www.facebook.com/sharer/sharer.php?u={success_url}"),
            success_url,
        },
    )
}

/// A JSON number in the unit of the movements, of more than nothing.
fn amount(world: &World, fields: &Fields, name: &str) -> Option<Money> {
    let unit = if world.settings().movements_in_cents { Unit::Cents } else { Unit::Pesos };
    Money::from_json_number(fields.get(name)?, unit).ok().filter(|amount| amount.cents() > 0)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invalid {
    status_text: &'static str,
    json_schema_validation: bool,
    validations: Validations,
}

#[derive(Serialize)]
struct Validations {
    body: [Flaw; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Flaw {
    keyword: &'static str,
    data_path: &'static str,
    schema_path: &'static str,
    params: Params,
    message: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Params {
    missing_property: &'static str,
}

/// "Si no se envía 'amount'"
fn invalid(name: &'static str) -> Answer {
    let flaw = Flaw {
        keyword: "required",
        data_path: "",
        schema_path: "#/required",
        params: Params { missing_property: name },
        message: format!("should have required property '{name}'"),
    };
    let validations = Validations { body: [flaw] };
    Answer::of(400, &Invalid { status_text: "Bad Request", json_schema_validation: true, validations })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct QrAnswer {
    success: &'static str,
    data: QrData,
    whatsapp_url: String,
    facebook_url: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct QrData {
    id: u64,
    img_url: String,
    qr_string: String,
    subscription_url: String,
    hash: String,
}

/// `GET /api/paymentQr`: the payer types the amount.
pub(super) fn open_qr(world: &World) -> Answer {
    printed(&world.sipago_qr(None))
}

/// `POST /api/paymentQr`
pub(super) fn qr(world: &World, question: &Question) -> Answer {
    match amount(world, &fields(question), "totalAmount") {
        Some(amount) => printed(&world.sipago_qr(Some(amount))),
        None => invalid("totalAmount"),
    }
}

fn printed(code: &ShopQr) -> Answer {
    let page = format!("https://qr.example.com/{}", code.id);
    Answer::of(
        200,
        &QrAnswer {
            success: "ok",
            data: QrData {
                id: code.id,
                img_url: format!("{page}.png"),
                qr_string: format!("000201010212430{}5802AR", code.id),
                subscription_url: format!("{page}/sub"),
                hash: format!("{:016x}", code.id),
            },
            whatsapp_url: format!("https://wa.me/?text={page}"),
            facebook_url: format!("https://www.facebook.com/sharer/sharer.php?u={page}"),
        },
    )
}
