//! Failures that mean nothing: questions that clients ask knowing that the answer may be no.

use cutape_trace_format::call::Call;
use cutape_trace_format::schema::TraceSchema;

use crate::outcome::{Outcome, outcome};

/// A call that may fail without anything being wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BenignProbe {
    /// Stable name, for reports.
    pub id: &'static str,
    /// The function as `cuGetProcAddress` names it, without version: all its variants are meant.
    pub base: &'static str,
    /// The code with which it may fail; `None`: with any.
    pub code: Option<u32>,
    /// What must hold besides.
    pub condition: Condition,
    /// Why this is harmless, for people.
    pub why: &'static str,
}

/// What must hold for a failure to be benign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Nothing further.
    Always,
    /// The export table asked for is this one.
    ExportTable {
        /// Its id, as it lies in memory.
        guid: [u8; 16],
        /// The client's CUDA runtime, known by the newest version for which it looked functions up, is older than this one.
        runtime_below: Option<u32>,
    },
}

const CODE_INVALID_CONTEXT: u32 = 201;
const CODE_NOT_FOUND: u32 = 500;
const CODE_NOT_READY: u32 = 600;

/// Not named in public sources.
const TABLE_F8CFF951: [u8; 16] = [
    0xf8, 0xcf, 0xf9, 0x51, 0x21, 0x46, 0x8b, 0x4e, 0xb9, 0xe2, 0xfb, 0x46, 0x9e, 0x7c, 0x0d, 0xd9,
];
const TABLE_CONTEXT_CHECKS: [u8; 16] = [
    0x26, 0x3e, 0x88, 0x60, 0x7c, 0xd2, 0x61, 0x43, 0x92, 0xf6, 0xbb, 0xd5, 0x00, 0x6d, 0xfa, 0x7e,
];
const TABLE_TOOLS_CONTEXT: [u8; 16] = [
    0x21, 0x31, 0x8c, 0x60, 0x97, 0x14, 0x32, 0x48, 0x8c, 0xa6, 0x41, 0xff, 0x73, 0x24, 0xc8, 0xf2,
];

/// All that are known. CONTEXT_LOCAL_STORAGE's `get`, which answers 400 where nothing was put, is no line here: it is called through an
/// export table, so no trace has it.
pub const BENIGN_PROBES: [BenignProbe; 7] = [
    BenignProbe {
        id: "look-up-found-nothing",
        base: "cuGetProcAddress",
        code: Some(CODE_NOT_FOUND),
        condition: Condition::Always,
        why: "clients look up more functions than any one driver has, and the runtime asks for the empty name to see how the driver says no",
    },
    BenignProbe {
        id: "optional-table-f8cff951",
        base: "cuGetExportTable",
        code: None,
        condition: Condition::ExportTable {
            guid: TABLE_F8CFF951,
            runtime_below: None,
        },
        why: "the runtime asks for this table before cuInit and does without it",
    },
    BenignProbe {
        id: "optional-table-context-checks",
        base: "cuGetExportTable",
        code: None,
        condition: Condition::ExportTable {
            guid: TABLE_CONTEXT_CHECKS,
            runtime_below: Some(13_000),
        },
        why: "runtimes before 13.0 do without this table",
    },
    BenignProbe {
        id: "optional-table-tools-context",
        base: "cuGetExportTable",
        code: None,
        condition: Condition::ExportTable {
            guid: TABLE_TOOLS_CONTEXT,
            runtime_below: Some(13_050),
        },
        why: "runtimes before 13.5 do without this table",
    },
    BenignProbe {
        id: "no-context-yet",
        base: "cuCtxGetDevice",
        code: Some(CODE_INVALID_CONTEXT),
        condition: Condition::Always,
        why: "a thread that has no current context is told so; the runtime asks in order to know",
    },
    BenignProbe {
        id: "not-ready-yet",
        base: "cuEventQuery",
        code: Some(CODE_NOT_READY),
        condition: Condition::Always,
        why: "the work before the event is still going on, which is what was asked",
    },
    BenignProbe {
        id: "stream-not-ready-yet",
        base: "cuStreamQuery",
        code: Some(CODE_NOT_READY),
        condition: Condition::Always,
        why: "work on the stream is still going on, which is what was asked",
    },
];

/// Which failure is benign, given what the process did before. One for each process of a trace.
#[derive(Clone, Debug, Default)]
pub struct BenignJudge {
    /// The newest CUDA version for which the process looked functions up, 0 before the first look-up.
    runtime_version: u32,
}

impl BenignJudge {
    /// Takes in a call of the process; calls come in order.
    pub fn observe(&mut self, schema: &TraceSchema, call: &Call) {
        let function = schema.function(call.function);
        let Some(function) = function.filter(|function| function.base == "cuGetProcAddress") else {
            return;
        };
        let params = function
            .signature
            .iter()
            .flat_map(|signature| &signature.params);
        let place = params
            .into_iter()
            .position(|param| param.name == "cudaVersion");
        if let Some(&version) = place.and_then(|place| call.args.get(place)) {
            self.runtime_version = self.runtime_version.max(version as u32);
        }
    }

    /// The probe that a call is, if it failed and that is benign.
    pub fn probe(&self, schema: &TraceSchema, call: &Call) -> Option<&'static BenignProbe> {
        let Outcome::Code { code, .. } = outcome(schema, call) else {
            return None;
        };
        let base = &schema.function(call.function)?.base;
        BENIGN_PROBES.iter().find(|probe| {
            code != 0
                && probe.base == base
                && probe.code.is_none_or(|known| known == code)
                && self.holds(probe.condition, call)
        })
    }

    fn holds(&self, condition: Condition, call: &Call) -> bool {
        match condition {
            Condition::Always => true,
            Condition::ExportTable {
                guid,
                runtime_below,
            } => {
                // cuGetExportTable(const void **ppExportTable, const CUuuid *pExportTableId)
                let asked = call.capture(1, false);
                asked.is_some_and(|asked| asked.bytes == guid)
                    && runtime_below.is_none_or(|limit| (1..limit).contains(&self.runtime_version))
            }
        }
    }
}
