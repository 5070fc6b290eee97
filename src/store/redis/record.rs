//! The record of an event's deliveries, that scripts change and we read; `lua/record.lua` is its other half.
//!
//! Little-endian: sequence (8 bytes, big-endian, so that it sorts), creation (u64, ms), detection (i64 s, u32 ns),
//! account (u32 length, text), number of deliveries (u32). Each delivery: destination (text), state (u8), attempts
//! (u32), fence (u32), time (u64, ms; due, lease end, or when it was settled; 0: since creation), owner of the lease (text),
//! last attempt (length and bytes).

use jiff::Timestamp;

use crate::domain::delivery::{Attempt, DeathReason, DeliveryId, State};
use crate::domain::event::EventId;
use crate::domain::route::DestinationName;
use crate::store::codec::{decode_attempt, encode_attempt};
use crate::store::copy::EventRecord;
use crate::store::{DeliveryView, StoreError};

/// States as numbers; `record.lua` has the same.
pub(super) const PENDING: u8 = 0;
pub(super) const HELD: u8 = 1;
pub(super) const IN_FLIGHT: u8 = 2;
pub(super) const DELIVERED: u8 = 3;
pub(super) const EXHAUSTED: u8 = 4;
pub(super) const REFUSED: u8 = 5;

/// A record as an operator reads it.
#[derive(Debug)]
pub(super) struct Record {
    /// Whose event it is.
    pub(super) account: String,
    /// In the order in which they were announced.
    pub(super) deliveries: Vec<DeliveryView>,
    /// Of the last lease of each.
    pub(super) fences: Vec<u32>,
}

/// A new record but for its first sixteen bytes, which the script knows.
pub(super) fn rest_of_new(
    detected: Timestamp,
    account: &str,
    destinations: &[&DestinationName],
    held: bool,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + destinations.len() * 48);
    out.extend_from_slice(&detected.as_second().to_le_bytes());
    out.extend_from_slice(&detected.subsec_nanosecond().unsigned_abs().to_le_bytes());
    put_text(&mut out, account);
    put_length(&mut out, destinations.len());
    for destination in destinations {
        put_text(&mut out, destination.as_str());
        out.push(if held { HELD } else { PENDING });
        // Attempts, fence, time, owner and last attempt: none yet.
        out.extend_from_slice(&[0; 4 + 4 + 8 + 4 + 4]);
    }
    out
}

/// The record of an event that a copy brings, but for its sequence.
pub(super) fn rest_of_copied(record: &EventRecord) -> Vec<u8> {
    let detected = record.event.detected_at;
    let mut out = Vec::with_capacity(128);
    // Born when it was detected: each delivery has a time of its own.
    out.extend_from_slice(&milliseconds(detected).to_le_bytes());
    out.extend_from_slice(&detected.as_second().to_le_bytes());
    out.extend_from_slice(&detected.subsec_nanosecond().unsigned_abs().to_le_bytes());
    put_text(&mut out, record.owner.as_str());
    put_length(&mut out, record.deliveries.len());
    for delivery in &record.deliveries {
        let (state, time) = match &delivery.state {
            State::Pending { due } => (PENDING, milliseconds(*due)),
            State::Held => (HELD, 0),
            State::InFlight { until } => (IN_FLIGHT, milliseconds(*until)),
            State::Delivered { at } => (DELIVERED, milliseconds(*at)),
            State::Dead { at, reason: DeathReason::Exhausted } => (EXHAUSTED, milliseconds(*at)),
            State::Dead { at, reason: DeathReason::Refused } => (REFUSED, milliseconds(*at)),
        };
        put_text(&mut out, delivery.destination.as_str());
        out.push(state);
        out.extend_from_slice(&delivery.attempts.to_le_bytes());
        out.extend_from_slice(&delivery.fence.to_le_bytes());
        out.extend_from_slice(&time.to_le_bytes());
        // Nobody holds it: a lease that came over in flight ends by itself.
        put_text(&mut out, "");
        let last = delivery.last.as_ref().map(encode_attempt).unwrap_or_default();
        put_length(&mut out, last.len());
        out.extend_from_slice(&last);
    }
    out
}

fn milliseconds(at: Timestamp) -> u64 {
    u64::try_from(at.as_millisecond()).unwrap_or_default()
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_length(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

/// Reads a record.
///
/// # Errors
/// [`StoreError::Unusable`] when it is damaged or of a newer release.
pub(super) fn read(event: EventId, bytes: &[u8]) -> Result<Record, StoreError> {
    let damaged = || StoreError::Unusable("a stored record of deliveries is damaged".to_owned());
    let mut rest = bytes;
    let head = read_head(&mut rest).ok_or_else(damaged)?;
    let (mut deliveries, mut fences) = (Vec::new(), Vec::new());
    for _ in 0..head.count {
        let (view, fence, last) = read_delivery(&mut rest, event, &head).ok_or_else(damaged)?;
        fences.push(fence);
        deliveries.push(DeliveryView { last: last_attempt(last)?, ..view });
    }
    Ok(Record { account: head.account, deliveries, fences })
}

struct Head {
    born: u64,
    detected: Timestamp,
    account: String,
    count: u32,
}

fn read_head(rest: &mut &[u8]) -> Option<Head> {
    take::<8>(rest)?;
    let born = u64::from_le_bytes(take(rest)?);
    let seconds = i64::from_le_bytes(take(rest)?);
    let nanoseconds = i32::try_from(u32::from_le_bytes(take(rest)?)).ok()?;
    // Before 1970 both parts are negative.
    let nanoseconds = if seconds < 0 { -nanoseconds } else { nanoseconds };
    let detected = Timestamp::new(seconds, nanoseconds).ok()?;
    let account = take_text(rest)?;
    Some(Head { born, detected, account, count: u32::from_le_bytes(take(rest)?) })
}

fn read_delivery<'a>(rest: &mut &'a [u8], event: EventId, head: &Head) -> Option<(DeliveryView, u32, &'a [u8])> {
    let destination = DestinationName::new(&take_text(rest)?);
    let [state] = take(rest)?;
    let attempts = u32::from_le_bytes(take(rest)?);
    let fence = u32::from_le_bytes(take(rest)?);
    let time = u64::from_le_bytes(take(rest)?);
    let at = instant(if time == 0 { head.born } else { time })?;
    take_bytes(rest)?;
    let last = take_bytes(rest)?;
    let state = match state {
        PENDING => State::Pending { due: at },
        HELD => State::Held,
        IN_FLIGHT => State::InFlight { until: at },
        DELIVERED => State::Delivered { at },
        EXHAUSTED => State::Dead { at, reason: DeathReason::Exhausted },
        REFUSED => State::Dead { at, reason: DeathReason::Refused },
        _ => return None,
    };
    let id = DeliveryId { event, destination };
    Some((DeliveryView { id, state, attempts, last: None, detected_at: head.detected }, fence, last))
}

fn last_attempt(bytes: &[u8]) -> Result<Option<Attempt>, StoreError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    decode_attempt(bytes).map(Some).map_err(|error| StoreError::Unusable(error.to_string()))
}

/// A time of Redis in milliseconds.
pub(super) fn instant(milliseconds: u64) -> Option<Timestamp> {
    Timestamp::from_millisecond(i64::try_from(milliseconds).ok()?).ok()
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk::<N>()?;
    *rest = left;
    Some(*taken)
}

fn take_bytes<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(u32::from_le_bytes(take(rest)?)).ok()?;
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

fn take_text(rest: &mut &[u8]) -> Option<String> {
    String::from_utf8(take_bytes(rest)?.to_vec()).ok()
}

/// A member of a sorted list: eight bytes of sequence, the event's id, and in some lists the destination.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Member {
    /// The order of the facts in their shard.
    pub(super) sequence: u64,
    /// Which event.
    pub(super) event: EventId,
    /// Which delivery; empty where the list is one of events.
    pub(super) destination: String,
}

impl Member {
    /// Reads a member; `None` when no release has written it.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let sequence = u64::from_be_bytes(take(&mut rest)?);
        let event = EventId::from_bytes(take(&mut rest)?);
        Some(Self { sequence, event, destination: String::from_utf8(rest.to_vec()).ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Vec<u8> {
        let names = [DestinationName::new("erp"), DestinationName::new("caja ñ")];
        let detected = Timestamp::from_nanosecond(1_800_000_000_123_456_789).unwrap();
        let mut bytes = vec![0, 0, 0, 0, 0, 0, 0, 7];
        bytes.extend_from_slice(&1_800_000_001_500_u64.to_le_bytes());
        bytes.extend(rest_of_new(detected, "centro", &names.iter().collect::<Vec<_>>(), false));
        bytes
    }

    #[test]
    fn a_new_record_is_read_as_pending_since_its_creation() {
        let read = read(EventId::from_bytes([3; 16]), &record()).unwrap();
        assert_eq!(read.account, "centro");
        let due = Timestamp::from_millisecond(1_800_000_001_500).unwrap();
        let names: Vec<_> = read.deliveries.iter().map(|view| view.id.destination.as_str()).collect();
        assert_eq!(names, ["erp", "caja ñ"]);
        assert!(read.deliveries.iter().all(|view| view.state == State::Pending { due } && view.last.is_none()));
        assert_eq!(read.deliveries[0].detected_at.as_nanosecond(), 1_800_000_000_123_456_789);
    }

    #[test]
    fn a_record_that_is_cut_or_of_another_form_is_damaged() {
        let whole = record();
        for length in 0..whole.len() {
            assert!(read(EventId::from_bytes([3; 16]), &whole[..length]).is_err(), "{length}");
        }
        let mut strange = whole;
        let place = strange.windows(3).position(|window| window == b"erp").unwrap() + 3;
        strange[place] = 99;
        assert!(read(EventId::from_bytes([3; 16]), &strange).is_err());
    }
}
