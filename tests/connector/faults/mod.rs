//! Tests of faulty servers: they stop and restart, close a connection within a line, send replies,
//! or do not listen.

mod addresses;
mod deaths;
mod refusals;
mod replying;
