//! What a stranger may post as a hint.

use crate::api::hints::{MOST_IDS, ids};
use crate::config::{HintsConfig, Secret, values};
use crate::domain::account::SourceKind;

/// Places where an id may stand: common ones, the whole body, and the places of a list.
const PLACES: [&str; 6] = ["/data/order/uuid", "/data/id", "/id", "", "/data/0", "/a~1b/c~0d"];

/// Laws: a bounded number of ids, each once and in its one normal form, each of its kind, each printed in the body;
/// reading twice gives the same.
pub fn hints(data: &[u8]) {
    let places = || PLACES.map(str::to_owned).to_vec();
    let config = HintsConfig { secret: Secret::new(String::from("-")), cashin: places(), links: places() };
    let found = ids(&config, data);
    assert_eq!(found, ids(&config, data));
    assert!(found.len() <= MOST_IDS);
    let body = String::from_utf8_lossy(data).to_lowercase();
    for (place, (source, id)) in found.iter().enumerate() {
        assert!(!found.iter().skip(place + 1).any(|other| *other == (*source, id.clone())), "an id stands there twice");
        match source {
            SourceKind::Cashin => {
                assert!(id.parse::<u64>().is_ok_and(|number| number > 0 && number.to_string() == *id), "no id: {id}");
            }
            SourceKind::Links => assert_eq!(values::order_uuid(id).as_ref(), Some(id), "no uuid"),
            SourceKind::Transactions | SourceKind::Movements | SourceKind::Deposits => panic!("nothing to watch"),
        }
        // An escape may spell what does not stand there as such.
        assert!(body.contains('\\') || body.contains(id.as_str()), "{id} was made up");
    }
    let silent = HintsConfig { cashin: Vec::new(), links: Vec::new(), ..config };
    assert!(ids(&silent, data).is_empty(), "an id without a pointer");
}
