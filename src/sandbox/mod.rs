//! The sandbox: both upstreams, a Bot API, a mail catcher and a webhook catcher, none of them real.
//!
//! Tests link it, people run it (`pregonero sandbox`). [`world`] holds what is true, [`script`] what goes wrong,
//! [`upstreams`] how the two companies answer, [`caught`] what arrived. Two faces show the same: [`Sandbox`] over sockets
//! of 127.0.0.1, [`direct`] without any, for simulated time. Over sockets, `POST /_control` moves world and script from
//! outside; its operations stand in [`control`].
//!
//! All people, numbers, cards and credentials here are invented.

pub mod caught;
pub mod control;
pub mod direct;
mod http;
mod mail;
pub mod script;
pub mod upstreams;
pub mod world;

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

pub use self::caught::Caught;
pub use self::script::{Face, Fault, Rule, Script};
pub use self::world::World;
use crate::clock::{Clock, Stopwatch};

/// TelePagos user name of the first merchant.
pub const USERNAME: &str = "sandbox-user";
/// TelePagos password of every merchant.
pub const PASSWORD: &str = "sandbox-password-not-secret";
/// Sipago key of the first merchant.
pub const API_KEY: &str = "sandbox-api-key-not-secret";
/// The bot's token.
pub const BOT_TOKEN: &str = "1000000:SANDBOX-not-a-real-token-000000000";
/// A webhook secret for examples: the bytes `sandbox-webhook-secret-not-real!`.
pub const WEBHOOK_SECRET: &str = "whsec_c2FuZGJveC13ZWJob29rLXNlY3JldC1ub3QtcmVhbCE=";

/// How often life goes on while [`serve`] runs.
const HEARTBEAT: Duration = Duration::from_millis(250);

/// How many cash-ins the banner's example watches before they happen.
const WATCHED_CASHINS: u64 = 5;

/// Ports on 127.0.0.1; 0 is any that is free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ports {
    /// TelePagos.
    pub telepagos: u16,
    /// Sipago.
    pub sipago: u16,
    /// The Bot API.
    pub telegram: u16,
    /// The webhook catcher.
    pub webhook: u16,
    /// The mail catcher.
    pub smtp: u16,
}

#[derive(Clone, Debug)]
struct Addresses {
    telepagos: Url,
    sipago: Url,
    telegram: Url,
    webhook: Url,
    smtp: SocketAddr,
}

/// All pretend peers, serving.
///
/// Dropping it stops them at once; [`Sandbox::stop`] waits until they have.
#[derive(Debug)]
pub struct Sandbox {
    world: World,
    script: Script,
    caught: Caught,
    addresses: Addresses,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Sandbox {
    /// Binds all ports and serves. Nothing happens in the world but what is called for; [`serve`] lets it live.
    ///
    /// # Errors
    /// When a port cannot be bound.
    pub async fn start(ports: Ports, clock: Arc<dyn Clock>, seed: u64) -> io::Result<Self> {
        let telepagos = bind(ports.telepagos).await?;
        let sipago = bind(ports.sipago).await?;
        let telegram = bind(ports.telegram).await?;
        let webhook = bind(ports.webhook).await?;
        let smtp = bind(ports.smtp).await?;
        let addresses = Addresses {
            telepagos: url_of(&telepagos)?,
            sipago: url_of(&sipago)?,
            telegram: url_of(&telegram)?,
            webhook: url_of(&webhook)?,
            smtp: smtp.local_addr()?,
        };
        let sandbox = Self {
            world: World::new(clock, seed),
            script: Script::default(),
            caught: Caught::default(),
            addresses,
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        };
        let bot = Arc::new(http::bot::Bot::default());
        for (listener, face) in
            [(telepagos, Face::Telepagos), (sipago, Face::Sipago), (telegram, Face::Telegram), (webhook, Face::Webhook)]
        {
            let peer = http::Peer {
                face,
                world: sandbox.world.clone(),
                script: sandbox.script.clone(),
                caught: sandbox.caught.clone(),
                bot: Arc::clone(&bot),
            };
            sandbox.tasks.spawn(http::serve(listener, peer, sandbox.stop.clone()));
        }
        let office = mail::PostOffice {
            world: sandbox.world.clone(),
            script: sandbox.script.clone(),
            caught: sandbox.caught.clone(),
        };
        sandbox.tasks.spawn(mail::serve(smtp, office, sandbox.stop.clone()));
        sandbox.tasks.close();
        Ok(sandbox)
    }

    /// `base_url` of a `[[telepagos]]` account.
    pub fn telepagos_url(&self) -> Url {
        self.addresses.telepagos.clone()
    }

    /// `base_url` of a `[[sipago]]` account.
    pub fn sipago_url(&self) -> Url {
        with_path(&self.addresses.sipago, "/services")
    }

    /// `api_url` of a `[[telegram]]` destination.
    pub fn telegram_url(&self) -> Url {
        self.addresses.telegram.clone()
    }

    /// `url` of a `[[webhook]]` destination.
    pub fn webhook_url(&self, name: &str) -> Url {
        with_path(&self.addresses.webhook, &format!("/hooks/{name}"))
    }

    /// Where the control endpoint listens; every other HTTP port has it, too.
    pub fn control_url(&self) -> Url {
        with_path(&self.addresses.webhook, control::PATH)
    }

    /// Where the mail catcher listens.
    pub fn smtp_addr(&self) -> SocketAddr {
        self.addresses.smtp
    }

    /// What is true, and how to make things happen.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// What goes wrong.
    pub fn script(&self) -> &Script {
        &self.script
    }

    /// What arrived.
    pub fn caught(&self) -> &Caught {
        &self.caught
    }

    /// Links that can be watched from the start: they stay open and [`World::live`] pays them.
    pub fn watched_links(&self) -> Vec<String> {
        self.world.standing_links()
    }

    /// Cash-in ids that can be watched from the start: the first that will happen.
    pub fn watched_cashins(&self) -> Vec<u64> {
        (0..WATCHED_CASHINS).map(|n| world::Cashin::FIRST.saturating_add(n)).collect()
    }

    /// Stops all peers and waits until they have stopped, about half a second at most.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }

    /// Addresses, and a configuration that uses all of it, for people to copy.
    pub fn banner(&self) -> String {
        let (telepagos, sipago, telegram) = (self.telepagos_url(), self.sipago_url(), self.telegram_url());
        let (webhook, control, smtp) = (self.webhook_url("erp"), self.control_url(), self.smtp_addr());
        let sample = self.sample_config();
        format!(
            r#"# The sandbox is open. Everything in it is invented.
#   TelePagos  {telepagos}   Sipago  {sipago}
#   Bot API    {telegram}   mail    {smtp}
#   webhooks   {webhook}
#   control    {control}   for example:
#     curl -s {control} -d '{{"op":"credit","amount":"1500.00"}}'
#     curl -s {control} -d '{{"op":"truth"}}'

{sample}"#
        )
    }

    /// A configuration that uses all of the sandbox.
    pub fn sample_config(&self) -> String {
        let (telepagos, sipago, telegram) = (self.telepagos_url(), self.sipago_url(), self.telegram_url());
        let (webhook, smtp) = (self.webhook_url("erp"), self.smtp_addr());
        let cashins = self.watched_cashins();
        let links = self.watched_links();
        format!(
            r#"[[telepagos]]
name = "centro"
base_url = "{telepagos}"
allow_http = true
username = "{USERNAME}"
password = "{PASSWORD}"
rate = "120/min"
poll = {{ hot = "2s" }}
watch = {{ cashin = {cashins:?} }}

[[sipago]]
name = "palermo"
base_url = "{sipago}"
allow_http = true
api_key = "{API_KEY}"
rate = "120/min"
poll = {{ hot = "2s" }}
watch = {{ links = {links:?} }}

[[webhook]]
name = "erp"
url = "{webhook}"
secret = "{WEBHOOK_SECRET}"
allow_private = ["127.0.0.0/8"]
events = ["*"]

[smtp]
url = "smtp://{smtp}"
allow_plain = true
from = "Avisos <avisos@example.com>"

[[email]]
name = "contaduria"
to = ["pagos@example.com"]
events = ["payment.refunded"]

[[telegram]]
name = "caja"
token = "{BOT_TOKEN}"
api_url = "{telegram}"
chat_id = -1001234567890
events = ["credit.received", "link.paid"]
"#
        )
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Lets the world live until `shutdown`, then stops the peers. Cancel-safe: dropped, the sandbox stops.
pub async fn serve(sandbox: Sandbox, shutdown: impl Future<Output = ()>) {
    let live = async {
        let mut lived = Duration::ZERO;
        let started = Stopwatch::start();
        loop {
            tokio::time::sleep(HEARTBEAT).await;
            let now = started.elapsed();
            sandbox.world.live(now.saturating_sub(lived));
            lived = now;
        }
    };
    tokio::select! {
        () = shutdown => {}
        () = live => {}
    }
    sandbox.stop().await;
}

async fn bind(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await
}

/// `http://127.0.0.1:port/`.
fn url_of(listener: &TcpListener) -> io::Result<Url> {
    Url::parse(&format!("http://{}/", listener.local_addr()?)).map_err(io::Error::other)
}

fn with_path(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(path);
    url
}

#[cfg(test)]
mod tests;
