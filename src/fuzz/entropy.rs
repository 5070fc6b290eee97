//! Bytes as a stream of decisions, for the targets whose input is a structure and no text.

/// What is left to decide by. At its end it gives zeros, so that every input is a whole structure.
#[derive(Debug)]
pub(super) struct Entropy<'a>(pub(super) &'a [u8]);

impl Entropy<'_> {
    pub(super) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    pub(super) const fn is_spent(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// Below `most`, which is not 0.
    pub(super) fn below(&mut self, most: u8) -> u8 {
        self.byte() % most
    }

    pub(super) fn number(&mut self) -> u64 {
        (0..8).fold(0, |number, _| (number << 8) | u64::from(self.byte()))
    }

    pub(super) fn pick<T: Copy>(&mut self, among: &[T]) -> Option<T> {
        let place = usize::from(self.byte()).checked_rem(among.len())?;
        among.get(place).copied()
    }

    /// A text up to a byte 0, or to the end; bytes that are no UTF-8 become U+FFFD.
    pub(super) fn text(&mut self) -> String {
        let end = self.0.iter().position(|byte| *byte == 0);
        let (text, rest) = match end {
            Some(end) => (self.0.get(..end), self.0.get(end + 1..)),
            None => (Some(self.0), None),
        };
        self.0 = rest.unwrap_or_default();
        String::from_utf8_lossy(text.unwrap_or_default()).into_owned()
    }

    pub(super) fn maybe_text(&mut self) -> Option<String> {
        self.flag().then(|| self.text())
    }
}
