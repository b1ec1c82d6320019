//! One call, step by step: what it takes, what it destroys, what it answers, what it creates.

use cutape_trace_format::call::Call;
use cutape_trace_format::function_name::FunctionName;

use super::kind::Kind;
use super::object::{Ending, Object, ObjectId, Origin};
use super::plan::Plan;
use super::process::{Found, ProcessState};
use super::rules::{Manner, Rule};
use super::site::{Role, Site, kernel_words};
use super::store::{Alias, Store};
use super::tracker::{Misuse, Misuses, Part, Reference};

/// References of one call; no real one comes near.
const MAX_REFERENCES: usize = 4096;

/// A call with all that it may change.
pub(super) struct Step<'a> {
    pub call: &'a Call,
    pub plan: &'a Plan,
    pub succeeded: bool,
    pub store: &'a mut Store,
    pub process: &'a mut ProcessState,
    pub references: &'a mut Vec<Reference>,
    pub misuses: &'a mut Misuses,
}

impl Step<'_> {
    /// Does it all.
    pub fn run(mut self) {
        for &site in &self.plan.sites {
            let answers = matches!(site.role, Role::Tells | Role::Creates);
            if answers && !self.succeeded {
                break;
            }
            for word in site.words(self.call) {
                if self.references.len() >= MAX_REFERENCES || site.kind.constant(word).is_some() {
                    break;
                }
                match site.role {
                    Role::Takes | Role::Destroys => {
                        self.take(site, word);
                        if site.kind == Kind::Function {
                            self.learn_private(site, word);
                        }
                    }
                    Role::Tells => self.tell(site, word),
                    Role::Creates => self.create(site, word),
                }
            }
        }
        for (param, word) in kernel_words(self.call) {
            self.take(Site::in_kernel_arguments(param), word);
        }
        if let Some(rule) = self.plan.rule.filter(|_| self.succeeded) {
            self.follow(rule);
        }
    }

    fn seq(&self) -> u64 {
        self.call.seq
    }

    fn end_ns(&self) -> u64 {
        let duration_ns = self.call.duration_ns.unwrap_or(0);
        self.call.begin_ns.saturating_add(duration_ns)
    }

    fn refer(&mut self, site: Site, word: u64, found: Found, part: Part) {
        self.references.push(Reference {
            param: site.param,
            word,
            object: found.object,
            offset: found.offset,
            part,
        });
    }

    /// The object of some kind that the call refers to first.
    fn referred(&self, kind: Kind) -> Option<ObjectId> {
        let mut objects = self.references.iter().map(|reference| reference.object);
        objects.find(|&object| self.store.get(object).kind == kind)
    }

    fn take(&mut self, site: Site, word: u64) {
        let destroys = site.role == Role::Destroys;
        match self.process.find(site.kind, word, self.store) {
            Some(found) if self.is_there(found.object) => {
                let part = if destroys {
                    Part::Destroyed
                } else {
                    Part::Used
                };
                self.refer(site, word, found, part);
                let seq = self.seq();
                let object = self.store.get_mut(found.object);
                object.uses += 1;
                object.last_used = seq;
                if destroys && self.succeeded && found.offset == 0 {
                    self.release(found.object);
                }
            }
            Some(found) if site.sure && self.is_misuse(found.object) => {
                self.refer(site, word, found, Part::UsedAfterEnd);
                self.misuses.add(Misuse {
                    seq: self.call.seq,
                    param: site.param,
                    object: found.object,
                });
            }
            Some(_) => {}
            None if site.sure && (destroys || !site.kind.is_memory()) => {
                self.take_foreign(site, word);
            }
            None => {}
        }
    }

    /// Whether an object is alive. A primary context lives as long as anyone holds it, and the runtime holds it through an export table,
    /// unseen: if the driver does what it is asked, the context is there.
    fn is_there(&mut self, id: ObjectId) -> bool {
        let object = self.store.get(id);
        if !object.is_alive() && object.kind == Kind::Context && self.succeeded {
            let primary = self.process.primary.values().any(|&primary| primary == id);
            if primary {
                self.store.revive(id);
            }
        }
        self.store.get(id).is_alive()
    }

    /// Whether the use of an object that is gone is worth a word. An address may be asked about whatever became of it, and host memory
    /// that is no longer page-locked is still memory.
    fn is_misuse(&self, id: ObjectId) -> bool {
        match self.store.get(id).kind {
            Kind::HostMemory => false,
            kind => !(kind.is_memory() && self.plan.only_asks),
        }
    }

    fn take_foreign(&mut self, site: Site, word: u64) {
        let Some(id) = self.discover(site.kind, word) else {
            return;
        };
        let seq = self.seq();
        let object = self.store.get_mut(id);
        object.uses = 1;
        object.last_used = seq;
        let destroys = site.role == Role::Destroys;
        let part = if destroys {
            Part::Destroyed
        } else {
            Part::Used
        };
        self.refer(
            site,
            word,
            Found {
                object: id,
                offset: 0,
            },
            part,
        );
        if destroys && self.succeeded {
            self.release(id);
        }
    }

    /// A kernel that came through an export table, whose calls are not recorded, and of which this call's record says what it is.
    fn learn_private(&mut self, site: Site, word: u64) {
        let found = self.process.find(site.kind, word, self.store);
        let Some(Found { object: id, .. }) =
            found.filter(|found| self.store.get(found.object).origin == Origin::Foreign)
        else {
            return;
        };
        let capture = self.call.capture(site.param, true);
        let Some(told) = capture.and_then(|capture| FunctionName::read(capture.bytes)) else {
            return;
        };
        self.store.adopt(id, Origin::Given, self.call.seq);
        self.store
            .set_name(id, &String::from_utf8_lossy(&told.name));
        let module = self.process.find(Kind::Module, told.module, self.store);
        if let Some(module) = module.filter(|module| self.store.get(module.object).is_alive()) {
            self.store.set_parent(id, module.object);
        }
    }

    /// An object that was there before the trace tells of it.
    fn discover(&mut self, kind: Kind, word: u64) -> Option<ObjectId> {
        let origin = if kind.info().of_driver {
            Origin::Given
        } else {
            Origin::Foreign
        };
        let object = Object::new(kind, origin, word, self.seq());
        let id = self.store.add(self.call.process, object)?;
        self.process.discover(id, word, self.call.seq, self.store);
        Some(id)
    }

    /// One holder less; the last one's release destroys.
    fn release(&mut self, id: ObjectId) {
        let seq = self.seq();
        let object = self.store.get_mut(id);
        object.holders = object.holders.saturating_sub(1);
        if object.holders > 0 {
            return;
        }
        self.store.end(id, seq, Ending::Destroyed);
        if self.process.current(self.call.thread) == Some(id) {
            self.process.pop_current(self.call.thread);
        }
    }

    fn tell(&mut self, site: Site, word: u64) {
        match self.process.find(site.kind, word, self.store) {
            Some(found) if self.is_there(found.object) => {
                self.refer(site, word, found, Part::Told);
            }
            _ if site.sure && !site.kind.is_memory() => {
                if let Some(object) = self.discover(site.kind, word) {
                    self.refer(site, word, Found { object, offset: 0 }, Part::Told);
                }
            }
            _ => {}
        }
    }

    fn create(&mut self, site: Site, word: u64) {
        match self.plan.manner {
            Some(Manner::Alias) => self.create_alias(site, word),
            Some(manner @ (Manner::Once | Manner::Held | Manner::Given)) => {
                let found = self.process.find(site.kind, word, self.store);
                let known = found.filter(|found| {
                    found.offset == 0 && self.store.get(found.object).kind == site.kind
                });
                match known.filter(|found| self.is_there(found.object)) {
                    Some(found) => self.create_again(site, word, (found, manner)),
                    None => self.create_new(site, word, manner),
                }
            }
            Some(Manner::New) | None => self.create_new(site, word, Manner::New),
        }
    }

    fn create_new(&mut self, site: Site, word: u64, manner: Manner) {
        let origin = match manner {
            Manner::Given => Origin::Given,
            _ => Origin::Created,
        };
        let object = Object::new(site.kind, origin, word, self.seq());
        let Some(id) = self.store.add(self.call.process, object) else {
            return;
        };
        self.describe(id);
        let when = (self.seq(), self.end_ns());
        self.process.create(id, word, when);
        self.refer(
            site,
            word,
            Found {
                object: id,
                offset: 0,
            },
            Part::Created,
        );
    }

    /// The call answers an object that is there. If it was foreign until now, this is its creation.
    fn create_again(&mut self, site: Site, word: u64, (found, manner): (Found, Manner)) {
        let id = found.object;
        let foreign = self.store.get(id).origin == Origin::Foreign;
        if manner == Manner::Held {
            // Who uses a foreign object holds it, too.
            let object = self.store.get_mut(id);
            object.holders = object.holders.saturating_add(1);
        }
        if foreign {
            let origin = if manner == Manner::Given {
                Origin::Given
            } else {
                Origin::Created
            };
            self.store.adopt(id, origin, self.call.seq);
            self.describe(id);
        }
        let part = if foreign { Part::Created } else { Part::Told };
        self.refer(site, word, found, part);
    }

    /// The call answers another address of the host memory that it was asked about.
    fn create_alias(&mut self, site: Site, word: u64) {
        let asked = self
            .references
            .iter()
            .find(|reference| self.store.get(reference.object).kind == Kind::HostMemory);
        let Some(&Reference { object, offset, .. }) = asked else {
            return;
        };
        let found = self.process.find(site.kind, word, self.store);
        if found.is_none_or(|found| found.object != object) {
            let (seq, word) = (self.seq(), word.saturating_sub(offset));
            self.store.aliases.push(Alias { object, word, seq });
            self.process.create(object, word, (seq, self.end_ns()));
        }
        self.refer(site, word, Found { object, offset }, Part::Told);
    }

    /// Gives a new object its size, its name and what it is part of.
    fn describe(&mut self, id: ObjectId) {
        let factors = self.plan.size.iter().map(|number| number.of(self.call));
        let bytes = factors.reduce(|product, factor| Some(product?.saturating_mul(factor?)));
        if let Some(bytes) = bytes.flatten().filter(|&bytes| bytes != u64::MAX) {
            self.store.set_bytes(id, bytes);
        }
        let info = self.store.get(id).kind.info();
        let mut wholes = info.parts_of.iter();
        let whole = wholes.find_map(|&kind| self.referred(kind)).or_else(|| {
            let current = self.process.current(self.call.thread);
            current.filter(|_| info.in_context)
        });
        if let Some(whole) = whole.filter(|&whole| self.store.get(whole).is_alive()) {
            self.store.set_parent(id, whole);
        }
        self.set_name(id);
        let whole = self.store.get(id).parent();
        if let Some(whole) = whole.filter(|&whole| self.store.get(whole).kind == Kind::Kernel) {
            let name = self.store.get(whole).name;
            self.store.get_mut(id).name = name;
        }
    }

    fn set_name(&mut self, id: ObjectId) {
        let text = self
            .plan
            .name
            .and_then(|at| self.call.capture(at.param, at.after));
        let Some(text) = text else {
            return;
        };
        let end = text.bytes.iter().position(|&byte| byte == 0);
        let bytes = &text.bytes[..end.unwrap_or(text.bytes.len())];
        if !bytes.is_empty() {
            self.store.set_name(id, &String::from_utf8_lossy(bytes));
        }
    }

    fn follow(&mut self, rule: Rule) {
        let thread = self.call.thread;
        let context = self.referred(Kind::Context);
        let device = self
            .plan
            .device
            .and_then(|place| self.call.args.get(usize::from(place)));
        let primary = device.and_then(|device| self.process.primary.get(device).copied());
        match rule {
            Rule::SetCurrent => self.process.set_current(thread, context),
            Rule::PushCurrent => {
                if let Some(context) = context {
                    self.process.push_current(thread, context);
                }
            }
            Rule::PopCurrent => self.process.pop_current(thread),
            Rule::TellCurrent => {
                if self.process.current(thread) != context {
                    self.process.set_current(thread, context);
                }
            }
            Rule::RetainPrimary => {
                if let (Some(&device), Some(context)) = (device, context) {
                    self.process.primary.insert(device, context);
                }
            }
            Rule::ReleasePrimary => {
                if let Some(primary) = primary.filter(|&id| self.store.get(id).is_alive()) {
                    self.release(primary);
                }
            }
            Rule::ResetPrimary => {
                if let Some(primary) = primary {
                    self.store.end_parts(primary, self.call.seq);
                }
            }
            Rule::TellName => {
                if let Some(first) = self.references.first().map(|reference| reference.object) {
                    self.set_name(first);
                }
            }
        }
    }
}
