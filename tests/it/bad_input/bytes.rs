//! What a well-behaved server never does: bodies that drip, that unpack to gigabytes or never end, headers that are
//! none, and refusals that repeat our secrets.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{end, listed, something_happens, with_every_detail};
use crate::peers::python_with;
use crate::support::{House, Memory, Plan, until};

const PATIENCE: Duration = Duration::from_secs(60);
const TOKEN: &str = "raw-token-b5c1f0e7";
const PASSWORD: &str = "raw-password-8d0c";
const ROW: &str = r#"{"income":1,"date":"DATE","amount":"777.00","operation":"Transferencia recibida","holder":"Ana","cuit":"","cvu_cbu":"","status":"Aprobada","sale_point_name":""}"#;

/// How the server answers what is no login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// No rows.
    Empty,
    /// One row.
    Row,
    /// A byte every 50 ms, for ever.
    Drip,
    /// Ten MiB in ten KiB.
    Bomb,
    /// Chunks without an end.
    Endless,
    /// 401, and a message that repeats the question's token and the account's password.
    Echo,
    /// No HTTP.
    Noise,
}

/// A TelePagos of raw sockets.
struct Upstream {
    port: u16,
    manner: Arc<Mutex<Manner>>,
}

impl Upstream {
    async fn start(row: String, bomb: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let manner = Arc::new(Mutex::new(Manner::Empty));
        let (shared, row, bomb) = (Arc::clone(&manner), Arc::new(row), Arc::new(bomb));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (shared, row, bomb) = (Arc::clone(&shared), Arc::clone(&row), Arc::clone(&bomb));
                tokio::spawn(async move { converse(stream, &shared, &row, &bomb).await });
            }
        });
        Self { port, manner }
    }

    fn set(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }
}

async fn converse(mut stream: TcpStream, manner: &Mutex<Manner>, row: &str, bomb: &[u8]) -> Option<()> {
    let mut question = Vec::new();
    while !question.windows(4).any(|window| window == b"\r\n\r\n") {
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece).await.ok()?;
        if read == 0 {
            return None;
        }
        question.extend_from_slice(&piece[..read]);
    }
    let question = String::from_utf8_lossy(&question).into_owned();
    let json = |status: &str, body: String| {
        let length = body.len();
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
    };
    if question.starts_with("POST ") {
        let login = format!(r#"{{"status":"ok","token":"{TOKEN}","expires_at":4102444800}}"#);
        return stream.write_all(json("200 OK", login).as_bytes()).await.ok();
    }
    let manner = *manner.lock().unwrap();
    let listing = |rows: &str| json("200 OK", format!(r#"{{"status":"ok","transactions":[{rows}],"operations":[]}}"#));
    match manner {
        Manner::Empty => stream.write_all(listing("").as_bytes()).await.ok(),
        Manner::Row => stream.write_all(listing(row).as_bytes()).await.ok(),
        Manner::Echo => {
            let words = format!("El token {TOKEN} de {PASSWORD} no vale");
            let body = format!(r#"{{"status":"error","message":"{words}"}}"#);
            stream.write_all(json("401 Unauthorized", body).as_bytes()).await.ok()
        }
        Manner::Noise => stream.write_all(b"220 mail.example.com ESMTP\r\n\0\x01\x02").await.ok(),
        Manner::Bomb => {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", bomb.len());
            stream.write_all(&[head.as_bytes(), bomb].concat()).await.ok()
        }
        Manner::Drip => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n{").await.ok()?;
            loop {
                tokio::time::sleep(Duration::from_millis(50)).await;
                stream.write_all(b" ").await.ok()?;
            }
        }
        Manner::Endless => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await.ok()?;
            let chunk = [b"10000\r\n".as_slice(), &vec![b' '; 0x10000], b"\r\n"].concat();
            loop {
                stream.write_all(&chunk).await.ok()?;
            }
        }
    }
}

/// Ten MiB of spaces, packed by Python.
async fn bomb() -> Vec<u8> {
    let program = "import gzip, sys; sys.stdout.buffer.write(gzip.compress(b' ' * (10 << 20)))";
    let output = tokio::process::Command::new(python_with("gzip").await).args(["-c", program]).output().await.unwrap();
    assert!(output.status.success() && output.stdout.len() < 20_000, "what Python packed");
    output.stdout
}

#[tokio::test]
async fn what_no_server_should_send_moves_no_ledger_and_stops_nobody_else() {
    let house = House::build(Memory::File, 600).await;
    let now = house.sandbox.world().wall_clock();
    let row = ROW.replace("DATE", &now.strftime("%Y-%m-%d %H:%M:%S").to_string());
    let upstream = Upstream::start(row, bomb().await).await;
    with_every_detail(&house);
    let account = format!(
        "[[telepagos]]\nname = \"raw\"\nbase_url = \"http://127.0.0.1:{}\"\nallow_http = true\nusername = \"raw-user\"\n\
         password = \"{PASSWORD}\"\nrate = \"50/s\"\npoll = {{ hot = \"1s\" }}\ntimeout = \"1s\"\n",
        upstream.port
    );
    std::fs::write(house.path("conf.d/raw.toml"), account).unwrap();
    let mut daemon = house.contacted(&Plan::default()).await;
    let failed = |words: &str| {
        let log = daemon.log();
        log.lines()
            .any(|line| line.contains("account.name=raw") && line.contains("cannot be read") && line.contains(words))
    };
    for (manner, words) in [
        (Manner::Drip, "no complete answer within 1 s"),
        (Manner::Bomb, "larger than 8388608 bytes"),
        (Manner::Endless, "larger than 8388608 bytes"),
        (Manner::Noise, "could not be reached"),
    ] {
        let before = daemon.log().matches("account.name=raw").count();
        upstream.set(manner);
        let again = || daemon.log().matches("account.name=raw").count() > before && failed(words);
        until(&format!("{manner:?}"), PATIENCE, again).await;
    }
    something_happens(&house, 10_000);
    house.all_told("erp", PATIENCE).await;
    assert_eq!(listed(&house, "--account raw").await.len(), 0);
    upstream.set(Manner::Row);
    let told = || house.sandbox.caught().webhooks().len();
    until("the row is told", PATIENCE, || told() == 3).await;
    upstream.set(Manner::Echo);
    until("the refusal is said", PATIENCE, || failed("class=\"unauthorized\"")).await;
    let reason = listed(&house, "--type source.failing").await[0].to_string();
    let log = end(&house, &mut daemon).await;
    assert_eq!(told(), 3);
    for secret in [TOKEN, PASSWORD, "raw-user"] {
        assert!(!log.contains(secret), "{secret}: {:?}", log.lines().find(|line| line.contains(secret)));
        assert!(!reason.contains(secret), "{secret} in {reason}");
    }
}
