//! Servers that speak TLS, with an authority of their own, and ask for a certificate.

use std::path::Path;

use super::config;
use super::forms::{Servers, free_port, listening, masters, plain, tell_text, words};
use crate::config::{RedisTls, RedisUrl, StoreConfig};

/// Writes an authority, and certificates of 127.0.0.1 for servers and for us.
fn certify(folder: &Path) -> RedisTls {
    crate::http::install_crypto();
    let write = |name: &str, text: String| std::fs::write(folder.join(name), text).unwrap();
    let authority = {
        let mut wanted = rcgen::CertificateParams::new(Vec::new()).unwrap();
        wanted.distinguished_name.push(rcgen::DnType::CommonName, "authority");
        wanted.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        write("ca.pem", wanted.self_signed(&key).unwrap().pem());
        rcgen::Issuer::new(wanted, key)
    };
    for name in ["server", "client"] {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut wanted = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        wanted.distinguished_name.push(rcgen::DnType::CommonName, name);
        write(&format!("{name}.pem"), wanted.signed_by(&key, &authority).unwrap().pem());
        write(&format!("{name}.key"), key.serialize_pem());
    }
    let path = |name: &str| folder.join(name);
    RedisTls { ca_file: Some(path("ca.pem")), client: Some((path("client.pem"), path("client.key"))) }
}

/// The options of a server that listens there over TLS.
fn secured(folder: &Path, port: u16) -> Vec<String> {
    let text = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let mut all = words(&["--tls-port", &port.to_string(), "--tls-auth-clients", "yes"]);
    for (option, file) in
        [("--tls-cert-file", "server.pem"), ("--tls-key-file", "server.key"), ("--tls-ca-cert-file", "ca.pem")]
    {
        all.extend([option.to_owned(), text(file)]);
    }
    all
}

/// A server that speaks TLS only.
pub(super) async fn tls() -> Servers {
    let folder = tempfile::tempdir().unwrap();
    let tls = certify(folder.path());
    let options = |port| [plain(0, &[]), secured(folder.path(), port)].concat();
    let (shell, port) = listening(folder.path(), &options).await;
    let config = StoreConfig { tls, ..config(&RedisUrl(format!("rediss://127.0.0.1:{port}/1")), "one") };
    Servers { shells: vec![shell], folder, ports: vec![port], config }
}

/// Three masters of a cluster that speak TLS with us and with each other. Beside it they listen without, for the test.
pub(crate) async fn tls_cluster() -> Servers {
    let folder = tempfile::tempdir().unwrap();
    let tls = certify(folder.path());
    let more = |_| [secured(folder.path(), free_port()), words(&["--tls-cluster", "yes"])].concat();
    let (shells, ports) = masters(folder.path(), &more).await;
    let hosts: Vec<_> =
        ports.iter().map(|port| format!("127.0.0.1:{}", tell_text(*port, &["CONFIG", "GET", "tls-port"]))).collect();
    let url = RedisUrl(format!("rediss+cluster://{}", hosts.join(",")));
    Servers { shells, folder, ports, config: StoreConfig { tls, ..config(&url, "one") } }
}

/// A master and a sentinel that speak TLS only, with each other too.
pub(super) async fn tls_sentinel() -> Servers {
    let folder = tempfile::tempdir().unwrap();
    let tls = certify(folder.path());
    let options = |port| [plain(0, &[]), secured(folder.path(), port), words(&["--tls-replication", "yes"])].concat();
    let (master, port) = listening(folder.path(), &options).await;
    let options = |own: u16| {
        let file = folder.path().join(format!("{own}.conf"));
        let text = format!("port 0\nbind 127.0.0.1\nsentinel monitor caja 127.0.0.1 {port} 1\n");
        std::fs::write(&file, text).unwrap();
        let first = words(&[file.to_str().unwrap(), "--sentinel", "--tls-replication", "yes"]);
        [first, secured(folder.path(), own)].concat()
    };
    let (sentinel, own) = listening(folder.path(), &options).await;
    let url = RedisUrl(format!("rediss+sentinel://127.0.0.1:1,127.0.0.1:{own}/caja/2"));
    let config = StoreConfig { tls, ..config(&url, "one") };
    Servers { shells: vec![master, sentinel], folder, ports: vec![port, own], config }
}
