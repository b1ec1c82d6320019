//! Sets of rules that explain many others, by id.

/// The driver did not start, or is not the one that was meant.
pub const DRIVER_DID_NOT_START: &[&str] = &[
    "init-not-initialized",
    "init-no-device",
    "init-unknown",
    "init-system-not-ready",
    "init-mismatch",
    "init-other",
    "ctx-lost-permission",
    "visible-devices-ignored",
    "no-devices",
    "driver-too-old",
    "driver-version-failed",
];

/// No context can be entered.
pub const NO_CONTEXT: &[&str] = &[
    "ctx-retain-failed",
    "masked-code",
    "ctx-set-failed",
    "ctx-get-failed",
    "ctx-device-failed",
];

/// The runtime refuses the driver.
pub const RUNTIME_REFUSES: &[&str] = &[
    "export-table-refused",
    "integrity-mismatch",
    "device-query-failed",
];

/// The process has lost its right to the device.
pub const PERMISSION_LOST: &[&str] = &["ctx-lost-permission"];
