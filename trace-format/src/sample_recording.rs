//! Recording folders made without a driver, as traced processes would leave them: for tests and examples, here and in other crates.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::block::{self, BlockBuilder};
use crate::clock::{AnchorReading, ClockFit};
use crate::encoder::CallsEncoder;
use crate::metadata::{Libraries, Library as Mapped, Process, Recording};
use crate::payload::PayloadHash;
use crate::payload_block::Piece;
use crate::payloads::PAYLOAD_FILE;
use crate::process_folder::{BLOCKS_FILE, ProcessKey, RINGS_FILE};
use crate::ring::{FILE_MAGIC, FileHeader, HEADER_BYTES, RING_MAGIC, RING_VERSION, RingHeader};
use crate::sample::RingContent;
use crate::sample_schema::sample_schema;
use crate::schema::schema_file;

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
            driver_exports: Vec::new(),
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

    /// Stores a payload in pieces of `piece_bytes`, as the interposer does.
    pub fn payload(&self, content: &[u8], piece_bytes: usize) -> io::Result<PayloadHash> {
        let path = self.folder.join(PAYLOAD_FILE);
        let mut file = fs::read(&path).unwrap_or_else(|_| block::file_header().to_vec());
        let hash = PayloadHash::of(content);
        let mut blocks = BlockBuilder::new(1).map_err(io::Error::other)?;
        for (number, data) in content.chunks(piece_bytes).enumerate() {
            let piece = Piece {
                hash,
                bytes: content.len() as u64,
                offset: (number * piece_bytes) as u64,
                data,
            };
            piece
                .append(&mut blocks, &mut file)
                .map_err(io::Error::other)?;
        }
        write_file(&path, &file)?;
        Ok(hash)
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
