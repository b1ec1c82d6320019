//! Gathering the code addresses and call stacks of the calls that go into a sealed file.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::call::{Call, ProcessId};
use crate::code::{CodeBlock, CodeFile, StackId};
use crate::code_reader::{CodeReader, LoadedFiles};
use crate::stack_memory::StackMemory;
use crate::trace::Trace;

/// Addresses kept at most: with names and stacks they fit into one block.
const MAX_PLACES: usize = 1 << 17;
/// Places of all stacks together.
const MAX_FRAMES: usize = 1 << 20;
/// Bytes of all names together.
const MAX_NAME_BYTES: usize = 6 << 20;
/// Callers met lately, so that one that calls in a loop is looked up once.
const LATELY: usize = 256;

/// A caller: process, return address, number of load maps read before the call.
type Caller = (ProcessId, u64, usize);

/// Code addresses and call stacks so far.
pub(crate) struct CodeCollector<'a> {
    reader: &'a mut dyn CodeReader,
    files: HashMap<CodeFile, u32>,
    file_list: Vec<CodeFile>,
    places: HashMap<(Option<u32>, u64), u32>,
    place_list: Vec<(Option<u32>, u64)>,
    /// Places that are kept even without a name.
    on_stacks: HashSet<u32>,
    stacks: HashMap<Vec<u32>, u32>,
    stack_list: Vec<Vec<u32>>,
    frames: usize,
    callers: HashSet<Caller>,
    lately: Vec<Option<Caller>>,
    /// By process: load maps read so far, calls coming in the order of their begin.
    maps: Vec<usize>,
}

impl<'a> CodeCollector<'a> {
    pub fn new(reader: &'a mut dyn CodeReader) -> Self {
        Self {
            reader,
            files: HashMap::new(),
            file_list: Vec::new(),
            places: HashMap::new(),
            place_list: Vec::new(),
            on_stacks: HashSet::new(),
            stacks: HashMap::new(),
            stack_list: Vec::new(),
            frames: 0,
            callers: HashSet::new(),
            lately: vec![None; LATELY],
            maps: Vec::new(),
        }
    }

    /// Takes in who made a call.
    #[inline]
    pub fn caller(&mut self, trace: &Trace, call: &Call) {
        let caller = (call.process, call.caller, self.maps_before(trace, call));
        // Return addresses of one function differ in their lowest bits first.
        let slot = (call.caller ^ call.caller >> 8) as usize % LATELY;
        if self.lately[slot] == Some(caller) {
            return;
        }
        self.lately[slot] = Some(caller);
        if self.callers.len() < MAX_PLACES && self.callers.insert(caller) {
            let loaded = loaded_at(trace, call);
            if loaded.at(call.caller).is_some() {
                self.place(&loaded, call.caller);
            }
        }
    }

    /// The call's stack, if it has one: from its memory in a folder, by its number in a sealed file.
    pub fn stack(&mut self, trace: &Trace, call: &Call) -> Option<StackId> {
        if !self.reader.wants_stack(trace, call) {
            return None;
        }
        let places = if let Some(memory) = call.stack_memory() {
            self.unwind(trace, call, &memory)?
        } else {
            let known = trace.code().stack_places(call.stack()?)?;
            known
                .map(|(file, offset)| self.place_in(file, offset))
                .collect::<Option<Vec<u32>>>()?
        };
        if let Some(&number) = self.stacks.get(&places) {
            return Some(StackId(number));
        }
        if self.frames + places.len() > MAX_FRAMES {
            return None;
        }
        self.frames += places.len();
        self.on_stacks.extend(&places);
        let number = self.stack_list.len() as u32;
        self.stacks.insert(places.clone(), number);
        self.stack_list.push(places);
        Some(StackId(number))
    }

    fn unwind(&mut self, trace: &Trace, call: &Call, memory: &StackMemory) -> Option<Vec<u32>> {
        let loaded = loaded_at(trace, call);
        let outer = self.reader.unwind(&loaded, call.caller, memory);
        let recorder = trace
            .process(call.process)
            .map_or("", |entry| entry.process.recorder.as_str());
        let is_ours = |address: u64| {
            let library = loaded.at(address).map(|(library, _)| library);
            library.is_some_and(|library| !recorder.is_empty() && library.path == recorder)
        };
        std::iter::once(call.caller)
            .chain(outer)
            .filter(|&address| !is_ours(address))
            .map(|address| self.place(&loaded, address))
            .collect()
    }

    /// The number of an address; `None` when there are too many.
    fn place(&mut self, loaded: &LoadedFiles<'_>, address: u64) -> Option<u32> {
        let Some((library, offset)) = loaded.at(address) else {
            return self.place_in(None, address);
        };
        let file = CodeFile {
            path: library.path.clone(),
            build_id: library.build_id.clone(),
        };
        self.place_in(Some(&file), offset)
    }

    fn place_in(&mut self, file: Option<&CodeFile>, offset: u64) -> Option<u32> {
        let file = file.map(|file| self.file(file));
        if let Some(&number) = self.places.get(&(file, offset)) {
            return Some(number);
        }
        if self.place_list.len() == MAX_PLACES {
            return None;
        }
        let number = self.place_list.len() as u32;
        self.places.insert((file, offset), number);
        self.place_list.push((file, offset));
        Some(number)
    }

    fn file(&mut self, file: &CodeFile) -> u32 {
        if let Some(&number) = self.files.get(file) {
            return number;
        }
        let number = self.file_list.len() as u32;
        self.files.insert(file.clone(), number);
        self.file_list.push(file.clone());
        number
    }

    fn maps_before(&mut self, trace: &Trace, call: &Call) -> usize {
        let process = call.process.0 as usize;
        let Some(entry) = trace.processes.get(process) else {
            return 0;
        };
        if self.maps.len() <= process {
            self.maps.resize(trace.processes.len(), 0);
        }
        let maps = &mut self.maps[process];
        let read = |map: &crate::metadata::Libraries| map.since_ns <= call.begin_ns;
        while entry.libraries.get(*maps).is_some_and(read) {
            *maps += 1;
        }
        *maps
    }

    /// Asks for the names, and puts all together; `None` if there is nothing to say.
    pub fn finish(&mut self) -> Option<CodeBlock> {
        let mut by_file: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
        for &(file, offset) in &self.place_list {
            if let Some(file) = file {
                by_file.entry(file).or_default().push(offset);
            }
        }
        let mut names = Names::default();
        let mut named: HashMap<(u32, u64), (u32, u64)> = HashMap::new();
        for (file, mut offsets) in by_file {
            offsets.sort_unstable();
            let symbols = self
                .reader
                .symbols(&self.file_list[file as usize], &offsets);
            for (offset, symbol) in offsets.into_iter().zip(symbols) {
                if let Some(symbol) = symbol
                    && let Some(name) = names.number(symbol.name)
                {
                    named.insert((file, offset), (name, symbol.distance));
                }
            }
        }
        let mut block = CodeBlock {
            names: names.list,
            files: std::mem::take(&mut self.file_list),
            ..CodeBlock::default()
        };
        // A caller without a name is in its call already.
        let mut numbers = vec![0; self.place_list.len()];
        for (number, &(file, offset)) in (0..).zip(&self.place_list) {
            let name = file.and_then(|file| named.get(&(file, offset)));
            if name.is_some() || self.on_stacks.contains(&number) {
                numbers[number as usize] = block.places.len() as u32;
                let (name, distance) =
                    name.map_or((None, 0), |&(name, distance)| (Some(name), distance));
                block.places.push((file, offset, name, distance));
            }
        }
        block.stacks = std::mem::take(&mut self.stack_list);
        for place in block.stacks.iter_mut().flatten() {
            *place = numbers[*place as usize];
        }
        (!block.places.is_empty()).then_some(block)
    }
}

fn loaded_at<'t>(trace: &'t Trace, call: &Call) -> LoadedFiles<'t> {
    LoadedFiles {
        trace,
        process: call.process,
        at_ns: call.begin_ns,
    }
}

/// Names, each once.
#[derive(Default)]
struct Names {
    numbers: HashMap<String, u32>,
    list: Vec<String>,
    bytes: usize,
}

impl Names {
    fn number(&mut self, name: String) -> Option<u32> {
        if let Some(&number) = self.numbers.get(&name) {
            return Some(number);
        }
        self.bytes += name.len();
        if self.bytes > MAX_NAME_BYTES {
            return None;
        }
        let number = self.list.len() as u32;
        self.list.push(name.clone());
        self.numbers.insert(name, number);
        Some(number)
    }
}
