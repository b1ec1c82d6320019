//! One process's folder of a recording: its blocks, and what of its rings is in no block yet.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use crate::block::Kind;
use crate::block_source::{BlockSource, Damage, OpenError, Step};
use crate::calls_block::{Covered, covers_of};
use crate::clock::ClockFit;
use crate::encoder::{CallsEncoder, EncodeError, RingSlice};
use crate::late_ends::{LateIndex, MAX_INDEXED};
use crate::metadata::{Functions, Libraries, Note, Process, Thread, Threads, note};
use crate::ring_file::{Ring, RingFile};

/// Ring data of a live process kept while its blocks are read; what is beyond it is in blocks a moment later.
const LIVE_RING_BYTES: u64 = 256 << 20;
/// Metadata that a reader takes from the files of one trace in all, unpacked.
pub(crate) const METADATA_BYTES: usize = 256 << 20;

/// Name of the file of blocks in a process's folder.
pub const BLOCKS_FILE: &str = "blocks";
/// Name of the file of rings in a process's folder.
pub const RINGS_FILE: &str = "rings";

/// A process's identity: name of its folder, `<pid>-<start time>-<incarnation>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessKey {
    /// Start time as in /proc/PID/stat, clock ticks since boot.
    pub start_time: u64,
    /// Process id.
    pub pid: u32,
    /// Count of incarnations.
    pub incarnation: u32,
}

impl ProcessKey {
    /// From a folder's name.
    pub fn parse(name: &str) -> Option<Self> {
        let mut parts = name.split('-');
        let (pid, start_time, incarnation) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        Some(Self {
            start_time: start_time.parse().ok()?,
            pid: pid.parse().ok()?,
            incarnation: incarnation.parse().ok()?,
        })
    }

    /// The folder's name.
    pub fn folder_name(&self) -> String {
        format!("{}-{}-{}", self.pid, self.start_time, self.incarnation)
    }

    /// Whether the process is still there: /proc has its pid with its start time. An earlier incarnation counts as alive until the
    /// process ends, for it can't be told apart from outside.
    pub fn is_alive(&self) -> bool {
        let Ok(stat) = fs::read_to_string(format!("/proc/{}/stat", self.pid)) else {
            return false;
        };
        // The program's name, in parentheses, may hold anything; field 3 follows the last one. A zombie has ended.
        let mut fields = stat
            .rsplit_once(')')
            .map_or("", |(_, fields)| fields)
            .split_ascii_whitespace();
        let ended = fields.next().is_none_or(|state| matches!(state, "Z" | "X"));
        !ended && fields.nth(18).and_then(|field| field.parse().ok()) == Some(self.start_time)
    }
}

/// A Calls block of the process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallsPlace {
    /// In [`ProcessFolder::sources`].
    pub source: usize,
    pub offset: u64,
    pub rows: u32,
    pub first_begin_ns: u64,
}

/// Everything of a process but its calls, and where those are.
#[derive(Debug, Default)]
pub(crate) struct ProcessFolder {
    pub alive: bool,
    pub process: Option<Process>,
    pub libraries: Vec<Libraries>,
    pub threads: Vec<Thread>,
    pub functions: HashMap<u32, String>,
    pub notes: Vec<Note>,
    pub calls: Vec<CallsPlace>,
    pub late: LateIndex,
    /// Source and offset of LateEnds blocks, as [`LateIndex`] counts them.
    pub late_blocks: Vec<(usize, u64)>,
    pub sources: Vec<BlockSource>,
    pub damages: Vec<Damage>,
    covered: HashMap<u16, u64>,
    metadata_bytes: usize,
}

/// Ring data copied from a process that goes on writing.
struct LiveRing {
    ring: Ring,
    from: u64,
    bytes: Vec<u8>,
}

impl ProcessFolder {
    /// Reads a process's folder, with the `rings` of a process that is alive as they are now.
    pub fn open(path: &Path, key: &ProcessKey) -> Result<Self, OpenError> {
        let mut folder = Self {
            alive: key.is_alive(),
            ..Self::default()
        };
        let rings_path = path.join(RINGS_FILE);
        let rings = match RingFile::open(&rings_path) {
            Ok(rings) => rings,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(OpenError::io(&rings_path)(error)),
        };
        // The rings of a live process first, then its blocks: what was consumed in between is in both, and positions tell.
        let live = match &rings {
            Some(rings) if folder.alive => {
                copy_live_rings(rings).map_err(OpenError::io(&rings_path))?
            }
            _ => Vec::new(),
        };
        let blocks_path = path.join(BLOCKS_FILE);
        match BlockSource::open(&blocks_path) {
            Ok(source) => folder.add_source(source)?,
            Err(OpenError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {}
            // A process killed before it had written the file header.
            Err(OpenError::NotATrace { .. }) if is_short(&blocks_path) => {}
            Err(error) => return Err(error),
        }
        if let Some(rings) = &rings {
            folder.add_rings(rings, &rings_path, live)?;
        }
        folder.late.sort();
        Ok(folder)
    }

    fn add_source(&mut self, source: BlockSource) -> Result<(), OpenError> {
        let end = source.length()?;
        let number = self.sources.len();
        let mut steps = source.steps(source.start(), end);
        while let Some(step) = steps.advance()? {
            match step {
                Step::Block {
                    offset,
                    header,
                    raw,
                } => {
                    let place = CallsPlace {
                        source: number,
                        offset,
                        rows: header.rows,
                        first_begin_ns: header.first_begin_ns,
                    };
                    if let Err(problem) = self.add_block(header.kind, &raw, place) {
                        self.damages.push(Damage {
                            path: source.path().to_owned(),
                            offset,
                            bytes: header.total_bytes(),
                            problem,
                            lost_calls: None,
                        });
                    }
                }
                // The end of a file that its owner was writing when it died; its records are still in the rings.
                Step::Damage {
                    offset,
                    bytes,
                    problem: crate::block::BlockProblem::Truncated { .. },
                    ..
                } if offset + bytes == end => {}
                Step::Damage {
                    offset,
                    bytes,
                    problem,
                    rows,
                } => self.damages.push(Damage {
                    path: source.path().to_owned(),
                    offset,
                    bytes,
                    problem: problem.to_string(),
                    lost_calls: rows.map(u64::from),
                }),
            }
        }
        self.sources.push(source);
        Ok(())
    }

    fn add_block(&mut self, kind: u8, raw: &[u8], place: CallsPlace) -> Result<(), String> {
        let text = |error: rmp_serde::decode::Error| {
            format!("the block's content is not what its kind requires: {error}")
        };
        match Kind::from_number(kind) {
            Some(Kind::Calls) => {
                self.cover(covers_of(raw).map_err(|problem| problem.to_string())?);
                if place.rows > 0 {
                    self.calls.push(place);
                }
            }
            Some(Kind::LateEnds) => {
                let room = MAX_INDEXED.saturating_sub(self.late.len());
                let block = self.late_blocks.len() as u32;
                let (_, covers) = self
                    .late
                    .add(block, raw, room)
                    .map_err(|problem| problem.to_string())?;
                self.late_blocks.push((place.source, place.offset));
                self.cover(covers);
            }
            Some(
                kind @ (Kind::Process
                | Kind::Libraries
                | Kind::Threads
                | Kind::Functions
                | Kind::Note),
            ) => {
                self.metadata_bytes += raw.len();
                if self.metadata_bytes > METADATA_BYTES {
                    return Err(format!(
                        "more than {METADATA_BYTES} bytes of metadata in one process"
                    ));
                }
                match kind {
                    Kind::Process => self.process = Some(rmp_serde::from_slice(raw).map_err(text)?),
                    Kind::Libraries => self
                        .libraries
                        .push(rmp_serde::from_slice(raw).map_err(text)?),
                    Kind::Threads => {
                        self.threads
                            .extend(rmp_serde::from_slice::<Threads>(raw).map_err(text)?.threads);
                    }
                    Kind::Functions => {
                        self.functions.extend(
                            rmp_serde::from_slice::<Functions>(raw)
                                .map_err(text)?
                                .functions,
                        );
                    }
                    _ => self.notes.push(rmp_serde::from_slice(raw).map_err(text)?),
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn cover(&mut self, covers: Vec<Covered>) {
        for Covered { ring, to, .. } in covers {
            let covered = self.covered.entry(ring).or_default();
            *covered = (*covered).max(to);
        }
    }

    /// Encodes what the rings hold beyond the blocks, as the process's flusher would have done.
    fn add_rings(
        &mut self,
        rings: &RingFile,
        path: &Path,
        live: Vec<LiveRing>,
    ) -> Result<(), OpenError> {
        let damage = |problem: String| Damage {
            path: path.to_owned(),
            offset: 0,
            bytes: 0,
            problem,
            lost_calls: None,
        };
        self.damages.extend(
            rings
                .problems
                .iter()
                .map(|problem| damage(problem.to_string())),
        );
        self.add_counts(rings);
        let leftovers = Leftovers::new(self, rings, path);
        let Ok(mut leftovers) =
            leftovers.map_err(|error| self.damages.push(damage(error.to_string())))
        else {
            return Ok(());
        };
        if self.alive {
            for LiveRing { ring, from, bytes } in live {
                let start = from.max(self.covered.get(&ring.index).copied().unwrap_or(0));
                let skipped = usize::try_from(start - from).unwrap_or(usize::MAX);
                if let Some(bytes) = bytes.get(skipped..) {
                    leftovers.encode(&ring, start, bytes);
                }
            }
        } else {
            for ring in &rings.rings {
                leftovers
                    .encode_dead(rings, ring, self.covered.get(&ring.index).copied())
                    .map_err(OpenError::io(path))?;
            }
        }
        let Leftovers { out, problems, .. } = leftovers;
        self.damages.extend(problems.into_iter().map(damage));
        if out.is_empty() {
            Ok(())
        } else {
            self.add_source(BlockSource::memory(path, out))
        }
    }

    /// Turns the counts in the rings' headers into notes, unless the process's flusher has written its own.
    fn add_counts(&mut self, rings: &RingFile) {
        let dropped: u64 = rings
            .rings
            .iter()
            .map(|ring| ring.dropped)
            .fold(0, u64::saturating_add);
        let waited: u64 = rings
            .rings
            .iter()
            .map(|ring| ring.waited_ns)
            .fold(0, u64::saturating_add);
        let counts = [
            (
                note::DROPPED,
                dropped,
                "calls were dropped because a ring was full",
            ),
            (
                note::WAITED,
                waited,
                "nanoseconds were waited for space in full rings",
            ),
            (
                note::NO_RING,
                rings.lost_without_ring,
                "calls were not recorded because their thread got no ring",
            ),
        ];
        for (kind, count, text) in counts {
            if count > 0 && !self.notes.iter().any(|note| note.kind == kind) {
                self.notes.push(Note {
                    kind: kind.to_owned(),
                    text: text.to_owned(),
                    count,
                    ..Note::default()
                });
            }
        }
        if rings.off && !self.notes.iter().any(|note| note.kind == note::OFF) {
            let text =
                "recording was turned off by a failure, which could not be written down".to_owned();
            self.notes.push(Note {
                kind: note::OFF.to_owned(),
                text,
                ..Note::default()
            });
        }
    }
}

fn is_short(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.len() < crate::block::FILE_HEADER_BYTES as u64)
}

fn copy_live_rings(rings: &RingFile) -> std::io::Result<Vec<LiveRing>> {
    let mut copies = Vec::new();
    let mut room = LIVE_RING_BYTES;
    for &ring in &rings.rings {
        let mut bytes = Vec::new();
        let to = ring.head.min(ring.tail + room);
        while ring.tail + (bytes.len() as u64) < to {
            let piece = rings.read_piece(&ring, ring.tail + bytes.len() as u64, to)?;
            if piece.is_empty() {
                break;
            }
            bytes.extend(piece);
        }
        // What the consumer has passed by now may have been overwritten under our hands.
        let from = rings
            .tail_now(&ring)?
            .clamp(ring.tail, ring.tail + bytes.len() as u64);
        bytes.drain(..(from - ring.tail) as usize);
        room -= bytes.len() as u64;
        copies.push(LiveRing { ring, from, bytes });
    }
    Ok(copies)
}

/// Encodes ring records that are in no block, into memory.
struct Leftovers {
    encoder: CallsEncoder,
    clock: ClockFit,
    out: Vec<u8>,
    problems: Vec<String>,
}

impl Leftovers {
    fn new(folder: &ProcessFolder, rings: &RingFile, path: &Path) -> Result<Self, EncodeError> {
        let mut encoder = CallsEncoder::new()?;
        for thread in &folder.threads {
            encoder.set_thread(thread.ring, thread.ordinal);
        }
        let unit_ns = folder.process.as_ref().map_or(1, |process| process.unit_ns);
        let mut problems = Vec::new();
        let clock = match (rings.ticks_are_tsc, rings.second_anchor) {
            (false, _) => ClockFit::monotonic(unit_ns),
            (true, Some(second)) => ClockFit::between(&rings.first_anchor, &second, unit_ns),
            (true, None) => {
                if rings.rings.iter().any(|ring| ring.head > ring.tail) {
                    problems.push(format!(
                        "{}: the process ended before the speed of its clock was measured: times of its calls are in ticks, not nanoseconds",
                        path.display()
                    ));
                }
                ClockFit::between(&rings.first_anchor, &rings.first_anchor, unit_ns)
            }
        };
        Ok(Self {
            encoder,
            clock,
            out: Vec::new(),
            problems,
        })
    }

    /// Encodes a dead process's ring from where blocks end. Where blocks were lost, records that were consumed and not overwritten since
    /// are taken too.
    fn encode_dead(
        &mut self,
        rings: &RingFile,
        ring: &Ring,
        covered: Option<u64>,
    ) -> std::io::Result<()> {
        let covered = covered.unwrap_or(0);
        let mut from = covered;
        if covered < ring.tail {
            let still_there = ring.head.saturating_sub(covered) <= ring.capacity;
            from = if still_there { covered } else { ring.tail };
            if !still_there {
                let (index, tail) = (ring.index, ring.tail);
                self.problems.push(format!(
                    "ring {index}: records at positions {covered} to {tail} are in no block"
                ));
            }
        }
        while from < ring.head {
            let piece = rings.read_piece(ring, from, ring.head)?;
            if piece.is_empty() || !self.encode(ring, from, &piece) {
                break;
            }
            from += piece.len() as u64;
        }
        Ok(())
    }

    /// Encodes whole records; false when the rest of the ring can't be read.
    fn encode(&mut self, ring: &Ring, from: u64, bytes: &[u8]) -> bool {
        let slice = RingSlice {
            ring: ring.index,
            from,
            bytes,
        };
        match self.encoder.encode(&[slice], &self.clock, &mut self.out) {
            Ok(_) => true,
            Err(error) => {
                self.problems
                    .push(format!("{error}; what follows in the ring is out of reach"));
                false
            }
        }
    }
}
