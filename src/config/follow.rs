//! `follow` of a TelePagos account: cash-ins that are looked for although nobody names them.

use super::problem::Read;
use super::section::Section;

/// The highest first id: far beyond what an upstream counts to, and far from the end of the numbers.
const HIGHEST: u64 = 1_000_000_000_000_000_000;

/// The most ids beyond the highest known one.
const MOST_AHEAD: u64 = 1_000;

/// Where to look for cash-ins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FollowConfig {
    /// The first id, from 1 on.
    pub from: u64,
    /// How many ids beyond the highest known one, 1 to 1,000.
    pub ahead: u64,
}

/// `follow = { from = 123456, ahead = 20 }`; `None` where it is not written.
pub(super) fn follow(section: &Section<'_>) -> Read<Option<FollowConfig>> {
    let follow = section.section("follow");
    if follow.is_empty() {
        return Ok(None);
    }
    let from = follow.required("from", "123456", |field| super::accounts::cashin_id(field, HIGHEST));
    let ahead = follow.or("ahead", 20, |field| field.whole(1..=MOST_AHEAD));
    follow.refuse_unknown_keys();
    Ok(Some(FollowConfig { from: from?, ahead: ahead? }))
}
