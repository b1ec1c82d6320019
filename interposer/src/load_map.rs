//! Which files are loaded where, for telling who called.
//!
//! Read from /proc/self/maps and not from the loader: asking the loader takes its lock, and a thread that holds it may be waiting
//! for the flusher.

use std::collections::{HashMap, HashSet};
use std::fs;

use cutape_trace_format::metadata::{Libraries, Library};

use crate::build_id::build_id;
use crate::clock;

/// Reading the map may take at most this share of the flusher's time: one part in so many.
const TIME_SHARE: u64 = 50;

/// The executable mappings that were reported so far.
#[derive(Default)]
pub struct LoadMap {
    known: HashSet<(u64, u64, String)>,
    not_before_ns: u64,
}

impl LoadMap {
    /// Appends a block with the mappings that came since the last time, if any.
    pub fn write_news(&mut self, out: &mut Vec<u8>) {
        let start_ns = clock::nanoseconds(libc::CLOCK_MONOTONIC);
        if start_ns < self.not_before_ns {
            return;
        }
        let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
        let mut libraries: Vec<Library> = maps
            .lines()
            .filter_map(Mapping::of_line)
            .filter(|mapping| mapping.executable)
            .map(|mapping| mapping.library)
            .filter(|library| {
                self.known
                    .insert((library.start, library.end, library.path.clone()))
            })
            .collect();
        add_build_ids(&mut libraries, &maps);
        let end_ns = clock::nanoseconds(libc::CLOCK_MONOTONIC);
        self.not_before_ns = end_ns + (end_ns - start_ns) * TIME_SHARE;
        if libraries.is_empty() {
            return;
        }
        // Not being able to say who called is no reason to stop recording calls.
        if let Ok(block) = (Libraries {
            since_ns: start_ns,
            libraries,
            process: None,
        })
        .to_block()
        {
            out.extend(block);
        }
    }
}

/// Says which builds these are, by the beginning of each file, which is mapped apart from its code.
fn add_build_ids(libraries: &mut [Library], maps: &str) {
    if libraries.is_empty() {
        return;
    }
    let mapped = maps.lines().filter_map(Mapping::of_line);
    let beginnings = mapped.filter(|mapping| mapping.library.file_offset == 0);
    let starts: HashMap<String, u64> = beginnings
        .map(|mapping| (mapping.library.path, mapping.library.start))
        .collect();
    for library in libraries {
        if let Some(&start) = starts.get(&library.path) {
            library.build_id = build_id(start);
        }
    }
}

/// A file in memory.
struct Mapping {
    library: Library,
    executable: bool,
}

impl Mapping {
    /// `55d0-55d8 r-xp 00001000 fe:00 1234   /usr/lib/libcuda.so.1` of proc(5), if it is a mapping of a file.
    fn of_line(line: &str) -> Option<Self> {
        let mut fields = line.splitn(6, ' ');
        let (start, end) = fields.next()?.split_once('-')?;
        let permissions = fields.next()?;
        let offset = fields.next()?;
        let path = fields.nth(2)?.trim_start();
        if !path.starts_with('/') {
            return None;
        }
        let hex = |text: &str| u64::from_str_radix(text, 16).ok();
        let library = Library {
            path: path.to_owned(),
            start: hex(start)?,
            end: hex(end)?,
            file_offset: hex(offset)?,
            build_id: Vec::new(),
        };
        Some(Self {
            library,
            executable: permissions.contains('x'),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_maps_with_spaces_in_the_path() {
        let mapping = Mapping::of_line("7f12a000-7f12b000 r-xp 00001000 fe:00 1234                       /opt/my libs/libcuda.so.1").unwrap();
        assert!(mapping.executable);
        let library = mapping.library;
        assert_eq!(
            (library.start, library.end, library.file_offset),
            (0x7f12_a000, 0x7f12_b000, 0x1000)
        );
        assert_eq!(library.path, "/opt/my libs/libcuda.so.1");
    }

    #[test]
    fn data_and_anonymous_memory_are_left_out() {
        let data = "7f12a000-7f12b000 rw-p 00001000 fe:00 1234      /lib/libc.so.6";
        assert!(!Mapping::of_line(data).unwrap().executable);
        assert!(Mapping::of_line("7f12a000-7f12b000 r-xp 00000000 00:00 0").is_none());
        assert!(Mapping::of_line("7ffd9000-7ffda000 r-xp 00000000 00:00 0       [vdso]").is_none());
    }

    #[test]
    fn news_come_once() {
        let mut map = LoadMap::default();
        let mut out = Vec::new();
        map.write_news(&mut out);
        assert!(!out.is_empty());
        let first = out.len();
        map.not_before_ns = 0;
        map.write_news(&mut out);
        assert_eq!(out.len(), first);
    }
}
