//! The store in memory as the source or target of a copy: for the laws.

use async_trait::async_trait;

use super::{Data, DeliveryRow, LedgerRow, MemoryStore};
use crate::domain::account::{AccountName, Partition};
use crate::domain::delivery::State;
use crate::domain::ledger::Ledger;
use crate::domain::payout::Payout;
use crate::store::copy::{
    DeliveryRecord, Dump, EventRecord, Kind, LedgerRecord, Load, Mark, Page, Record, RejectRecord,
};
use crate::store::{StoreError, Watchlist};

/// Records of a page.
const PAGE: usize = 100;

#[async_trait]
impl Dump for MemoryStore {
    async fn page(&self, kind: Kind, from: &str) -> Result<Page, StoreError> {
        let from: usize = from.parse().unwrap_or_default();
        let data = self.data();
        let mut records = data.records(kind).skip(from).take(PAGE + 1).collect::<Vec<_>>();
        let next = (records.len() > PAGE).then(|| (from + PAGE).to_string());
        records.truncate(PAGE);
        Ok(Page { records, next })
    }

    async fn users(&self) -> Result<Vec<String>, StoreError> {
        let now = self.clock.now();
        let data = self.data();
        let holders = data.accounts.values().filter_map(|row| row.holder.as_ref());
        Ok(holders.filter(|(_, until)| *until > now).map(|(holder, _)| holder.to_string()).collect())
    }
}

#[async_trait]
impl Load for MemoryStore {
    async fn mark(&self) -> Result<Option<Mark>, StoreError> {
        Ok(self.data().mark.clone())
    }

    async fn set_mark(&self, mark: Option<&Mark>) -> Result<(), StoreError> {
        self.data().mark = mark.cloned();
        Ok(())
    }

    async fn load(&self, records: Vec<Record>) -> Result<(), StoreError> {
        let mut data = self.data();
        for record in records {
            data.load(record);
        }
        Ok(())
    }
}

impl Data {
    fn records(&self, kind: Kind) -> Box<dyn Iterator<Item = Record> + '_> {
        match kind {
            Kind::Accounts => {
                let written = self.accounts.iter().filter(|(_, row)| row.state.version > 0);
                Box::new(written.map(|(name, row)| Record::Account(name.clone(), row.state.clone())))
            }
            Kind::Ledgers => Box::new(self.ledgers.iter().map(|(partition, row)| {
                Record::Ledger(LedgerRecord {
                    account: partition.account.clone(),
                    key: partition.key(),
                    version: row.ledger.version(),
                    expires: row.expires,
                    rows: row.ledger.iter().map(|(slot, memories)| (*slot, memories.clone())).collect(),
                })
            })),
            Kind::Events => Box::new(self.events.iter().map(|(number, event)| {
                let rows = self.deliveries.iter().filter(|((of, _), _)| of == number);
                let deliveries = rows.map(|((_, destination), row)| DeliveryRecord {
                    destination: destination.clone(),
                    state: row.state.clone(),
                    attempts: row.attempts,
                    fence: u32::try_from(row.fence).unwrap_or(u32::MAX),
                    last: row.last.clone(),
                });
                let owner = event.account.clone().unwrap_or_else(|| AccountName::new(""));
                Record::Event(EventRecord { owner, event: event.clone(), deliveries: deliveries.collect() })
            })),
            Kind::Watches => Box::new(self.watches.iter().map(|(name, (version, watches))| {
                let list = Watchlist { version: *version, watches: watches.values().cloned().collect() };
                Record::Watches(name.clone(), list)
            })),
            Kind::Payouts => {
                let one = |((name, _), payout): (&(AccountName, String), &Payout)| {
                    Record::Payout(name.clone(), payout.clone())
                };
                Box::new(self.payouts.iter().map(one))
            }
            Kind::Rejects => Box::new(self.rejects.iter().map(|row| {
                Record::Reject(RejectRecord {
                    account: row.account.clone(),
                    first_seen: row.first_seen,
                    reject: row.reject.clone(),
                })
            })),
        }
    }

    fn load(&mut self, record: Record) {
        match record {
            Record::Account(name, state) => self.accounts.entry(name).or_default().state = state,
            Record::Ledger(ledger) => {
                if let Some(partition) = Partition::from_key(&ledger.account, &ledger.key) {
                    let row =
                        LedgerRow { ledger: Ledger::restore(ledger.version, ledger.rows), expires: ledger.expires };
                    self.ledgers.insert(partition, row);
                }
            }
            Record::Watches(name, list) => {
                let watches = list.watches.into_iter().map(|watch| (watch.id.clone(), watch)).collect();
                self.watches.insert(name, (list.version, watches));
            }
            Record::Payout(name, payout) => {
                self.payouts.insert((name, payout.reference.clone()), payout);
            }
            Record::Event(record) => self.load_event(record),
            Record::Reject(record) => {
                self.reject(&record.account, &record.reject, record.first_seen);
            }
        }
    }

    fn load_event(&mut self, record: EventRecord) {
        let EventRecord { event, deliveries, .. } = record;
        if self.numbers.contains_key(&event.id) {
            return;
        }
        let number = self.next_number;
        self.next_number += 1;
        self.numbers.insert(event.id, number);
        self.events.insert(number, event);
        for DeliveryRecord { destination, state, attempts, fence, last } in deliveries {
            let row = DeliveryRow { state: State::Held, holder: "".into(), fence: fence.into(), attempts, last };
            self.deliveries.insert((number, destination.clone()), row);
            self.turn(number, &destination, state);
        }
    }
}
