//! Readable names for the words of one call.

use cutape_cuda_api::Effect;
use cutape_trace_format::call::Call;
use cutape_trace_format::schema::TraceSchema;
use cutape_trace_format::trace::Trace;

use super::all::Objects;
use super::kind::Kind;
use super::object::{Label, Object, ObjectId};
use super::tracker::{ObjectTracker, Part, Reference};

/// Names for the handles and addresses of one call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallNames {
    names: Vec<Name>,
    /// Names were looked for.
    is_named: bool,
}

/// What a word of a call stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// Place of the parameter in which, or behind which, the word stands.
    pub param: u8,
    /// The handle or address.
    pub word: u64,
    /// Its name.
    pub label: Label,
    /// The object's own name, where that is what one wants to know: of the kernel that is launched.
    pub own: Option<Box<str>>,
    /// The call creates it: here one may want to see both, the word and the name.
    pub is_created: bool,
    /// The call with which the object went, if that was before this one.
    pub gone_since: Option<u64>,
}

impl CallNames {
    /// No names: words are shown as they are.
    pub const NONE: &Self = &Self {
        names: Vec::new(),
        is_named: false,
    };

    /// Names for the references of a call to objects that are all known.
    pub fn in_objects(
        objects: &Objects,
        schema: &TraceSchema,
        (call, references): (&Call, &[Reference]),
    ) -> Self {
        let mut names = Self::default();
        names.set(schema, (call, references), objects);
        names
    }

    fn set(
        &mut self,
        schema: &TraceSchema,
        (call, references): (&Call, &[Reference]),
        known: &impl KnownObjects,
    ) {
        let launches = schema
            .function(call.function)
            .is_some_and(|function| function.effects.contains(&Effect::Launches));
        self.names.clear();
        self.is_named = true;
        self.names.extend(references.iter().filter_map(|reference| {
            let object = known.known(reference.object)?;
            let gone = reference.part == Part::UsedAfterEnd;
            let is_code = matches!(object.kind(), Kind::Function | Kind::Kernel);
            // A kernel from an export table has no call of its own that says which one it is.
            let is_introduced = reference.part == Part::Used && object.created() == Some(call.seq);
            let launched = is_code && (launches || is_introduced);
            Some(Name {
                param: reference.param,
                word: reference.word,
                label: object.label_at(call.seq).with_offset(reference.offset),
                own: known
                    .own_name(reference.object)
                    .filter(|_| launched)
                    .map(Into::into),
                is_created: reference.part == Part::Created,
                gone_since: object.ended().map(|(seq, _)| seq).filter(|_| gone),
            })
        }));
    }

    /// Whether words are to be shown as they are.
    pub fn is_none(&self) -> bool {
        !self.is_named
    }

    /// All names, in the order of the parameters that the call takes, then of those that it answers.
    pub fn all(&self) -> &[Name] {
        &self.names
    }

    /// The names by argument, each of its name and what it refers to, with spaces between several.
    pub fn by_argument(&self, schema: &TraceSchema, call: &Call) -> Vec<(String, String)> {
        let params = schema
            .function(call.function)
            .and_then(|function| function.signature.as_ref())
            .map_or(&[][..], |signature| &signature.params);
        let mut all: Vec<(String, String)> = Vec::new();
        let mut last = None;
        let mut sorted: Vec<&Name> = self.names.iter().collect();
        sorted.sort_by_key(|name| name.param);
        for name in sorted {
            match all.last_mut().filter(|_| last == Some(name.param)) {
                Some((_, labels)) => labels.push(' '),
                None => {
                    let param = params.get(usize::from(name.param));
                    let text = param.map_or_else(String::new, |param| param.name.clone());
                    all.push((text, String::new()));
                }
            }
            last = Some(name.param);
            if let Some((_, labels)) = all.last_mut() {
                name.label.push(labels);
            }
        }
        all
    }

    /// The name of a word that stands in, or behind, that parameter.
    pub fn find(&self, param: u8, word: u64) -> Option<&Name> {
        self.names
            .iter()
            .find(|name| name.param == param && name.word == word)
    }
}

/// Objects as far as they are known.
trait KnownObjects {
    fn known(&self, id: ObjectId) -> Option<&Object>;
    fn own_name(&self, id: ObjectId) -> Option<&str>;
}

impl KnownObjects for Objects {
    fn known(&self, id: ObjectId) -> Option<&Object> {
        self.get(id)
    }

    fn own_name(&self, id: ObjectId) -> Option<&str> {
        self.name(id)
    }
}

impl KnownObjects for ObjectTracker {
    fn known(&self, id: ObjectId) -> Option<&Object> {
        Some(self.object(id))
    }

    fn own_name(&self, id: ObjectId) -> Option<&str> {
        self.name(id)
    }
}

/// Names words of calls that come in order.
#[derive(Debug, Default)]
pub struct Namer {
    tracker: ObjectTracker,
    names: CallNames,
}

impl Namer {
    /// Takes in the next call and names what it refers to.
    pub fn observe(&mut self, schema: &TraceSchema, call: &Call) -> &CallNames {
        self.tracker.observe(schema, call);
        let tracker = &self.tracker;
        self.names
            .set(schema, (call, tracker.references()), tracker);
        &self.names
    }

    /// The names that the last call has.
    pub fn names(&self) -> &CallNames {
        &self.names
    }

    /// What is known about the objects so far.
    pub fn tracker(&mut self) -> &mut ObjectTracker {
        &mut self.tracker
    }
}

/// Names for some calls of a trace, in order. Their numbers may be others than in the trace: a call is known by thread and begin.
pub fn names_in(trace: &Trace, calls: &[Call]) -> Vec<CallNames> {
    let mut namer = Namer::default();
    let mut all = Vec::with_capacity(calls.len());
    let mut source = trace.calls();
    let mut call = Call::default();
    while all.len() < calls.len() {
        match source.read_next(&mut call) {
            Ok(true) => {}
            Ok(false) => break,
            // What damage takes has no names, and the caller has met it already.
            Err(_) => continue,
        }
        let names = namer.observe(trace.schema(), &call);
        let wanted = &calls[all.len()];
        if (call.thread, call.begin_ns, call.function)
            == (wanted.thread, wanted.begin_ns, wanted.function)
        {
            all.push(names.clone());
        }
    }
    all.resize(calls.len(), CallNames::default());
    all
}
