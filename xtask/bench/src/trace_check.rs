//! What was recorded, held against what was done.

use std::fs;
use std::path::{Path, PathBuf};

use cutape_trace_format::block_source::Damage;
use cutape_trace_format::call::Call;
use cutape_trace_format::process_folder::BLOCKS_FILE;
use cutape_trace_format::seal::{SealOptions, seal};
use cutape_trace_format::trace::Trace;

use crate::error::BenchError;

/// A recording's folder; removed when this goes.
pub struct Recording(PathBuf);

/// How much room a recording takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BytesPerCall {
    /// In the folder's block files.
    pub unsealed: f64,
    /// As one sealed file.
    pub sealed: f64,
}

impl Recording {
    /// A name that is free.
    ///
    /// # Errors
    /// What is left there of an earlier recording can't be removed.
    pub fn new(path: PathBuf) -> Result<Self, BenchError> {
        if path.exists() {
            fs::remove_dir_all(&path).map_err(BenchError::file(&path))?;
        }
        Ok(Self(path))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Checks that exactly `made` calls are in the trace, counted one by one, and that it knows of no loss. Gives the time that threads
    /// waited for room, nanoseconds.
    ///
    /// # Errors
    /// It is not so.
    pub fn expect_calls(&self, made: u64) -> Result<u64, BenchError> {
        let trace = Trace::open(&self.0).map_err(|error| BenchError::Trace(error.to_string()))?;
        let losses = trace.losses();
        let complete = losses.dropped == 0 && losses.without_ring == 0 && losses.damaged == 0;
        let mut recorded = 0;
        let mut calls = trace.calls();
        let mut call = Call::default();
        let damaged = |damage: Damage| BenchError::Trace(damage.to_string());
        while calls.read_next(&mut call).map_err(damaged)? {
            recorded += u64::from(call.duration_ns.is_some());
        }
        if recorded == made && complete && trace.damages().is_empty() {
            return Ok(losses.waited_ns);
        }
        Err(BenchError::Lost {
            made,
            recorded,
            losses: format!("{losses:?}, damages: {:?}", trace.damages()),
        })
    }

    /// Seals the recording and compares sizes.
    ///
    /// # Errors
    /// It can't be sealed, or has other than `made` calls then.
    pub fn bytes_per_call(&self, made: u64) -> Result<BytesPerCall, BenchError> {
        let unsealed = self.block_bytes()?;
        let file = self.0.with_extension("cutape");
        let sealed = seal(
            &self.0,
            &file,
            SealOptions {
                allow_live: false,
                overwrite: true,
            },
            &mut |_| {},
        )
        .map_err(|error| BenchError::Trace(error.to_string()))?;
        fs::remove_file(&file).map_err(BenchError::file(&file))?;
        if sealed.calls != made || !sealed.damages.is_empty() {
            return Err(BenchError::Lost {
                made,
                recorded: sealed.calls,
                losses: format!("damages: {:?}", sealed.damages),
            });
        }
        Ok(BytesPerCall {
            unsealed: unsealed as f64 / made as f64,
            sealed: sealed.bytes as f64 / made as f64,
        })
    }

    /// Bytes of all processes' block files.
    fn block_bytes(&self) -> Result<u64, BenchError> {
        let mut bytes = 0;
        for entry in fs::read_dir(&self.0).map_err(BenchError::file(&self.0))? {
            let path = entry
                .map_err(BenchError::file(&self.0))?
                .path()
                .join(BLOCKS_FILE);
            if path.exists() {
                bytes += fs::metadata(&path).map_err(BenchError::file(&path))?.len();
            }
        }
        Ok(bytes)
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        // Best effort: the folder lies in the workbench's, which goes as well.
        let _ = fs::remove_dir_all(&self.0);
    }
}
