//! Outages of the store and of receivers.
