//! One trial: good, then bad for a while, then good again.

use std::time::Duration;

use pregonero::sandbox::{Face, Fault, Rule};

use super::{end, listed, said, something_happens, with_every_detail};
use crate::support::{House, Memory, Plan, until, webhooks_by_id};

/// For what a back-off of some seconds may stand in between.
const PATIENCE: Duration = Duration::from_secs(60);

/// A fault of both upstreams' listings.
pub(super) struct Trial {
    /// Of the trial, for who reads a failure.
    pub(super) name: &'static str,
    pub(super) plan: Plan,
    pub(super) fault: Fault,
    /// How often it strikes at TelePagos and at Sipago until a reading has failed from its beginning to its end.
    pub(super) strikes: (u32, u32),
    /// The class that the log names, and words beside it.
    pub(super) class: &'static str,
    pub(super) words: &'static str,
}

impl Trial {
    pub(super) fn new(name: &'static str, fault: Fault, class: &'static str, words: &'static str) -> Self {
        Self { name, plan: Plan::default(), fault, strikes: (2, 2), class, words }
    }

    /// With these lines in both accounts.
    pub(super) fn with(mut self, lines: &str) -> Self {
        self.plan.telepagos += lines;
        self.plan.sipago += lines;
        self
    }

    /// Runs it: two facts before, four during and two after the fault; each is told once, none during it.
    pub(super) async fn run(self, seed: u64) {
        let house = House::build(Memory::File, seed).await;
        self.run_in(house).await;
    }

    pub(super) async fn run_in(self, house: House) {
        let Self { name, plan, fault, strikes, class, words } = self;
        with_every_detail(&house);
        let mut daemon = house.contacted(&plan).await;
        something_happens(&house, 10_000);
        house.all_told("erp", PATIENCE).await;

        let script = house.sandbox.script();
        let rule = |face, path| Rule::always(face, path, fault.clone());
        let telepagos = script.add(rule(Face::Telepagos, "v2/account/transactions"));
        let sipago = script.add(rule(Face::Sipago, "transactions/page"));
        until(name, PATIENCE, || script.struck(telepagos) >= 1 && script.struck(sipago) >= 1).await;
        something_happens(&house, 20_000);
        something_happens(&house, 20_000);
        let (first, second) = (script.struck(telepagos), script.struck(sipago));
        // A reading that begins after these facts, and the beginning of the one after it.
        let failed = || script.struck(telepagos) >= first + strikes.0 && script.struck(sipago) >= second + strikes.1;
        until(name, PATIENCE, failed).await;
        assert_eq!(webhooks_by_id(house.sandbox.caught(), "erp").len(), 2, "{name}: told of a broken reading");
        assert_eq!(listed(&house, "").await.len(), 2, "{name}: a ledger moved");

        assert!(script.remove(telepagos) && script.remove(sipago));
        something_happens(&house, 30_000);
        house.all_told("erp", PATIENCE).await;
        house.read_again().await;
        house.nothing_invented("erp");
        assert_eq!(listed(&house, "").await.len(), 8, "{name}");
        let log = end(&house, &mut daemon).await;
        for account in ["centro", "palermo"] {
            let complaints = said(&log, account, "the source cannot be read");
            assert_eq!(complaints.len(), 1, "{name}: said once of {account}: {complaints:?}");
            assert!(complaints[0].contains(&format!("class=\"{class}\"")), "{name}: {complaints:?}");
            assert!(complaints[0].contains(words), "{name}, `{words}`: {complaints:?}");
            assert_eq!(said(&log, account, "the source can be read again").len(), 1, "{name}: {account}");
        }
    }
}
