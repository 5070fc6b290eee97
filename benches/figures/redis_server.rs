//! A `redis-server` of our own with `appendfsync everysec`, ended with this value.

use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use pregonero::config::from_toml;
use pregonero::store::redis::RedisStore;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::process::Process;

/// The server.
#[derive(Debug)]
pub struct RedisServer {
    _process: Process,
    _folder: tempfile::TempDir,
    port: u16,
}

impl RedisServer {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port();
        let mut command = Command::new("redis-server");
        command.args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--appendonly",
            "yes",
            "--appendfsync",
            "everysec",
            "--save",
            "",
        ]);
        command.arg("--dir").arg(folder.path());
        let process = Process::spawn(&mut command);
        for _ in 0..500 {
            if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return Self { _process: process, _folder: folder, port };
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("redis-server does not answer; apt-get install redis-server");
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// What `INFO memory` says, in bytes.
    pub async fn used_memory(&self) -> f64 {
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.expect("a connection");
        stream.write_all(b"INFO memory\r\nQUIT\r\n").await.expect("a question");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        let used = answer.lines().find_map(|line| line.strip_prefix("used_memory:"));
        used.and_then(|used| used.trim().parse().ok()).expect("a figure")
    }

    pub async fn store(&self, prefix: &str) -> RedisStore {
        let config =
            from_toml(&format!("[store]\nurl = \"{}\"\nprefix = \"{prefix}\"\ninstance = \"bench\"\n", self.url()))
                .expect("a good file");
        let pregonero::config::Backend::Redis(url) = &config.store.backend else { panic!("a Redis URL") };
        RedisStore::connect(&config.store, url).await.expect("a connection")
    }
}
