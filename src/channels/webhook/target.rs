//! Which addresses a webhook may be sent to.
//!
//! Two tiers. Link-local, metadata, unspecified, multicast and broadcast addresses: never. Private ones (loopback,
//! RFC 1918, CGNAT, unique local): only inside the ranges that the destination's `allow_private` lists.
//! Names are judged after DNS, on the very addresses that are then connected to, so nothing can be rebound in between.
//! Literals are judged by [`Policy::vet_url`], because reqwest asks no resolver about them (measured, 2026-11-21).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// Where metadata services live outside the link-local ranges: AWS and GCP over IPv6, Alibaba, Oracle classic, Azure's
/// wire server (the vendors' documents, 2026-11-21).
const METADATA: [IpAddr; 5] = [
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
];

/// A target that must not be spoken to. Says nothing about what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefusedTarget {
    /// Link-local, metadata, unspecified, multicast or reserved.
    #[error("the target's address is never allowed (link-local, metadata, multicast or reserved)")]
    Forbidden,
    /// Private, and not listed.
    #[error("the target's address is private and not listed in `allow_private`")]
    Private,
}

/// What one destination allows.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Policy {
    allow_private: Arc<[IpNet]>,
}

impl Policy {
    /// With these private ranges opened.
    pub fn new(allow_private: &[IpNet]) -> Self {
        Self { allow_private: allow_private.into() }
    }

    /// Judges an address and whatever IPv4 address is hidden in it.
    ///
    /// # Errors
    /// When it must not be connected to.
    pub fn vet(&self, address: IpAddr) -> Result<(), RefusedTarget> {
        let inner = embedded(address);
        for ip in [Some(address), inner].into_iter().flatten() {
            if never(ip) {
                return Err(RefusedTarget::Forbidden);
            }
        }
        let judged = inner.unwrap_or(address);
        let listed = self.allow_private.iter().any(|net| net.contains(&judged) || net.contains(&address));
        if private(judged) && !listed { Err(RefusedTarget::Private) } else { Ok(()) }
    }

    /// Judges a URL whose host is an address; a name is judged after DNS.
    ///
    /// # Errors
    /// When it must not be connected to.
    pub fn vet_url(&self, url: &Url) -> Result<(), RefusedTarget> {
        match url.host() {
            Some(Host::Ipv4(ip)) => self.vet(IpAddr::V4(ip)),
            Some(Host::Ipv6(ip)) => self.vet(IpAddr::V6(ip)),
            Some(Host::Domain(_)) => Ok(()),
            None => Err(RefusedTarget::Forbidden),
        }
    }
}

/// The IPv4 address inside a v4-mapped, v4-compatible, 6to4 or NAT64 address.
fn embedded(address: IpAddr) -> Option<IpAddr> {
    let IpAddr::V6(ip) = address else { return None };
    let v4 = |high: u16, low: u16| {
        let bits = u32::from(high) << 16 | u32::from(low);
        Some(IpAddr::V4(Ipv4Addr::from_bits(bits)))
    };
    match ip.segments() {
        // `::` and `::1` are judged as themselves, the rest of `::/96` is the deprecated v4-compatible form.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0x0064, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x0064, 0xff9b, 1, _, _, _, high, low]
        | [0x2002, high, low, ..] => v4(high, low),
        _ => None,
    }
}

fn never(address: IpAddr) -> bool {
    if METADATA.contains(&address) {
        return true;
    }
    match address {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            a == 0 || (a, b) == (169, 254) || a >= 224 || (a, b, c) == (192, 0, 0)
        }
        IpAddr::V6(ip) => {
            let [a, b, ..] = ip.segments();
            // Teredo hides both ends behind a relay; nobody has a webhook receiver there.
            ip.is_unspecified() || (a & 0xffc0) == 0xfe80 || (a >> 8) == 0xff || (a, b) == (0x2001, 0)
        }
    }
}

fn private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            ip.is_private() || a == 127 || (a == 100 && (b & 0xc0) == 64) || (a == 198 && (b & 0xfe) == 18)
        }
        IpAddr::V6(ip) => {
            let [a, ..] = ip.segments();
            ip.is_loopback() || (a & 0xfe00) == 0xfc00 || (a & 0xffc0) == 0xfec0
        }
    }
}

/// The system's resolver, of whose answers only allowed addresses are passed on.
#[derive(Clone, Debug)]
pub(super) struct VettedDns {
    pub(super) policy: Policy,
}

impl Resolve for VettedDns {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = self.policy.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(allowed(&policy, found)?)
        })
    }
}

/// The answers that may be connected to; an error when there are answers and none of them may.
fn allowed(policy: &Policy, found: impl Iterator<Item = SocketAddr>) -> Result<Addrs, RefusedTarget> {
    let mut refused = None;
    let mut addresses = Vec::new();
    for address in found {
        match policy.vet(address.ip()) {
            Ok(()) => addresses.push(address),
            Err(reason) => refused = Some(reason),
        }
    }
    match refused {
        Some(reason) if addresses.is_empty() => Err(reason),
        _ => Ok(Box::new(addresses.into_iter())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vet(address: &str, allow: &[&str]) -> Result<(), RefusedTarget> {
        let allow: Vec<IpNet> = allow.iter().map(|net| net.parse().unwrap()).collect();
        Policy::new(&allow).vet(address.parse().unwrap())
    }

    #[test]
    fn some_addresses_are_never_allowed_whatever_is_listed() {
        for address in [
            "169.254.169.254",
            "169.254.0.1",
            "0.0.0.0",
            "0.1.2.3",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "::",
            "fe80::1",
            "ff02::1",
            "fd00:ec2::254",
            "::ffff:169.254.169.254",
            "::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::a9fe:a9fe",
            "2001:0:1234::1",
        ] {
            assert_eq!(vet(address, &["0.0.0.0/0", "::/0"]), Err(RefusedTarget::Forbidden), "{address}");
        }
    }

    #[test]
    fn private_addresses_need_to_be_listed() {
        for (address, net) in [
            ("127.0.0.1", "127.0.0.0/8"),
            ("10.1.2.3", "10.0.0.0/8"),
            ("172.31.0.1", "172.16.0.0/12"),
            ("192.168.1.1", "192.168.0.0/16"),
            ("100.64.0.1", "100.64.0.0/10"),
            ("198.18.0.1", "198.18.0.0/15"),
            ("::1", "::1/128"),
            ("fd12::1", "fc00::/7"),
            ("fec0::1", "fec0::/10"),
            ("::ffff:127.0.0.1", "127.0.0.0/8"),
            ("2002:0a00:0001::1", "10.0.0.0/8"),
            ("64:ff9b::10.0.0.1", "10.0.0.0/8"),
        ] {
            assert_eq!(vet(address, &[]), Err(RefusedTarget::Private), "{address}");
            assert_eq!(vet(address, &["203.0.113.0/24"]), Err(RefusedTarget::Private), "{address}");
            assert_eq!(vet(address, &[net]), Ok(()), "{address}");
        }
    }

    #[test]
    fn public_addresses_pass_also_when_wrapped() {
        for address in ["1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1"] {
            assert_eq!(vet(address, &[]), Ok(()), "{address}");
        }
    }

    #[test]
    fn every_spelling_of_a_literal_is_seen_through() {
        for host in ["127.0.0.1", "2130706433", "0x7f.1", "017700000001", "[::1]", "[::ffff:127.0.0.1]"] {
            let url = Url::parse(&format!("http://{host}:8080/x")).unwrap();
            assert_eq!(Policy::default().vet_url(&url), Err(RefusedTarget::Private), "{host}");
        }
        assert_eq!(Policy::default().vet_url(&Url::parse("http://0/").unwrap()), Err(RefusedTarget::Forbidden));
        assert_eq!(Policy::default().vet_url(&Url::parse("http://erp.example.com/").unwrap()), Ok(()));
    }

    #[test]
    fn of_mixed_answers_only_the_allowed_are_used() {
        let found = |list: &[&str]| {
            let list: Vec<SocketAddr> = list.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 0)).collect();
            allowed(&Policy::default(), list.into_iter()).map(|a| a.map(|s| s.ip().to_string()).collect::<Vec<_>>())
        };
        assert_eq!(found(&["10.0.0.1", "1.1.1.1"]), Ok(vec![String::from("1.1.1.1")]));
        assert_eq!(found(&["10.0.0.1"]), Err(RefusedTarget::Private));
        assert_eq!(found(&[]), Ok(vec![]));
    }
}
