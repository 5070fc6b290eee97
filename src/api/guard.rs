//! Who may use `/api/`.
//!
//! With `http.token` in the configuration: whoever says it. Without one the listener is on this machine alone, and whoever is on
//! this machine may; but a page in a browser here speaks for somebody who is elsewhere. It cannot forge `Host`, `Origin` and
//! `Sec-Fetch-Site`, so that a name that is not this machine's (DNS rebinding) and another origin are sent away.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use sha2::{Digest as _, Sha256};

use super::ApiState;
use super::routes::refusal;
use crate::config::Secret;

const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Lets a request pass, or answers it.
pub(super) async fn pass(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    let Some(desk) = &state.watches else { return refusal(StatusCode::NOT_FOUND, "no such path") };
    match check(desk.token(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(Stopped::Token) => {
            let what = "send `Authorization: Bearer TOKEN` with the token of `http.token`";
            ([(header::WWW_AUTHENTICATE, "Bearer")], refusal(StatusCode::UNAUTHORIZED, what)).into_response()
        }
        Err(Stopped::Stranger(what)) => refusal(StatusCode::FORBIDDEN, what),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Stopped {
    Token,
    Stranger(&'static str),
}

fn check(token: Option<&Secret>, headers: &HeaderMap) -> Result<(), Stopped> {
    if let Some(token) = token {
        let said = text(headers, &header::AUTHORIZATION).and_then(|said| {
            let (scheme, said) = said.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| said.trim())
        });
        // Digests are compared, so that how long it takes tells nothing of the token.
        let is_token = said.is_some_and(|said| Sha256::digest(said) == Sha256::digest(token.expose()));
        return if is_token { Ok(()) } else { Err(Stopped::Token) };
    }
    let host = text(headers, &header::HOST).unwrap_or_default();
    if headers.get_all(header::HOST).iter().count() != 1 || !is_this_machine(host) {
        return Err(Stopped::Stranger("this is not the name of the machine; ask 127.0.0.1, or set `http.token`"));
    }
    let origins = headers.get_all(header::ORIGIN);
    let is_own = |origin: &str| origin.split_once("://").is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(host));
    let foreign = origins.iter().any(|origin| !origin.to_str().is_ok_and(is_own));
    let site = headers.get_all(&SITE);
    if foreign || site.iter().any(|site| site != "same-origin" && site != "none") {
        return Err(Stopped::Stranger("pages of other origins may not use this without a token; set `http.token`"));
    }
    Ok(())
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// `localhost`, or an address of the loopback network, whatever the port.
fn is_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map(|(name, _)| name),
        None => host.split(':').next(),
    };
    let is_loopback = |name: &str| name.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback());
    name.is_some_and(|name| name.eq_ignore_ascii_case("localhost") || is_loopback(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(token: Option<&str>, lines: &[(&'static str, &str)]) -> Result<(), Stopped> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        check(token.map(|token| Secret::new(token.to_owned())).as_ref(), &headers)
    }

    #[test]
    fn with_a_token_nothing_else_counts() {
        for said in ["Bearer s3cret", "bearer s3cret", "BEARER  s3cret"] {
            let lines = [("authorization", said), ("host", "pagos.example"), ("origin", "https://pagos.example")];
            assert_eq!(checked(Some("s3cret"), &lines), Ok(()), "{said}");
        }
        for said in ["Bearer s3cre", "Bearer s3crett", "Bearer ", "Bearer", "s3cret", "Basic s3cret", ""] {
            let lines = [("authorization", said), ("host", "127.0.0.1")];
            assert_eq!(checked(Some("s3cret"), &lines), Err(Stopped::Token), "{said}");
        }
        assert_eq!(checked(Some("s3cret"), &[("host", "127.0.0.1")]), Err(Stopped::Token));
    }

    #[test]
    fn without_a_token_only_this_machine_and_no_page_of_another_origin() {
        for host in ["127.0.0.1:8780", "127.0.0.1", "127.1.2.3:1", "localhost:8780", "LocalHost", "[::1]:8780", "[::1]"]
        {
            assert_eq!(checked(None, &[("host", host)]), Ok(()), "{host}");
        }
        for host in ["", "evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1", "[::2]:1", "["]
        {
            assert!(matches!(checked(None, &[("host", host)]), Err(Stopped::Stranger(_))), "{host}");
        }
        assert!(checked(None, &[]).is_err(), "without a host");
        assert!(checked(None, &[("host", "localhost"), ("host", "evil.example")]).is_err());
        let from = |origin: &str| checked(None, &[("host", "localhost:8780"), ("origin", origin)]);
        assert_eq!(from("http://localhost:8780"), Ok(()));
        for origin in
            ["null", "http://localhost:3000", "https://evil.example", "http://127.0.0.1:8780", "localhost:8780"]
        {
            assert!(from(origin).is_err(), "{origin}");
        }
        for (site, fine) in [("none", true), ("same-origin", true), ("same-site", false), ("cross-site", false)] {
            assert_eq!(checked(None, &[("host", "localhost"), ("sec-fetch-site", site)]).is_ok(), fine, "{site}");
        }
    }
}
