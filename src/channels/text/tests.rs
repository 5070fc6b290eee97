//! Every message in every language, channel and detail.

use super::*;
use crate::channels::contract::samples;
use crate::domain::event::EventType;
use crate::domain::row::{Label, StatusKind};

fn texts() -> Texts {
    Texts::new().unwrap()
}

fn style(language: Language, detail: Detail) -> Style {
    Style { language, detail, zone: TimeZone::get("America/Argentina/Buenos_Aires").unwrap() }
}

fn moment() -> Moment {
    Moment { now: "2026-11-21T17:03:22.9Z".parse().unwrap(), repeated: false }
}

/// Fails unless the text is what Telegram's parser takes: known tags, balanced, and only the three entities.
fn assert_telegram_html(html: &str) {
    let mut open = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find(['<', '&', '>']) {
        let tail = &rest[at..];
        let end = match tail.as_bytes()[0] {
            b'<' => {
                let end = tail.find('>').unwrap_or_else(|| panic!("unclosed tag in {html}"));
                let tag = &tail[1..end];
                if let Some(name) = tag.strip_prefix('/') {
                    assert_eq!(open.pop(), Some(name), "{html}");
                } else {
                    assert!(["b", "i", "code"].contains(&tag), "{tag} in {html}");
                    open.push(tag);
                }
                end
            }
            b'&' => {
                let end = tail.find(';').unwrap_or_else(|| panic!("bare & in {html}"));
                assert!(["lt", "gt", "amp"].contains(&&tail[1..end]), "{html}");
                end
            }
            _ => panic!("bare > in {html}"),
        };
        rest = &tail[end + 1..];
    }
    assert!(open.is_empty(), "{open:?} left open in {html}");
}

#[test]
fn every_event_has_a_message_in_every_language_channel_and_detail() {
    let texts = texts();
    for kind in EventType::ALL {
        for language in [Language::Es, Language::En] {
            for detail in [Detail::Full, Detail::Masked, Detail::Thin] {
                let (event, style) = (samples::any(kind), style(language, detail));
                let chat = texts.telegram(&event, &style, moment());
                let mail = texts.mail(&event, &style, moment());
                let plain = texts.plain(&event, &style, moment());
                let title = words::title(kind, language);
                for text in [&chat, &mail.subject, &mail.text, &mail.html, &plain] {
                    assert!(text.contains(title), "{kind} {language:?} {detail:?}: {text}");
                    // A failed template falls back to the line, which these tests would take for a message.
                    assert_ne!(*text, escaped(&texts.line(&event, &style, moment())), "{kind} {language:?} {detail:?}");
                    if detail != Detail::Full {
                        for personal in samples::PERSONAL {
                            assert!(!text.contains(personal), "{personal} in {text}");
                        }
                    }
                }
                assert!(chat.chars().count() < 4096);
                assert_telegram_html(&chat);
                assert!(!mail.text.contains('\u{a0}') && !mail.subject.contains('\u{a0}'));
                assert!(!mail.subject.contains('\n'));
                assert!(mail.html.len() < 100_000);
            }
        }
    }
}

#[test]
fn the_message_at_the_till_reads_like_this() {
    let event = samples::payment(EventType::CreditReceived);
    let chat = texts().telegram(&event, &style(Language::Es, Detail::Masked), moment());
    assert_eq!(
        chat,
        "✅ <b>Cobro recibido</b>\n<b>$\u{a0}1.500,00</b> de M&lt;RÍA P.\nCUIT: **-*****539-*\nCBU/CVU: ••••5201\n\
         Transferencia recibida\nPunto de venta: Caja 1\ncobrado 14:03:16, avisado +6 s\n\
         <i>centro · TelePagos</i> <code>abcdef</code>"
    );
    let english = texts().telegram(&event, &style(Language::En, Detail::Thin), moment());
    assert_eq!(
        english,
        "✅ <b>Payment received</b>\n<b>$\u{a0}1.500,00</b>\nTransaction: 90071992547409931\nSale point: Caja 1\n\
         received 14:03:16, announced +6 s\n<i>centro · TelePagos</i> <code>abcdef</code>"
    );
}

#[test]
fn a_mail_reads_like_this() {
    let event = samples::payment(EventType::PaymentRefunded);
    let mail = texts().mail(&event, &style(Language::Es, Detail::Full), moment());
    assert_eq!(mail.subject, "Devolución: $ 1.500,00 a M<RÍA & LUISA PÉREZ · centro");
    assert_eq!(
        mail.text,
        "Devolución\n$ 1.500,00 a M<RÍA & LUISA PÉREZ\n\nCUIT: 20-26756539-3\nCBU/CVU: 2850590940090418135201\n\
         Operación: Transferencia recibida\nTransacción: 90071992547409931\nPunto de venta: Caja 1\nConcepto: VAR\n\
         Detalle: seña & saldo\ndevuelto 14:03:16, avisado +6 s\nCuenta: centro (TelePagos)\n\
         Ref.: evt_0123456789abcdef0123456789abcdef\n\n-- \n\
         Lo envía pregonero porque esta casilla figura en su configuración."
    );
    assert!(mail.html.contains("M&lt;RÍA &amp; LUISA PÉREZ"));
}

#[test]
fn an_amount_that_nobody_told_us_is_left_out_and_no_zero() {
    let (texts, style) = (texts(), style(Language::Es, Detail::Full));
    let mut event = samples::any(EventType::LinkExpired);
    if let crate::domain::event::Body::Payment(payment) = &mut event.body {
        payment.amount = crate::domain::money::Money::from_cents(0);
    }
    let mail = texts.mail(&event, &style, moment());
    let all = [texts.telegram(&event, &style, moment()), mail.subject, mail.text, mail.html];
    for text in all {
        assert!(text.contains("Link de pago vencido") && !text.contains("0,00") && !text.contains(": ·"), "{text}");
    }
    let known = texts.telegram(&samples::any(EventType::LinkExpired), &style, moment());
    assert!(known.contains("1.500,00"), "{known}");
}

#[test]
fn a_notice_says_what_it_means_in_the_readers_language() {
    let event = samples::notice(EventType::SourceFailing);
    let chat = texts().telegram(&event, &style(Language::Es, Detail::Masked), moment());
    assert_eq!(
        chat,
        "⚠️ <b>No podemos consultar la cuenta</b>\nTelePagos responde con un error suyo. Nada se pierde: lo que entre \
         mientras tanto se avisa después.\n<i>Detalle técnico: the upstream answers 500</i>\n\
         Cuenta: centro (TelePagos)\nDesde: 13:50:00\nCantidad: 3\n<code>abcdef</code>"
    );
    let test = texts().telegram(&samples::notice(EventType::TestPing), &style(Language::Es, Detail::Masked), moment());
    assert!(test.contains("los avisos llegan bien"), "{test}");
    for cause in crate::domain::cause::Cause::ALL {
        let told = words::explanation(EventType::SourceFailing, Some(cause), Some("Sipago"), Language::Es);
        assert!(told.is_some_and(|told| told.starts_with("Sipago ")), "{cause:?}");
    }
    let old = words::explanation(EventType::SourceFailing, None, None, Language::Es);
    assert_eq!(old, None, "an event that was kept before causes had names shows its reason");
}

#[test]
fn a_closed_day_is_one_sentence_at_a_glance() {
    let chat = |kind, language| texts().telegram(&samples::day(kind), &style(language, Detail::Masked), moment());
    assert_eq!(
        chat(EventType::DayClosed, Language::Es),
        "📒 <b>Cierre del día</b>\nCierre del 20/11/2026: 37 cobros por $\u{a0}123.456,00, 2 devoluciones por \
         $\u{a0}3.000,00. Además, avisado ese día con fecha anterior: 0 cobros, 1 devolución por $\u{a0}0,99. El control \
         encontró 3 hechos sin avisar: ya se avisó, con demora. 1 movimiento que se avisó ya no figura.\n\
         Cuenta: centro (TelePagos)\n<code>abcdef</code>"
    );
    assert_eq!(
        chat(EventType::ReconcileDifference, Language::En),
        "⚠️ <b>Difference in the daily check</b>\nCheck of 20/11/2026: 3 facts not announced; announced now, late. \
         1 movement that was announced is listed no more.\nAccount: centro (TelePagos)\n<code>abcdef</code>"
    );
}

#[test]
fn late_sandbox_repeated_and_unknown_are_marked() {
    let mut event = samples::payment(EventType::CreditReceived);
    event.late = true;
    event.sandbox = true;
    event.occurred_at = String::from("2026-11-20");
    let Body::Payment(payment) = &mut event.body else { unreachable!() };
    payment.status = Label { kind: StatusKind::Unknown, raw: String::from("<Acreditándose>") };
    let moment = Moment { repeated: true, ..moment() };
    let chat = texts().telegram(&event, &style(Language::Es, Detail::Masked), moment);
    assert!(chat.starts_with("[SANDBOX] ❔"), "no tick for what nobody knows: {chat}");
    for part in [
        "(reenviado)",
        "con demora",
        "desconocido: «&lt;Acreditándose&gt;»; verificalo antes de entregar",
        "cobrado el 20/11/2026",
    ] {
        assert!(chat.contains(part), "{part} in {chat}");
    }
    assert!(!chat.contains("avisado"), "of a day alone there is no lag: {chat}");
    let mail = texts().mail(&event, &style(Language::En, Detail::Masked), moment);
    assert!(mail.subject.starts_with("[SANDBOX] "));
    assert!(mail.text.contains("unknown: “<Acreditándose>”"));
}

#[test]
fn the_longest_texts_of_an_upstream_still_fit_into_a_chat() {
    let mut event = samples::payment(EventType::CreditReceived);
    let Body::Payment(payment) = &mut event.body else { unreachable!() };
    let long = || Some("<&>\n".repeat(5_000));
    payment.payer.name = long();
    payment.payer.cuit = long();
    payment.payer.cvu_cbu = long();
    payment.payer.card_brand = long();
    payment.payer.card_last4 = long();
    payment.status = Label { kind: StatusKind::Unknown, raw: "x".repeat(10_000) };
    payment.operation.raw = "y".repeat(10_000);
    let refs = &mut payment.references;
    for field in [
        &mut refs.transaction_id,
        &mut refs.link_id,
        &mut refs.qr_order_id,
        &mut refs.order_uuid,
        &mut refs.payment_id,
        &mut refs.authorization_code,
        &mut refs.sale_point,
        &mut refs.concept,
        &mut refs.description,
    ] {
        *field = long();
    }
    let chat = texts().telegram(&event, &style(Language::Es, Detail::Full), moment());
    assert_telegram_html(&chat);
    // Telegram counts characters after parsing the entities.
    let parsed = chat.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    assert!(parsed.chars().count() < 4096, "{}", parsed.chars().count());
}

#[test]
fn a_template_fault_falls_back_to_a_plain_line() {
    let mut texts = texts();
    texts.templates.add_template("es/payment.telegram.html", "{{ nobody_knows_this }}").unwrap();
    texts.templates.add_template("es/payment.mail.txt", "{% for i in range(9999999) %}x{% endfor %}").unwrap();
    let event = samples::payment(EventType::CreditReceived);
    let style = style(Language::Es, Detail::Masked);
    let chat = texts.telegram(&event, &style, moment());
    assert_eq!(chat, "Cobro recibido · $\u{a0}1.500,00 · M&lt;RÍA P. · centro · 14:03:16 · abcdef");
    assert_telegram_html(&chat);
    assert!(texts.mail(&event, &style, moment()).text.starts_with("Cobro recibido · $ 1.500,00"));
}
