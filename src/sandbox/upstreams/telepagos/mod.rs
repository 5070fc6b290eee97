//! TelePagos, as its document prints it.
//!
//! The document gives no HTTP status of an error; here a refused token is 401, an unknown id 404, a bad filter 400.

mod charges;
mod payouts;
mod points;

use hyper::Method;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use self::charges::{link, qr, static_order, static_qr, transfer};
use super::raw::Raw;
use super::{Answer, Fields, Question, fields, page_of};
use crate::domain::day::Day;
use crate::domain::money::Money;
use crate::sandbox::script::Twist;
use crate::sandbox::world::{Cashin, Expiry, Operation, Settings, Transaction, World};

/// Answers `path`, which begins with `v2/`.
pub(super) fn answer(world: &World, question: &Question, path: &str, twist: &Twist) -> Answer {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    if segments == ["v2", "auth", "token"] {
        return if question.method == Method::POST { token(world, question) } else { wrong_verb() };
    }
    if *twist == Twist::TokenExpiry {
        world.expire_tokens();
    }
    let bearer = question.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    let Some(world) = bearer.and_then(|token| world.by_token(token)) else {
        return error(401, "Token inválido o vencido");
    };
    let Some((_, path)) = segments.split_first() else { return error(404, "Ruta inexistente") };
    let fields = || fields(question);
    match (question.method.as_str(), path) {
        ("GET", ["account", "transactions"]) => transactions(&world, &fields(), twist),
        ("GET", ["account", "transactions_filters"]) => operations(),
        ("GET", ["account", "balance"]) => balance(&world),
        ("GET", ["payment", "concepts"]) => concepts(),
        ("POST", ["payment", "cashout"]) => payouts::cashout(&world, &fields()),
        ("GET", ["payment", "cashout", id]) => payouts::voucher(&world, id),
        ("GET", ["whitelabel", "statics", period]) => payouts::statics(&world, period),
        (verb, ["payment", "cashin", rest @ ..]) => cashins(&world, verb, rest, &fields(), twist),
        (
            _,
            ["account", "transactions" | "transactions_filters" | "balance"]
            | ["payment", "concepts" | "cashout"]
            | ["payment", "cashout", _]
            | ["whitelabel", "statics", _],
        ) => wrong_verb(),
        _ => error(404, "Ruta inexistente"),
    }
}

/// What stands behind `v2/payment/cashin/`.
fn cashins(world: &World, verb: &str, path: &[&str], fields: &Fields, twist: &Twist) -> Answer {
    match (verb, path) {
        ("POST", ["link", "generate"]) => link(world, fields),
        ("POST", ["qr", "generate"]) => qr(world, fields),
        ("POST", ["transfer", "generate"]) => transfer(world, fields),
        ("GET", ["qr", "sale-point"]) => points::list(world),
        ("POST", ["qr", "sale-point"]) => points::create(world, fields),
        ("DELETE", ["qr", "sale-point"]) => points::delete(world, fields),
        ("GET", ["qr", "sale-point", "static"]) => static_qr(world, fields),
        ("POST", ["qr", "static", "order"]) => static_order(world, fields),
        ("GET", [id]) => cashin(world, id, twist),
        (
            _,
            [_]
            | ["link" | "qr" | "transfer", "generate"]
            | ["qr", "sale-point"]
            | ["qr", "sale-point", "static"]
            | ["qr", "static", "order"],
        ) => wrong_verb(),
        _ => error(404, "Ruta inexistente"),
    }
}

#[derive(Serialize)]
struct Failure<'a> {
    status: &'static str,
    message: &'a str,
}

fn error(status: u16, message: &str) -> Answer {
    Answer::of(status, &Failure { status: "error", message })
}

fn wrong_verb() -> Answer {
    error(405, "Método no permitido")
}

#[derive(Serialize)]
struct Login<'a> {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<&'a str>,
    expires_at: serde_json::Value,
}

fn token(world: &World, question: &Question) -> Answer {
    let fields = fields(question);
    let (Some(username), Some(password)) = (fields.get("username"), fields.get("password")) else {
        return error(400, "Faltan username o password");
    };
    let Some((text, until)) = world.log_in(username, password) else {
        return error(401, "Usuario o contraseña incorrectos");
    };
    let settings = world.settings();
    let text = text.as_str();
    Answer::of(
        200,
        &Login {
            status: "ok",
            token: (!settings.access_token).then_some(text),
            access_token: settings.access_token.then_some(text),
            expires_at: expiry(world, &settings, until),
        },
    )
}

fn expiry(world: &World, settings: &Settings, until: Timestamp) -> serde_json::Value {
    match settings.expiry {
        Expiry::Epoch => until.as_second().into(),
        Expiry::EpochText => until.as_second().to_string().into(),
        Expiry::Local => world.wall_clock_at(until).strftime("%Y-%m-%d %H:%M:%S").to_string().into(),
    }
}

#[derive(Serialize)]
struct Listing {
    status: &'static str,
    transactions: Vec<Row>,
    #[serde(flatten)]
    paging: Option<Paging>,
}

#[derive(Serialize)]
struct Paging {
    number_of_results: usize,
    page: usize,
    pages: usize,
    pagination: usize,
}

#[derive(Serialize)]
struct Row {
    income: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    date: Option<String>,
    amount: Raw,
    operation: String,
    holder: String,
    cuit: String,
    cvu_cbu: String,
    status: String,
    sale_point_name: String,
}

impl From<Transaction> for Row {
    fn from(row: Transaction) -> Self {
        Self {
            income: row.income,
            date: Some(row.at.strftime("%Y-%m-%d %H:%M:%S").to_string()),
            amount: Raw::text(row.amount),
            operation: row.operation,
            holder: row.holder,
            cuit: row.cuit,
            cvu_cbu: row.cvu_cbu,
            status: row.status,
            sale_point_name: row.sale_point_name,
        }
    }
}

fn day(fields: &Fields, name: &str) -> Option<Date> {
    fields.get(name).and_then(|text| Day::parse(text)).map(Day::date)
}

fn transactions(world: &World, fields: &Fields, twist: &Twist) -> Answer {
    let (Some(from), Some(to)) = (day(fields, "date_from"), day(fields, "date_to")) else {
        return error(400, "date_from y date_to son obligatorios (Y-m-d)");
    };
    if from > to {
        return error(400, "date_from es posterior a date_to");
    }
    let paginate = match fields.get("paginate").map(String::as_str) {
        None | Some("0" | "false") => false,
        Some("1" | "true") => true,
        Some(_) => return error(400, "paginate debe ser 0 o 1"),
    };
    let page = match fields.get("page").map(|page| page.parse::<usize>()) {
        None => 1,
        Some(Ok(page)) if page >= 1 => page,
        Some(_) => return error(400, "page debe ser un entero desde 1"),
    };
    if *twist == Twist::PageShift && paginate && page > 1 {
        world.telepagos_credit(Money::from_cents(123_400));
    }
    let mut rows = world.telepagos_listing(from, to);
    if let Some(wanted) = fields.get("operation").filter(|wanted| !wanted.is_empty()) {
        let named = Operation::ALL.iter().find(|known| known.id == wanted).map_or(wanted.as_str(), |known| known.name);
        rows.retain(|row| row.operation == named);
    }
    let (rows, paging) = if paginate {
        let (rows, paging) = cut(rows, page, world.settings().telepagos_page.max(1), twist);
        (rows, Some(paging))
    } else {
        (rows, None)
    };
    let mut transactions: Vec<Row> = rows.into_iter().map(Row::from).collect();
    if let Some(first) = transactions.first_mut() {
        match twist {
            Twist::RowWithoutDate => first.date = None,
            Twist::RowAmount(text) => first.amount = Raw(text.clone()),
            Twist::Straight
            | Twist::TokenExpiry
            | Twist::PageShift
            | Twist::RepeatedPage
            | Twist::LyingTotals
            | Twist::EndlessPages => {}
        }
    }
    Answer::of(200, &Listing { status: "ok", transactions, paging })
}

/// One page, counted from 1, with the totals as they are or as the twist tells them.
fn cut(rows: Vec<Transaction>, page: usize, size: usize, twist: &Twist) -> (Vec<Transaction>, Paging) {
    let number_of_results = rows.len();
    let pages = number_of_results.div_ceil(size).max(1);
    let paging = Paging { number_of_results, page, pages, pagination: size };
    match twist {
        Twist::RepeatedPage => (page_of(rows, page.saturating_sub(2), size), paging),
        Twist::LyingTotals => (
            page_of(rows, page - 1, size),
            Paging { number_of_results: number_of_results.saturating_add(page), ..paging },
        ),
        Twist::EndlessPages => {
            (page_of(rows, (page - 1) % pages, size), Paging { pages: page.saturating_add(1), ..paging })
        }
        Twist::Straight | Twist::TokenExpiry | Twist::PageShift | Twist::RowWithoutDate | Twist::RowAmount(_) => {
            (page_of(rows, page - 1, size), paging)
        }
    }
}

#[derive(Serialize)]
struct Operations {
    status: &'static str,
    operations: Vec<OperationRow>,
}

#[derive(Serialize)]
struct OperationRow {
    id: &'static str,
    name: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
}

fn operations() -> Answer {
    let operations =
        Operation::ALL.into_iter().map(|Operation { id, name, kind }| OperationRow { id, name, kind }).collect();
    Answer::of(200, &Operations { status: "ok", operations })
}

#[derive(Serialize)]
struct Balance {
    status: &'static str,
    amount: i64,
}

/// The document says "integer"; pesos or cents is not said. Here: whole pesos.
fn balance(world: &World) -> Answer {
    Answer::of(200, &Balance { status: "ok", amount: world.telepagos_balance().cents().div_euclid(100) })
}

#[derive(Serialize)]
struct Concepts {
    status: &'static str,
    concepts: [&'static str; 5],
}

fn concepts() -> Answer {
    Answer::of(200, &Concepts { status: "ok", concepts: ["VAR", "ALQ", "FAC", "HON", "SRV"] })
}

#[derive(Serialize)]
struct CashinAnswer {
    status: &'static str,
    buyer: BuyerForm,
    amount: Raw,
    concept: String,
    description: String,
    transaction_id: u64,
    qr_order_id: Option<u64>,
    link_id: Option<u64>,
}

/// The document prints a list that holds keys, which is no JSON: readers must take both ways to mend it.
#[derive(Serialize)]
#[serde(untagged)]
enum BuyerForm {
    List([Buyer; 1]),
    Object(Buyer),
}

#[derive(Serialize)]
struct Buyer {
    cuit: String,
    cvu: String,
}

fn cashin(world: &World, id: &str, twist: &Twist) -> Answer {
    let Some(cashin) = id.parse().ok().and_then(|id| world.telepagos_cashin_of(id)) else {
        return error(404, "Acreditación inexistente");
    };
    let Cashin { id: _, cuit, cvu, amount, concept, description, transaction_id, qr_order_id, link_id } = cashin;
    let buyer = Buyer { cuit, cvu };
    let buyer = if world.settings().buyer_as_list { BuyerForm::List([buyer]) } else { BuyerForm::Object(buyer) };
    let amount = match twist {
        Twist::RowAmount(text) => Raw(text.clone()),
        Twist::Straight
        | Twist::TokenExpiry
        | Twist::PageShift
        | Twist::RepeatedPage
        | Twist::LyingTotals
        | Twist::EndlessPages
        | Twist::RowWithoutDate => Raw::decimal(amount),
    };
    Answer::of(
        200,
        &CashinAnswer { status: "ok", buyer, amount, concept, description, transaction_id, qr_order_id, link_id },
    )
}
