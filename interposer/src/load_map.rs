//! Which files are loaded where, for telling who called.
//!
//! Read from /proc/self/maps and not from the loader: asking the loader takes its lock, and a thread that holds it may be waiting
//! for the flusher.

use std::collections::HashSet;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};

use cutape_trace_format::metadata::{Libraries, Library};

use crate::build_id::build_id;
use crate::clock;

/// Reading the map may take at most this share of the flusher's time: one part in so many.
const TIME_SHARE: u64 = 50;

/// The executable mappings that were reported so far.
#[derive(Default)]
pub struct LoadMap {
    /// Start, end, and a hash of the path.
    known: HashSet<(u64, u64, u64)>,
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
        let libraries = self.news(&maps);
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

    /// The mappings that are new, with the build ids of their files. What is known takes no memory.
    fn news(&mut self, maps: &str) -> Vec<Library> {
        let mut news = Vec::new();
        // The beginning of a file is mapped apart from its code, and before it.
        let mut beginning: Option<Mapping<'_>> = None;
        for mapping in maps.lines().filter_map(Mapping::of_line) {
            if mapping.executable && self.known.insert(mapping.key()) {
                let own = beginning.filter(|beginning| beginning.path == mapping.path);
                news.push(Library {
                    path: mapping.path.to_owned(),
                    start: mapping.start,
                    end: mapping.end,
                    file_offset: mapping.file_offset,
                    build_id: own.map_or_else(Vec::new, |own| build_id(own.start)),
                });
            }
            if mapping.file_offset == 0 {
                beginning = Some(mapping);
            }
        }
        news
    }
}

/// A file in memory.
#[derive(Clone, Copy)]
struct Mapping<'m> {
    path: &'m str,
    start: u64,
    end: u64,
    file_offset: u64,
    executable: bool,
}

impl<'m> Mapping<'m> {
    /// `55d0-55d8 r-xp 00001000 fe:00 1234   /usr/lib/libcuda.so.1` of proc(5), if it is a mapping of a file.
    fn of_line(line: &'m str) -> Option<Self> {
        let mut fields = line.splitn(6, ' ');
        let (start, end) = fields.next()?.split_once('-')?;
        let permissions = fields.next()?;
        let offset = fields.next()?;
        let path = fields.nth(2)?.trim_start();
        if !path.starts_with('/') {
            return None;
        }
        let hex = |text: &str| u64::from_str_radix(text, 16).ok();
        Some(Self {
            path,
            start: hex(start)?,
            end: hex(end)?,
            file_offset: hex(offset)?,
            executable: permissions.contains('x'),
        })
    }

    fn key(&self) -> (u64, u64, u64) {
        let mut hasher = DefaultHasher::new();
        self.path.hash(&mut hasher);
        (self.start, self.end, hasher.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_maps_with_spaces_in_the_path() {
        let mapping = Mapping::of_line("7f12a000-7f12b000 r-xp 00001000 fe:00 1234                       /opt/my libs/libcuda.so.1").unwrap();
        assert!(mapping.executable);
        assert_eq!(
            (mapping.start, mapping.end, mapping.file_offset),
            (0x7f12_a000, 0x7f12_b000, 0x1000)
        );
        assert_eq!(mapping.path, "/opt/my libs/libcuda.so.1");
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
        // Linkers give one to every library of the system.
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        let mut libraries = LoadMap::default().news(&maps).into_iter();
        let c_library = libraries.find(|library| library.path.contains("/libc"));
        assert!(!c_library.unwrap().build_id.is_empty());
        let first = out.len();
        map.not_before_ns = 0;
        map.write_news(&mut out);
        assert_eq!(out.len(), first);
    }
}
