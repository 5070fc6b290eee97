//! Every destination's channel, from the checked configuration.
