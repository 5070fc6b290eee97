//! Why the daemon speaks of itself, in one word: machines sort by it, and people read it in their language.

/// What kind of trouble a notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The upstream asks to be asked less.
    SlowDown,
    /// The upstream answers with faults of its own.
    Upstream,
    /// No answer comes.
    Transport,
    /// Our credentials were refused.
    Unauthorized,
    /// The upstream refuses the question.
    Refused,
    /// The upstream does not know what was asked for.
    NotFound,
    /// The answer is not what the upstream's document promises.
    Contract,
}

impl Cause {
    /// Every cause.
    pub const ALL: [Self; 7] = [
        Self::SlowDown,
        Self::Upstream,
        Self::Transport,
        Self::Unauthorized,
        Self::Refused,
        Self::NotFound,
        Self::Contract,
    ];

    /// The name on the wire, in the store and in the log's `class`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SlowDown => "slow_down",
            Self::Upstream => "upstream",
            Self::Transport => "transport",
            Self::Unauthorized => "unauthorized",
            Self::Refused => "refused",
            Self::NotFound => "not_found",
            Self::Contract => "contract",
        }
    }

    /// The cause of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_inverse() {
        for cause in Cause::ALL {
            assert_eq!(Cause::from_name(cause.as_str()), Some(cause));
        }
        assert_eq!(Cause::from_name("weather"), None);
    }
}
