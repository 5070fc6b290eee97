//! The pages of one list as they come, and what no page may do.

use std::collections::HashSet;

use bytes::Bytes;
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use super::wire;
use crate::sources::{Fingerprint, SourceError, json};

/// Pages as they come.
#[derive(Default)]
pub(super) struct Pages {
    pub(super) bodies: Vec<Bytes>,
    /// The rows' texts as hashes, in their order.
    pub(super) texts: Vec<u128>,
    /// The same, each once.
    pub(super) once: Vec<u128>,
    seen: HashSet<u128>,
    hash: Xxh3,
}

impl Pages {
    /// Takes in the page of this number; returns whether there are more.
    pub(super) fn take(&mut self, number: u32, answer: Bytes) -> Result<bool, SourceError> {
        self.hash.update(&answer);
        let page: wire::Page<'_> = json::object(&answer)?;
        let told = json::text(page.page).and_then(|text| text.parse::<u32>().ok());
        if let Some(told) = told.filter(|told| *told != number) {
            return Err(SourceError::Contract(format!("page {number} was asked for and page {told} came")));
        }
        // A guess could take the first page for the whole.
        let Some(more) = json::yes_or_no(page.exist_more) else {
            return Err(SourceError::Contract(String::from("a page does not tell `existMore`")));
        };
        let rows = json::list("listTrx", page.list_trx)?;
        let before = self.once.len();
        for raw in &rows {
            let text = xxh3_128(raw.get().as_bytes());
            self.texts.push(text);
            if self.seen.insert(text) {
                self.once.push(text);
            }
        }
        let fresh = self.once.len() > before;
        // A page in the place of another: whatever stood on that one would be missing from a reading that looks whole.
        if !fresh && !rows.is_empty() {
            return Err(SourceError::Contract(format!("page {number} repeats what came before it")));
        }
        if !fresh && more {
            return Err(SourceError::Contract(format!("page {number} brings nothing new and promises more")));
        }
        self.bodies.push(answer);
        Ok(more)
    }

    /// Of all that came so far.
    pub(super) fn fingerprint(&self) -> Fingerprint {
        self.hash.digest128()
    }
}

/// The list is longer than it may be.
pub(super) fn too_many(most: u32) -> SourceError {
    SourceError::Contract(format!("the list is longer than `max_pages` ({most})"))
}
