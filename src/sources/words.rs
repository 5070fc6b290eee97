//! What the upstreams' words mean where the configuration does not say.
//!
//! Neither document lists its values, so these are sensible Spanish and English defaults; the maps of the configuration
//! go before them, and a word that nobody knows stays unknown and is announced with its raw text.

use std::collections::BTreeMap;

use crate::domain::row::{OperationKind, StatusKind};

/// Stems of status words, in the order in which they are tried: "pendiente de aprobación" is pending. A stem that
/// begins with a space stands at the beginning of a word only: "abono aprobado" is not "no aprobado".
const STATUS: [(StatusKind, &[&str]); 4] = [
    (StatusKind::Reversed, &["revers", "revert", "devuel", "devol", "reembols", "refund", "contracargo", "chargeback"]),
    (StatusKind::Cancelled, &["cancel", "anulad"]),
    (
        StatusKind::Rejected,
        &[
            "rechaz",
            "deneg",
            "denied",
            "fallid",
            "failed",
            "error",
            "reject",
            "declin",
            "vencid",
            "expir",
            " no aprob",
            " not approv",
            " no acept",
            " not accept",
            " no exitos",
            " desaprob",
            " disapprov",
            " unsuccess",
        ],
    ),
    (
        StatusKind::Pending,
        &[
            "pend",
            "procesando",
            "en proceso",
            "processing",
            "in process",
            "en curso",
            "inicia",
            "espera",
            "waiting",
            " a cobrar",
            " por cobrar",
            " a pagar",
            " por pagar",
        ],
    ),
];

/// Stems of the words for money that is there.
const APPROVED: &[&str] = &[
    "aprob",
    "acredit",
    "complet",
    "exitos",
    "confirm",
    "procesad",
    "processed",
    "realiz",
    "success",
    "approv",
    "paid",
    "pagad",
    "cobrad",
    "finaliz",
    "acept",
    "accept",
];

/// What stands before such a stem where the money is not there yet: "no acreditada", "a acreditar", "unpaid".
const NOT_YET: &[&str] = &[" no ", " not ", " sin ", " a ", " por ", " in", " un", " im"];

const REFUND: &[&str] =
    &["devol", "devuel", "reembols", "revers", "refund", "contracargo", "chargeback", "inversa", "inverso", "inverse"];
const VOID: &[&str] = &["anulac", "anulad", "void", "cancel"];
const SALE: &[&str] = &["venta", "sale", "compra", "purchase", "pago", "payment", "cobro", "credit"];

/// The meaning of a status.
pub(super) fn status(raw: &str, map: &BTreeMap<String, StatusKind>) -> StatusKind {
    if let Some(kind) = map.get(&key(raw)) {
        return *kind;
    }
    let folded = format!(" {}", fold(raw).replace(['_', '-'], " "));
    if folded == " ok" {
        return StatusKind::Approved;
    }
    let fits = |stems: &[&str]| stems.iter().any(|stem| folded.contains(stem));
    if let Some((kind, _)) = STATUS.iter().find(|(_, stems)| fits(stems)) {
        return *kind;
    }
    let not_yet = |place: usize| {
        let before = folded.get(..place).unwrap_or_default();
        NOT_YET.iter().any(|word| before.ends_with(word))
    };
    let mut kind = StatusKind::Unknown;
    // `contains` is much cheaper than `match_indices`, and this runs for every row.
    for stem in APPROVED.iter().filter(|stem| folded.contains(**stem)) {
        if folded.match_indices(stem).any(|(place, _)| not_yet(place)) {
            return StatusKind::Pending;
        }
        kind = StatusKind::Approved;
    }
    kind
}

/// The meaning of an operation's raw word or of its name, or `None` where neither says more than its direction.
pub(super) fn operation(raw: &str, name: Option<&str>, map: &BTreeMap<String, OperationKind>) -> Option<OperationKind> {
    let mapped = map.get(&key(raw)).or_else(|| map.get(&key(name?)));
    if let Some(kind) = mapped {
        return Some(*kind);
    }
    let folded = fold(name.unwrap_or(raw));
    let fits = |stems: &[&str]| stems.iter().any(|stem| folded.contains(stem));
    if fits(REFUND) {
        Some(OperationKind::Refund)
    } else if fits(VOID) {
        Some(OperationKind::Void)
    } else if fits(SALE) {
        Some(OperationKind::Credit)
    } else {
        None
    }
}

/// Whether an upstream's words say that an id does not exist.
pub(super) fn is_not_found(message: &str) -> bool {
    let folded = fold(message);
    ["not found", "no existe", "inexistente", "no encontrad", "no se encontr", "no hay"]
        .iter()
        .any(|words| folded.contains(words))
}

/// Whether an upstream's words say that the token is no longer good.
pub(super) fn is_token_refused(message: &str) -> bool {
    let folded = fold(message);
    ["token", "unauthenticated", "no autenticad", "sesion"].iter().any(|words| folded.contains(words))
}

/// The form of a raw word that the maps of the configuration are keyed by.
pub(super) fn key(raw: &str) -> String {
    raw.trim().to_lowercase()
}

/// Lower case without accents.
fn fold(text: &str) -> String {
    let plain = |c: char| match c {
        'á' | 'à' | 'ä' | 'â' => 'a',
        'é' | 'è' | 'ë' | 'ê' => 'e',
        'í' | 'ì' | 'ï' | 'î' => 'i',
        'ó' | 'ò' | 'ö' | 'ô' => 'o',
        'ú' | 'ù' | 'ü' | 'û' => 'u',
        other => other,
    };
    text.trim().chars().flat_map(char::to_lowercase).map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spanish_and_english_words_are_understood() {
        for (raw, kind) in [
            ("Aprobada", StatusKind::Approved),
            ("ACREDITADO", StatusKind::Approved),
            ("ok", StatusKind::Approved),
            ("Pendiente de aprobación", StatusKind::Pending),
            ("En proceso", StatusKind::Pending),
            ("Procesada", StatusKind::Approved),
            ("Rechazada por el banco", StatusKind::Rejected),
            ("DENIED", StatusKind::Rejected),
            ("Reversada", StatusKind::Reversed),
            ("Anulada", StatusKind::Cancelled),
            ("", StatusKind::Unknown),
            ("X-17", StatusKind::Unknown),
            ("EN_PROCESO", StatusKind::Pending),
            ("No acreditada", StatusKind::Pending),
            ("A acreditar", StatusKind::Pending),
            ("por cobrar", StatusKind::Pending),
            ("Incompleta", StatusKind::Pending),
            ("unpaid", StatusKind::Pending),
            ("NO_APROBADA", StatusKind::Rejected),
            ("Unsuccessful", StatusKind::Rejected),
            ("Abono aprobado", StatusKind::Approved),
            ("Transferencia acreditada", StatusKind::Approved),
        ] {
            assert_eq!(status(raw, &BTreeMap::new()), kind, "{raw}");
        }
        for (raw, kind) in [
            ("Devolución", Some(OperationKind::Refund)),
            ("ANULACIÓN", Some(OperationKind::Void)),
            ("Venta", Some(OperationKind::Credit)),
            ("Transferencia recibida", None),
            ("Operación inversa", Some(OperationKind::Refund)),
            ("Inversión en fondo común", None),
        ] {
            assert_eq!(operation(raw, None, &BTreeMap::new()), kind, "{raw}");
        }
    }

    #[test]
    fn the_configuration_goes_before_the_words() {
        let map = BTreeMap::from([(String::from("aprobada"), StatusKind::Pending)]);
        assert_eq!(status(" Aprobada ", &map), StatusKind::Pending);
        let map = BTreeMap::from([(String::from("t-9"), OperationKind::Refund)]);
        assert_eq!(operation("T-9", Some("Venta"), &map), Some(OperationKind::Refund));
    }
}
