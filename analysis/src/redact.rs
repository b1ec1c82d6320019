//! Taking out of a trace what one does not want to show to others. docs/export.md says what is replaced by what.

use std::collections::HashMap;

use cutape_cuda_api::Extent;
use cutape_trace_format::call::{Call, CaptureEdit, FunctionId};
use cutape_trace_format::capture_number::{CaptureOf, INJECTION, MAX_PARAMS};
use cutape_trace_format::injected::Injection;
use cutape_trace_format::metadata::{Note, note};
use cutape_trace_format::schema::TraceSchema;
use cutape_trace_format::trace::Trace;

use crate::suggestion::suggestion;

/// What stands in the place of what was taken out.
pub const REDACTED: &str = "redacted";

/// Kinds of what can be taken out, by the name that users give.
const KINDS: [(&str, Kind); 4] = [
    ("payload", Kind::Payload),
    ("paths", Kind::Paths),
    ("hosts", Kind::Hosts),
    ("environment", Kind::Environment),
];

/// A kind of what can be taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Module images, copied data, arguments of kernels.
    Payload,
    /// Folders: of a path stays the last part.
    Paths,
    /// The name of the host.
    Hosts,
    /// Variables of the environment, arguments of command lines.
    Environment,
}

/// What to take out of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redaction {
    kinds: Vec<Kind>,
}

impl std::str::FromStr for Redaction {
    type Err = String;

    /// Reads `paths,hosts`, or `all`.
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "all" {
            return Ok(Self {
                kinds: KINDS.map(|(_, kind)| kind).to_vec(),
            });
        }
        let names = KINDS.map(|(name, _)| name);
        let kind = |word: &str| {
            let found = KINDS.iter().find(|(name, _)| *name == word.trim());
            found.map(|&(_, kind)| kind).ok_or_else(|| {
                format!(
                    "expected kinds among {}, with commas between them, or \"all\"; found {word:?}{}",
                    names.join(", "),
                    suggestion(word.trim(), names)
                )
            })
        };
        let kinds = text.split(',').map(kind).collect::<Result<_, _>>()?;
        Ok(Self { kinds })
    }
}

impl Redaction {
    fn takes(&self, kind: Kind) -> bool {
        self.kinds.contains(&kind)
    }

    /// Changes what a trace says beside its calls, notes in it what was taken out, and tells how to change its calls.
    pub fn apply(&self, trace: &mut Trace) -> Redactor {
        let host = trace
            .recording()
            .map(|recording| recording.host.clone())
            .filter(|host| self.takes(Kind::Hosts) && !host.is_empty());
        let mut redactor = Redactor {
            redaction: self.clone(),
            host,
            texts: HashMap::new(),
        };
        redactor.change_metadata(trace);
        let taken = KINDS.iter().filter(|(_, kind)| self.takes(*kind));
        let taken: Vec<&str> = taken.map(|(name, _)| *name).collect();
        trace.notes_mut().push(Note {
            kind: note::REDACTED.to_owned(),
            text: format!("taken out: {}", taken.join(", ")),
            ..Note::default()
        });
        redactor
    }
}

/// Changes calls and texts of one trace.
#[derive(Clone, Debug)]
pub struct Redactor {
    redaction: Redaction,
    host: Option<String>,
    /// Which parameters of a function lead to text, as bits.
    texts: HashMap<FunctionId, u64>,
}

impl Redactor {
    fn change_metadata(&mut self, trace: &mut Trace) {
        if let Some(recording) = trace.recording_mut() {
            self.change_command(&mut recording.command);
            if self.host.is_some() {
                recording.host = REDACTED.to_owned();
            }
            for (_, value) in &mut recording.options {
                self.change_text(value);
            }
        }
        for entry in trace.processes_mut() {
            let process = &mut entry.process;
            self.change_command(&mut process.command);
            self.change_text(&mut process.program);
            self.change_text(&mut process.driver);
            if self.redaction.takes(Kind::Environment) {
                process.environment.clear();
            }
            for (_, value) in &mut process.environment {
                self.change_text(value);
            }
            for map in &mut entry.libraries {
                for library in &mut map.libraries {
                    self.change_text(&mut library.path);
                }
            }
        }
        trace.code_mut().change_paths(|path| self.change_text(path));
        for thread in trace.threads_mut() {
            self.change_text(&mut thread.name);
        }
        for note in trace.notes_mut() {
            self.change_text(&mut note.text);
        }
    }

    fn change_command(&self, command: &mut [String]) {
        for (place, word) in command.iter_mut().enumerate() {
            if place > 0 && self.redaction.takes(Kind::Environment) {
                *word = REDACTED.to_owned();
            }
            self.change_text(word);
        }
    }

    /// Changes a text.
    pub fn change_text(&self, text: &mut String) {
        if self.redaction.takes(Kind::Paths) && text.contains('/') {
            *text = without_folders(text);
        }
        if let Some(host) = &self.host
            && text.contains(host.as_str())
        {
            *text = without_word(text, host);
        }
    }

    /// Changes what was copied from behind the pointers of a call.
    pub fn change_call(&mut self, schema: &TraceSchema, call: &mut Call) {
        let texts = self.text_params(schema, call.function);
        let payload = self.redaction.takes(Kind::Payload);
        let this = &*self;
        call.edit_captures(|capture| match CaptureOf::number(capture.param) {
            CaptureOf::Payload(_) | CaptureOf::KernelArguments(_) if payload => CaptureEdit::Drop,
            CaptureOf::Parameter(INJECTION) if capture.out && texts != 0 => {
                this.edit_mark(texts, capture.bytes)
            }
            CaptureOf::Parameter(param) if texts >> param & 1 == 1 => this.edit(capture.bytes),
            _ => CaptureEdit::Keep,
        });
    }

    /// Text that the driver had answered before a rule of the recording answered otherwise.
    fn edit_mark(&self, texts: u64, mark: &[u8]) -> CaptureEdit {
        let edited = Injection::mark_with(mark, |param, content| {
            if param < MAX_PARAMS && texts >> param & 1 == 1 {
                self.edit(content)
            } else {
                CaptureEdit::Keep
            }
        });
        edited.map_or(CaptureEdit::Drop, CaptureEdit::Replace)
    }

    fn edit(&self, bytes: &[u8]) -> CaptureEdit {
        let end = bytes.iter().position(|&byte| byte == 0);
        let text = String::from_utf8_lossy(&bytes[..end.unwrap_or(bytes.len())]);
        let mut changed = text.clone().into_owned();
        self.change_text(&mut changed);
        if changed == text {
            return CaptureEdit::Keep;
        }
        // What lies behind the end of the text may be the rest of a longer one.
        let mut bytes = changed.into_bytes();
        bytes.extend(end.map(|_| 0));
        CaptureEdit::Replace(bytes)
    }

    fn text_params(&mut self, schema: &TraceSchema, id: FunctionId) -> u64 {
        *self.texts.entry(id).or_insert_with(|| {
            let params = schema
                .function(id)
                .and_then(|function| function.signature.as_ref())
                .map_or(&[][..], |signature| &signature.params);
            let is_text = |extent: &Extent| matches!(extent, Extent::Text(_) | Extent::PointedText);
            (0..64)
                .zip(params)
                .filter(|(_, param)| is_text(&param.extent))
                .fold(0, |bits, (place, _)| bits | 1 << place)
        })
    }
}

/// What paths end at. Everything else may be part of one.
const SEPARATORS: [char; 15] = [
    ' ', '\t', '\n', '\r', '"', '\'', '`', '=', ':', ',', ';', '(', ')', '<', '>',
];

/// The text with the last part of each path in it.
fn without_folders(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut word_start = 0;
    for letter in text.chars() {
        if SEPARATORS.contains(&letter) {
            word_start = out.len() + letter.len_utf8();
        }
        if letter == '/' {
            out.truncate(word_start);
        } else {
            out.push(letter);
        }
    }
    out
}

/// The text without a word, wherever it stands by itself.
fn without_word(text: &str, word: &str) -> String {
    let is_part = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(word) {
        let (before, behind) = (&rest[..at], &rest[at + word.len()..]);
        out.push_str(before);
        if is_part(out.chars().next_back()) || is_part(behind.chars().next()) {
            out.push_str(word);
        } else {
            out.push_str(REDACTED);
        }
        rest = behind;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_each_path_the_last_part_stays() {
        let cases = [
            ("/home/me/shim/libcuda.so.1", "libcuda.so.1"),
            ("--model=/data/secret/llama.gguf", "--model=llama.gguf"),
            ("../a/b:/c/d e/f", "b:d f"),
            ("can't open \"/home/me/x\": no", "can't open \"x\": no"),
            ("plain text", "plain text"),
            ("/home/me/", ""),
            ("/säch/sisch", "sisch"),
        ];
        for (text, expected) in cases {
            assert_eq!(without_folders(text), expected, "{text}");
        }
    }

    #[test]
    fn a_host_is_taken_out_where_it_is_a_word_of_its_own() {
        assert_eq!(
            without_word("vm: /net/vm/x svmlib vm2 vm", "vm"),
            "redacted: /net/redacted/x svmlib vm2 redacted"
        );
    }

    #[test]
    fn kinds_are_read_and_slips_are_pointed_out() {
        assert_eq!("all".parse::<Redaction>().unwrap().kinds.len(), 4);
        let two = "hosts, paths".parse::<Redaction>().unwrap();
        assert_eq!(two.kinds, [Kind::Hosts, Kind::Paths]);
        let error = "path".parse::<Redaction>().unwrap_err();
        assert!(error.contains("did you mean \"paths\"?"), "{error}");
    }
}
