//! What people read of a day that was closed, and of a difference that was found.

use jiff::civil::Date;

use super::view::{date, pesos};
use crate::config::Language;
use crate::domain::closing::{Closing, Sum, Totals};
use crate::domain::event::{EventType, Notice};

/// The sentences of a notice that is about a day.
pub(super) fn told(kind: EventType, notice: &Notice, language: Language) -> Option<String> {
    let (day, closing) = (notice.day?.date(), notice.closing.as_deref()?);
    let sentences =
        if kind == EventType::DayClosed { closed(day, closing, language) } else { vec![found(day, closing, language)] };
    Some(sentences.into_iter().chain(gone(closing, language)).collect::<Vec<_>>().join(" "))
}

fn closed(day: Date, closing: &Closing, language: Language) -> Vec<String> {
    let (day, sums) = (date(day), sums(&closing.of_day, language));
    let mut told = vec![match language {
        Language::Es => format!("Cierre del {day}: {sums}."),
        Language::En => format!("{day}: {sums}."),
    }];
    if !closing.earlier.is_empty() {
        let sums = self::sums(&closing.earlier, language);
        told.push(match language {
            Language::Es => format!("Además, avisado ese día con fecha anterior: {sums}."),
            Language::En => format!("Also announced that day, dated earlier: {sums}."),
        });
    }
    if closing.baseline > 0 {
        let count = closing.baseline;
        told.push(match language {
            Language::Es => format!("Sin contar {} de antes de empezar a mirar.", of(count, "cobro", "cobros")),
            Language::En => {
                format!("Not counting {} from before watching began.", of(count, "payment", "payments"))
            }
        });
    }
    told.push(match (closing.differences, language) {
        (0, Language::Es) => String::from("Todo lo que figura fue avisado."),
        (0, Language::En) => String::from("All that is listed was announced."),
        (count, Language::Es) => {
            format!("El control encontró {} sin avisar: ya se avisó, con demora.", of(count, "hecho", "hechos"))
        }
        (count, Language::En) => {
            format!("The check found {} not announced: announced now, late.", of(count, "fact", "facts"))
        }
    });
    told
}

fn found(day: Date, closing: &Closing, language: Language) -> String {
    let (day, count) = (date(day), closing.differences);
    match (count, language) {
        (0, Language::Es) => format!("Control del {day}:"),
        (0, Language::En) => format!("Check of {day}:"),
        (_, Language::Es) => {
            format!("Control del {day}: {} sin avisar; se avisa ahora, con demora.", of(count, "hecho", "hechos"))
        }
        (_, Language::En) => {
            format!("Check of {day}: {} not announced; announced now, late.", of(count, "fact", "facts"))
        }
    }
}

fn gone(closing: &Closing, language: Language) -> Option<String> {
    let count = closing.vanished;
    (count > 0).then(|| match language {
        Language::Es => format!("{} que se avisó ya no figura.", of(count, "movimiento", "movimientos")),
        Language::En => format!("{} that was announced is listed no more.", of(count, "movement", "movements")),
    })
}

/// `37 cobros por $ 123.456,00, 2 devoluciones por $ 3.000,00`; voids only where there are any.
fn sums(totals: &Totals, language: Language) -> String {
    let (credits, refunds, voids) = match language {
        Language::Es => (("cobro", "cobros"), ("devolución", "devoluciones"), ("anulación", "anulaciones")),
        Language::En => (("payment", "payments"), ("refund", "refunds"), ("void", "voids")),
    };
    let sum = |sum: Sum, (one, many): (&str, &str)| {
        let by = match language {
            Language::Es => "por",
            Language::En => "of",
        };
        let counted = of(sum.count, one, many);
        if sum.count == 0 { counted } else { format!("{counted} {by} {}", pesos(sum.total)) }
    };
    let mut parts = vec![sum(totals.credits, credits), sum(totals.refunds, refunds)];
    if totals.voids.count > 0 {
        parts.push(sum(totals.voids, voids));
    }
    parts.join(", ")
}

fn of(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
