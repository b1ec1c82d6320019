//! Following a recording to its end, also over the moment when `cutape record` makes one file of the folder.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use cutape_trace_format::block_source::{Damage, OpenError};
use cutape_trace_format::call::Call;
use cutape_trace_format::follow::Follower;
use cutape_trace_format::process_folder::ProcessKey;
use cutape_trace_format::trace::Trace;

/// A recording that is being followed.
#[derive(Debug)]
pub struct Following {
    path: PathBuf,
    source: Source,
    seen: Seen,
    /// Length of the file `recording` when it was last looked at for the program's end.
    recording_bytes: u64,
    ended: bool,
}

/// Where calls come from.
#[derive(Debug)]
enum Source {
    Folder(Box<Follower>),
    /// The file that the folder became.
    Sealed(Box<Trace>),
}

/// What came since the last look.
#[derive(Debug, Default)]
pub struct Batch {
    /// Calls that returned, in begin order, and those that never will, with numbers that count on.
    pub calls: Vec<Call>,
    /// What could not be read.
    pub damages: Vec<Damage>,
    /// There is more already.
    pub more: bool,
    /// The recording has ended, and nothing more will come.
    pub ended: bool,
    /// [`Following::trace`] is another one now: what was remembered by its numbers no longer holds.
    pub new_trace: bool,
}

/// A thread, named the same in the folder and in the file: its process, and its number there.
type ThreadKey = (ProcessKey, u32);

/// Which calls were delivered. A thread begins its calls one after the other, so the last begin and the calls then open say it.
#[derive(Debug, Default)]
struct Seen {
    delivered: u64,
    last_begin_ns: HashMap<ThreadKey, u64>,
    open: HashSet<(ThreadKey, u64)>,
}

impl Following {
    /// Starts to follow the recording in a folder, from its first call on.
    ///
    /// # Errors
    /// Not a recording folder, or unreadable.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Ok(Self {
            path: path.to_owned(),
            source: Source::Folder(Box::new(Follower::open(path)?)),
            seen: Seen::default(),
            recording_bytes: 0,
            ended: false,
        })
    }

    /// What names and processes are known from.
    pub fn trace(&self) -> &Trace {
        match &self.source {
            Source::Folder(follower) => follower.trace(),
            Source::Sealed(trace) => trace,
        }
    }

    /// Looks for what is new. Returns at once.
    ///
    /// # Errors
    /// The recording can no longer be read, and has not become a file.
    pub fn poll(&mut self) -> Result<Batch, OpenError> {
        let Source::Folder(follower) = &mut self.source else {
            return Ok(Batch {
                ended: true,
                ..Batch::default()
            });
        };
        let news = match follower.poll() {
            Ok(news) => news,
            // The folder's place was taken by the file while we looked.
            Err(_) if self.path.is_file() => return self.rest_of_file(),
            Err(error) => return Err(error),
        };
        self.seen.note(follower, &news.calls);
        self.ended = news.all_ended && self.is_over();
        Ok(Batch {
            calls: news.calls,
            damages: news.damages,
            more: news.more,
            ended: self.ended,
            new_trace: false,
        })
    }

    /// Whether no further process will come. Only `cutape record` knows: it notes the end of the program. Where nobody keeps such notes, the end
    /// of all processes is the end.
    fn is_over(&mut self) -> bool {
        let Ok(recording) = std::fs::metadata(self.path.join("recording")) else {
            return !self.path.is_file();
        };
        if recording.len() == self.recording_bytes {
            return false;
        }
        self.recording_bytes = recording.len();
        Trace::open(&self.path).is_ok_and(|trace| !trace.is_sealed() && trace.exit().is_some())
    }

    /// What the folder had when it became a file and was not delivered before.
    fn rest_of_file(&mut self) -> Result<Batch, OpenError> {
        let trace = Trace::open(&self.path)?;
        let mut batch = Batch {
            ended: true,
            new_trace: true,
            ..Batch::default()
        };
        for call in trace.calls() {
            match call {
                Ok(call) if self.seen.is_delivered(&trace, &call) => {}
                Ok(mut call) => {
                    self.seen.delivered += 1;
                    call.seq = self.seen.delivered;
                    batch.calls.push(call);
                }
                Err(damage) => batch.damages.push(damage),
            }
        }
        self.source = Source::Sealed(Box::new(trace));
        Ok(batch)
    }
}

impl Seen {
    fn note(&mut self, follower: &Follower, calls: &[Call]) {
        self.delivered += calls.len() as u64;
        let trace = follower.trace();
        let open = follower.in_flight();
        for call in calls.iter().chain(open.iter().copied()) {
            if let Some(key) = thread_key(trace, call) {
                let last = self.last_begin_ns.entry(key).or_default();
                *last = (*last).max(call.begin_ns);
            }
        }
        self.open = open
            .into_iter()
            .filter_map(|call| Some((thread_key(trace, call)?, call.begin_ns)))
            .collect();
    }

    fn is_delivered(&self, trace: &Trace, call: &Call) -> bool {
        thread_key(trace, call).is_some_and(|key| {
            let last = self.last_begin_ns.get(&key);
            last.is_some_and(|&last| call.begin_ns <= last)
                && !self.open.contains(&(key, call.begin_ns))
        })
    }
}

fn thread_key(trace: &Trace, call: &Call) -> Option<ThreadKey> {
    let process = &trace.process(call.process)?.process;
    let key = ProcessKey {
        pid: process.pid,
        start_time: process.start_time,
        incarnation: process.incarnation,
    };
    Some((key, trace.thread(call.thread)?.ordinal))
}
