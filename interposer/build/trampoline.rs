//! Which entry routine serves a function, and the list of those that src/straight.rs has to make.

use std::collections::BTreeSet;
use std::fmt;

use cutape_cuda_api::convention::Layout;
use cutape_cuda_api::{Api, Function};

use crate::captures::{self, Phase};
use crate::emit::{after, has_wide_return, line};
use crate::more::{self, More};

/// Argument words of the largest routine that src/straight.rs can make.
const MAX_STRAIGHT_WORDS: usize = 16;
/// Bytes of the largest structure that a routine of src/straight.rs copies.
const MAX_STRUCTURE_BYTES: u32 = 256;
/// Registers of the integer arguments.
const REGISTERS: [&str; 6] = ["rdi", "rsi", "rdx", "rcx", "r8", "r9"];

/// `straight.rs`: the routines for plain argument lists, those that an export names.
pub fn straight(api: &Api) -> String {
    let all = api.functions().iter();
    let used: BTreeSet<Trampoline> = all.map(|function| Trampoline::of(api, function)).collect();
    let mut text = String::new();
    for trampoline in used {
        let name = trampoline.routine();
        match trampoline {
            Trampoline::Wide
            | Trampoline::Plain
            | Trampoline::PlainIn
            | Trampoline::PlainCopy
            | Trampoline::Launch => {}
            Trampoline::Launches { words, kernel } => {
                let general = kernel.routine(words);
                line(
                    &mut text,
                    format_args!("launches!({name}, {words}, trampoline::{general});"),
                );
            }
            Trampoline::Copies { words } => {
                line(&mut text, format_args!("copies!({name}, {words});"));
            }
            Trampoline::Scalars { words } => {
                line(&mut text, format_args!("scalars!({name}, {words});"));
            }
            Trampoline::Answers { words } => {
                line(
                    &mut text,
                    format_args!("answers!({name}, {words}, returned_answer);"),
                );
            }
            Trampoline::Numbers { words, numbers } => {
                let routine = numbers.routine();
                line(
                    &mut text,
                    format_args!("answers!({name}, {words}, returned::{routine});"),
                );
            }
            Trampoline::Structures { words, structure } => {
                let structure = structure.source();
                line(
                    &mut text,
                    format_args!("structures!({name}, {words}, {structure});"),
                );
            }
            Trampoline::CopyStructures { words, structure } => {
                let structure = structure.source();
                line(
                    &mut text,
                    format_args!("copy_structures!({name}, {words}, {structure});"),
                );
            }
            Trampoline::LaunchStructures {
                words,
                structure,
                attributes,
                count,
            } => {
                let structure = structure.source();
                line(
                    &mut text,
                    format_args!(
                        "launch_structures!({name}, {words}, {structure}, attributes: {attributes}, count: {count});"
                    ),
                );
            }
        }
    }
    text
}

/// `launches.rs`: the routines of src/trampoline.rs for launches whose arguments are wanted.
pub fn launches(api: &Api) -> String {
    let all = api.functions().iter();
    let used: BTreeSet<(usize, Kernel)> = all
        .filter_map(|function| match Trampoline::of(api, function) {
            Trampoline::Launches { words, kernel } => Some((words, kernel)),
            _ => None,
        })
        .collect();
    let mut text = String::new();
    for (words, kernel) in used {
        let name = kernel.routine(words);
        let Kernel { function, params } = kernel;
        line(
            &mut text,
            format_args!("launch_of_words!({name}, {words}, {function}, {params});"),
        );
    }
    text
}

/// What a launch launches: words.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kernel {
    /// The word that names the kernel.
    function: usize,
    /// The word that points to its arguments, also the number of that parameter.
    params: usize,
}

impl Kernel {
    fn of(more: &More) -> Option<Self> {
        let (function, params) = more.kernel?;
        Some(Self { function, params })
    }

    /// The name of the routine in src/trampoline.rs.
    fn routine(self, words: usize) -> String {
        format!("launch_{words}_{}_{}", self.function, self.params)
    }
}

/// `numbers.rs`: the routines of src/returned.rs for calls that answer with numbers.
pub fn numbers(api: &Api) -> String {
    let all = api.functions().iter();
    let used: BTreeSet<Numbers> = all
        .filter_map(|function| match Trampoline::of(api, function) {
            Trampoline::Numbers { numbers, .. } => Some(numbers),
            _ => None,
        })
        .collect();
    let mut text = String::new();
    for numbers in used {
        let each: Vec<String> = numbers.each().map(Number::source).collect();
        line(
            &mut text,
            format_args!("numbers!({}, {});", numbers.routine(), each.join(", ")),
        );
    }
    text
}

/// A number of 1, 2, 4 or 8 bytes behind a pointer in a register, which the driver writes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Number {
    /// Place in the parameter list.
    param: usize,
    /// The word, which is a register.
    word: usize,
    /// Its size.
    bytes: u32,
}

impl Number {
    fn source(self) -> String {
        let load = match self.bytes {
            8 => "mov rsi, [rdi]",
            4 => "mov esi, [rdi]",
            2 => "movzx esi, word ptr [rdi]",
            _ => "movzx esi, byte ptr [rdi]",
        };
        format!("({}, {}, {}, {load:?})", self.param, self.bytes, self.word)
    }
}

/// What a function answers with, where that are a few numbers and nothing else.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Numbers([Option<Number>; 3]);

impl Numbers {
    /// `None` if there is anything else, or too many of them, or none.
    fn of(outs: &[captures::Capture]) -> Option<Self> {
        let mut numbers = [None; 3];
        if outs.is_empty() || outs.len() > numbers.len() {
            return None;
        }
        for (number, out) in numbers.iter_mut().zip(outs) {
            let bytes = out.bytes.filter(|_| out.is_small)?;
            *number = Some(Number {
                param: out.param,
                word: out.word,
                bytes,
            });
        }
        Some(Self(numbers))
    }

    fn each(&self) -> impl Iterator<Item = Number> + '_ {
        self.0.iter().flatten().copied()
    }

    /// The routine's name in src/returned.rs.
    fn routine(&self) -> String {
        self.each().fold("returned".to_owned(), |name, number| {
            format!("{name}_{}_{}_{}", number.param, number.word, number.bytes)
        })
    }
}

/// A structure that one of the argument words leads to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Structure {
    /// Place in the parameter list.
    param: usize,
    /// The word, which is a register.
    word: usize,
    /// Its size.
    bytes: u32,
}

impl Structure {
    /// Parameter, size, register, and where that is once the record's head is written, as the macros want it.
    fn source(self) -> String {
        let register = REGISTERS[self.word];
        let kept = match register {
            "rdx" => "[rbp - {frame} + {regs} + 16]",
            "rcx" => "[rbp - {frame} + {regs} + 24]",
            other => other,
        };
        format!("{}, {}, {register:?}, {kept:?}", self.param, self.bytes)
    }

    /// The only structure that goes into a function, if a routine can copy it.
    fn of(ins: &[captures::Capture], words: usize) -> Option<Self> {
        let [only] = ins else {
            return None;
        };
        let bytes = only.bytes.filter(|_| only.is_fixed)?;
        let fits = bytes <= MAX_STRUCTURE_BYTES && bytes.is_multiple_of(4);
        (fits && words <= REGISTERS.len()).then_some(Self {
            param: only.param,
            word: only.word,
            bytes,
        })
    }
}

/// The routine that serves a function: the shortest that does all that it needs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trampoline {
    /// Vector registers matter, or nobody knows what matters.
    Wide,
    /// Memory is read before the call, or arguments lie out of order.
    Plain,
    /// The same, and only a 32-bit code comes out.
    PlainIn,
    /// The same, unless the recording wants copied data.
    PlainCopy,
    /// A launch of a kernel with a structure.
    Launch,
    /// Words go in and a 32-bit code comes out.
    Scalars { words: usize },
    /// Words go in, and there is more to look at after the call.
    Answers { words: usize },
    /// Words go in, and a code and a few numbers come out.
    Numbers { words: usize, numbers: Numbers },
    /// Like scalars, unless the recording wants kernel arguments.
    Launches { words: usize, kernel: Kernel },
    /// Like scalars, unless the recording wants copied data.
    Copies { words: usize },
    /// Words and a structure go in and a 32-bit code comes out.
    Structures { words: usize, structure: Structure },
    /// The same, unless the recording wants copied data.
    CopyStructures { words: usize, structure: Structure },
    /// The same, unless the recording wants kernel arguments or the structure has attributes, which lie at these offsets.
    LaunchStructures {
        words: usize,
        structure: Structure,
        attributes: u32,
        count: u32,
    },
}

impl Trampoline {
    /// The routine of `function`.
    pub fn of(api: &Api, function: &Function) -> Self {
        let layout = Layout::of(api, function);
        if function.signature.is_none() || layout.uses_vectors() {
            return Self::Wide;
        }
        let words = layout.places.len();
        let ins = captures::list(api, function, &layout, Phase::In);
        let outs = captures::list(api, function, &layout, Phase::Out);
        let more = More::of(api, function, &layout);
        let is_only_a_code = !has_wide_return(api, function) && after(&function.name) == "None";
        let answers = !outs.is_empty() || !is_only_a_code;
        let numbers = Numbers::of(&outs).filter(|_| is_only_a_code && !more.has_after());
        let is_straight = layout.is_straight() && words <= MAX_STRAIGHT_WORDS;
        match (is_straight && ins.is_empty(), answers) {
            (true, false) if more.launches => match Kernel::of(&more) {
                Some(kernel) => Self::Launches { words, kernel },
                None => Self::Launch,
            },
            (true, false) if more.only_data => Self::Copies { words },
            (true, false) if more.has_after() => Self::Plain,
            (true, false) if more.has_before() || more::unloads(function) => Self::PlainIn,
            (true, true) if more.has_before() => Self::Plain,
            (true, false) => Self::Scalars { words },
            (true, true) => numbers.map_or(Self::Answers { words }, |numbers| Self::Numbers {
                words,
                numbers,
            }),
            (false, true) => Self::Plain,
            (false, false) => {
                let structure = Structure::of(&ins, words).filter(|_| is_straight);
                let general = Self::with_memory(&more);
                structure
                    .and_then(|structure| general.with_structure(words, structure, &more))
                    .filter(|_| !more::unloads(function))
                    .unwrap_or(general)
            }
        }
    }

    /// For functions that read memory before the call and return a code.
    fn with_memory(more: &More) -> Self {
        if more.launches {
            Self::Launch
        } else if more.only_data {
            Self::PlainCopy
        } else if more.has_after() {
            Self::Plain
        } else {
            Self::PlainIn
        }
    }

    /// The shorter way to the same where all that is read is one structure; `None` where that is not all.
    fn with_structure(self, words: usize, structure: Structure, more: &More) -> Option<Self> {
        match self {
            Self::PlainIn if !more.has_before() => Some(Self::Structures { words, structure }),
            Self::PlainCopy => Some(Self::CopyStructures { words, structure }),
            Self::Launch => match more.pointers.as_slice() {
                [pointer] if pointer.is_unconditional() && pointer.count_bytes == 4 => {
                    Some(Self::LaunchStructures {
                        words,
                        structure,
                        attributes: pointer.pointer,
                        count: pointer.count,
                    })
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// The routine's name in its module.
    fn routine(self) -> String {
        let with = |what: &str, words: usize, structure: Structure| {
            let Structure { param, word, bytes } = structure;
            format!("{what}_{words}_{param}_{word}_{bytes}")
        };
        match self {
            Self::Wide => "wide".to_owned(),
            Self::Plain => "plain".to_owned(),
            Self::PlainIn => "plain_in".to_owned(),
            Self::PlainCopy => "plain_copy".to_owned(),
            Self::Launch => "launch".to_owned(),
            Self::Scalars { words } => format!("scalars_{words}"),
            Self::Answers { words } => format!("answers_{words}"),
            Self::Numbers { words, numbers } => {
                format!("answers_{words}_{}", numbers.routine())
            }
            Self::Launches { words, kernel } => {
                let Kernel { function, params } = kernel;
                format!("launches_{words}_{function}_{params}")
            }
            Self::Copies { words } => format!("copies_{words}"),
            Self::Structures { words, structure } => with("structure", words, structure),
            Self::CopyStructures { words, structure } => with("copy_structure", words, structure),
            Self::LaunchStructures {
                words, structure, ..
            } => with("launch_structure", words, structure),
        }
    }
}

impl fmt::Display for Trampoline {
    /// The routine's path in the interposer.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let module = match self {
            Self::Wide | Self::Plain | Self::PlainIn | Self::PlainCopy | Self::Launch => {
                "trampoline"
            }
            _ => "straight",
        };
        write!(f, "{module}::{}", self.routine())
    }
}
