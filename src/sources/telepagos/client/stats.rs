//! Statistics of a brand, for whoever owns its collecting account.

use serde::Serialize;
use serde_json::value::RawValue;

use super::TelepagosClient;
use super::account::record;
use crate::sources::record::Record;
use crate::sources::{Amount, CallError, Extra, rules};

/// `GET v2/whitelabel/statics/{period}`. The upstream prints lists of lists of one; here they are one record.
#[derive(Clone, Debug, Serialize)]
pub struct Stats {
    /// Open CVUs.
    pub count_open_cvu: Option<u64>,
    /// Money sent; by the account's dialect. Null in the document's sample.
    pub total_cashout: Amount,
    /// Money received.
    pub total_cashin: Amount,
    /// Payments of services.
    pub count_payments_services: Option<u64>,
    /// Text messages sent.
    pub count_sent_sms: Option<u64>,
    /// Other records, as printed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extra: Vec<Extra>,
}

/// How deep lists may stand in lists; the document has two.
const DEPTH: u8 = 4;

impl TelepagosClient {
    /// Statistics of a period. What a period looks like is undocumented: what is given is sent as a segment of the path.
    /// The upstream answers only whoever is tied to the collecting account.
    ///
    /// # Errors
    /// See [`CallError`]; it never ends unknown.
    pub async fn stats(&self, period: &str) -> Result<Stats, CallError> {
        let period = rules::segment("period", period)?;
        let body = self.get(&format!("v2/whitelabel/statics/{period}"), &[]).await?;
        let data = record(&body)?.take("data");
        let mut found = Vec::new();
        if let Some(raw) = data {
            flatten(raw, DEPTH, &mut found);
        }
        let dialect = self.config.common.dialect;
        let mut whole = |name: &str| found.iter_mut().find_map(|record| record.whole(name));
        let [count_open_cvu, count_payments_services, count_sent_sms] =
            ["count_open_cvu", "count_payments_services", "count_sent_sms"].map(&mut whole);
        let mut amount = |name: &str| {
            let printed = found.iter_mut().map(|record| record.amount(name, dialect));
            printed.into_iter().find(|amount| amount.raw.is_some()).unwrap_or_default()
        };
        let (total_cashout, total_cashin) = (amount("total_cashout"), amount("total_cashin"));
        let extra = found.into_iter().map(Record::rest).filter(|extra| !extra.is_empty()).collect();
        Ok(Stats { count_open_cvu, total_cashout, total_cashin, count_payments_services, count_sent_sms, extra })
    }
}

/// The records in a list of lists.
fn flatten<'a>(raw: &'a RawValue, depth: u8, found: &mut Vec<Record<'a>>) {
    if raw.get().starts_with('{') {
        found.extend(Record::of(raw));
    } else if let (Some(depth), Ok(items)) = (depth.checked_sub(1), serde_json::from_str::<Vec<&RawValue>>(raw.get())) {
        for item in items {
            flatten(item, depth, found);
        }
    }
}
