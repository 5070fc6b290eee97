//! A fault, as JSON says it.

use std::time::Duration;

use serde::Deserialize;

use crate::sandbox::script::{Face, Fault, Rule};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FaultOp {
    face: Face,
    #[serde(default)]
    path: String,
    #[serde(default)]
    mentions: String,
    #[serde(default)]
    skip: u32,
    times: Option<u32>,
    fault: FaultWord,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum FaultWord {
    Word(String),
    Status { status: u16, body: Option<String>, retry_after_s: Option<u64> },
    Slow { slow_ms: u64 },
    Body { body: String },
    Redirect { redirect: String },
    RowAmount { row_amount: String },
    Oversized { oversized: usize },
    ErrorInOk { error_in_ok: String },
    ChatFlood { chat_flood: u32 },
    ChatMigrated { chat_migrated: i64 },
}

impl TryFrom<FaultOp> for Rule {
    type Error = String;

    fn try_from(said: FaultOp) -> Result<Self, String> {
        let FaultOp { face, path, mentions, skip, times, fault } = said;
        let fault = match fault {
            FaultWord::Word(word) => named(&word).ok_or_else(|| format!("unknown fault `{word}`"))?,
            FaultWord::Status { status, body, retry_after_s } => {
                if !(200..600).contains(&status) {
                    return Err(String::from("`status` must be from 200 to 599"));
                }
                status_fault(status, body, retry_after_s)
            }
            FaultWord::Slow { slow_ms } => Fault::Slow(Duration::from_millis(slow_ms)),
            FaultWord::Body { body } => Fault::Body(body),
            FaultWord::Redirect { redirect } => Fault::Redirect(redirect),
            FaultWord::RowAmount { row_amount } => Fault::RowAmount(row_amount),
            FaultWord::Oversized { oversized } => Fault::Oversized(oversized),
            FaultWord::ErrorInOk { error_in_ok } => Fault::ErrorInOk(error_in_ok),
            FaultWord::ChatFlood { chat_flood } => Fault::chat_flood(chat_flood),
            FaultWord::ChatMigrated { chat_migrated } => Fault::chat_migrated(chat_migrated),
        };
        Ok(Self { face, path: path.trim_start_matches('/').to_owned(), mentions, skip, times, fault })
    }
}

fn status_fault(status: u16, body: Option<String>, retry_after_s: Option<u64>) -> Fault {
    let retry_after = retry_after_s.map(Duration::from_secs);
    match body {
        Some(body) => Fault::Status { status, body, retry_after },
        None => match retry_after {
            Some(retry_after) => Fault::slow_down(status, retry_after),
            None => Fault::status(status),
        },
    }
}

fn named(word: &str) -> Option<Fault> {
    Some(match word {
        "html" => Fault::Html,
        "truncated" => Fault::Truncated,
        "cut_off" => Fault::CutOff,
        "hang" => Fault::Hang { after_effect: false },
        "hang_after_effect" => Fault::Hang { after_effect: true },
        "reset" => Fault::Reset { after_effect: false },
        "reset_after_effect" => Fault::Reset { after_effect: true },
        "token_expiry" => Fault::TokenExpiry,
        "page_shift" => Fault::PageShift,
        "repeated_page" => Fault::RepeatedPage,
        "lying_totals" => Fault::LyingTotals,
        "endless_pages" => Fault::EndlessPages,
        "row_without_date" => Fault::RowWithoutDate,
        "chat_blocked" => Fault::chat_blocked(),
        "chat_not_found" => Fault::chat_not_found(),
        "chat_bad_markup" => Fault::chat_bad_markup(),
        "chat_dead_topic" => Fault::chat_dead_topic(),
        _ => return None,
    })
}
