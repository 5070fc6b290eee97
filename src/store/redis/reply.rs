//! What Redis answered, taken apart without trust.

#![expect(clippy::wildcard_enum_match_arm, reason = "a value of any other kind is unexpected, kinds to come included")]

use redis::Value;

use crate::store::StoreError;
use crate::store::codec::CodecError;

fn unexpected() -> StoreError {
    StoreError::Unusable("redis answered in an unexpected form; is it Redis 6.2 or newer?".to_owned())
}

/// What stands under a key cannot be read.
pub(super) fn unreadable(key: &str, error: CodecError) -> StoreError {
    StoreError::Unusable(format!("under the key `{key}`: {error}"))
}

/// A list.
pub(super) fn list(value: Value) -> Result<Vec<Value>, StoreError> {
    match value {
        Value::Array(values) | Value::Set(values) => Ok(values),
        Value::Nil => Ok(Vec::new()),
        _ => Err(unexpected()),
    }
}

/// A list of exactly that many.
pub(super) fn exactly<const N: usize>(value: Value) -> Result<[Value; N], StoreError> {
    list(value)?.try_into().map_err(|_| unexpected())
}

/// A list of pairs, whatever the protocol's version makes of it.
pub(super) fn pairs(value: Value) -> Result<Vec<(Value, Value)>, StoreError> {
    match value {
        Value::Map(pairs) => Ok(pairs),
        other => {
            let mut values = list(other)?.into_iter();
            let mut pairs = Vec::with_capacity(values.len() / 2);
            while let Some(first) = values.next() {
                pairs.push((first, values.next().ok_or_else(unexpected)?));
            }
            Ok(pairs)
        }
    }
}

/// Bytes, or nothing.
pub(super) fn maybe_bytes(value: Value) -> Result<Option<Vec<u8>>, StoreError> {
    match value {
        Value::Nil => Ok(None),
        Value::BulkString(bytes) => Ok(Some(bytes)),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Ok(Some(text.into_bytes())),
        _ => Err(unexpected()),
    }
}

/// Bytes.
pub(super) fn bytes(value: Value) -> Result<Vec<u8>, StoreError> {
    maybe_bytes(value)?.ok_or_else(unexpected)
}

/// Text.
pub(super) fn text(value: Value) -> Result<String, StoreError> {
    String::from_utf8(bytes(value)?).map_err(|_| unexpected())
}

/// A number.
pub(super) fn integer(value: &Value) -> Result<i64, StoreError> {
    match value {
        Value::Int(number) => Ok(*number),
        Value::BulkString(bytes) => parse(bytes),
        _ => Err(unexpected()),
    }
}

/// A count.
pub(super) fn count(value: &Value) -> Result<u64, StoreError> {
    u64::try_from(integer(value)?).map_err(|_| unexpected())
}

/// A place in a list that a script counts from 1, counted from 0.
pub(super) fn place(value: &Value) -> Result<usize, StoreError> {
    usize::try_from(integer(value)?).ok().and_then(|number| number.checked_sub(1)).ok_or_else(unexpected)
}

/// A number that is printed.
pub(super) fn parse<T: std::str::FromStr>(bytes: &[u8]) -> Result<T, StoreError> {
    std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok()).ok_or_else(unexpected)
}

/// What stands before and after the first colon.
pub(super) fn split(bytes: &[u8]) -> Result<(&[u8], &[u8]), StoreError> {
    let colon = bytes.iter().position(|byte| *byte == b':').ok_or_else(unexpected)?;
    let (head, rest) = bytes.split_at(colon);
    Ok((head, rest.split_at(1).1))
}

/// The element at a place that a script named.
pub(super) fn nth<T>(values: &[T], place: usize) -> Result<&T, StoreError> {
    values.get(place).ok_or_else(unexpected)
}
