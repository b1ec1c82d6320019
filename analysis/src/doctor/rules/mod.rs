//! The rules. Each file holds one, or those that are rows of one table.

mod attributes;
mod code;
mod context;
mod devices;
mod end;
pub mod groups;
mod init;
mod loading;
pub mod look_up;
mod management;
mod memory_info;
mod pace;
mod pinned;
mod runtime;
mod version;
mod virtual_memory;

use super::rule::Rule;
use crate::printable::push_printable;

/// All rules, in the order in which a program would meet them.
pub static RULES: [&Rule; 41] = [
    &loading::BACKEND_ABSENT,
    &loading::BYPASSED,
    &loading::NO_CALLS,
    &look_up::WRONG_ABI,
    &look_up::PTSZ_IGNORED,
    &memory_info::MISSING,
    &version::FAILED,
    &version::TOO_OLD,
    &init::RULES[0],
    &init::RULES[1],
    &init::RULES[2],
    &init::RULES[3],
    &init::RULES[4],
    &init::RULES[5],
    &init::LOST_PERMISSION,
    &devices::VISIBLE_DEVICES,
    &runtime::TABLE_REFUSED,
    &runtime::INTEGRITY,
    &devices::NONE,
    &devices::QUERY_FAILED,
    &devices::PCI_MISSING,
    &attributes::ARCHITECTURE,
    &attributes::UNIFIED_ADDRESSING,
    &attributes::INTEGRATED,
    &context::RETAIN_FAILED,
    &context::MASKED_CODE,
    &context::SET_FAILED,
    &context::GET_FAILED,
    &context::DEVICE_FAILED,
    &virtual_memory::MISSING,
    &memory_info::ERROR,
    &memory_info::ZERO,
    &memory_info::FREE_ZERO,
    &memory_info::IMPLAUSIBLE,
    &code::NO_KERNEL_IMAGE,
    &code::PTX_TOO_NEW,
    &pinned::FALLBACK,
    &management::OVERRIDES,
    &pace::TOO_SLOW,
    &end::CRASHED,
    &end::KILLED,
];

/// The rule of that id.
pub fn rule(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id == id).copied()
}

/// A name from the trace that may hold anything, for people.
fn quoted_name(name: &str) -> String {
    let mut text = String::new();
    push_printable(&mut text, name);
    text
}

/// A value from the trace in quotation marks.
fn quoted(value: &str) -> String {
    format!("\"{}\"", quoted_name(value))
}
