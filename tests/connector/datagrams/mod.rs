//! Tests of the contents of UDP datagrams, and of batches of datagrams in one system call.

mod filling;
mod offload;
