//! The part of the API that a function belongs to, by its name.

/// Beginnings of names whose first word would split a part in two or say too little, and the part's name.
const NAMED_PARTS: [(&str, &str); 20] = [
    ("cudbg", "Debugger"),
    ("cuGetError", "Error"),
    ("cuGet", "EntryPoint"),
    ("cuDriver", "Init"),
    ("cuGreenCtx", "GreenCtx"),
    ("cuDevResource", "DevResource"),
    ("cuDevSmResource", "DevResource"),
    ("cuImportExternal", "External"),
    ("cuDestroyExternal", "External"),
    ("cuSignalExternal", "External"),
    ("cuWaitExternal", "External"),
    ("cuUserObject", "UserObject"),
    ("cuThread", "Stream"),
    ("cuFlushGPUDirect", "Mem"),
    ("cuFabricCpy", "Memcpy"),
    ("cuLogicalEndpoint", "LogicalEndpoint"),
    ("cuTensorMap", "TensorMap"),
    ("cuMipmappedArray", "Array"),
    ("nvmlCompute", "nvmlGpu"),
    ("nvmlGet", "nvmlSystem"),
];

/// The part that a base name belongs to: a named part, or the name's first word: `Mem` of `cuMemAlloc`, `nvmlDevice` of
/// `nvmlDeviceGetCount`.
pub(crate) fn family_of(base: &str) -> String {
    if let Some((_, part)) = NAMED_PARTS
        .iter()
        .find(|(beginning, _)| base.starts_with(beginning))
    {
        return (*part).to_owned();
    }
    let (prefix, rest) = match base.strip_prefix("cu") {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_uppercase()) => ("", rest),
        _ => match base.strip_prefix("nvml") {
            Some(rest) if !rest.is_empty() => ("nvml", rest),
            _ => ("", base),
        },
    };
    // A run of capitals is one word too: `GL` of `GLInit`, `EGL` of `EGLStreamConsumerConnect`.
    let capitals = rest.bytes().take_while(u8::is_ascii_uppercase).count();
    let end = match capitals {
        0 => rest.len(),
        1 => 1 + rest[1..].bytes().take_while(u8::is_ascii_lowercase).count(),
        run => run - 1,
    };
    format!("{prefix}{}", &rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families() {
        let cases = [
            ("cuMemcpyHtoD", "Memcpy"),
            ("cuMemAlloc", "Mem"),
            ("cuGLInit", "GL"),
            ("cuEGLStreamConsumerConnect", "EGL"),
            ("cuGetErrorName", "Error"),
            ("cuGetProcAddress", "EntryPoint"),
            ("cuInit", "Init"),
            ("cuWaitExternalSemaphoresAsync", "External"),
            ("nvmlDeviceGetName", "nvmlDevice"),
            ("cudbgMain", "Debugger"),
        ];
        for (base, family) in cases {
            assert_eq!(family_of(base), family, "{base}");
        }
    }
}
