//! Figures of single steps: reading, diff, fingerprint, commit.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use pregonero::clock::SystemClock;
use pregonero::config::from_toml;
use pregonero::domain::account::{AccountName, Partition, Scope, SourceKind, Upstream};
use pregonero::domain::day::Day;
use pregonero::domain::ledger::{Coverage, Ledger, diff};
use pregonero::domain::route::{ChannelKind, DestinationName, Pattern, Route};
use pregonero::domain::row::Row;
use pregonero::http::{Request, Response, Transport, TransportError};
use pregonero::pipeline::announce::Herald;
use pregonero::sources::{Reading, Source, Task};
use pregonero::store::{Commit, LedgerWrite, Store};

/// Answers every request with one body.
#[derive(Debug)]
struct Canned(bytes::Bytes);

#[async_trait::async_trait]
impl Transport for Canned {
    async fn call(&self, request: Request) -> Result<Response, TransportError> {
        let token = request.url.path().ends_with("auth/token");
        let body =
            if token { bytes::Bytes::from_static(br#"{"token":"t","expires_at":4102444800}"#) } else { self.0.clone() };
        Ok(Response { status: 200, retry_after: None, content_type: None, body })
    }
}

/// What one account reads from one body.
pub struct Bench {
    source: Arc<dyn Source>,
    task: Task,
}

impl Bench {
    /// TelePagos with `count` transactions.
    pub fn telepagos(count: usize) -> Self {
        let config = from_toml(
            "[[telepagos]]\nname = \"centro\"\nbase_url = \"https://example.com\"\nusername = \"u\"\npassword = \"p\"\nrate = \"100000/s\"\n",
        )
        .expect("a good file");
        let account = config.telepagos.first().expect("one account").clone();
        let transport = Arc::new(Canned(super::upstream::listing(count, DAY)));
        let source = pregonero::sources::telepagos::TelepagosSource::new(account, transport, Arc::new(SystemClock));
        Self { source: Arc::new(source), task: task() }
    }

    /// Sipago with one page of `count` movements.
    pub fn sipago(count: usize) -> Self {
        let config =
            from_toml("[[sipago]]\nname = \"palermo\"\nbase_url = \"https://example.com\"\napi_key = \"k\"\nrate = \"100000/s\"\n")
                .expect("a good file");
        let account = config.sipago.first().expect("one account").clone();
        let transport = Arc::new(Canned(page(count)));
        let source = pregonero::sources::sipago::SipagoSource::new(account, transport, Arc::new(SystemClock));
        Self { source: Arc::new(source), task: task() }
    }

    /// Reads once.
    pub async fn read(&self) -> Vec<Row> {
        match self.source.read(&self.task, None).await.expect("a reading") {
            Reading::Snapshot(snapshot) => snapshot.rows,
            Reading::Unchanged => Vec::new(),
        }
    }

    /// Time of recognising an unchanged body, many times.
    pub async fn unchanged_many(&self, times: u32) -> Duration {
        let Reading::Snapshot(snapshot) = self.source.read(&self.task, None).await.expect("a reading") else {
            return Duration::ZERO;
        };
        let start = Instant::now();
        for _ in 0..times {
            let again = self.source.read(&self.task, Some(snapshot.fingerprint)).await.expect("a reading");
            assert!(matches!(again, Reading::Unchanged));
        }
        start.elapsed() / times
    }
}

const DAY: &str = "2026-11-20";

fn task() -> Task {
    let day = Day::parse(DAY).expect("a day");
    Task::Days { from: day, to: day }
}

/// A ledger that knows these rows.
pub fn ledger_of(rows: &[Row]) -> Ledger {
    let mut ledger = Ledger::default();
    let all: Vec<&Row> = rows.iter().collect();
    let found = diff(&account(), &ledger, &all, COVERAGE);
    ledger.apply(1, &found.changes);
    ledger
}

/// Compares rows with a ledger; the number of findings.
pub fn compare(ledger: &Ledger, rows: &[Row]) -> usize {
    let all: Vec<&Row> = rows.iter().collect();
    diff(&account(), ledger, &all, COVERAGE).findings.len()
}

const COVERAGE: Coverage = Coverage { complete: true, baseline: false, paged: false, read_at: Timestamp::UNIX_EPOCH };

fn account() -> AccountName {
    AccountName::new("centro")
}

/// Commits 500 new rows with 500 events and 500 deliveries, `rounds` times, each on a partition of its own.
pub async fn commits(store: &dyn Store, rounds: usize) -> Vec<Duration> {
    let rows = Bench::telepagos(500).read().await;
    let route = Route {
        destination: DestinationName::new("erp"),
        channel: ChannelKind::Webhook,
        patterns: vec![Pattern::Everything],
        accounts: Vec::new(),
    };
    let mut times = Vec::new();
    for round in 0..rounds {
        let name = AccountName::new(&format!("account-{round}"));
        let herald = Herald {
            account: name.clone(),
            upstream: Upstream::Telepagos,
            zone: TimeZone::UTC,
            late_after: Duration::from_secs(3600),
            sandbox: false,
            routes: vec![route.clone()].into(),
        };
        let all: Vec<&Row> = rows.iter().collect();
        let found = diff(&name, &Ledger::default(), &all, COVERAGE);
        let announcements = found
            .findings
            .iter()
            .flat_map(|finding| {
                let row = rows.get(finding.row);
                let herald = &herald;
                finding.facts.iter().filter_map(move |fact| {
                    let event = herald.fact(row?, &finding.slot, finding.ordinal, fact, None, Timestamp::UNIX_EPOCH);
                    Some(herald.route(event, false))
                })
            })
            .collect();
        let scope = Scope::Day(Day::parse(DAY).expect("a day"));
        let partition = Partition { account: name.clone(), source: SourceKind::Transactions, scope };
        let commit = Commit {
            account: name,
            ledgers: vec![LedgerWrite { partition, expected: 0, changes: found.changes }],
            state: None,
            announcements,
            rejects: Vec::new(),
            remember: Duration::from_secs(86_400),
        };
        let start = Instant::now();
        store.commit(&commit).await.expect("a commit");
        times.push(start.elapsed());
    }
    times
}

/// A Sipago page as the document prints it.
fn page(count: usize) -> bytes::Bytes {
    let row = |n: usize| {
        format!(
            r#"{{"_id":{},"amount":1500.5,"dateTime":"2026-11-20T{:02}:{:02}:{:02}","firstName":"Ana","lastName":"Gómez","userId":7,"taxes":[],"commission":{{"rate":1.8,"amount":27.01}},"payment":{{"paymentId":{},"hash":"a1b2c3","method":"card","totalAmount":1500.5,"hasRefund":false,"canceled":false,"cardNumber":"450799XXXXXX1234","cardHolderName":"ANA GOMEZ","first5Numbers":"45079","last4Numbers":"1234","issuerName":"VISA","issuerKey":"visa","paymentMethodId":1,"name":"Visa","es":"Visa","en":"Visa","paymentMethodType":"credit","adjustTipAvailable":false,"issuerImageUrl":"https://example.com/visa.png"}},"authorizationCode":"006417","authenticationType":"pin","operationCode":"1","operation":"Venta","operationId":{},"saleId":{},"cardName":"VISA","abr":"VI","device":"POS-1","buyer":{{"id":1,"name":"Ana","buyerId":2,"firstName":"Ana","lastName":"Gómez","email":"ana@example.com","address":"Calle 1","addressLine2":"","province":"BA","zipCode":"1000","birthdate":"1990-01-01","phone":"1","city":"CABA","document":"1","documentType":"DNI","countryId":"1","occupation":"","country":"AR"}},"items":[{{"productId":1,"isCustomAmount":false,"quantity":1,"productPrice":1500.5,"totalAmount":1500.5,"productName":"x","productBackgroundColor":"","productImageUrl":""}}],"canAnnulate":true,"canAnnulateWithoutCard":false,"canRefund":true,"canRefundWithoutCard":false,"canceled":false}}"#,
            10_000 + n,
            n / 3600 % 24,
            n / 60 % 60,
            n % 60,
            20_000 + n,
            30_000 + n,
            40_000 + n
        )
    };
    let rows: Vec<String> = (0..count).map(row).collect();
    format!(r#"{{"page":0,"existMore":false,"listTrx":[{}]}}"#, rows.join(",")).into()
}
