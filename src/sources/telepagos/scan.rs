//! The rows of a listing without reading all of it: a row whose text is known is passed over at the speed of a search.
//!
//! Sound, because the text of a JSON object ends where it ends: where a value begins and the bytes up to the next `}` are
//! a text that was a whole object before, the value is that object. Whatever is not known is left to serde. Anything
//! unusual ends the scan without a result, and the listing is read, or refused, the long way.

use serde::Deserialize as _;
use serde_json::value::RawValue;

use crate::sources::json::Field;

/// What a scan found.
#[derive(Debug, Default)]
pub(super) struct Scan<'a> {
    /// What is not known, with its place in the list.
    pub(super) fresh: Vec<(usize, &'a RawValue)>,
    /// Rows in all.
    pub(super) rows: usize,
    /// What the envelope says of the number of rows.
    pub(super) promised: Field<'a>,
}

/// Scans a page. `is_known` is asked once for each candidate, in the order of the list. `None`: read it another way.
pub(super) fn scan<'a>(body: &'a [u8], is_known: impl FnMut(&[u8]) -> bool) -> Option<Scan<'a>> {
    let mut cursor = Cursor { body, at: 0 };
    let mut is_known = is_known;
    let mut found: Option<Scan<'a>> = None;
    let mut promised = None;
    let mut names: Vec<&str> = Vec::new();
    cursor.expect(b'{')?;
    loop {
        let name = cursor.name()?;
        if names.contains(&name) {
            // The long way refuses it.
            return None;
        }
        names.push(name);
        cursor.expect(b':')?;
        match name {
            "transactions" => found = Some(cursor.rows(&mut is_known)?),
            "number_of_results" => promised = Some(cursor.value()?).filter(|raw| raw.get() != "null"),
            _ => drop(cursor.value()?),
        }
        match cursor.next()? {
            b',' => {}
            b'}' => break,
            _ => return None,
        }
    }
    cursor.is_at_end().then_some(())?;
    found.map(|found| Scan { promised, ..found })
}

struct Cursor<'a> {
    body: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a [u8] {
        self.body.get(self.at..).unwrap_or_default()
    }

    fn skip_space(&mut self) {
        let space = self.rest().iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
        self.at += space.count();
    }

    fn peek(&mut self) -> Option<u8> {
        self.skip_space();
        self.rest().first().copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn expect(&mut self, wanted: u8) -> Option<()> {
        (self.next()? == wanted).then_some(())
    }

    fn is_at_end(&mut self) -> bool {
        self.peek().is_none()
    }

    /// A member's name without escapes.
    fn name(&mut self) -> Option<&'a str> {
        let raw = self.value()?.get();
        raw.strip_prefix('"')?.strip_suffix('"').filter(|name| !name.contains('\\'))
    }

    /// One value, whatever it is.
    fn value(&mut self) -> Option<&'a RawValue> {
        self.skip_space();
        let raw = <&RawValue>::deserialize(&mut serde_json::Deserializer::from_slice(self.rest())).ok()?;
        self.at += raw.get().len();
        Some(raw)
    }

    fn rows(&mut self, is_known: &mut impl FnMut(&[u8]) -> bool) -> Option<Scan<'a>> {
        let mut scan = Scan::default();
        self.expect(b'[')?;
        if self.peek()? == b']' {
            self.at += 1;
            return Some(scan);
        }
        loop {
            self.skip_space();
            let rest = self.rest();
            let candidate = memchr::memchr(b'}', rest).and_then(|end| rest.get(..=end));
            match candidate.filter(|text| text.starts_with(b"{") && is_known(text)) {
                Some(text) => self.at += text.len(),
                None => scan.fresh.push((scan.rows, self.value()?)),
            }
            scan.rows += 1;
            match self.next()? {
                b',' => {}
                b']' => return Some(scan),
                _ => return None,
            }
        }
    }
}
