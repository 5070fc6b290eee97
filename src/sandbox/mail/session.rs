//! One SMTP session.

use std::io;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::PostOffice;
use crate::sandbox::caught::Mail;
use crate::sandbox::script::{Face, Fault};

/// The longest command line, more generous than the 512 bytes of RFC 5321 §4.5.3.1.4.
const LONGEST_LINE: u64 = 4096;

/// The largest mail; announced as `SIZE`.
const LARGEST_MAIL: usize = 10 << 20;

/// The most recipients of one mail (RFC 5321 §4.5.3.1.8 asks for at least 100).
const MOST_RECIPIENTS: usize = 1000;

/// How long the other side may be silent (RFC 5321 §4.5.3.2.7).
const PATIENCE: Duration = Duration::from_secs(300);

/// What one step decides about the session.
enum Next {
    Go,
    Close,
}

/// The envelope so far.
#[derive(Default)]
struct Envelope {
    user: Option<String>,
    from: Option<String>,
    to: Vec<String>,
}

impl Envelope {
    fn reset(&mut self) {
        self.from = None;
        self.to.clear();
    }
}

struct Session {
    wire: BufReader<TcpStream>,
    office: PostOffice,
    envelope: Envelope,
}

/// Serves until the other side leaves, says QUIT, is silent too long, or the script ends it.
///
/// # Errors
/// When the connection breaks.
pub(super) async fn run(stream: TcpStream, office: PostOffice) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut session = Session { wire: BufReader::new(stream), office, envelope: Envelope::default() };
    if let Next::Close = session.scripted_or("CONNECT", "", "220 sandbox ESMTP pregonero").await? {
        return Ok(());
    }
    while let Some(line) = session.line(LONGEST_LINE).await? {
        let line = String::from_utf8_lossy(&line).into_owned();
        if let Next::Close = session.command(line.trim_end()).await? {
            return Ok(());
        }
    }
    Ok(())
}

impl Session {
    async fn command(&mut self, line: &str) -> io::Result<Next> {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let verb = verb.to_ascii_uppercase();
        match verb.as_str() {
            "EHLO" => {
                let offer = format!("250-sandbox\r\n250-8BITMIME\r\n250-SIZE {LARGEST_MAIL}\r\n250 AUTH PLAIN LOGIN");
                self.scripted_or(&verb, line, &offer).await
            }
            "HELO" => self.scripted_or(&verb, line, "250 sandbox").await,
            "AUTH" => self.auth(rest, line).await,
            "MAIL" => self.mail(rest, line).await,
            "RCPT" => self.recipient(rest, line).await,
            "DATA" => self.data(line).await,
            "RSET" => {
                self.envelope.reset();
                self.scripted_or(&verb, line, "250 OK").await
            }
            "NOOP" => self.scripted_or(&verb, line, "250 OK").await,
            "VRFY" => self.scripted_or(&verb, line, "252 Cannot verify, will try").await,
            "QUIT" => {
                self.scripted_or(&verb, line, "221 Bye").await?;
                Ok(Next::Close)
            }
            _ => self.reply("500 Command not recognised").await,
        }
    }

    async fn auth(&mut self, rest: &str, line: &str) -> io::Result<Next> {
        let (mechanism, initial) = rest.split_once(' ').map_or((rest, None), |(name, initial)| (name, Some(initial)));
        let user = match mechanism.to_ascii_uppercase().as_str() {
            "PLAIN" => {
                let Some(text) = self.or_asked(initial, "334 ").await? else { return Ok(Next::Close) };
                // authorisation, NUL, user, NUL, password
                decoded(&text).and_then(|text| text.split('\0').nth(1).map(str::to_owned))
            }
            "LOGIN" => {
                let Some(user) = self.or_asked(initial, "334 VXNlcm5hbWU6").await? else { return Ok(Next::Close) };
                if self.or_asked(None, "334 UGFzc3dvcmQ6").await?.is_none() {
                    return Ok(Next::Close);
                }
                decoded(&user)
            }
            _ => return self.reply("504 Unrecognised authentication type").await,
        };
        let Some(user) = user else { return self.reply("501 Cannot decode").await };
        self.envelope.user = Some(user);
        self.scripted_or("AUTH", line, "235 Authenticated").await
    }

    /// What came with the command, or the answer to `prompt`; `None` when the other side left.
    async fn or_asked(&mut self, initial: Option<&str>, prompt: &str) -> io::Result<Option<String>> {
        if let Some(initial) = initial {
            return Ok(Some(initial.to_owned()));
        }
        self.reply(prompt).await?;
        Ok(self.line(LONGEST_LINE).await?.map(|line| String::from_utf8_lossy(&line).trim_end().to_owned()))
    }

    async fn mail(&mut self, rest: &str, line: &str) -> io::Result<Next> {
        let Some(from) = address(rest, "FROM:") else { return self.reply("501 Syntax: MAIL FROM:<address>").await };
        if self.envelope.from.is_some() {
            return self.reply("503 Sender already given").await;
        }
        match self.scripted("MAIL", line).await? {
            Scripted::No => {
                self.envelope.from = Some(from);
                self.reply("250 OK").await
            }
            Scripted::Done(next) => Ok(next),
        }
    }

    async fn recipient(&mut self, rest: &str, line: &str) -> io::Result<Next> {
        let Some(to) = address(rest, "TO:") else { return self.reply("501 Syntax: RCPT TO:<address>").await };
        if self.envelope.from.is_none() {
            return self.reply("503 Need MAIL first").await;
        }
        if self.envelope.to.len() >= MOST_RECIPIENTS {
            return self.reply("452 Too many recipients").await;
        }
        match self.scripted("RCPT", line).await? {
            Scripted::No => {
                self.envelope.to.push(to);
                self.reply("250 OK").await
            }
            Scripted::Done(next) => Ok(next),
        }
    }

    async fn data(&mut self, line: &str) -> io::Result<Next> {
        if self.envelope.to.is_empty() {
            return self.reply("503 Need RCPT first").await;
        }
        if let Scripted::Done(next) = self.scripted("DATA", line).await? {
            return Ok(next);
        }
        self.reply("354 End data with <CR><LF>.<CR><LF>").await?;
        let Some(data) = self.body().await? else { return Ok(Next::Close) };
        if data.len() > LARGEST_MAIL {
            self.envelope.reset();
            return self.reply("552 Message too large").await;
        }
        let mail = Mail {
            at: self.office.world.now(),
            user: self.envelope.user.clone(),
            from: self.envelope.from.take().unwrap_or_default(),
            to: std::mem::take(&mut self.envelope.to),
            data: Bytes::from(data),
        };
        let said = self.office.script.strike(Face::Mail, "BODY", &[&mail.data]);
        if matches!(
            said,
            None | Some(Fault::Slow(_) | Fault::Hang { after_effect: true } | Fault::Reset { after_effect: true })
        ) {
            self.office.caught.put_mail(mail);
        }
        match self.play(said).await? {
            Scripted::No => self.reply("250 OK, caught").await,
            Scripted::Done(next) => Ok(next),
        }
    }

    /// The lines up to the final dot, unstuffed; `None` when the other side left. Beyond the limit it is read and dropped.
    async fn body(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut data = Vec::new();
        let mut fresh = true;
        loop {
            let Some(line) = self.line(LONGEST_LINE).await? else { return Ok(None) };
            if fresh && (line == b".\r\n" || line == b".\n") {
                return Ok(Some(data));
            }
            // A dot at the beginning of a line was doubled by the sender (RFC 5321 §4.5.2).
            let unstuffed = if fresh { line.strip_prefix(b".").unwrap_or(&line) } else { &line };
            if data.len() <= LARGEST_MAIL {
                data.extend_from_slice(unstuffed);
            }
            fresh = line.ends_with(b"\n");
        }
    }

    /// Up to the next line feed, or `most` bytes of a longer line; `None` at the end or after long silence.
    async fn line(&mut self, most: u64) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let mut limited = (&mut self.wire).take(most);
        match timeout(PATIENCE, limited.read_until(b'\n', &mut line)).await {
            Ok(read) => Ok((read? > 0).then_some(line)),
            Err(_silent) => Ok(None),
        }
    }

    async fn reply(&mut self, reply: &str) -> io::Result<Next> {
        self.wire.get_mut().write_all(format!("{reply}\r\n").as_bytes()).await?;
        Ok(Next::Go)
    }

    async fn scripted_or(&mut self, command: &str, line: &str, reply: &str) -> io::Result<Next> {
        match self.scripted(command, line).await? {
            Scripted::No => self.reply(reply).await,
            Scripted::Done(next) => Ok(next),
        }
    }

    async fn scripted(&mut self, command: &str, line: &str) -> io::Result<Scripted> {
        let fault = self.office.script.strike(Face::Mail, command, &[line.as_bytes()]);
        self.play(fault).await
    }

    /// Plays a fault; what has no meaning in SMTP is an outage (421).
    async fn play(&mut self, fault: Option<Fault>) -> io::Result<Scripted> {
        match fault {
            None => Ok(Scripted::No),
            Some(Fault::Slow(delay)) => {
                tokio::time::sleep(delay).await;
                Ok(Scripted::No)
            }
            Some(Fault::Hang { .. }) => std::future::pending().await,
            Some(Fault::Reset { .. }) => {
                self.wire.get_ref().set_zero_linger()?;
                Ok(Scripted::Done(Next::Close))
            }
            Some(Fault::Status { status, body, .. }) => {
                self.reply(&reply_line(status, &body)).await?;
                Ok(Scripted::Done(if status == 421 { Next::Close } else { Next::Go }))
            }
            Some(
                Fault::ErrorInOk(_)
                | Fault::Html
                | Fault::Body(_)
                | Fault::Redirect(_)
                | Fault::Truncated
                | Fault::CutOff
                | Fault::Oversized(_)
                | Fault::TokenExpiry
                | Fault::PageShift
                | Fault::RepeatedPage
                | Fault::LyingTotals
                | Fault::EndlessPages
                | Fault::RowWithoutDate
                | Fault::RowAmount(_),
            ) => {
                self.reply("421 Service not available").await?;
                Ok(Scripted::Done(Next::Close))
            }
        }
    }
}

/// Whether the script took the step over.
enum Scripted {
    No,
    Done(Next),
}

/// The text of a scripted reply: one line, whatever the script says. JSON bodies are for HTTP.
fn reply_line(status: u16, text: &str) -> String {
    let words = if text.starts_with('{') { "scripted" } else { text };
    let printable: String = words.chars().filter(|c| !c.is_control()).take(400).collect();
    format!("{status} {printable}")
}

/// The address of `FROM:<a@b> SIZE=1` without its brackets; empty for `<>`.
fn address(text: &str, keyword: &str) -> Option<String> {
    let head = text.get(..keyword.len()).filter(|head| head.eq_ignore_ascii_case(keyword))?;
    let (address, _) = text.get(head.len()..)?.trim_start().strip_prefix('<')?.split_once('>')?;
    Some(address.to_owned())
}

fn decoded(text: &str) -> Option<String> {
    STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok())
}
