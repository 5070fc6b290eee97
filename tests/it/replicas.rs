//! Two daemons, one Redis.
