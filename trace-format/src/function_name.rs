//! What a kernel's handle stands for that no recorded call has answered.
//!
//! Programs get such handles through export tables. The first successful call of each that names the kernel as a parameter has a capture of
//! after the call under that parameter's number: 8 bytes with the handle of the module, then the kernel's name, without a NUL.

/// Module and name of a kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionName {
    /// Handle of the module.
    pub module: u64,
    /// The kernel's name, as the module has it.
    pub name: Vec<u8>,
}

impl FunctionName {
    /// As the content of a capture.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.module.to_le_bytes().to_vec();
        bytes.extend_from_slice(&self.name);
        bytes
    }

    /// From the content of a capture.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (module, name) = bytes.split_first_chunk::<8>()?;
        (!name.is_empty()).then(|| Self {
            module: u64::from_le_bytes(*module),
            name: name.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::FunctionName;

    #[test]
    fn a_name_reads_back() {
        let name = FunctionName {
            module: 0x5100_0000_0000,
            name: b"saxpy".to_vec(),
        };
        assert_eq!(FunctionName::read(&name.to_bytes()), Some(name));
        assert_eq!(FunctionName::read(&[1, 2, 3, 4, 5, 6, 7, 8]), None);
        assert_eq!(FunctionName::read(b"short"), None);
    }
}
