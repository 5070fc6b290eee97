//! `POST /_control`: the world and the script for people and other processes. It answers on every HTTP port.
//!
//! The body is one JSON object. Its `op` says what to do, the other fields are the operation's own; an unknown field or
//! a wrong type is answered 400 with `{"ok":false,"message":…}`, everything else 200 with `{"ok":true,…}`. Amounts are
//! strings of pesos with a dot: `"1500.00"`. `merchant` (a name) is optional everywhere and makes a further merchant.
//!
//! ```text
//! curl -s localhost:PORT/_control -d '{"op":"credit","amount":"1500.00"}'        → {"ok":true,"row":1}
//!
//! TelePagos   credit {amount, status?, holder?, at?}     pending {amount}       debit {amount}
//!             twin {row}    refund {row}                 status {row, status}   amend {row, holder}
//!             hide {row}    show {row}                   back_date {row, at}    ("2026-11-20T23:59:00")
//!             cashin {amount, via: "link"|"qr"|"plain"}  → id                   expire_tokens
//!             link {amount, multiple_use?, expires?} → link                 link_pay {link}           → id of the cash-in
//!             qr_order {amount, sale_point?}         → order                qr_pay {order}            → id of the cash-in
//!             sale_point {name}                      → sale_point           sale_point_delete {sale_point}
//! Sipago      sale {amount}                              → movement
//!             sale_refund {movement, shown: "flag"|"row"|"both"}   sale_void {movement}   sale_hide, sale_show {movement}
//!             order {amount, payment_limits?, minutes?}  → uuid
//!             order_pay, order_deny, order_expire, order_fail, order_refund {uuid}
//!             deposit {amount}                       → deposit              deposit_pay {deposit}
//!             qr {amount?}                           → qr                   code_pay {qr, amount?}    → movement
//! Script      fault {face, path?, mentions?, skip?, times?, fault}  → rule      unfault {rule}   clear
//! Both        live {seconds}   truth   caught   forget   links   settings {pace_ms?, telepagos_page?, …}
//! ```
//!
//! `face` is `telepagos`, `sipago`, `telegram`, `webhook` or `mail`. `fault` is one of
//! `{"status":503,"body":"…","retry_after_s":5}` (the last two optional), `{"slow_ms":2000}`, `{"body":"[]"}`,
//! `{"redirect":"http://…"}`, `{"row_amount":"1e400"}`, `{"oversized":9000000}`, `{"error_in_ok":"mensaje"}`,
//! `{"chat_flood":7}`, `{"chat_migrated":-100123}`, or a bare word: `html`, `truncated`, `cut_off`, `hang`,
//! `hang_after_effect`, `reset`, `reset_after_effect`, `token_expiry`, `page_shift`, `repeated_page`, `lying_totals`,
//! `endless_pages`, `row_without_date`, `chat_blocked`, `chat_not_found`, `chat_bad_markup`, `chat_dead_topic`.

mod fault;
mod op;
mod trade;

use serde_json::{Map, Value, json};

use self::op::{Op, Order, Task};
use super::caught::Caught;
use super::script::{Rule, RuleId, Script};
use super::upstreams::Answer;
use super::world::{Happening, RowId, World};

/// The path.
pub(super) const PATH: &str = "/_control";

/// Does what the body says.
pub(super) fn control(world: &World, script: &Script, caught: &Caught, body: &[u8]) -> Answer {
    let done = Order::read(body).and_then(|order| {
        let world = order.merchant.as_deref().map_or_else(|| world.clone(), |name| world.merchant(name));
        match order.op {
            Task::Op(op) => run(&world, script, caught, op),
            Task::Trade(trade) => trade.run(&world),
        }
    });
    let (status, value) = match done {
        Ok(mut fields) => {
            fields.insert(String::from("ok"), Value::Bool(true));
            (200, Value::Object(fields))
        }
        Err(message) => (400, json!({ "ok": false, "message": message })),
    };
    Answer::json(status, value.to_string())
}

type Done = Result<Map<String, Value>, String>;

/// One field of a good answer.
#[expect(clippy::unnecessary_wraps, reason = "it stands where other operations may fail")]
fn with(name: &str, value: impl Into<Value>) -> Done {
    Ok(Map::from_iter([(name.to_owned(), value.into())]))
}

fn found(done: bool, what: &str) -> Done {
    if done { Ok(Map::new()) } else { Err(format!("no such {what}, or it cannot do that now")) }
}

fn run(world: &World, script: &Script, caught: &Caught, op: Op) -> Done {
    let row = |id: u64| RowId(id);
    let given = |id: Option<RowId>| id.map_or_else(|| found(false, "row"), |id| with("row", id.0));
    match op {
        Op::Credit(credit) => {
            let amount = credit.amount.0;
            given(Some(world.telepagos_credit_with(amount, |row| credit.shape(row))))
        }
        Op::Pending { amount } => given(Some(world.telepagos_pending(amount.0))),
        Op::Debit { amount } => given(Some(world.telepagos_debit(amount.0))),
        Op::Twin { row: id } => given(world.telepagos_twin(row(id))),
        Op::Refund { row: id } => given(world.telepagos_refund(row(id))),
        Op::Status { row: id, status } => found(world.telepagos_set_status(row(id), &status), "row"),
        Op::Amend { row: id, holder } => found(world.telepagos_amend_holder(row(id), &holder), "row"),
        Op::Hide { row: id } => found(world.telepagos_hide(row(id)), "row"),
        Op::Show { row: id } => found(world.telepagos_show(row(id)), "row"),
        Op::BackDate { row: id, at } => found(world.telepagos_back_date(row(id), at.0), "row"),
        Op::Cashin { amount, via } => with("id", world.telepagos_cashin(via.into(), amount.0)),
        Op::ExpireTokens => {
            world.expire_tokens();
            Ok(Map::new())
        }
        Op::Sale { amount } => with("movement", world.sipago_sale(amount.0)),
        Op::SaleRefund { movement, shown } => found(world.sipago_refund(movement, shown.into()), "movement"),
        Op::SaleVoid { movement } => found(world.sipago_void(movement), "movement"),
        Op::SaleHide { movement } => found(world.sipago_hide(movement), "movement"),
        Op::SaleShow { movement } => found(world.sipago_show(movement), "movement"),
        Op::Order { amount, payment_limits, minutes } => with(
            "uuid",
            world.order_create_with(amount.0, |order| {
                order.payment_limits = payment_limits.unwrap_or(order.payment_limits);
                order.expire_limit_minutes = minutes.unwrap_or(order.expire_limit_minutes);
            }),
        ),
        Op::OrderPay { uuid } => payment(world.order_pay(&uuid)),
        Op::OrderDeny { uuid } => payment(world.order_deny(&uuid)),
        Op::OrderRefund { uuid } => payment(world.order_refund(&uuid)),
        Op::OrderExpire { uuid } => found(world.order_expire(&uuid), "order"),
        Op::OrderFail { uuid } => found(world.order_fail(&uuid), "order"),
        Op::Fault(fault) => with("rule", script.add(Rule::try_from(fault)?).0),
        Op::Unfault { rule } => found(script.remove(RuleId(rule)), "rule"),
        Op::Clear => {
            script.clear();
            Ok(Map::new())
        }
        Op::Live { seconds } => with("happened", world.live(std::time::Duration::from_secs(seconds))),
        Op::Truth => with("truth", world.truth().iter().map(happening).collect::<Vec<Value>>()),
        Op::Caught => with("caught", shelves(caught)),
        Op::Forget => {
            caught.clear();
            Ok(Map::new())
        }
        Op::Links => with("links", world.orders()),
        Op::Settings(change) => {
            world.configure(|settings| change.apply(settings));
            Ok(Map::new())
        }
    }
}

fn payment(id: Option<u64>) -> Done {
    id.map_or_else(|| found(false, "order"), |id| with("payment", id.to_string()))
}

fn happening(happening: &Happening) -> Value {
    json!({
        "at": happening.at.to_string(),
        "upstream": happening.upstream.as_str(),
        "source": happening.source.as_str(),
        "merchant": happening.merchant,
        "kind": happening.kind.as_str(),
        "identity": happening.identity,
        "amount": happening.amount.to_string(),
    })
}

fn shelves(caught: &Caught) -> Value {
    caught.look(|shelves| {
        let webhooks: Vec<Value> = shelves
            .webhooks
            .iter()
            .map(|hook| {
                json!({
                    "name": hook.name, "at": hook.at.to_string(), "headers": hook.headers,
                    "body": String::from_utf8_lossy(&hook.body), "answered": hook.answered,
                })
            })
            .collect();
        let mails: Vec<Value> = shelves
            .mails
            .iter()
            .map(|mail| {
                json!({ "at": mail.at.to_string(), "from": mail.from, "to": mail.to, "user": mail.user, "data": mail.text() })
            })
            .collect();
        let chats: Vec<Value> = shelves
            .chats
            .iter()
            .map(|message| {
                json!({
                    "at": message.at.to_string(), "chat_id": message.chat_id, "message_id": message.message_id,
                    "thread_id": message.thread_id, "text": message.text, "parse_mode": message.parse_mode,
                    "reply_to": message.reply_to, "edit": message.edit,
                })
            })
            .collect();
        json!({ "webhooks": webhooks, "mails": mails, "chats": chats })
    })
}

#[cfg(test)]
mod tests;
