//! Laws of payment keys in the sandbox's world: the real sources, without sockets.

use std::collections::BTreeMap;

use super::*;
use crate::config::from_toml;
use crate::domain::fact::FactKind;
use crate::http::Transport;
use crate::sandbox::direct::DirectTransport;
use crate::sandbox::script::Script;
use crate::sandbox::world::{Via, World};
use crate::sources::sipago::SipagoSource;
use crate::sources::telepagos::TelepagosSource;

/// A world, and watchers that look at it through the real sources.
struct Market {
    town: Town,
    world: World,
}

impl Market {
    fn new(seed: u64) -> Self {
        let mut town = Town::new();
        town.policy.flood.limit = 0;
        let world = World::new(Arc::clone(&town.clock), seed);
        Self { town, world }
    }

    fn source(&self, upstream: Upstream) -> Arc<dyn Source> {
        let toml = format!(
            "[[telepagos]]\nname = \"palermo\"\nbase_url = \"https://api.example\"\nusername = \"{}\"\npassword = \"{}\"\nrate = \"600/min\"\n\
             [[sipago]]\nname = \"shop\"\nbase_url = \"https://api.example/services\"\napi_key = \"{}\"\nrate = \"600/min\"\n\
             [[webhook]]\nname = \"ear\"\nurl = \"https://ear.example\"\nsecret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"\n",
            crate::sandbox::USERNAME,
            crate::sandbox::PASSWORD,
            crate::sandbox::API_KEY,
        );
        let config = from_toml(&toml).unwrap();
        let transport: Arc<dyn Transport> =
            Arc::new(DirectTransport::new(self.world.clone(), Script::default(), upstream));
        let clock = Arc::clone(&self.town.clock);
        match upstream {
            Upstream::Telepagos => {
                let account = config.telepagos.into_iter().next().unwrap();
                Arc::new(TelepagosSource::new(account, transport, clock).recognising_from(0))
            }
            Upstream::Sipago => {
                let mut account = config.sipago.into_iter().next().unwrap();
                account.common.name = AccountName::new("palermo");
                Arc::new(SipagoSource::new(account, transport, clock))
            }
        }
    }

    /// Watches for `time` with a watcher that was started now, and follows these ids.
    async fn watch(&self, upstream: Upstream, ids: &[String], time: Duration) {
        self.town.watch(&mut self.watcher(upstream, ids), time).await;
    }

    fn watcher(&self, upstream: Upstream, ids: &[String]) -> Watcher {
        let source = match upstream {
            Upstream::Telepagos => SourceKind::Cashin,
            Upstream::Sipago => SourceKind::Links,
        };
        let secs = Duration::from_secs;
        let poll = Poll { hot: secs(15), quiet: secs(15), warm: secs(900), cold: secs(86_400), watch: secs(5) };
        let asked = ids.iter().map(|id| (source, id.clone())).collect();
        let agenda = Agenda::new(poll, self.town.policy.lookback_days, asked);
        let (town, clock) = (&self.town, Arc::clone(&self.town.clock));
        let herald = Herald { upstream, ..town.herald() };
        let store = Arc::<MemoryStore>::clone(&town.store);
        let source = self.source(upstream);
        let nudge = town.nudge.clone();
        Watcher::new(store, source, clock, herald, town.policy, agenda, nudge, Arc::new(Nobody))
    }
}

#[tokio::test(start_paused = true)]
async fn an_order_and_its_movement_bear_one_key_though_one_prints_a_number_and_one_a_text() {
    let market = Market::new(3);
    market.watch(Upstream::Sipago, &[], MINUTE).await;
    let link = market.world.order_create(Money::from_cents(150_000));
    market.world.order_pay(&link);
    market.watch(Upstream::Sipago, std::slice::from_ref(&link), MINUTE).await;
    market.world.order_refund(&link);
    market.watch(Upstream::Sipago, &[link], 10 * MINUTE).await;
    assert_eq!(market.town.keys().await, [["credit.received", "link.paid", "payment.refunded"]]);
}

#[tokio::test(start_paused = true)]
async fn a_movement_without_a_payment_id_is_known_by_its_authorization_code() {
    for movement_first in [true, false] {
        for other_code in [true, false] {
            let market = Market::new(4);
            market.watch(Upstream::Sipago, &[], MINUTE).await;
            let link = market.world.order_create(Money::from_cents(150_000));
            market.world.order_pay(&link);
            let movement = market.world.order(&link).unwrap().payments[0].movement.unwrap();
            market.world.sipago_edit(movement, |sale| {
                sale.payment_id = 0;
                sale.hidden = !movement_first;
                if other_code {
                    sale.authorization = "999999".into();
                }
            });
            let watched = if movement_first { &[][..] } else { std::slice::from_ref(&link) };
            market.watch(Upstream::Sipago, watched, MINUTE).await;
            market.world.sipago_show(movement);
            market.watch(Upstream::Sipago, std::slice::from_ref(&link), MINUTE).await;
            let expected = if other_code { 2 } else { 1 };
            assert_eq!(market.town.keys().await.len(), expected, "{movement_first}");
            if other_code {
                continue;
            }
            // Both show the refund; it is one.
            market.world.order_edit(&link, |order| order.payments[0].is_refunded = true);
            market.world.sipago_edit(movement, |sale| sale.has_refund = true);
            market.watch(Upstream::Sipago, &[link], 10 * MINUTE).await;
            let told = [["credit.received", "link.paid", "payment.refunded"]];
            assert_eq!(market.town.keys().await, told, "{movement_first}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_cashin_of_the_world_and_its_transaction_bear_one_key() {
    for seed in 0..6 {
        let market = Market::new(seed);
        market.watch(Upstream::Telepagos, &[], MINUTE).await;
        let (mut ids, via) = (Vec::new(), if seed % 2 == 0 { Via::Link } else { Via::Qr });
        for n in 0..4 {
            // Others pay the same amount at the same time.
            market.world.telepagos_credit(Money::from_cents(50_000));
            ids.push(market.world.telepagos_cashin(via, Money::from_cents(50_000)).to_string());
            let watched = if n < 2 { &ids[..] } else { &ids[..2] };
            market.watch(Upstream::Telepagos, watched, MINUTE).await;
        }
        market.watch(Upstream::Telepagos, &ids, MINUTE).await;
        let keys = market.town.keys().await;
        let paired = keys.iter().filter(|types| types.len() == 2).count();
        assert_eq!((keys.len(), paired), (8, 4), "seed {seed}: {keys:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_life_never_puts_two_payments_under_one_key() {
    for seed in 0..4 {
        let market = Market::new(seed);
        market.watch(Upstream::Telepagos, &[], MINUTE).await;
        for _ in 0..10 {
            market.world.live(Duration::from_secs(120));
            let cashins = market.world.truth();
            let of_links = |kind| matches!(kind, FactKind::LinkPaid | FactKind::QrPaid);
            let ids: Vec<String> = cashins
                .iter()
                .filter(|fact| fact.source == SourceKind::Cashin && of_links(fact.kind))
                .map(|fact| fact.identity.clone())
                .collect();
            market.watch(Upstream::Telepagos, &ids, 2 * MINUTE).await;
        }
        let mut amounts: BTreeMap<String, Money> = BTreeMap::new();
        for event in market.town.every_event().await {
            let Body::Payment(payment) = &event.body else { continue };
            assert_eq!(*amounts.entry(payment.key.clone()).or_insert(payment.amount), payment.amount, "seed {seed}");
        }
        let keys = market.town.keys().await;
        let count = |types: &[String], kind: &str| types.iter().filter(|other| other.starts_with(kind)).count();
        let mut paired = 0;
        for types in &keys {
            assert!(count(types, "credit.received") < 2, "seed {seed}: {types:?}");
            let links = count(types, "link.paid") + count(types, "qr.paid");
            assert!(links < 2, "seed {seed}: {types:?}");
            paired += links * count(types, "credit.received");
        }
        let told: usize = keys.iter().map(|types| count(types, "link.paid") + count(types, "qr.paid")).sum();
        assert!(told > 20 && paired == told, "seed {seed}: {paired} of {told}");
    }
}

#[tokio::test(start_paused = true)]
async fn rows_that_a_poll_passed_over_are_read_when_the_store_has_forgotten_them() {
    let mut market = Market::new(5);
    market.town.policy.start = Start::Today;
    let mut watcher = market.watcher(Upstream::Telepagos, &[]);
    let credit = |pesos: i64| market.world.telepagos_credit(Money::from_cents(pesos * 100));
    for pesos in 1..=3 {
        credit(pesos);
        market.town.watch(&mut watcher, MINUTE).await;
    }
    let mut expected = vec!["credit.received 1.00", "credit.received 2.00", "credit.received 3.00"];
    assert_eq!(market.town.cried().await, expected);
    market.town.store.empty();
    credit(4);
    market.town.watch(&mut watcher, MINUTE).await;
    expected.push("credit.received 4.00");
    let mut cried = market.town.cried().await;
    cried.sort();
    assert_eq!(cried, expected, "all of it is told again, under the old ids");
}
