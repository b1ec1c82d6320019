//! What programs may have got through export tables, whose calls are not recorded.

use cutape_trace_format::call::FunctionId;
use cutape_trace_format::schema::TraceSchema;

use crate::wire::slot::Message;

/// `CUresult cuGetExportTable(const void **ppExportTable, const CUuuid *pExportTableId)`.
const ASK: &str = "cuGetExportTable";
/// Tables, by GUID as its bytes lie in memory, and the type of handle that their functions answer.
const HANDLES: [(u128, &str); 2] = [
    // CUDART_INTERFACE: modules of fat binaries.
    (0x6bd5fb6c_5bf4_e74a_8987_d93912fd9df9, "CUmodule"),
    // TOOLS_MODULE: the kernels of a module.
    (0x6e163fbe_b958_444d_835c_e182aff1991e, "CUfunction"),
];

/// Which tables a process has.
#[derive(Debug)]
pub struct ExportTables {
    ask: Option<FunctionId>,
    /// In the order of [`HANDLES`].
    has: [bool; HANDLES.len()],
}

impl ExportTables {
    /// None so far.
    pub fn new(schema: &TraceSchema) -> Self {
        Self {
            ask: schema.find(ASK),
            has: [false; HANDLES.len()],
        }
    }

    /// A call has been judged.
    #[inline]
    pub fn observe(&mut self, function: FunctionId, message: &Message<'_>) {
        if self.ask == Some(function) && message.order.returned == Some(0) {
            self.got(message);
        }
    }

    fn got(&mut self, message: &Message<'_>) {
        let guid = message.capture(1, false);
        let guid = guid.and_then(|guid| <[u8; 16]>::try_from(guid.bytes).ok());
        for ((table, _), has) in HANDLES.iter().zip(&mut self.has) {
            *has |= guid.is_some_and(|guid| u128::from_be_bytes(guid) == *table);
        }
    }

    /// Whether handles of that type may have come through a table.
    pub fn may_give(&self, handle_type: &str) -> bool {
        let mut known = HANDLES.iter().zip(self.has);
        known.any(|((_, own), has)| has && *own == handle_type)
    }
}
