//! Sipago, as its document prints it.
//!
//! "Error de parámetros" is HTTP 500 with the body that the document prints; the two 401 bodies are its very words.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::movement::MovementRow;
use super::raw::Raw;
use super::{Answer, Question, buttons, deposits, order, page_of};
use crate::domain::day::Day;
use crate::domain::money::Money;
use crate::sandbox::script::Twist;
use crate::sandbox::world::{Sale, World};

/// Answers `path`, which stands behind `services/`.
pub(super) fn answer(world: &World, question: &Question, path: &str, twist: &Twist) -> Answer {
    let Some(key) = question.header("apikey") else {
        return refused("Missing API key found in request");
    };
    let Some(merchant) = world.by_api_key(key) else {
        return refused("Invalid API key in request");
    };
    let traced = question.header("x-trace-id").and_then(|id| uuid::Uuid::parse_str(id).ok());
    let traced = traced.is_some_and(|id| id.get_version_num() == 4);
    if !traced || question.header("x-version").is_none_or(str::is_empty) {
        return failure(world, 500);
    }
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    match (question.method.as_str(), segments.as_slice()) {
        ("POST", ["transactions", "page", page]) => movements(&merchant, page, question, twist),
        ("GET", ["transactions", "code", code]) => by_code(&merchant, code, twist),
        ("GET", ["checkout", "getLink", uuid]) => link(&merchant, uuid, twist),
        ("POST", ["deposits", list @ ("paid" | "pending"), "page", page]) => {
            deposits::list(&merchant, *list == "paid", page, question, twist).unwrap_or_else(|| failure(world, 500))
        }
        ("POST", ["api", "paymentButtonsToken"]) => buttons::link(&merchant, question),
        ("GET", ["api", "paymentQr"]) => buttons::open_qr(&merchant),
        ("POST", ["api", "paymentQr"]) => buttons::qr(&merchant, question),
        (
            _,
            ["transactions", "page" | "code", _]
            | ["checkout", "getLink", _]
            | ["deposits", _, "page", _]
            | ["api", "paymentButtonsToken" | "paymentQr"],
        ) => failure(world, 405),
        _ => failure(world, 404),
    }
}

#[derive(Serialize)]
struct Refused {
    message: &'static str,
}

fn refused(message: &'static str) -> Answer {
    Answer::of(401, &Refused { message })
}

#[derive(Serialize)]
struct Failure {
    status: u16,
    message: String,
    timestamp: String,
}

fn failure(world: &World, status: u16) -> Answer {
    let timestamp = world.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    Answer::of(status, &Failure { status, message: format!("status {status}"), timestamp })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Window {
    start_date: String,
    end_date: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listing {
    page: usize,
    exist_more: bool,
    list_trx: Vec<MovementRow>,
}

fn movements(world: &World, page: &str, question: &Question, twist: &Twist) -> Answer {
    let window = serde_json::from_slice::<Window>(&question.body).ok();
    let day = |text: &str| Day::parse(text).map(Day::date);
    let days: Option<(Date, Date)> = window.and_then(|window| Some((day(&window.start_date)?, day(&window.end_date)?)));
    let (Some((from, to)), Ok(page)) = (days, page.parse::<usize>()) else {
        return failure(world, 500);
    };
    if from > to {
        return failure(world, 500);
    }
    if *twist == Twist::PageShift && page > 0 {
        world.sipago_sale(Money::from_cents(123_400));
    }
    let size = world.settings().sipago_page.max(1);
    let rows = world.sipago_listing(from, to);
    let pages = rows.len().div_ceil(size).max(1);
    let exist_more = page + 1 < pages || *twist == Twist::EndlessPages;
    let shown = match twist {
        Twist::RepeatedPage => page.saturating_sub(1),
        Twist::EndlessPages => page % pages,
        Twist::Straight
        | Twist::TokenExpiry
        | Twist::PageShift
        | Twist::LyingTotals
        | Twist::RowWithoutDate
        | Twist::RowAmount(_) => page,
    };
    let list_trx = printed(world, page_of(rows, shown, size), twist);
    let page = if *twist == Twist::LyingTotals { page.saturating_add(1) } else { page };
    Answer::of(200, &Listing { page, exist_more, list_trx })
}

fn by_code(world: &World, code: &str, twist: &Twist) -> Answer {
    Answer::of(200, &printed(world, world.sipago_by_code(code), twist))
}

fn printed(world: &World, sales: Vec<Sale>, twist: &Twist) -> Vec<MovementRow> {
    let cents = world.settings().movements_in_cents;
    let mut rows: Vec<MovementRow> = sales.into_iter().map(|sale| MovementRow::of(sale, cents)).collect();
    if let Some(first) = rows.first_mut() {
        match twist {
            Twist::RowWithoutDate => first.date_time = None,
            Twist::RowAmount(text) => first.amount = Raw(text.clone()),
            Twist::Straight
            | Twist::TokenExpiry
            | Twist::PageShift
            | Twist::RepeatedPage
            | Twist::LyingTotals
            | Twist::EndlessPages => {}
        }
    }
    rows
}

/// Whether a uuid that is well formed but unknown is 404 or 500 is said nowhere: it is a setting of the world.
fn link(world: &World, uuid: &str, twist: &Twist) -> Answer {
    let Ok(well_formed) = uuid::Uuid::parse_str(uuid) else {
        return failure(world, 500);
    };
    let settings = world.settings();
    match world.order(&well_formed.to_string()) {
        Some(order) => {
            let amount = match twist {
                Twist::RowAmount(text) => Raw(text.clone()),
                Twist::Straight
                | Twist::TokenExpiry
                | Twist::PageShift
                | Twist::RepeatedPage
                | Twist::LyingTotals
                | Twist::EndlessPages
                | Twist::RowWithoutDate => Raw::cents(order.amount),
            };
            let printed = order::OrderForm::of(order, amount);
            if settings.order_as_list { Answer::of(200, &[printed]) } else { Answer::of(200, &printed) }
        }
        None => failure(world, settings.unknown_order),
    }
}
