//! What `store.url` says: which form of Redis, where, as whom.

use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, RedisConnectionInfo, TlsCertificates};
use redis::{ClientTlsConfig, RedisResult};
use url::Url;

use crate::config::{RedisTls, RedisUrl};
use crate::store::StoreError;

/// The port of a server where none is written.
const SERVER_PORT: u16 = 6379;
/// The port of a sentinel where none is written.
const SENTINEL_PORT: u16 = 26379;

/// What is written where a URL cannot be read.
const SERVER: &str = "redis://[user:password@]host[:port][/database] (rediss:// for TLS) or redis+unix:///path";
const SENTINEL: &str = "redis+sentinel://[user:password@]host[:port],…/service[/database]";
const CLUSTER: &str = "redis+cluster://[user:password@]host[:port],…";

/// Host and port.
pub(super) type Node = (String, u16);

/// Which form of Redis, and where.
pub(super) enum Address {
    /// One server, and what may be said of where it is.
    Server(Box<Client>, String),
    /// Who knows the master of a service.
    Sentinels {
        /// How to speak to a sentinel.
        ask: Forge,
        /// How to speak to the master.
        serve: Forge,
        /// The sentinels.
        nodes: Vec<Node>,
        /// The name of the master.
        service: String,
    },
    /// Some nodes of a Redis Cluster.
    Cluster(Forge, Vec<Node>),
}

/// Makes connections of one kind to any host.
#[derive(Clone)]
pub(super) struct Forge {
    secure: bool,
    certificates: Option<TlsCertificates>,
    login: RedisConnectionInfo,
}

impl Forge {
    /// How to connect to that server.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] when the certificates cannot be used.
    pub(super) fn client(&self, (host, port): &Node) -> Result<Client, StoreError> {
        let address = if self.secure {
            ConnectionAddr::TcpTls { host: host.clone(), port: *port, insecure: false, tls_params: None }
        } else {
            ConnectionAddr::Tcp(host.clone(), *port)
        };
        let info = address.into_connection_info().map(|info| info.set_redis_settings(self.login.clone()));
        info.and_then(|info| client(info, self.certificates.as_ref())).map_err(|_| {
            StoreError::Unusable("the certificates of `store` cannot be used; are they PEM files?".to_owned())
        })
    }
}

fn client(info: ConnectionInfo, certificates: Option<&TlsCertificates>) -> RedisResult<Client> {
    let settings = info.tcp_settings().clone().set_nodelay(true);
    let info = info.set_tcp_settings(settings);
    match (info.addr(), certificates) {
        (ConnectionAddr::TcpTls { .. }, Some(certificates)) => Client::build_with_tls(info, certificates.clone()),
        _ => Client::open(info),
    }
}

impl Address {
    /// Reads a URL; files of certificates are read, too.
    ///
    /// # Errors
    /// [`StoreError::Unusable`]: it is none of Redis, or a file cannot be used. No text carries the password.
    pub(super) fn read(url: &RedisUrl, tls: &RedisTls) -> Result<Self, StoreError> {
        let (scheme, rest) = url.0.split_once("://").unwrap_or_default();
        let certificates = certificates(tls)?;
        let (name, form) = scheme.split_once('+').unwrap_or((scheme, ""));
        let secure = name == "rediss";
        if certificates.is_some() && !secure {
            let text = "`store.ca_file` and `store.cert_file` are of use with TLS only: write `rediss` in `store.url`";
            return Err(StoreError::Unusable(text.to_owned()));
        }
        match (name, form) {
            ("redis" | "rediss", "sentinel") => {
                let parts = Parts::read(rest, SENTINEL_PORT).ok_or_else(|| unreadable(SENTINEL))?;
                parts.sentinels(secure, certificates)
            }
            ("redis" | "rediss", "cluster") => {
                let parts = Parts::read(rest, SERVER_PORT).ok_or_else(|| unreadable(CLUSTER))?;
                if !matches!(parts.path, "" | "/" | "/0") {
                    return Err(StoreError::Unusable("a Redis Cluster has database 0 only".to_owned()));
                }
                let login = parts.login("0").ok_or_else(|| unreadable(CLUSTER))?;
                Ok(Self::Cluster(Forge { secure, certificates, login }, parts.nodes))
            }
            _ => {
                // The crate's own words may repeat parts of the URL.
                let info = url.0.as_str().into_connection_info().map_err(|_| unreadable(SERVER))?;
                let place = info.addr().to_string();
                let client = client(info, certificates.as_ref()).map_err(|_| unreadable(SERVER))?;
                Ok(Self::Server(Box::new(client), place))
            }
        }
    }
}

fn unreadable(form: &str) -> StoreError {
    StoreError::Unusable(format!("`store.url` is no Redis URL: {form}"))
}

fn certificates(tls: &RedisTls) -> Result<Option<TlsCertificates>, StoreError> {
    let read = |path: &std::path::PathBuf| {
        std::fs::read(path).map_err(|error| StoreError::Unusable(format!("{} cannot be read: {error}", path.display())))
    };
    let root_cert = tls.ca_file.as_ref().map(read).transpose()?;
    let begin = b"-----BEGIN CERTIFICATE-----";
    if root_cert.as_ref().is_some_and(|text| !text.windows(begin.len()).any(|part| part == begin)) {
        return Err(StoreError::Unusable("`store.ca_file` holds no certificate in PEM form".to_owned()));
    }
    let client_tls = match &tls.client {
        Some((cert, key)) => Some(ClientTlsConfig { client_cert: read(cert)?, client_key: read(key)? }),
        None => None,
    };
    if root_cert.is_none() && client_tls.is_none() {
        return Ok(None);
    }
    Ok(Some(TlsCertificates { client_tls, root_cert }))
}

/// A URL with several hosts, which no parser of URLs reads.
struct Parts<'a> {
    /// User and password as written, with the `@`.
    user: &'a str,
    nodes: Vec<Node>,
    path: &'a str,
    query: &'a str,
}

impl<'a> Parts<'a> {
    fn read(rest: &'a str, port: u16) -> Option<Self> {
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (user, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        let nodes = hosts.split(',').map(|host| node(host, port)).collect::<Option<Vec<_>>>()?;
        Some(Self { user, nodes, path, query })
    }

    /// User, password and database, taken apart by the crate.
    fn login(&self, database: &str) -> Option<RedisConnectionInfo> {
        let url = format!("redis://{}localhost/{database}", self.user);
        url.into_connection_info().ok().map(|info| info.redis_settings().clone())
    }

    fn sentinels(self, secure: bool, certificates: Option<TlsCertificates>) -> Result<Address, StoreError> {
        let (service, database) =
            self.path.trim_matches('/').split_once('/').unwrap_or((self.path.trim_matches('/'), "0"));
        let login = self.login(database).filter(|_| !service.is_empty()).ok_or_else(|| unreadable(SENTINEL))?;
        let (mut user, mut password) = (None, None);
        let query = Url::parse(&format!("redis://localhost/?{}", self.query)).map_err(|_| unreadable(SENTINEL))?;
        for (name, value) in query.query_pairs() {
            match name.as_ref() {
                "sentinel_user" => user = Some(value.into_owned()),
                "sentinel_password" => password = Some(value.into_owned()),
                _ => return Err(unreadable(SENTINEL)),
            }
        }
        let mut asking = RedisConnectionInfo::default();
        if let Some(user) = user {
            asking = asking.set_username(user);
        }
        if let Some(password) = password {
            asking = asking.set_password(password);
        }
        Ok(Address::Sentinels {
            ask: Forge { secure, certificates: certificates.clone(), login: asking },
            serve: Forge { secure, certificates, login },
            nodes: self.nodes,
            service: service.to_owned(),
        })
    }
}

/// `host`, `host:port`, `[::1]` or `[::1]:port`.
pub(super) fn node(text: &str, port: u16) -> Option<Node> {
    if let Some((host, rest)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        let port = if rest.is_empty() { port } else { rest.strip_prefix(':')?.parse().ok()? };
        return Some((host.to_owned(), port));
    }
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (text, port),
    };
    let fits = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
    fits.then(|| (host.to_owned(), port))
}

/// As people write it.
pub(super) fn text((host, port): &Node) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_with_and_without_ports() {
        let parts = Parts::read("ana:p%40%2Cs@h1,h2:7,[::1]:8/main/3?a=b", 26379).unwrap();
        assert_eq!(parts.nodes, [("h1".to_owned(), 26379), ("h2".to_owned(), 7), ("::1".to_owned(), 8)]);
        assert_eq!((parts.path, parts.query), ("/main/3", "a=b"));
        let login = parts.login("3").unwrap();
        assert_eq!((login.username(), login.password(), login.db()), (Some("ana"), Some("p@,s"), 3));
        for bad in ["", "h,", "h:x", "h:99999", "a b", "[::1]x", "h:1:2"] {
            assert!(Parts::read(bad, 1).is_none(), "{bad}");
        }
    }
}
