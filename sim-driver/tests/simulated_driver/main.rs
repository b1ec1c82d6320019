//! The simulated driver, loaded as a program loads it.

mod behaviour;
mod conformance;
mod driver;
mod faults;
mod graphs;
mod harm;
mod ipc;
mod ipc_events;
mod real_clients;
