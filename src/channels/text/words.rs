//! The words of both languages. Matches are exhaustive, so that a new event type without words does not compile.

use crate::config::Language;
use crate::domain::cause::Cause;
use crate::domain::event::EventType;
use crate::domain::row::StatusKind;

/// What a message is called.
pub(super) const fn title(kind: EventType, language: Language) -> &'static str {
    let (es, en) = match kind {
        EventType::CreditReceived => ("Cobro recibido", "Payment received"),
        EventType::CreditPending => ("Cobro pendiente", "Payment pending"),
        EventType::CreditRejected => ("Cobro rechazado", "Payment rejected"),
        EventType::LinkPaid => ("Link de pago cobrado", "Payment link paid"),
        EventType::QrPaid => ("QR cobrado", "QR code paid"),
        EventType::LinkExpired => ("Link de pago vencido", "Payment link expired"),
        EventType::LinkFailed => ("Link de pago fallido", "Payment link failed"),
        EventType::PaymentRefunded => ("Devolución", "Refund"),
        EventType::PaymentVoided => ("Anulación", "Void"),
        EventType::DebitSent => ("Dinero enviado", "Money sent"),
        EventType::SettlementPaid => ("Liquidación acreditada", "Settlement paid"),
        EventType::DayClosed => ("Cierre del día", "Day closed"),
        EventType::SourceFailing => ("No podemos consultar la cuenta", "The account cannot be read"),
        EventType::SourceStale => ("La cuenta no se consulta hace rato", "The account has not been read for a while"),
        EventType::SourceRecovered => ("La cuenta se consulta de nuevo", "The account is read again"),
        EventType::DestinationFailing => ("Un destino no recibe los avisos", "A destination takes no messages"),
        EventType::DestinationPaused => ("Un destino quedó en pausa", "A destination is paused"),
        EventType::DestinationRecovered => ("Un destino volvió a recibir", "A destination takes messages again"),
        EventType::ReconcileDifference => ("Diferencia en el control del día", "Difference in the daily check"),
        EventType::FloodHeld => ("Avisos retenidos: hay demasiados de golpe", "Messages held back: too many at once"),
        EventType::TestPing => ("Mensaje de prueba", "Test message"),
    };
    pick(language, es, en)
}

/// The sign in front of a chat message. A tick is for money that is there; of an unknown status nobody can say so.
pub(super) const fn icon(kind: EventType, status: Option<StatusKind>) -> &'static str {
    match kind {
        _ if is_income(kind) && matches!(status, Some(StatusKind::Unknown)) => "❔",
        EventType::CreditReceived | EventType::LinkPaid | EventType::QrPaid => "✅",
        EventType::CreditPending => "⏳",
        EventType::CreditRejected | EventType::LinkFailed => "❌",
        EventType::LinkExpired => "⌛",
        EventType::PaymentRefunded => "↩️",
        EventType::PaymentVoided => "🚫",
        EventType::DebitSent => "📤",
        EventType::SettlementPaid => "🏦",
        EventType::DayClosed => "📒",
        EventType::SourceFailing
        | EventType::SourceStale
        | EventType::DestinationFailing
        | EventType::DestinationPaused
        | EventType::ReconcileDifference => "⚠️",
        EventType::SourceRecovered | EventType::DestinationRecovered => "🟢",
        EventType::FloodHeld => "✋",
        EventType::TestPing => "🔔",
    }
}

/// What a notice means for its reader and what to do, where there is more to say than the title does.
pub(super) fn explanation(
    kind: EventType,
    cause: Option<Cause>,
    upstream: Option<&str>,
    language: Language,
) -> Option<String> {
    let upstream = upstream.unwrap_or(pick(language, "La empresa", "The company"));
    let (es, en) = match (kind, cause) {
        (EventType::SourceFailing, Some(Cause::Unauthorized)) => (
            "{} rechaza las credenciales de la API: hay que revisarlas en la configuración.",
            "{} refuses the API credentials: check them in the configuration.",
        ),
        (EventType::SourceFailing, Some(Cause::Transport)) => ("{} no responde.", "{} does not answer."),
        (EventType::SourceFailing, Some(Cause::Upstream)) => {
            ("{} responde con un error suyo.", "{} answers with an error of its own.")
        }
        (EventType::SourceFailing, Some(Cause::SlowDown)) => {
            ("{} pide que consultemos más despacio.", "{} asks us to ask less often.")
        }
        (EventType::SourceFailing, Some(Cause::Refused | Cause::NotFound)) => {
            ("{} rechaza la consulta.", "{} refuses the question.")
        }
        (EventType::SourceFailing, Some(Cause::Contract)) => {
            ("{} responde algo que no se puede leer.", "{} answers what cannot be read.")
        }
        (EventType::SourceRecovered, _) => {
            ("Lo que entró mientras tanto se avisa ahora.", "What came in meanwhile is announced now.")
        }
        (EventType::FloodHeld, _) => (
            "Son avisos atrasados. Para enviarlos, quien opera pregonero ejecuta: pregonero release",
            "They are late messages. To send them, the operator runs: pregonero release",
        ),
        (EventType::TestPing, _) => {
            ("Si podés leer esto, los avisos llegan bien.", "If you can read this, messages arrive.")
        }
        _ => return None,
    };
    let told = pick(language, es, en).replace("{}", upstream);
    let comfort = pick(
        language,
        " Nada se pierde: lo que entre mientras tanto se avisa después.",
        " Nothing is lost: what comes in meanwhile is announced later.",
    );
    Some(if kind == EventType::SourceFailing { told + comfort } else { told })
}

/// What happened at the printed time.
pub(super) const fn verb(kind: EventType, language: Language) -> &'static str {
    let (es, en) = match kind {
        EventType::CreditReceived | EventType::LinkPaid | EventType::QrPaid => ("cobrado", "received"),
        EventType::CreditPending => ("iniciado", "started"),
        EventType::CreditRejected => ("rechazado", "rejected"),
        EventType::LinkExpired => ("vencido", "expired"),
        EventType::LinkFailed => ("fallido", "failed"),
        EventType::PaymentRefunded => ("devuelto", "refunded"),
        EventType::PaymentVoided => ("anulado", "voided"),
        EventType::DebitSent => ("enviado", "sent"),
        EventType::SettlementPaid => ("acreditado", "paid"),
        EventType::DayClosed
        | EventType::SourceFailing
        | EventType::SourceStale
        | EventType::SourceRecovered
        | EventType::DestinationFailing
        | EventType::DestinationPaused
        | EventType::DestinationRecovered
        | EventType::ReconcileDifference
        | EventType::FloodHeld
        | EventType::TestPing => ("ocurrido", "happened"),
    };
    pick(language, es, en)
}

/// Whether the other side received the money, so that "to" is right and not "from".
pub(super) const fn goes_out(kind: EventType) -> bool {
    matches!(kind, EventType::PaymentRefunded | EventType::PaymentVoided | EventType::DebitSent)
}

/// A status that people should know of; approved is what the title says already.
pub(super) const fn status(kind: StatusKind, language: Language) -> Option<&'static str> {
    let (es, en) = match kind {
        StatusKind::Approved | StatusKind::Unknown => return None,
        StatusKind::Pending => ("pendiente", "pending"),
        StatusKind::Rejected => ("rechazado", "rejected"),
        StatusKind::Reversed => ("revertido", "reversed"),
        StatusKind::Cancelled => ("cancelado", "cancelled"),
    };
    Some(pick(language, es, en))
}

/// A status that no map knows, with its raw text. Whoever hands out goods on a message must not take it for a yes.
pub(super) fn unknown_status(kind: EventType, raw: &str, language: Language) -> String {
    let said = match language {
        Language::Es => format!("desconocido: «{raw}»"),
        Language::En => format!("unknown: “{raw}”"),
    };
    let warning = pick(language, "; verificalo antes de entregar", "; check before you hand anything over");
    if is_income(kind) { said + warning } else { said }
}

/// Whether the title says that money came in.
const fn is_income(kind: EventType) -> bool {
    matches!(kind, EventType::CreditReceived | EventType::LinkPaid | EventType::QrPaid)
}

/// The labels of references.
#[derive(Clone, Copy)]
pub(super) enum Label {
    Transaction,
    Link,
    Qr,
    Order,
    Payment,
    Authorization,
    SalePoint,
    Concept,
    Description,
}

impl Label {
    pub(super) const fn text(self, language: Language) -> &'static str {
        let (es, en) = match self {
            Self::Transaction => ("Transacción", "Transaction"),
            Self::Link => ("Link", "Link"),
            Self::Qr => ("Orden QR", "QR order"),
            Self::Order => ("Orden", "Order"),
            Self::Payment => ("Pago", "Payment"),
            Self::Authorization => ("Autorización", "Authorization"),
            Self::SalePoint => ("Punto de venta", "Sale point"),
            Self::Concept => ("Concepto", "Concept"),
            Self::Description => ("Detalle", "Description"),
        };
        pick(language, es, en)
    }
}

/// Days in a lag.
pub(super) const fn days(language: Language) -> &'static str {
    pick(language, "días", "days")
}

/// Before a day of which no time is known.
pub(super) const fn on(language: Language) -> &'static str {
    pick(language, "el ", "on ")
}

const fn pick(language: Language, es: &'static str, en: &'static str) -> &'static str {
    match language {
        Language::Es => es,
        Language::En => en,
    }
}
