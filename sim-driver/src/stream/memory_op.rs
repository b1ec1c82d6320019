//! Batches of memory operations: words that a stream writes, and words that it waits for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::{Place, resolve};
use crate::abi::{
    CUDA_BATCH_MEM_OP_NODE_PARAMS_v1, CUcontext, CUdeviceptr, CUstream, CUstreamBatchMemOpParams_v1,
};
use crate::boundary::Out;
use crate::driver;
use crate::graph::Operation;
use crate::status::{Answer, CuError};
use crate::surface::DefaultStream;

/// `CUstreamBatchMemOpType`.
mod number {
    pub const WAIT_32: u32 = 1;
    pub const WRITE_32: u32 = 2;
    pub const FLUSH_REMOTE_WRITES: u32 = 3;
    pub const WAIT_64: u32 = 4;
    pub const WRITE_64: u32 = 5;
    pub const BARRIER: u32 = 6;
}

/// As many as one call takes; `cuda.h` says 256.
const MOST_OPERATIONS: u32 = 256;
/// `CU_STREAM_WAIT_VALUE_FLUSH`: there is nothing to flush, because there is one memory only.
const WAIT_FLUSH: u32 = 1 << 30;
/// `CU_STREAM_WRITE_VALUE_NO_MEMORY_BARRIER`.
const WRITE_WITHOUT_BARRIER: u32 = 1;
/// How long a waiting stream looks at its word without a pause, and then between two looks: nobody tells it of a change.
const EAGER_LOOKS: u32 = 200;
const PAUSE: Duration = Duration::from_micros(20);

/// What a wait waits for, as `CUstreamWaitValue_flags` numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    /// Not behind the value, in numbers that wrap around.
    NotBehind,
    Equal,
    /// Has one of the value's bits.
    AnyBit,
    /// Some bit is set neither in the word nor in the value.
    SomeBitInNeither,
}

/// A word of 4 or 8 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Word {
    address: u64,
    is_wide: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MemoryOp {
    Write(Word, u64),
    Wait(Word, Condition, u64),
    /// A barrier or a flush, which one memory without caches needs not.
    Nothing,
}

/// Operations that a stream does one after the other.
#[derive(Clone)]
pub struct MemoryBatch {
    operations: Arc<[MemoryOp]>,
    /// As they were given, for `cuGraphBatchMemOpNodeGetParams`.
    given: Arc<[CUstreamBatchMemOpParams_v1]>,
}

impl Word {
    fn at(address: u64, is_wide: bool) -> Result<Self, CuError> {
        let bytes = if is_wide { 8 } else { 4 };
        let memory = &driver::started()?.memory;
        if address.is_multiple_of(bytes) && memory.is_reachable(address, bytes) {
            Ok(Self { address, is_wide })
        } else {
            Err(CuError::INVALID_VALUE)
        }
    }

    fn load(self) -> u64 {
        let place = self.address as usize;
        // SAFETY: `at` found the word aligned and in memory that the driver mapped; the program keeps it until the stream is done, as it
        // must with a real driver. It may be written from anywhere, so it is only ever used as an atomic.
        unsafe {
            if self.is_wide {
                (*(place as *const AtomicU64)).load(Ordering::Acquire)
            } else {
                u64::from((*(place as *const AtomicU32)).load(Ordering::Acquire))
            }
        }
    }

    fn store(self, value: u64) {
        let place = self.address as usize;
        // SAFETY: as in `load`.
        unsafe {
            if self.is_wide {
                (*(place as *const AtomicU64)).store(value, Ordering::Release);
            } else {
                (*(place as *const AtomicU32)).store(value as u32, Ordering::Release);
            }
        }
    }
}

impl Condition {
    fn of(flags: u32) -> Result<Self, CuError> {
        match flags & !WAIT_FLUSH {
            0 => Ok(Self::NotBehind),
            1 => Ok(Self::Equal),
            2 => Ok(Self::AnyBit),
            3 => Ok(Self::SomeBitInNeither),
            _ => Err(CuError::INVALID_VALUE),
        }
    }

    fn holds(self, word: Word, value: u64) -> bool {
        let found = word.load();
        let difference = found.wrapping_sub(value);
        match self {
            Self::NotBehind if word.is_wide => difference as i64 >= 0,
            Self::NotBehind => difference as u32 as i32 >= 0,
            Self::Equal => found == value,
            Self::AnyBit => found & value != 0,
            Self::SomeBitInNeither if word.is_wide => !(found | value) != 0,
            Self::SomeBitInNeither => !((found | value) as u32) != 0,
        }
    }
}

impl MemoryOp {
    fn wait(word: Word, value: u64, flags: u32) -> Result<Self, CuError> {
        Ok(Self::Wait(word, Condition::of(flags)?, value))
    }

    fn write(word: Word, value: u64, flags: u32) -> Result<Self, CuError> {
        if flags & !WRITE_WITHOUT_BARRIER == 0 {
            Ok(Self::Write(word, value))
        } else {
            Err(CuError::INVALID_VALUE)
        }
    }

    /// From the union: the type, then address, value and flags in the second to fourth word.
    fn read(words: &CUstreamBatchMemOpParams_v1) -> Result<Self, CuError> {
        let [first, address, value, flags, ..] = *words;
        let (kind, flags) = (first as u32, flags as u32);
        match kind {
            number::WAIT_32 => {
                Self::wait(Word::at(address, false)?, u64::from(value as u32), flags)
            }
            number::WAIT_64 => Self::wait(Word::at(address, true)?, value, flags),
            number::WRITE_32 => Self::write(Word::at(address, false)?, value, flags),
            number::WRITE_64 => Self::write(Word::at(address, true)?, value, flags),
            number::FLUSH_REMOTE_WRITES | number::BARRIER => Ok(Self::Nothing),
            _ => Err(CuError::INVALID_VALUE),
        }
    }

    /// Whether it is done at once.
    fn is_ready(self) -> bool {
        match self {
            Self::Wait(word, condition, value) => condition.holds(word, value),
            Self::Write(..) | Self::Nothing => true,
        }
    }

    fn perform(self) {
        match self {
            Self::Nothing => {}
            Self::Write(word, value) => word.store(value),
            Self::Wait(..) => {
                let mut looks = 0;
                while !self.is_ready() {
                    looks += 1;
                    if looks < EAGER_LOOKS {
                        std::thread::yield_now();
                    } else {
                        std::thread::sleep(PAUSE);
                    }
                }
            }
        }
    }
}

impl MemoryBatch {
    /// Operations as the caller gives them.
    pub fn read(
        params: Out<CUstreamBatchMemOpParams_v1>,
        count: u32,
        flags: u32,
    ) -> Result<Self, CuError> {
        check(params, count, flags)?;
        let given: Arc<[_]> = params.all(count as usize).into();
        let operations = given.iter().map(MemoryOp::read).collect::<Result<_, _>>()?;
        Ok(Self { operations, given })
    }

    /// Refuses parameters of a node that no driver takes. Measured on 535: they are told before "not initialized".
    pub fn check(params: &CUDA_BATCH_MEM_OP_NODE_PARAMS_v1) -> Answer {
        check(
            Out::at(params.paramArray.cast()),
            params.count,
            params.flags,
        )
    }

    /// What a node's parameters say.
    pub fn of(params: &CUDA_BATCH_MEM_OP_NODE_PARAMS_v1) -> Result<Self, CuError> {
        Self::read(
            Out::at(params.paramArray.cast()),
            params.count,
            params.flags,
        )
    }

    /// One operation: type, address, value, flags.
    fn one(kind: u32, address: CUdeviceptr, value: u64, flags: u32) -> Result<Self, CuError> {
        let given = [u64::from(kind), address.0, value, u64::from(flags), 0, 0];
        Ok(Self {
            operations: Arc::new([MemoryOp::read(&given)?]),
            given: Arc::new([given]),
        })
    }

    /// The parameters of a node that does this; they point to what the node keeps.
    pub fn params(&self) -> CUDA_BATCH_MEM_OP_NODE_PARAMS_v1 {
        CUDA_BATCH_MEM_OP_NODE_PARAMS_v1 {
            ctx: CUcontext::default(),
            count: self.given.len() as u32,
            paramArray: self.given.as_ptr().cast_mut(),
            flags: 0,
        }
    }

    /// Whether a wait may hold it up.
    pub fn may_wait(&self) -> bool {
        self.operations
            .iter()
            .any(|operation| matches!(operation, MemoryOp::Wait(..)))
    }

    /// Does them, however long it takes.
    pub fn perform(&self) {
        self.operations
            .iter()
            .for_each(|operation| operation.perform());
    }
}

fn check(params: Out<CUstreamBatchMemOpParams_v1>, count: u32, flags: u32) -> Answer {
    let is_good = (1..=MOST_OPERATIONS).contains(&count) && flags == 0;
    if is_good {
        params.required().map(|_| ())
    } else {
        Err(CuError::INVALID_VALUE)
    }
}

fn submit(queue: (DefaultStream, CUstream), batch: MemoryBatch) -> Answer {
    let (context, stream) = resolve(queue.0, queue.1)?;
    if stream.is_captured(&context, || Operation::Memory(batch.clone()))? {
        return Ok(());
    }
    let place = if batch
        .operations
        .iter()
        .all(|operation| operation.is_ready())
    {
        Place::Anywhere
    } else {
        Place::Worker
    };
    stream.submit_after(&context, Vec::new(), place, move || batch.perform());
    Ok(())
}

/// Puts one operation behind what a stream has to do: its kind, its address, the value, its flags.
fn submit_one(
    stream: (DefaultStream, CUstream),
    (kind, address, value, flags): (u32, CUdeviceptr, u64, u32),
) -> Answer {
    driver::started()?;
    submit(stream, MemoryBatch::one(kind, address, value, flags)?)
}

pub fn cuStreamWaitValue32_v2(
    default_stream: DefaultStream,
    stream: CUstream,
    addr: CUdeviceptr,
    value: u32,
    flags: u32,
) -> Answer {
    let operation = (number::WAIT_32, addr, u64::from(value), flags);
    submit_one((default_stream, stream), operation)
}

pub fn cuStreamWaitValue64_v2(
    default_stream: DefaultStream,
    stream: CUstream,
    addr: CUdeviceptr,
    value: u64,
    flags: u32,
) -> Answer {
    let operation = (number::WAIT_64, addr, value, flags);
    submit_one((default_stream, stream), operation)
}

pub fn cuStreamWriteValue32_v2(
    default_stream: DefaultStream,
    stream: CUstream,
    addr: CUdeviceptr,
    value: u32,
    flags: u32,
) -> Answer {
    let operation = (number::WRITE_32, addr, u64::from(value), flags);
    submit_one((default_stream, stream), operation)
}

pub fn cuStreamWriteValue64_v2(
    default_stream: DefaultStream,
    stream: CUstream,
    addr: CUdeviceptr,
    value: u64,
    flags: u32,
) -> Answer {
    let operation = (number::WRITE_64, addr, value, flags);
    submit_one((default_stream, stream), operation)
}

pub fn cuStreamBatchMemOp_v2(
    default_stream: DefaultStream,
    stream: CUstream,
    count: u32,
    paramArray: Out<CUstreamBatchMemOpParams_v1>,
    flags: u32,
) -> Answer {
    driver::started()?;
    submit(
        (default_stream, stream),
        MemoryBatch::read(paramArray, count, flags)?,
    )
}
