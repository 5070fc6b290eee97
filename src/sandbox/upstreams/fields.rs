//! The named values of a request, wherever they stand: query string, JSON object, form or multipart form.
//!
//! TelePagos takes "form-data or JSON" and its document prints a GET's filters as a JSON object; a Bot API takes all four.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::Question;

/// Named values, as text. A JSON value that is no string stands as its JSON text.
pub(in crate::sandbox) type Fields = BTreeMap<String, String>;

/// Reads them; what stands in the body goes before the query. A body of another kind counts as none.
pub(in crate::sandbox) fn fields(question: &Question) -> Fields {
    let mut fields: Fields = pairs(question.query.as_bytes()).collect();
    let kind = question.header("content-type").unwrap_or_default();
    let body = question.body.as_ref();
    if let Some(boundary) = kind.strip_prefix("multipart/form-data").and_then(boundary) {
        fields.extend(parts(body, boundary));
    } else if kind.starts_with("application/x-www-form-urlencoded") {
        fields.extend(pairs(body));
    } else if let Ok(object) = serde_json::from_slice::<BTreeMap<String, &RawValue>>(body) {
        // Taken as text, so that no amount goes through a float.
        let present = object.into_iter().filter(|(_, raw)| raw.get() != "null");
        fields.extend(present.map(|(name, raw)| {
            let text = serde_json::from_str::<String>(raw.get()).unwrap_or_else(|_| raw.get().to_owned());
            (name, text)
        }));
    }
    fields
}

fn pairs(text: &[u8]) -> impl Iterator<Item = (String, String)> {
    url::form_urlencoded::parse(text).map(|(name, value)| (name.into_owned(), value.into_owned()))
}

fn boundary(parameters: &str) -> Option<&str> {
    let (_, rest) = parameters.split_once("boundary=")?;
    let boundary = rest.split(';').next()?.trim().trim_matches('"');
    (!boundary.is_empty()).then_some(boundary)
}

/// The text parts of a multipart form; files are left out.
fn parts(body: &[u8], boundary: &str) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(body);
    let mut found = Vec::new();
    for part in text.split(&format!("--{boundary}")) {
        let Some((head, value)) = part.split_once("\r\n\r\n") else { continue };
        if head.contains("filename=") {
            continue;
        }
        let Some((_, name)) = head.split_once("name=\"") else { continue };
        let Some((name, _)) = name.split_once('"') else { continue };
        found.push((name.to_owned(), value.strip_suffix("\r\n").unwrap_or(value).to_owned()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(query: &str, kind: &str, body: &str) -> Question {
        Question {
            query: query.to_owned(),
            headers: vec![(String::from("content-type"), kind.to_owned())],
            body: bytes::Bytes::copy_from_slice(body.as_bytes()),
            ..Question::new(hyper::Method::GET, "/x")
        }
    }

    #[test]
    fn every_form_says_the_same() {
        let multipart = "--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--XX\r\nContent-Disposition: form-data; name=\"b\"\r\n\r\nñ &\r\n--XX--\r\n";
        let expected = Fields::from([(String::from("a"), String::from("1")), (String::from("b"), String::from("ñ &"))]);
        for question in [
            question("a=1&b=%C3%B1+%26", "", ""),
            question("a=2", "application/json", r#"{"a":1,"b":"ñ &","c":null}"#),
            question("", "application/x-www-form-urlencoded", "a=1&b=%C3%B1+%26"),
            question("", "multipart/form-data; boundary=XX", multipart),
        ] {
            assert_eq!(fields(&question), expected);
        }
        assert!(fields(&question("", "application/json", "[1]")).is_empty());
        assert!(fields(&question("", "multipart/form-data", "--\r\n\r\n")).is_empty());
    }
}
