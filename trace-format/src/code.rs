//! What code addresses are called, and call stacks: the Code block of a sealed file.
//!
//! The names are found in program files when a recording is sealed, while the files are still there; see [`crate::code_reader`].

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::metadata::{Library, serde_bytes_as_bin};

/// Content of a Code block.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CodeBlock {
    /// Names of functions, as people read them.
    pub names: Vec<String>,
    /// Program files.
    pub files: Vec<CodeFile>,
    /// Addresses that calls return to: number of the file and offset in it, or nil and the address itself; number of the name of the
    /// function there, or nil; distance from the function's first byte.
    pub places: Vec<(Option<u32>, u64, Option<u32>, u64)>,
    /// Call stacks: numbers of places, the innermost first.
    pub stacks: Vec<Vec<u32>>,
}

/// A program file. Two builds under one path are two files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct CodeFile {
    /// As in Libraries blocks.
    pub path: String,
    /// As in Libraries blocks.
    #[serde(with = "serde_bytes_as_bin")]
    pub build_id: Vec<u8>,
}

/// The function that an address lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symbol<'a> {
    /// Its name.
    pub name: &'a str,
    /// Bytes from its first one to the address.
    pub distance: u64,
}

/// A code address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// Path of the file mapped there; `None` where none is known to be.
    pub path: Option<&'a str>,
    /// Offset in the file; without a file the address itself.
    pub offset: u64,
    /// The function there, where its name is known.
    pub symbol: Option<Symbol<'a>>,
}

impl<'a> Place<'a> {
    /// The file's name without its folder.
    pub fn file_name(&self) -> Option<&'a str> {
        let path = self.path?;
        Some(path.rsplit('/').next().unwrap_or(path))
    }
}

/// Number of a call stack in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StackId(pub u32);

/// Names and call stacks of a trace; nothing where it has none.
#[derive(Clone, Debug, Default)]
pub struct Code {
    block: CodeBlock,
    by_path: HashMap<String, Vec<u32>>,
    /// Places with a name, by file and offset.
    named: HashMap<(u32, u64), u32>,
}

impl TryFrom<CodeBlock> for Code {
    type Error = String;

    fn try_from(block: CodeBlock) -> Result<Self, String> {
        let known = |number: &u32, list: usize| (*number as usize) < list;
        let places_fit = block.places.iter().all(|(file, _, name, _)| {
            file.iter().all(|file| known(file, block.files.len()))
                && name.iter().all(|name| known(name, block.names.len()))
        });
        let mut frames = block.stacks.iter().flatten();
        if !places_fit || !frames.all(|place| known(place, block.places.len())) {
            return Err("it refers to a file, a name or a place that it does not have".to_owned());
        }
        let mut code = Self {
            block,
            ..Self::default()
        };
        code.index();
        Ok(code)
    }
}

impl Code {
    fn index(&mut self) {
        self.by_path.clear();
        for (number, file) in (0..).zip(&self.block.files) {
            self.by_path
                .entry(file.path.clone())
                .or_default()
                .push(number);
        }
        let places = (0..).zip(&self.block.places);
        self.named = places
            .filter_map(|(number, place)| match *place {
                (Some(file), offset, Some(_), _) => Some(((file, offset), number)),
                _ => None,
            })
            .collect();
    }

    /// The function at an offset of a mapped file.
    pub fn symbol(&self, library: &Library, offset: u64) -> Option<Symbol<'_>> {
        let files = self.by_path.get(&library.path)?.iter();
        let mut same = files.filter(|&&file| self.file(file).build_id == library.build_id);
        let number = same.find_map(|&file| self.named.get(&(file, offset)))?;
        self.place(*number).symbol
    }

    /// A call stack, the innermost place first; `None` if there is none of that number.
    pub fn stack(&self, stack: StackId) -> Option<impl ExactSizeIterator<Item = Place<'_>>> {
        let places = self.block.stacks.get(stack.0 as usize)?.iter();
        Some(places.map(|&number| self.place(number)))
    }

    /// The same as files with offsets.
    pub(crate) fn stack_places(
        &self,
        stack: StackId,
    ) -> Option<impl Iterator<Item = (Option<&CodeFile>, u64)>> {
        let places = self.block.stacks.get(stack.0 as usize)?.iter();
        Some(places.map(|&number| {
            let (file, offset, ..) = self.block.places[number as usize];
            (file.map(|file| self.file(file)), offset)
        }))
    }

    /// Number of different call stacks.
    pub fn stack_count(&self) -> usize {
        self.block.stacks.len()
    }

    /// Number of addresses whose function is known.
    pub fn named_count(&self) -> usize {
        self.named.len()
    }

    /// Changes the paths of files.
    pub fn change_paths(&mut self, mut change: impl FnMut(&mut String)) {
        for file in &mut self.block.files {
            change(&mut file.path);
        }
        self.index();
    }

    fn file(&self, number: u32) -> &CodeFile {
        &self.block.files[number as usize]
    }

    fn place(&self, number: u32) -> Place<'_> {
        let (file, offset, name, distance) = self.block.places[number as usize];
        Place {
            path: file.map(|file| self.file(file).path.as_str()),
            offset,
            symbol: name.map(|name| Symbol {
                name: &self.block.names[name as usize],
                distance,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block() -> CodeBlock {
        let file = |path: &str, build_id: &[u8]| CodeFile {
            path: path.to_owned(),
            build_id: build_id.to_vec(),
        };
        CodeBlock {
            names: vec!["main".to_owned(), "ask".to_owned()],
            files: vec![file("/bin/a", b"1"), file("/bin/a", b"2")],
            places: vec![
                (Some(0), 0x10, Some(0), 4),
                (Some(1), 0x10, Some(1), 8),
                (None, 0x7000, None, 0),
            ],
            stacks: vec![vec![1, 0, 2]],
        }
    }

    fn library(build_id: &[u8]) -> Library {
        Library {
            path: "/bin/a".to_owned(),
            build_id: build_id.to_vec(),
            ..Library::default()
        }
    }

    #[test]
    fn two_builds_under_one_path_have_names_of_their_own() {
        let code = Code::try_from(block()).unwrap();
        let name = |build_id: &[u8], offset| {
            let symbol = code.symbol(&library(build_id), offset);
            symbol.map(|symbol| (symbol.name.to_owned(), symbol.distance))
        };
        assert_eq!(name(b"1", 0x10), Some(("main".to_owned(), 4)));
        assert_eq!(name(b"2", 0x10), Some(("ask".to_owned(), 8)));
        assert_eq!(name(b"3", 0x10), None);
        assert_eq!(name(b"1", 0x11), None);
    }

    #[test]
    fn a_stack_is_its_places_from_the_innermost() {
        let mut code = Code::try_from(block()).unwrap();
        code.change_paths(|path| *path = path.replace("/bin/", ""));
        let places: Vec<_> = code.stack(StackId(0)).unwrap().collect();
        let told = places.iter().map(|place| {
            let name = place.symbol.map(|symbol| symbol.name);
            (place.file_name(), place.offset, name)
        });
        let expected = [
            (Some("a"), 0x10, Some("ask")),
            (Some("a"), 0x10, Some("main")),
            (None, 0x7000, None),
        ];
        assert_eq!(told.collect::<Vec<_>>(), expected);
        assert!(code.stack(StackId(1)).is_none());
    }

    #[test]
    fn a_block_that_refers_to_what_it_lacks_is_refused() {
        let cases: [fn(&mut CodeBlock); 3] = [
            |block| block.places[0].0 = Some(2),
            |block| block.places[0].2 = Some(2),
            |block| block.stacks[0].push(3),
        ];
        for damage in cases {
            let mut damaged = block();
            damage(&mut damaged);
            assert!(Code::try_from(damaged).is_err());
        }
    }
}
