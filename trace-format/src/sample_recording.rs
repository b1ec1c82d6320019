//! Recording folders made without a driver, as traced processes would leave them: for tests and examples, here and in other crates.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use cutape_cuda_api::{
    DefaultStream, Direction, Effect, Extent, Field, Function, Length, Library, Param, Signature,
    Type, TypeDef, TypeKind, Unit, Validity,
};

use crate::block;
use crate::clock::{AnchorReading, ClockFit};
use crate::encoder::CallsEncoder;
use crate::metadata::{Libraries, Library as Mapped, Process, Recording};
use crate::process_folder::{BLOCKS_FILE, ProcessKey, RINGS_FILE};
use crate::ring::{FILE_MAGIC, FileHeader, HEADER_BYTES, RING_MAGIC, RING_VERSION, RingHeader};
use crate::sample::RingContent;
use crate::schema::{Schema, schema_file};

/// `cuInit(unsigned int Flags)`.
pub const INIT: u32 = 0;
/// `cuMemGetInfo_v2(size_t *free, size_t *total)`, whose out parameters are always written.
pub const MEM_GET_INFO: u32 = 1;
/// `cuDeviceGetName(char *name, int len, CUdevice dev)`.
pub const DEVICE_GET_NAME: u32 = 2;
/// `cuLaunchKernel` with its 11 parameters.
pub const LAUNCH_KERNEL: u32 = 3;
/// `cuMemCreate(handle *, size_t, const CUmemAllocationProp *, unsigned long long)`, with a structure behind its third parameter.
pub const MEM_CREATE: u32 = 4;
/// `cuGetErrorString(CUresult, const char **)`.
pub const GET_ERROR_STRING: u32 = 5;

/// A recording folder under construction.
#[derive(Debug)]
pub struct SampleRecording {
    /// The folder.
    pub path: PathBuf,
}

impl SampleRecording {
    /// Makes the folder with its files `recording` and `schema`.
    pub fn create(path: &Path) -> io::Result<Self> {
        fs::DirBuilder::new().mode(0o700).create(path)?;
        let recording = Recording {
            cutape_version: "0.1.0".to_owned(),
            command: vec!["./client".to_owned(), "--loop".to_owned()],
            host: "sample".to_owned(),
            start_realtime_ns: 1_800_000_000_000_000_000,
            start_monotonic_ns: 1_000_000,
            options: vec![("driver".to_owned(), "sim".to_owned())],
        };
        let mut file = block::file_header().to_vec();
        file.extend(recording.to_block().map_err(io::Error::other)?);
        write_file(&path.join("recording"), &file)?;
        write_file(
            &path.join("schema"),
            &schema_file(&sample_schema()).map_err(io::Error::other)?,
        )?;
        Ok(Self {
            path: path.to_owned(),
        })
    }

    /// Adds a process. A start time of 0 is never that of a living process.
    pub fn process(&self, pid: u32, start_time: u64) -> io::Result<SampleProcess> {
        let key = ProcessKey {
            pid,
            start_time,
            incarnation: 0,
        };
        let folder = self.path.join(key.folder_name());
        fs::DirBuilder::new().mode(0o700).create(&folder)?;
        let process = Process {
            pid,
            parent_pid: 1,
            start_time,
            program: "/usr/bin/client".to_owned(),
            driver: "/usr/lib/libcuda.so.1".to_owned(),
            anchor: AnchorReading {
                ticks: 1_000_000,
                monotonic_ns: 1_000_000,
                realtime_ns: 1_800_000_000_000_000_000,
            },
            unit_ns: 1,
            ..Process::default()
        };
        let libraries = Libraries {
            libraries: vec![Mapped {
                path: "/usr/lib/libclient.so".to_owned(),
                start: 0x7f00_0000,
                end: 0x7f01_0000,
                file_offset: 0x2000,
                build_id: vec![0xab; 20],
            }],
            ..Libraries::default()
        };
        let mut blocks = block::file_header().to_vec();
        blocks.extend(process.to_block().map_err(io::Error::other)?);
        blocks.extend(libraries.to_block().map_err(io::Error::other)?);
        let encoder = CallsEncoder::new().map_err(io::Error::other)?;
        let sample = SampleProcess {
            folder,
            pid,
            encoder,
            blocks,
            rings: Vec::new(),
            images: Vec::new(),
            tails: Vec::new(),
        };
        sample.write()?;
        Ok(sample)
    }
}

/// A process's folder under construction. Ticks are nanoseconds.
pub struct SampleProcess {
    /// The folder.
    pub folder: PathBuf,
    pid: u32,
    encoder: CallsEncoder,
    /// Content of the file of blocks.
    pub blocks: Vec<u8>,
    /// Records that are in no block yet.
    pub rings: Vec<RingContent>,
    images: Vec<Vec<u8>>,
    tails: Vec<u64>,
}

/// Bytes of data of a sample ring.
pub const RING_CAPACITY: usize = 64 << 10;

impl SampleProcess {
    /// Adds a ring.
    pub fn ring(&mut self) -> &mut RingContent {
        let number = self.rings.len();
        self.rings.push(RingContent::new(number as u16));
        self.images.push(vec![0; RING_CAPACITY]);
        self.tails.push(0);
        &mut self.rings[number]
    }

    /// Turns the rings' records into blocks, as the flusher does.
    pub fn flush(&mut self) -> io::Result<()> {
        self.copy_to_images();
        let slices: Vec<_> = self.rings.iter().map(RingContent::slice).collect();
        self.encoder
            .encode(&slices, &ClockFit::monotonic(1), &mut self.blocks)
            .map_err(io::Error::other)?;
        for (ring, tail) in self.rings.iter_mut().zip(&mut self.tails) {
            ring.drain();
            *tail = ring.from;
        }
        self.write()
    }

    /// Writes both files as they are now.
    pub fn write(&self) -> io::Result<()> {
        write_file(&self.folder.join(BLOCKS_FILE), &self.blocks)?;
        write_file(&self.folder.join(RINGS_FILE), &self.ring_file())
    }

    /// Leaves the records since the last flush in the ring file, as a killed process does.
    pub fn leave(&mut self) -> io::Result<()> {
        self.copy_to_images();
        self.write()
    }

    fn copy_to_images(&mut self) {
        for (ring, image) in self.rings.iter().zip(&mut self.images) {
            for (at, &byte) in ring.bytes.iter().enumerate() {
                image[(ring.from as usize + at) % RING_CAPACITY] = byte;
            }
        }
    }

    fn ring_file(&self) -> Vec<u8> {
        use std::mem::offset_of;
        let mut file = vec![0; HEADER_BYTES];
        put(&mut file, offset_of!(FileHeader, magic), &FILE_MAGIC);
        put(
            &mut file,
            offset_of!(FileHeader, version),
            &RING_VERSION.to_le_bytes(),
        );
        put(
            &mut file,
            offset_of!(FileHeader, pid),
            &self.pid.to_le_bytes(),
        );
        put(
            &mut file,
            offset_of!(FileHeader, rings),
            &(self.rings.len() as u32).to_le_bytes(),
        );
        for (number, ring) in self.rings.iter().enumerate() {
            let mut page = vec![0; HEADER_BYTES];
            put(&mut page, offset_of!(RingHeader, magic), &RING_MAGIC);
            put(
                &mut page,
                offset_of!(RingHeader, capacity),
                &(RING_CAPACITY as u64).to_le_bytes(),
            );
            put(
                &mut page,
                offset_of!(RingHeader, index),
                &(number as u32).to_le_bytes(),
            );
            put(
                &mut page,
                offset_of!(RingHeader, head),
                &ring.head().to_le_bytes(),
            );
            put(
                &mut page,
                offset_of!(RingHeader, tail),
                &self.tails[number].to_le_bytes(),
            );
            file.extend(page);
            file.extend(&self.images[number]);
        }
        file
    }
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::io::Write;
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)
}

fn named(name: &str) -> Type {
    Type::Named(name.to_owned())
}

fn pointer(to: Type) -> Type {
    Type::Pointer {
        to: Box::new(to),
        constant: false,
    }
}

const SIZE: Type = Type::Int {
    bytes: 8,
    signed: false,
};
const UNSIGNED: Type = Type::Int {
    bytes: 4,
    signed: false,
};
const INT: Type = Type::Int {
    bytes: 4,
    signed: true,
};

fn value(name: &str, ty: Type) -> Param {
    behind(name, ty, Direction::Value, Extent::One)
}

fn behind(name: &str, ty: Type, direction: Direction, extent: Extent) -> Param {
    Param {
        name: name.to_owned(),
        ty,
        direction,
        extent,
        valid: Validity::OnSuccess,
        unit: None,
    }
}

fn function(name: &str, params: Vec<Param>, effects: Vec<Effect>) -> Function {
    Function {
        name: name.to_owned(),
        library: Library::Cuda,
        base: name.trim_end_matches("_v2").to_owned(),
        family: "Sample".to_owned(),
        since: 2000,
        headers: vec![12090],
        default_stream: DefaultStream::Legacy,
        signature: Some(Signature {
            returns: named("CUresult"),
            params,
        }),
        effects,
    }
}

fn definition(name: &str, size: u32, kind: TypeKind) -> TypeDef {
    TypeDef {
        name: name.to_owned(),
        size,
        align: size.min(8),
        kind,
    }
}

fn field(name: &str, offset: u32, ty: Type) -> Field {
    Field {
        name: name.to_owned(),
        offset,
        ty,
        bits: None,
    }
}

/// The six functions above, and the types that they need.
pub fn sample_schema() -> Schema {
    let memory = |name: &str| Param {
        valid: Validity::Always,
        unit: Some(Unit::Bytes),
        ..behind(name, pointer(SIZE), Direction::Out, Extent::One)
    };
    let mut launch: Vec<Param> = vec![value("f", named("CUfunction"))];
    let dims = [
        "gridDimX",
        "gridDimY",
        "gridDimZ",
        "blockDimX",
        "blockDimY",
        "blockDimZ",
        "sharedMemBytes",
    ];
    launch.extend(dims.map(|name| value(name, UNSIGNED)));
    launch.push(value("hStream", named("CUstream")));
    let pointers = pointer(pointer(Type::Void));
    launch.extend(
        ["kernelParams", "extra"]
            .map(|name| behind(name, pointers.clone(), Direction::Opaque, Extent::One)),
    );
    let create = vec![
        behind(
            "handle",
            pointer(named("CUmemGenericAllocationHandle")),
            Direction::Out,
            Extent::One,
        ),
        Param {
            unit: Some(Unit::Bytes),
            ..value("size", SIZE)
        },
        behind(
            "prop",
            pointer(named("CUmemAllocationProp")),
            Direction::In,
            Extent::One,
        ),
        Param {
            unit: Some(Unit::Hex),
            ..value("flags", SIZE)
        },
    ];
    let text = behind(
        "name",
        pointer(Type::Char),
        Direction::Out,
        Extent::Text(Some(Length::Param(1))),
    );
    let error_text = behind(
        "pStr",
        pointer(pointer(Type::Char)),
        Direction::Out,
        Extent::One,
    );
    let results = [
        ("CUDA_SUCCESS", 0),
        ("CUDA_ERROR_INVALID_VALUE", 1),
        ("CUDA_ERROR_NOT_INITIALIZED", 3),
    ];
    let property = vec![
        field("type", 0, named("CUmemAllocationType")),
        field(
            "requestedHandleTypes",
            4,
            named("CUmemAllocationHandleType"),
        ),
        field("location", 8, named("CUmemLocation")),
        field("win32HandleMetaData", 16, pointer(Type::Void)),
        field(
            "reserved",
            24,
            Type::Array {
                of: Box::new(Type::Int {
                    bytes: 1,
                    signed: false,
                }),
                len: 8,
            },
        ),
    ];
    let names = |values: &[(&str, i64)], flags| TypeKind::Enum {
        values: values
            .iter()
            .map(|&(name, value)| (name.to_owned(), value))
            .collect(),
        flags,
    };
    Schema {
        functions: vec![
            (
                INIT,
                function("cuInit", vec![value("Flags", UNSIGNED)], vec![]),
            ),
            (
                MEM_GET_INFO,
                function(
                    "cuMemGetInfo_v2",
                    vec![memory("free"), memory("total")],
                    vec![Effect::Queries],
                ),
            ),
            (
                DEVICE_GET_NAME,
                function(
                    "cuDeviceGetName",
                    vec![text, value("len", INT), value("dev", named("CUdevice"))],
                    vec![],
                ),
            ),
            (
                LAUNCH_KERNEL,
                function("cuLaunchKernel", launch, vec![Effect::Launches]),
            ),
            (
                MEM_CREATE,
                function("cuMemCreate", create, vec![Effect::Creates(0)]),
            ),
            (
                GET_ERROR_STRING,
                function(
                    "cuGetErrorString",
                    vec![value("error", named("CUresult")), error_text],
                    vec![],
                ),
            ),
        ],
        types: vec![
            definition("CUresult", 4, names(&results, false)),
            definition("CUfunction", 8, TypeKind::Handle),
            definition("CUstream", 8, TypeKind::Handle),
            definition("CUdevice", 4, TypeKind::Alias(INT)),
            definition("CUmemGenericAllocationHandle", 8, TypeKind::Alias(SIZE)),
            definition(
                "CUmemAllocationType",
                4,
                names(&[("CU_MEM_ALLOCATION_TYPE_PINNED", 1)], false),
            ),
            definition(
                "CUmemAllocationHandleType",
                4,
                names(&[("POSIX", 1), ("WIN32", 2), ("FABRIC", 8)], true),
            ),
            definition(
                "CUmemLocationType",
                4,
                names(&[("CU_MEM_LOCATION_TYPE_DEVICE", 1)], false),
            ),
            definition(
                "CUmemLocation",
                8,
                TypeKind::Struct(vec![
                    field("type", 0, named("CUmemLocationType")),
                    field("id", 4, INT),
                ]),
            ),
            definition("CUmemAllocationProp", 32, TypeKind::Struct(property)),
        ],
        export_tables: Vec::new(),
    }
}
