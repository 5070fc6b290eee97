//! Ways to be paid: links, QR codes, transfer links.

use super::{Desk, Whose, told};
use crate::app::telepagos_calls::{LinkRequest, QrRequest, Share, TransferRequest};
use crate::cli::Usage;
use crate::cli::given::{self, Output, PICTURES};
use crate::cli::made::{Follow, Made};
use crate::cli::output::say;
use crate::config::Config;
use crate::domain::watch::WatchKind;

/// Payment links.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli) enum LinkVerb {
    /// Make a link that can be paid
    Create(Link),
}

/// QR codes.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli) enum QrVerb {
    /// Make a QR code of an amount; drawn on a terminal, else its text is printed
    Create(Code),
}

/// Links that ask for a transfer.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli) enum TransferVerb {
    /// Make a link that asks for a transfer
    Create(Transfer),
}

/// What every charge has.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Charge {
    /// How much, in pesos: `1234.56` or `1.234,56`
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true)]
    pub(super) amount: String,
    /// A word of `telepagos concepts`
    #[arg(long, value_name = "WORD")]
    pub(super) concept: String,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Link {
    #[command(flatten)]
    charge: Charge,
    /// When it ends: a duration (`2d`), a day (its last second) or a time (`2026-12-31T18:00`)
    #[arg(long, value_name = "TIME")]
    expires: String,
    /// It can be paid more than once
    #[arg(long)]
    multiple_use: bool,
    /// A part that goes elsewhere, as CVU=AMOUNT; may be given several times
    #[arg(long, value_name = "CVU=AMOUNT")]
    share: Vec<String>,
    #[command(flatten)]
    follow: Follow,
    #[command(flatten)]
    pub(super) whose: Whose,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Code {
    #[command(flatten)]
    charge: Charge,
    /// What the payer reads
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    description: String,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    follow: Follow,
    #[command(flatten)]
    pub(super) whose: Whose,
}

// Written by hand because it is wider than a terminal.
#[derive(Debug, clap::Args)]
#[command(override_usage = "pregonero telepagos transfer-link create [OPTIONS] --cvu <CVU> --cuit <CUIT>\n\
                      \u{20}                                                  --amount <AMOUNT> --concept <WORD>")]
pub(in crate::cli) struct Transfer {
    /// Where the transfer goes: CVU or CBU
    #[arg(long, value_name = "CVU")]
    cvu: String,
    /// Tax number of its owner
    #[arg(long, value_name = "CUIT")]
    cuit: String,
    #[command(flatten)]
    charge: Charge,
    /// What the payer reads
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    description: String,
    #[command(flatten)]
    pub(super) whose: Whose,
}

/// Of something that may have been made.
pub(super) const PERHAPS_MADE: &str = "it may have been made: made again, it is a second one, so hand out one only";

pub(super) async fn link(mut desk: Desk, config: &Config, args: Link) -> anyhow::Result<()> {
    let zone = desk.account().common.zone.clone();
    let request = LinkRequest {
        expires_at: given::end("--expires", &args.expires, &zone, crate::app::now())?,
        amount: given::amount("--amount", &args.charge.amount)?,
        multiple_use: args.multiple_use,
        concept: args.charge.concept,
        distribution: args.share.iter().map(|text| share(text)).collect::<Result<_, _>>()?,
    };
    let link = desk.client.link_create(&request).await.map_err(|error| told(error, PERHAPS_MADE))?;
    let row = vec![super::text(Some(&link.link)), super::text(link.link_id.as_ref())];
    desk.show(&link, &["LINK", "ID"], row)?;
    let (amount, expires, reusable) = (Some(request.amount), Some(request.expires_at), request.multiple_use);
    let made = Made { kind: WatchKind::IssuedLink, id: link.link_id, amount, expires, reusable };
    args.follow.begin(config, &desk.account().common.name, made).await
}

fn share(text: &str) -> Result<Share, Usage> {
    let Some((cvu, amount)) = text.split_once('=') else {
        return Err(Usage(format!("`--share`: `{text}` has no `=`; write CVU=AMOUNT")));
    };
    Ok(Share { cvu: cvu.trim().to_owned(), amount: given::amount("--share", amount)? })
}

pub(super) async fn qr(mut desk: Desk, config: &Config, args: Code) -> anyhow::Result<()> {
    let amount = given::amount("--amount", &args.charge.amount)?;
    args.output.check(&PICTURES)?;
    let request = QrRequest { amount, concept: args.charge.concept, description: args.description };
    let code = desk.client.qr_create(&request).await.map_err(|error| told(error, PERHAPS_MADE))?;
    if desk.json {
        desk.print(&code)?;
    } else if let Some(id) = &code.qr_order_id {
        say(&format!("QR order {}", super::text(Some(id))));
    }
    let quiet = desk.json;
    let shown = args.output.show(&mut desk.out, &code.qr_code, quiet);
    // Its picture may be missing: it can be paid all the same.
    let (kind, id, amount) = (WatchKind::IssuedQr, code.qr_order_id, Some(request.amount));
    let made = Made { kind, id, amount, expires: None, reusable: false };
    let followed = args.follow.begin(config, &desk.account().common.name, made).await;
    shown.and(followed)
}

pub(super) async fn transfer(mut desk: Desk, args: Transfer) -> anyhow::Result<()> {
    let amount = given::amount("--amount", &args.charge.amount)?;
    given::doubt(Some(&args.cvu), &args.cuit);
    let (cvu, cuit, concept) = (args.cvu, args.cuit, args.charge.concept);
    let request = TransferRequest { cvu, cuit, amount, concept, description: args.description };
    let link = desk.client.transfer_create(&request).await.map_err(|error| told(error, PERHAPS_MADE))?;
    let row = vec![super::text(Some(&link.payment_link))];
    desk.show(&link, &["LINK"], row)
}
