//! Cash-outs, their vouchers, and the brand's statistics, as TelePagos' document prints them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::charges::{amount, number, text};
use super::{Answer, Fields, error};
use crate::domain::money::Money;
use crate::sandbox::upstreams::raw::Raw;
use crate::sandbox::world::{CashoutDone, CashoutOrder, CashoutRefusal, World};

#[derive(Serialize)]
struct Sent {
    status: &'static str,
    id: u64,
}

/// `POST v2/payment/cashout`
pub(super) fn cashout(world: &World, fields: &Fields) -> Answer {
    let order = match order(fields) {
        Ok(order) => order,
        Err(refused) => return refused,
    };
    match world.telepagos_cashout(order) {
        Ok(id) => Answer::of(200, &Sent { status: "ok", id }),
        Err(CashoutRefusal::OtherData) => error(409, "reference_id ya fue utilizado con otros datos"),
        Err(CashoutRefusal::Balance) => error(400, "Saldo insuficiente"),
    }
}

/// "Debe informarse cvu o alias, no ambos"
fn order(fields: &Fields) -> Result<CashoutOrder, Answer> {
    let to = match (fields.contains_key("cvu"), fields.contains_key("alias")) {
        (true, false) => number(fields, "cvu", 22)?,
        (false, true) => text(fields, "alias", false)?,
        _ => return Err(error(400, "Debe informarse cvu o alias, no ambos")),
    };
    Ok(CashoutOrder {
        to: to.to_owned(),
        cuit: number(fields, "cuit", 11)?.to_owned(),
        amount: amount(fields)?,
        reference_id: text(fields, "reference_id", false)?.to_owned(),
        concept: text(fields, "concept", false)?.to_owned(),
        description: text(fields, "description", true)?.to_owned(),
    })
}

#[derive(Serialize)]
struct VoucherAnswer {
    status: &'static str,
    voucher: String,
}

/// `GET v2/payment/cashout/{id}`
pub(super) fn voucher(world: &World, id: &str) -> Answer {
    match id.parse().ok().and_then(|id| world.telepagos_cashout_of(id)) {
        Some(done) => Answer::of(200, &VoucherAnswer { status: "ok", voucher: STANDARD.encode(pdf(&done)) }),
        None => error(404, "Transferencia inexistente"),
    }
}

/// The smallest page that a PDF reader opens: catalogue, pages, page, font, and a line of text (ISO 32000-1, 7.5).
fn pdf(done: &CashoutDone) -> Vec<u8> {
    let line = format!("Comprobante {} {} ARS {}", done.id, done.at, done.order.amount);
    // Of what the text may hold only these would end it.
    let line: String = line.chars().filter(|c| c.is_ascii() && !matches!(c, '(' | ')' | '\\')).collect();
    let text = format!("BT /F1 12 Tf 40 800 Td ({line}) Tj ET");
    let objects = [
        String::from("<</Type/Catalog/Pages 2 0 R>>"),
        String::from("<</Type/Pages/Kids[3 0 R]/Count 1>>"),
        String::from(
            "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<</Font<</F1 4 0 R>>>>/Contents 5 0 R>>",
        ),
        String::from("<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"),
        format!("<</Length {}>>\nstream\n{text}\nendstream", text.len()),
    ];
    let mut file = String::from("%PDF-1.4\n");
    let mut table = String::from("0000000000 65535 f \n");
    for (number, object) in (1..).zip(&objects) {
        table = [table, format!("{:010} 00000 n \n", file.len())].concat();
        file = [file, format!("{number} 0 obj\n{object}\nendobj\n")].concat();
    }
    let (start, size) = (file.len(), objects.len() + 1);
    [file, format!("xref\n0 {size}\n{table}trailer\n<</Size {size}/Root 1 0 R>>\nstartxref\n{start}\n%%EOF\n")]
        .concat()
        .into_bytes()
}

#[derive(Serialize)]
struct Statics {
    status: &'static str,
    data: ([OpenCvus; 1], [Totals; 1], [Services; 1], [Messages; 1]),
}

#[derive(Serialize)]
struct OpenCvus {
    count_open_cvu: usize,
}

#[derive(Serialize)]
struct Totals {
    total_cashout: Option<Raw>,
    total_cashin: Option<Raw>,
}

#[derive(Serialize)]
struct Services {
    count_payments_services: u64,
}

#[derive(Serialize)]
struct Messages {
    count_sent_sms: u64,
}

/// `GET v2/whitelabel/statics/{period}`. What a period is, is said nowhere: here the beginning of a date, `2026-11`.
pub(super) fn statics(world: &World, period: &str) -> Answer {
    if !world.owns_brand() {
        return error(403, "Solo para la cuenta recaudadora");
    }
    if !period.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
        return error(400, "Periodo inválido");
    }
    let (cashin, cashout) = world.telepagos_turnover(period);
    let total = |sum: Money| (sum.cents() > 0).then(|| Raw::decimal(sum));
    let data = (
        [OpenCvus { count_open_cvu: world.merchants() }],
        [Totals { total_cashout: total(cashout), total_cashin: total(cashin) }],
        [Services { count_payments_services: 0 }],
        [Messages { count_sent_sms: 0 }],
    );
    Answer::of(200, &Statics { status: "ok", data })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_voucher_is_a_pdf_whose_table_points_at_its_objects() {
        let order = CashoutOrder {
            to: String::new(),
            cuit: String::new(),
            amount: Money::from_cents(150_000),
            reference_id: String::new(),
            concept: String::new(),
            description: String::new(),
        };
        let file = pdf(&CashoutDone { id: 500_001, order, at: "2026-11-21T14:00:00".parse().unwrap() });
        let text = String::from_utf8(file).unwrap();
        assert!(text.starts_with("%PDF-1.4\n") && text.ends_with("%%EOF\n"));
        let start: usize = text.rsplit("startxref\n").next().unwrap().lines().next().unwrap().parse().unwrap();
        assert!(text[start..].starts_with("xref\n0 6\n"));
        for (number, entry) in text[start..].lines().skip(3).take(5).enumerate() {
            let at: usize = entry[..10].parse().unwrap();
            assert!(text[at..].starts_with(&format!("{} 0 obj", number + 1)), "{entry}");
        }
        assert!(text.contains("(Comprobante 500001 2026-11-21T14:00:00 ARS 1500.00)"));
    }
}
