//! The simulated driver, loaded as a program loads it.

mod arrays;
mod behaviour;
mod conditional_nodes;
mod conformance;
mod driver;
mod faults;
mod graphs;
mod green_contexts;
mod harm;
mod host_functions;
mod ipc;
mod ipc_events;
mod linker;
mod memory;
mod memory_ops;
mod multi_device;
mod real_clients;
mod shareable;
mod small_stack;
mod symbols;
mod threads_and_forks;
mod wrong_profile;
