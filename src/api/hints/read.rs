//! The ids in a hint's body, found by the account's pointers. Pure, and believes nothing: what is no id is passed over.

use serde_json::Value;

use crate::config::{HintsConfig, values};
use crate::domain::account::SourceKind;

/// The most ids that are taken from one hint.
pub const MOST_IDS: usize = 16;

/// The ids that a body names at the places that the account expects: digits for cash-ins, uuids (bare or in a link) for
/// orders; each once, at most [`MOST_IDS`]. A body that is no JSON names none.
pub fn ids(config: &HintsConfig, body: &[u8]) -> Vec<(SourceKind, String)> {
    let mut found = Vec::new();
    if config.cashin.is_empty() && config.links.is_empty() {
        return found;
    }
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return found };
    let lists: [(SourceKind, &[String], Id); 2] =
        [(SourceKind::Cashin, &config.cashin, cashin), (SourceKind::Links, &config.links, link)];
    for (source, pointers, id) in lists {
        for place in pointers.iter().filter_map(|pointer| body.pointer(pointer)) {
            let several = place.as_array().map(Vec::as_slice).unwrap_or_default();
            for id in std::iter::once(place).chain(several).filter_map(id) {
                let hint = (source, id);
                if found.len() < MOST_IDS && !found.contains(&hint) {
                    found.push(hint);
                }
            }
        }
    }
    found
}

type Id = fn(&Value) -> Option<String>;

/// A number, or its digits as text. What exceeds 64 bits is no id: as a float it would be another one.
fn cashin(value: &Value) -> Option<String> {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok())?;
    let id = value.as_u64().or_else(|| value.as_str().and_then(digits))?;
    (id > 0).then(|| id.to_string())
}

fn link(value: &Value) -> Option<String> {
    value.as_str().and_then(values::order_uuid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    const UUID: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";

    fn found(cashin: &[&str], links: &[&str], body: &str) -> Vec<String> {
        let list = |pointers: &[&str]| pointers.iter().map(ToString::to_string).collect();
        let config = HintsConfig { secret: Secret::new(String::from("x")), cashin: list(cashin), links: list(links) };
        ids(&config, body.as_bytes()).into_iter().map(|(source, id)| format!("{source} {id}")).collect()
    }

    #[test]
    fn an_id_is_found_where_the_pointer_says_in_every_form_that_upstreams_print() {
        for body in [
            r#"{"data":{"id":17}}"#,
            r#"{"data":{"id":"17"}}"#,
            r#"{"data":{"id":"0017"}}"#,
            r#"{"data":{"id":[17,17]}}"#,
        ] {
            assert_eq!(found(&["/data/id"], &[], body), ["cashin 17"], "{body}");
        }
        let order = format!(r#"{{"data":{{"order":{{"uuid":"{}"}}}}}}"#, UUID.to_uppercase());
        assert_eq!(found(&[], &["/data/order/uuid"], &order), [format!("links {UUID}")]);
        let link = format!(r#"{{"url":"https://pay.example/orders/{UUID}?x=1"}}"#);
        assert_eq!(found(&["/url"], &["/url"], &link), [format!("links {UUID}")]);
    }

    #[test]
    fn what_is_no_id_is_passed_over() {
        for body in [
            "",
            "null",
            "{",
            "17",
            "[]",
            r#"{"data":null}"#,
            r#"{"data":{"id":0}}"#,
            r#"{"data":{"id":-1}}"#,
            r#"{"data":{"id":1.5}}"#,
            r#"{"data":{"id":"1e3"}}"#,
            r#"{"data":{"id":"../../x"}}"#,
            r#"{"data":{"id":""}}"#,
            r#"{"data":{"id":99999999999999999999999}}"#,
            r#"{"data":{"id":{"id":1}}}"#,
            r#"{"data":{"id":[[1]]}}"#,
        ] {
            assert_eq!(found(&["/data/id"], &["/data/id"], body), [""; 0], "{body}");
        }
    }

    #[test]
    fn a_body_full_of_ids_names_only_so_many() {
        let many: Vec<u64> = (1..10_000).collect();
        let body = serde_json::to_string(&many).unwrap();
        assert_eq!(found(&[""], &[], &body).len(), MOST_IDS);
    }
}
