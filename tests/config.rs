//! The configuration as an operator meets it: the example is the defaults, every wrong thing is named with its key and
//! file, all at once, and no secret is ever printed.
#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot be set up must fail loudly")]

#[path = "config/example.rs"]
mod example;
#[path = "config/layers.rs"]
mod layers;
#[path = "config/meanings.rs"]
mod meanings;
#[path = "config/mistakes.rs"]
mod mistakes;
#[path = "config/silence.rs"]
mod silence;

use std::fs;
use std::path::PathBuf;

use pregonero::config::{Config, Environment, Loaded, load_in};
use tempfile::TempDir;

const WHSEC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

const TELEPAGOS: &str = "[[telepagos]]\nname = \"centro\"\nbase_url = \"https://api.telepagos.com.ar\"\n\
    username = \"u\"\npassword = \"p\"\n";
const SIPAGO: &str = "[[sipago]]\nname = \"palermo\"\nbase_url = \"https://api.example/services\"\napi_key = \"k\"\n";
const EMAIL: &str = "[[email]]\nname = \"contaduria\"\nto = \"a@example.com\"\n";
const SMTP: &str = "[smtp]\nurl = \"smtp://mail.example.com\"\nfrom = \"a@example.com\"\n";
const TELEGRAM: &str = "[[telegram]]\nname = \"caja\"\ntoken = \"123:abc\"\nchat_id = -100\n";

fn webhook() -> String {
    format!("[[webhook]]\nname = \"erp\"\nurl = \"https://erp.example.com/x\"\nsecret = \"{WHSEC}\"\n")
}

/// A folder with a `config.toml`, everything that the example's samples name, and an environment.
struct Place {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

impl Place {
    fn with(text: &str) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let place = Self { folder, variables: Vec::new() };
        place.write("secrets/telepagos", "file-secret\n");
        for file in ["mail-ca.pem", "redis-ca.pem", "redis-client.pem", "redis-client.key"] {
            place.write(&format!("secrets/{file}"), "");
        }
        place.write("credentials/smtp", "smtp-secret\n");
        place.write("credentials/bot", "123456:credential-secret\n");
        place.write("config.toml", text);
        let credentials = place.path("credentials").display().to_string();
        place
            .and("SIPAGO_KEY", "sipago-secret")
            .and("ERP_SECRET", WHSEC)
            .and("ERP_AUTHORIZATION", "Bearer x")
            .and("CREDENTIALS_DIRECTORY", &credentials)
            .and_if(text.contains("PREGONERO_TOKEN"), "PREGONERO_TOKEN", "console-secret")
    }

    fn and(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    fn and_if(self, wanted: bool, name: &str, value: &str) -> Self {
        if wanted { self.and(name, value) } else { self }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("inside the folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    fn try_load(&self) -> Result<Loaded, String> {
        let environment: Environment = self.variables.iter().cloned().collect();
        load_in(Some(&self.path("config.toml")), &environment).map_err(|errors| errors.to_string())
    }

    fn load(&self) -> Loaded {
        self.try_load().unwrap_or_else(|errors| panic!("{errors}"))
    }

    fn refused(&self) -> String {
        let text = fs::read_to_string(self.path("config.toml")).expect("the file");
        self.try_load().err().unwrap_or_else(|| panic!("must be refused: {text}"))
    }
}

fn refused(text: &str) -> String {
    Place::with(text).refused()
}

/// Asserts that one line of the complaints begins with this key, names the file and holds these words.
fn complains(errors: &str, key: &str, file: &str, words: &str) {
    let found = errors.lines().any(|line| {
        line.starts_with(&format!("error: {key} in ")) && line.contains(&format!("{file}: ")) && line.contains(words)
    });
    assert!(found, "no complaint of {key} in {file} about {words}:\n{errors}");
}

fn shape(config: &Config) -> String {
    format!("{config:#?}")
}
