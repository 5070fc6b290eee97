//! Invented Argentines with well-formed numbers.

const MEN: [&str; 12] = [
    "Juan Carlos",
    "Martín",
    "Diego",
    "Sebastián",
    "Nicolás",
    "José Luis",
    "Facundo",
    "Ramiro",
    "Agustín",
    "Hernán",
    "Lautaro",
    "Íñigo",
];
const WOMEN: [&str; 12] = [
    "María Luisa",
    "Camila",
    "Florencia",
    "Sofía",
    "Valentina",
    "Rocío",
    "Ana Inés",
    "Julieta",
    "Micaela",
    "Lucía",
    "Paula",
    "Antonella",
];
const FAMILIES: [&str; 16] = [
    "Pérez",
    "González",
    "Rodríguez",
    "Fernández",
    "López",
    "Muñoz",
    "D'Angelo",
    "Giménez",
    "Sosa",
    "Quiroga",
    "Benítez",
    "Ibáñez",
    "Núñez",
    "Ruiz Díaz",
    "Vázquez & Hijos",
    "Agüero",
];

/// Somebody who pays. All of it is invented.
#[derive(Clone, PartialEq, Eq)]
pub struct Person {
    /// Given names.
    pub first: String,
    /// Family name.
    pub last: String,
    /// Eleven digits, with a right check digit.
    pub cuit: String,
    /// Twenty-two digits, with right check digits.
    pub cvu: String,
}

/// Prints nothing: a person of the sandbox is treated as a real one would be.
impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Person(…)")
    }
}

impl Person {
    /// Draws somebody.
    pub fn draw(rng: &mut fastrand::Rng) -> Self {
        let (prefix, names) = if rng.bool() { ("20", &MEN) } else { ("27", &WOMEN) };
        let first = rng.choice(names).copied().unwrap_or("Ana").to_owned();
        let last = rng.choice(&FAMILIES).copied().unwrap_or("Sosa").to_owned();
        let document = rng.u32(10_000_000..48_000_000);
        let provider = rng.choice([3_u32, 31, 53, 79]).unwrap_or(3);
        let account = rng.u64(0..10_u64.pow(13));
        Self { first, last, cuit: cuit(prefix, document), cvu: cvu(provider, account) }
    }

    /// `PEREZ MARIA`-like order is common, but both are seen; here it is given name first.
    pub fn name(&self) -> String {
        format!("{} {}", self.first, self.last)
    }

    /// The national document number inside the CUIT.
    pub fn document(&self) -> &str {
        self.cuit.get(2..10).unwrap_or_default()
    }
}

/// Check digit: weights 5,4,3,2,7,6,5,4,3,2; `11 − sum mod 11`, 11 → 0, 10 → 9 (python-stdnum `stdnum/ar/cuit.py`, 2026-11-21).
fn cuit(prefix: &str, document: u32) -> String {
    let body = format!("{prefix}{document:08}");
    let sum: u32 = digits(&body).zip([5, 4, 3, 2, 7, 6, 5, 4, 3, 2]).map(|(digit, weight)| digit * weight).sum();
    let check = match 11 - sum % 11 {
        11 => 0,
        10 => 9,
        digit => digit,
    };
    format!("{body}{check}")
}

/// Two blocks, `0000` + provider + check digit and 13 digits + check digit; each weighted 3,1,7,9 from the right,
/// `(10 − sum mod 10) mod 10` (python-stdnum `stdnum/ar/cbu.py`, 2026-11-21).
fn cvu(provider: u32, account: u64) -> String {
    let (first, second) = (format!("0000{provider:03}"), format!("{account:013}"));
    format!("{first}{}{second}{}", block_check(&first), block_check(&second))
}

fn block_check(block: &str) -> u32 {
    let reversed: Vec<u32> = digits(block).collect();
    let sum: u32 = reversed.iter().rev().zip([3, 1, 7, 9].iter().cycle()).map(|(digit, weight)| digit * weight).sum();
    (10 - sum % 10) % 10
}

fn digits(text: &str) -> impl Iterator<Item = u32> {
    text.chars().filter_map(|c| c.to_digit(10))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::argentina::{cuit_is_valid, cvu_is_valid};

    #[test]
    fn everybody_has_well_formed_numbers() {
        let mut rng = fastrand::Rng::with_seed(7);
        for _ in 0..2_000 {
            let person = Person::draw(&mut rng);
            assert!(cuit_is_valid(&person.cuit), "{}", person.cuit);
            assert!(cvu_is_valid(&person.cvu), "{}", person.cvu);
            assert_eq!(person.document().len(), 8);
        }
    }

    #[test]
    fn the_published_numbers_come_out() {
        assert_eq!(cuit("20", 5_536_168), "20055361682");
        assert_eq!(
            cvu(63, 6_019_537),
            "0000063".to_owned() + &block_check("0000063").to_string() + "00000060195375".get(..14).unwrap()
        );
    }

    #[test]
    fn one_seed_draws_the_same_people() {
        let draw = |seed| Person::draw(&mut fastrand::Rng::with_seed(seed));
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
    }
}
