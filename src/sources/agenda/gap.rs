//! The hot reading, and how it catches up after a gap: at once, or in pieces where that is refused.

use super::WARM_DAYS;
use crate::domain::day::Day;
use crate::sources::Task;

/// So many days are asked for at once when all of them were refused: as many as the warm reading asks for.
const PIECE_DAYS: i64 = WARM_DAYS + 2;

/// What is known of a gap in the hot readings.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Gap {
    /// All of it at once failed: it may be too long for the upstream, or for the account's caps.
    in_pieces: bool,
    /// The next reading is the ordinary one: neither what fails nor what takes long keeps today waiting.
    short_next: bool,
}

impl Gap {
    /// The next hot reading. `read_through` is the last day whose hot reading was committed.
    pub(super) fn task(&mut self, today: Day, read_through: Option<Day>) -> Task {
        let (yesterday, tomorrow) = (today.plus(-1), today.next());
        let gap = read_through.filter(|last| *last < yesterday || *last > tomorrow);
        let Some(last) = gap else {
            *self = Self::default();
            return Task::Days { from: yesterday, to: tomorrow };
        };
        if self.short_next {
            return Task::Days { from: yesterday, to: tomorrow };
        }
        // A week at the least: a clock that ran ahead may have written that, so that how far was really read is not known.
        let from = last.min(today.plus(-WARM_DAYS));
        let to = if self.in_pieces { from.plus(PIECE_DAYS - 1).min(tomorrow) } else { tomorrow };
        Task::Days { from, to }
    }

    /// Takes in how a hot reading went; whether the ordinary one is due at once, because a piece went before it.
    pub(super) fn was_read(&mut self, task: &Task, is_done: bool) -> bool {
        let is_long = matches!(task, Task::Days { from, to } if from.plus(2) < *to);
        self.in_pieces |= is_long && !is_done;
        self.short_next = is_long && (self.in_pieces || !is_done);
        is_done && is_long && self.in_pieces
    }
}
