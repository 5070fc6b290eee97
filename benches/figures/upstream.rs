//! A TelePagos that lists what it is told to, as one prepared body.

use std::net::SocketAddr;
use std::sync::{Arc, RwLock};
use std::time::Instant;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use tokio::net::TcpListener;

/// The pretend upstream.
#[derive(Clone, Debug)]
pub struct Upstream {
    pub address: SocketAddr,
    body: Arc<RwLock<bytes::Bytes>>,
    asked: Arc<RwLock<Vec<Instant>>>,
}

impl Upstream {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let body = Arc::new(RwLock::new(listing(0, "")));
        let asked = Arc::<RwLock<Vec<Instant>>>::default();
        let upstream =
            Self { address: listener.local_addr().expect("bound"), body: Arc::clone(&body), asked: Arc::clone(&asked) };
        let json = |text: &'static str| move || async move { ([(CONTENT_TYPE, "application/json")], text) };
        let list = move || async move {
            asked.write().expect("no panic").push(Instant::now());
            ([(CONTENT_TYPE, "application/json")], body.read().expect("no panic").clone()).into_response()
        };
        let router = Router::new()
            .route("/v2/auth/token", post(json(r#"{"status":"ok","token":"t","expires_at":4102444800}"#)))
            .route("/v2/account/transactions_filters", get(json(r#"{"status":"ok","operations":[]}"#)))
            .route("/v2/account/transactions", get(list));
        tokio::spawn(async move { axum::serve(listener, router).await });
        upstream
    }

    /// When the listing was first asked for after `start`.
    pub fn first_asked_after(&self, start: Instant) -> Option<Instant> {
        self.asked.read().expect("no panic").iter().find(|at| **at >= start).copied()
    }

    /// From now on it lists `count` credits of `day`, each different.
    pub fn list(&self, count: usize, day: &str) {
        *self.body.write().expect("no panic") = listing(count, day);
    }
}

/// A body with `count` credits of `day`, newest first.
pub fn listing(count: usize, day: &str) -> bytes::Bytes {
    let rows: Vec<String> = (0..count)
        .rev()
        .map(|n| {
            let (hour, minute, second) = (n / 3600 % 24, n / 60 % 60, n % 60);
            format!(
                r#"{{"income":1,"date":"{day} {hour:02}:{minute:02}:{second:02}","amount":"{}.{:02}","operation":"Transferencia recibida","holder":"PEREZ MARIA {n}","cuit":"20267565393","cvu_cbu":"0000630500000060195375","status":"Aprobada","sale_point_name":"Caja 1"}}"#,
                1000 + n / 100,
                n % 100
            )
        })
        .collect();
    format!(r#"{{"status":"ok","transactions":[{}]}}"#, rows.join(",")).into()
}
