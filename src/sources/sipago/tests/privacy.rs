//! Of a card the last four digits, of a buyer the name; nothing else ever enters.

use super::{everything, movements, order};
use crate::sources::Task;
use crate::sources::scripted::{Scripted, assert_silent_about, file};
use crate::sources::{Reading, Source};

/// What `movements_documented.json` tells about somebody, and nobody needs.
const PRIVATE: [&str; 27] = [
    "4507990000004242",
    "4507",
    "45079",
    "990000",
    "0000004242",
    "00004242",
    "f00dcafe",
    "correo.example",
    "Falsa 123",
    "Piso 9",
    "Provincia Inventada",
    "B1999XYZ",
    "1980-02-29",
    "1980",
    "5555",
    "155550199",
    "Ciudad de Papel",
    "11111111",
    "DNI",
    "malabarista",
    "88112233",
    "88112234",
    "CAJERO",
    "Banco de Juguete",
    "FICTICIA ANA MARIA",
    "imagen.example",
    "5551234",
];

#[test]
fn nothing_private_of_a_movement_is_in_any_field_of_its_row() {
    let rows = movements("movements_documented.json");
    assert_silent_about(&everything(&rows[0]), &PRIVATE);
}

#[tokio::test(start_paused = true)]
async fn nothing_private_is_in_a_reading_and_no_name_in_its_debug() {
    let transport = Scripted::queue([file("sipago/movements_documented.json")]);
    let today = crate::domain::day::Day::parse("2026-11-21").unwrap();
    let task = Task::Days { from: today, to: today };
    let Reading::Snapshot(snapshot) = super::source(&transport).read(&task, None).await.unwrap() else {
        panic!("nothing was known")
    };
    let text = format!("{snapshot:?}");
    assert_silent_about(&text, &PRIVATE);
    assert_silent_about(&text, &["Ficticia", "4242"]);
}

#[test]
fn only_the_last_four_digits_of_a_card_are_kept_and_only_if_they_are_the_last() {
    let rows = movements("movements_cards.json");
    let tails: Vec<Option<&str>> = rows.iter().map(|row| row.payer.card_last4.as_deref()).collect();
    assert_eq!(
        tails,
        [
            Some("4242"),
            Some("4242"),
            // The upstream hid the end; what it shows is the beginning.
            None,
            Some("4242"),
            // A whole number where four digits belong is not kept.
            None,
            Some("4242"),
            None,
            None,
            // Six digits are the beginning of a number.
            None,
            Some("4242"),
        ]
    );
    for row in &rows {
        assert_silent_about(&everything(row), &["4507", "9900", "0799", "9999", "000000", "1111"]);
    }
}

#[test]
fn what_nobody_documented_stays_outside() {
    let rows = movements("movements_unknown_fields.json");
    assert_silent_about(&everything(&rows[0]), &["4507", "4242", "987", "2912", "no debe salir"]);
}

#[test]
fn nothing_private_of_an_order_is_in_any_of_its_rows() {
    for row in order("order_documented.json") {
        assert_silent_about(&everything(&row), &["correo.example", "f00d", "pago.example", "0000169"]);
    }
}
