//! A scripted mail relay on blocking sockets, with and without TLS.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// What it says to one command.
#[derive(Clone, Copy, Debug)]
pub(super) enum Say {
    /// A reply.
    Reply(&'static str),
    /// Nothing, for ever.
    Nothing,
    /// Nothing until the test opens the gate, then the reply.
    LateReply(&'static str),
    /// Closes.
    HangUp,
}

/// One mail that it took.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    pub(super) to: String,
    pub(super) text: String,
    pub(super) connection: usize,
    pub(super) encrypted: bool,
}

#[derive(Debug, Default)]
struct State {
    script: HashMap<&'static str, VecDeque<Say>>,
    taken: Vec<Taken>,
    heard: Vec<String>,
    connections: usize,
    open: usize,
    most_open: usize,
    gate: bool,
}

/// TLS of the relay.
#[derive(Clone, Default)]
pub(super) struct Tls {
    config: Option<Arc<rustls::ServerConfig>>,
    implicit: bool,
}

/// The relay. Its threads end with the process.
#[derive(Clone, Debug)]
pub(super) struct MailRelay {
    pub(super) port: u16,
    state: Arc<Mutex<State>>,
}

impl MailRelay {
    /// Follows the script for each command (`GREETING`, `EHLO`, `AUTH`, `MAIL`, `RCPT`, `DATA`, `.`, `NOOP`), then is
    /// kind to everybody.
    pub(super) fn start(script: &[(&'static str, Say)], tls: Tls) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut state = State::default();
        for (command, say) in script {
            state.script.entry(command).or_default().push_back(*say);
        }
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, shared, tls) = (stream.unwrap(), Arc::clone(&shared), tls.clone());
                std::thread::spawn(move || {
                    let connection = {
                        let mut state = shared.lock().unwrap();
                        state.connections += 1;
                        state.open += 1;
                        state.most_open = state.most_open.max(state.open);
                        state.connections
                    };
                    Conversation { state: Arc::clone(&shared), connection }.hold(stream, &tls);
                    shared.lock().unwrap().open -= 1;
                });
            }
        });
        Self { port, state }
    }

    pub(super) fn taken(&self) -> Vec<Taken> {
        self.state.lock().unwrap().taken.clone()
    }

    pub(super) fn heard(&self, command: &str) -> usize {
        self.state.lock().unwrap().heard.iter().filter(|heard| heard.starts_with(command)).count()
    }

    pub(super) fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }

    pub(super) fn most_open(&self) -> usize {
        self.state.lock().unwrap().most_open
    }

    pub(super) fn open_gate(&self) {
        self.state.lock().unwrap().gate = true;
    }
}

struct Conversation {
    state: Arc<Mutex<State>>,
    connection: usize,
}

trait Wire: Read + Write {}
impl<T: Read + Write> Wire for T {}

impl Conversation {
    fn hold(&self, tcp: TcpStream, tls: &Tls) {
        let server = || rustls::ServerConnection::new(tls.config.clone().unwrap()).unwrap();
        let mut wire: Box<dyn Wire> = Box::new(tcp.try_clone().unwrap());
        let mut encrypted = tls.implicit;
        if tls.implicit {
            wire = Box::new(rustls::StreamOwned::new(server(), tcp.try_clone().unwrap()));
        }
        let offers = tls.config.is_some() && !tls.implicit;
        if self.talk(wire, encrypted, offers, true) == Some(true) {
            encrypted = true;
            let wire = Box::new(rustls::StreamOwned::new(server(), tcp));
            self.talk(wire, encrypted, false, false);
        }
    }

    /// `Some(true)` when the client wants to go on encrypted.
    fn talk(&self, wire: Box<dyn Wire>, encrypted: bool, offers: bool, greet: bool) -> Option<bool> {
        let mut wire = BufReader::new(wire);
        if greet {
            self.say(&mut wire, "GREETING", "220 relay.example.com ESMTP")?;
        }
        let mut to = String::new();
        loop {
            let mut line = String::new();
            if wire.read_line(&mut line).ok()? == 0 {
                return None;
            }
            self.state.lock().unwrap().heard.push(line.trim().to_owned());
            match line.trim().split([' ', ':']).next().unwrap_or_default() {
                "EHLO" if offers => self.say(&mut wire, "EHLO", "250-relay\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN")?,
                "EHLO" => self.say(&mut wire, "EHLO", "250-relay\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN")?,
                "STARTTLS" => {
                    self.say(&mut wire, "STARTTLS", "220 go")?;
                    return Some(true);
                }
                "AUTH" => self.say(&mut wire, "AUTH", "235 welcome")?,
                "MAIL" => self.say(&mut wire, "MAIL", "250 ok")?,
                "RCPT" => {
                    to = line.trim().to_owned();
                    self.say(&mut wire, "RCPT", "250 ok")?
                }
                "DATA" => self.say(&mut wire, "DATA", "354 go")? && self.take(&mut wire, &to, encrypted)?,
                "NOOP" => self.say(&mut wire, "NOOP", "250 ok")?,
                _ => self.say(&mut wire, "", "502 what?")?,
            };
        }
    }

    /// The message after a 354.
    fn take(&self, wire: &mut BufReader<Box<dyn Wire>>, to: &str, encrypted: bool) -> Option<bool> {
        let text = read_mail(wire)?;
        let taken = Taken { to: to.to_owned(), text, connection: self.connection, encrypted };
        {
            // Before the reply, so that who has read the reply finds it.
            let mut state = self.state.lock().unwrap();
            let says = state.script.get(".").and_then(|says| says.front());
            if says.is_none_or(|say| matches!(say, Say::Reply(reply) if reply.starts_with('2'))) {
                state.taken.push(taken);
            }
        }
        self.say(wire, ".", "250 taken")
    }

    /// Whether the reply was positive; `None` when the conversation is over.
    fn say(&self, wire: &mut BufReader<Box<dyn Wire>>, command: &str, kind: &'static str) -> Option<bool> {
        let say = self.state.lock().unwrap().script.get_mut(command).and_then(VecDeque::pop_front);
        let reply = match say.unwrap_or(Say::Reply(kind)) {
            Say::Reply(reply) => reply,
            Say::Nothing => {
                // Until the client has had enough.
                let mut rest = Vec::new();
                wire.read_to_end(&mut rest).ok();
                return None;
            }
            Say::LateReply(reply) => {
                while !self.state.lock().unwrap().gate {
                    std::thread::yield_now();
                }
                reply
            }
            Say::HangUp => return None,
        };
        let wire = wire.get_mut();
        wire.write_all(format!("{reply}\r\n").as_bytes()).ok()?;
        wire.flush().ok()?;
        Some(reply.starts_with(['2', '3']))
    }
}

fn read_mail(wire: &mut impl BufRead) -> Option<String> {
    let mut text = String::new();
    loop {
        let mut line = String::new();
        if wire.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == ".\r\n" {
            return Some(text);
        }
        text.push_str(&line);
    }
}

/// An authority and a leaf for `localhost` signed by it: the authority as PEM, and the relay's TLS. (rustls refuses an
/// authority's own certificate as that of a server.)
pub(super) fn authority(implicit: bool) -> (String, Tls) {
    rustls::crypto::ring::default_provider().install_default().ok();
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let mut ca = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_cert = ca.self_signed(&ca_key).unwrap();
    let issuer = rcgen::Issuer::new(ca, ca_key);
    let leaf_key = rcgen::KeyPair::generate().unwrap();
    let mut leaf = rcgen::CertificateParams::new(vec![String::from("localhost")]).unwrap();
    leaf.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    let leaf = leaf.signed_by(&leaf_key, &issuer).unwrap();
    let chain = vec![CertificateDer::from(leaf.der().to_vec())];
    let key = PrivateKeyDer::try_from(leaf_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
    (ca_cert.pem(), Tls { config: Some(Arc::new(config)), implicit })
}
