//! A value that is printed by nothing.

use std::fmt;
use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};

use super::WebhookConfig;

/// A secret: a password, a key, a token. `Debug` hides it, dropping the last copy wipes it.
#[derive(Clone)]
pub struct Secret(Arc<SecretString>);

impl Secret {
    /// From its text.
    pub fn new(text: String) -> Self {
        Self(Arc::new(SecretString::from(text)))
    }

    /// The text, to be put on the wire and nowhere else.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl fmt::Debug for WebhookConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookConfig")
            .field("common", &self.common)
            .field("url", &format_args!("{}://{}/…", self.url.scheme(), self.url.host_str().unwrap_or_default()))
            .field("secrets", &self.secrets)
            .field("allow_private", &self.allow_private)
            .field("rate", &self.rate)
            .field("headers", &self.headers)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_hides_from_debug() {
        let secret = Secret::new("hunter2".into());
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        assert_eq!(secret.expose(), "hunter2");
    }
}
