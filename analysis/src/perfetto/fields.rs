//! Numbers of the fields and values that are written, from Perfetto's `protos/perfetto/trace/perfetto_trace.proto` (version 59).

use super::protobuf::Field;

pub(super) mod trace {
    use super::Field;
    pub const PACKET: Field = 1;
}

pub(super) mod packet {
    use super::Field;
    pub const CLOCK_SNAPSHOT: Field = 6;
    pub const TIMESTAMP: Field = 8;
    pub const SEQUENCE_ID: Field = 10;
    pub const TRACK_EVENT: Field = 11;
    pub const INTERNED_DATA: Field = 12;
    pub const SEQUENCE_FLAGS: Field = 13;
    pub const DEFAULTS: Field = 59;
    pub const TRACK_DESCRIPTOR: Field = 60;

    /// Values of `SEQUENCE_FLAGS`.
    pub const STATE_CLEARED: u64 = 1;
    pub const NEEDS_STATE: u64 = 2;
}

pub(super) mod defaults {
    use super::Field;
    pub const TIMESTAMP_CLOCK_ID: Field = 58;
}

pub(super) mod clock_snapshot {
    use super::Field;
    pub const CLOCKS: Field = 1;
    pub const PRIMARY_TRACE_CLOCK: Field = 2;

    /// Fields of a clock.
    pub const CLOCK_ID: Field = 1;
    pub const CLOCK_TIMESTAMP: Field = 2;

    /// Values of a clock's id.
    pub const REALTIME: u64 = 1;
    pub const MONOTONIC: u64 = 3;
}

pub(super) mod track {
    use super::Field;
    pub const UUID: Field = 1;
    pub const NAME: Field = 2;
    pub const PROCESS: Field = 3;
    pub const THREAD: Field = 4;
    pub const PARENT_UUID: Field = 5;
    pub const COUNTER: Field = 8;

    pub const PROCESS_PID: Field = 1;
    pub const PROCESS_CMDLINE: Field = 2;
    pub const PROCESS_NAME: Field = 6;

    pub const THREAD_PID: Field = 1;
    pub const THREAD_TID: Field = 2;
    pub const THREAD_NAME: Field = 5;

    pub const COUNTER_UNIT: Field = 3;
    /// Value of `COUNTER_UNIT`.
    pub const BYTES: u64 = 3;
}

pub(super) mod event {
    use super::Field;
    pub const CATEGORY_IIDS: Field = 3;
    pub const DEBUG_ANNOTATIONS: Field = 4;
    pub const TYPE: Field = 9;
    pub const NAME_IID: Field = 10;
    pub const TRACK_UUID: Field = 11;
    pub const COUNTER_VALUE: Field = 30;
    pub const FLOW_IDS: Field = 47;
    pub const TERMINATING_FLOW_IDS: Field = 48;

    /// Values of `TYPE`.
    pub const SLICE_BEGIN: u64 = 1;
    pub const SLICE_END: u64 = 2;
    pub const INSTANT: u64 = 3;
    pub const COUNTER: u64 = 4;
}

pub(super) mod annotation {
    use super::Field;
    pub const NAME_IID: Field = 1;
    pub const UINT: Field = 3;
    pub const INT: Field = 4;
    pub const DOUBLE: Field = 5;
    pub const STRING: Field = 6;
    pub const POINTER: Field = 7;
    pub const DICT_ENTRIES: Field = 11;
    pub const ARRAY_VALUES: Field = 12;
}

pub(super) mod interned {
    use super::Field;
    pub const CATEGORIES: Field = 1;
    pub const EVENT_NAMES: Field = 2;
    pub const ANNOTATION_NAMES: Field = 3;

    /// Fields of each of them.
    pub const IID: Field = 1;
    pub const NAME: Field = 2;
}
