//! A value that is printed by nothing.

use std::fmt;
use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};

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
