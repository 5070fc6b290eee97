//! Argentine numbers: the tax number (CUIT/CUIL) and the account number (CBU/CVU).
//!
//! Check digits are labels only. Vendors' sandbox numbers fail them, so a failed check never drops a payment.

/// Only the digits of a printed number; spaces, dots and hyphens go, leading zeros stay.
pub fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// Whether eleven digits carry a right CUIT/CUIL check digit.
///
/// Weights 5,4,3,2,7,6,5,4,3,2 over the first ten; `11 − sum mod 11`, with 11 → 0 and 10 → 9
/// (python-stdnum `stdnum/ar/cuit.py`, 2026-11-21).
pub fn cuit_is_valid(text: &str) -> bool {
    let digits = numbers(text);
    let [body @ .., check] = digits.as_slice() else { return false };
    if body.len() != 10 {
        return false;
    }
    let sum: u32 = body.iter().zip([5, 4, 3, 2, 7, 6, 5, 4, 3, 2]).map(|(digit, weight)| digit * weight).sum();
    let expected = match 11 - sum % 11 {
        11 => 0,
        10 => 9,
        other => other,
    };
    *check == expected
}

/// Whether twenty-two digits carry both right CBU/CVU check digits.
///
/// Each block is weighted 3,1,7,9 from the right; `(10 − sum mod 10) mod 10`
/// (python-stdnum `stdnum/ar/cbu.py`, 2026-11-21). Block one is digits 1–7 and 8, block two 9–21 and 22.
pub fn cvu_is_valid(text: &str) -> bool {
    let digits = numbers(text);
    if digits.len() != 22 {
        return false;
    }
    let (first, second) = digits.split_at(8);
    block_is_valid(first) && block_is_valid(second)
}

/// `NN-NNNNNNNN-N`, or the text as it came when it is not eleven digits.
pub fn format_cuit(text: &str) -> String {
    let bare = digits(text);
    match (bare.get(..2), bare.get(2..10), bare.get(10..)) {
        (Some(kind), Some(body), Some(check)) if bare.len() == 11 => format!("{kind}-{body}-{check}"),
        _ => text.trim().to_owned(),
    }
}

/// A CUIT of which only the last three digits of the middle block stay: the rest would tell the national document number.
pub fn mask_cuit(text: &str) -> String {
    let bare = digits(text);
    match bare.get(7..10) {
        Some(tail) if bare.len() == 11 => format!("**-*****{tail}-*"),
        _ => String::from("***"),
    }
}

/// An account or card number of which only the last four digits stay.
pub fn mask_tail(text: &str) -> String {
    let bare = digits(text);
    match bare.len().checked_sub(4).and_then(|start| bare.get(start..)) {
        Some(tail) if bare.len() > 4 => format!("••••{tail}"),
        _ => String::from("••••"),
    }
}

/// The last four characters: nothing more of a card is ever shown, whatever was kept as its end.
pub fn last_four(text: &str) -> &str {
    let start = text.char_indices().rev().nth(3).map_or(0, |(start, _)| start);
    text.get(start..).unwrap_or_default()
}

/// A person's name as first name and initial: `MARIA LUISA PEREZ` → `MARIA P.`
pub fn mask_name(text: &str) -> String {
    let mut words = text.split([' ', ',', '\u{a0}']).filter(|word| !word.is_empty());
    let Some(first) = words.next() else { return String::new() };
    let first: String = first.chars().take(24).collect();
    match words.next_back().and_then(|word| word.chars().next()) {
        Some(initial) => format!("{first} {initial}."),
        None => first,
    }
}

fn numbers(text: &str) -> Vec<u32> {
    text.chars().filter(|c| !matches!(c, ' ' | '-' | '.')).map(|c| c.to_digit(10).unwrap_or(99)).collect()
}

fn block_is_valid(block: &[u32]) -> bool {
    let [body @ .., check] = block else { return false };
    if block.iter().any(|digit| *digit > 9) {
        return false;
    }
    let sum: u32 = body.iter().rev().zip([3, 1, 7, 9].iter().cycle()).map(|(digit, weight)| digit * weight).sum();
    *check == (10 - sum % 10) % 10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_cuit_vectors_hold() {
        for valid in ["20-05536168-2", "20-26756539-3", "20267565393"] {
            assert!(cuit_is_valid(valid), "{valid}");
        }
        for invalid in ["20267565392", "20123456789", "", "2026756539", "20-2675653A-3", "999999999999"] {
            assert!(!cuit_is_valid(invalid), "{invalid}");
        }
    }

    #[test]
    fn the_published_cvu_vectors_hold() {
        for valid in
            ["2850590940090418135201", "0000630500000060195375", "0000630500008064475741", "28505909 40090418135201"]
        {
            assert!(cvu_is_valid(valid), "{valid}");
        }
        for invalid in
            ["0000128000000000000000", "0000200000000000000010", "0000000000111222334454", "", "28505909400904181352"]
        {
            assert!(!cvu_is_valid(invalid), "{invalid}");
        }
    }

    #[test]
    fn masks_keep_just_enough_to_recognise() {
        assert_eq!(format_cuit("20267565393"), "20-26756539-3");
        assert_eq!(mask_cuit("20-26756539-3"), "**-*****539-*");
        assert_eq!(mask_cuit("x"), "***");
        assert_eq!(mask_tail("2850590940090418135201"), "••••5201");
        assert_eq!(mask_tail("12"), "••••");
        assert_eq!((last_four("4507990000004905"), last_four("é12"), last_four("")), ("4905", "é12", ""));
        assert_eq!(mask_name("MARIA LUISA PEREZ"), "MARIA P.");
        assert_eq!(mask_name("Cher"), "Cher");
        assert_eq!(mask_name("  "), "");
    }
}
