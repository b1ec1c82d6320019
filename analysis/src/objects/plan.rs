//! What the calls of a function mean for objects, worked out once for each function of a trace.

use cutape_cuda_api::{Direction, Effect, Extent, Function, Param, Type, TypeKind};
use cutape_trace_format::call::{Call, FunctionId};
use cutape_trace_format::capture_number::MAX_PARAMS;
use cutape_trace_format::schema::TraceSchema;

use super::kind::Kind;
use super::rules::{
    self, GLOBALS, MANNERS, Manner, REGISTERS_HOST, RESERVATIONS, RULES, Rule, SIZES,
    UNREGISTERS_HOST,
};
use super::site::{Role, Site, Spot, inside};
use crate::outcome::code_type;

/// A parameter passed by value is at most this long in any header.
const MAX_VALUE_BYTES: usize = 4096;
/// No header gives a type more names.
const MAX_ALIASES: usize = 12;

/// What the calls of one function mean for objects.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    /// Where the words of objects are: those that it takes before those that it answers, the ones it creates last.
    pub sites: Vec<Site>,
    /// How it creates.
    pub manner: Option<Manner>,
    /// Factors of the size of what it creates.
    pub size: Vec<Number>,
    /// The name of what it creates or tells about.
    pub name: Option<TextAt>,
    /// What it does besides.
    pub rule: Option<Rule>,
    /// Place among the argument words of the device that it is about.
    pub device: Option<u16>,
    /// Whether it returns a code, so that 0 is success; other functions always succeed.
    pub returns_code: bool,
    /// It only asks.
    pub only_asks: bool,
}

/// Where a text is found: behind which parameter, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TextAt {
    pub param: u8,
    pub after: bool,
}

/// Where a number is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number {
    param: u8,
    spot: Spot,
    bytes: u8,
}

impl Number {
    /// The number in a call.
    pub fn of(self, call: &Call) -> Option<u64> {
        let word = match self.spot {
            Spot::Word(place) => *call.args.get(usize::from(place))?,
            Spot::Behind { after, offset, .. } => {
                let capture = call.capture(self.param, after)?;
                let start = offset as usize;
                let bytes = capture.bytes.get(start..start + usize::from(self.bytes))?;
                bytes
                    .iter()
                    .rev()
                    .fold(0, |word, &byte| word << 8 | u64::from(byte))
            }
        };
        Some(match self.bytes {
            8.. => word,
            bytes => word & ((1 << (8 * u32::from(bytes))) - 1),
        })
    }
}

impl Plan {
    /// Whether the calls mean nothing for objects.
    pub fn is_empty(&self) -> bool {
        self.sites.is_empty() && self.rule.is_none()
    }

    /// Whether a call did what it was asked.
    pub fn succeeded(&self, call: &Call) -> bool {
        call.returned
            .is_some_and(|word| !self.returns_code || word as u32 == 0)
    }

    /// The plan for a function.
    pub fn new(schema: &TraceSchema, function: &Function) -> Self {
        let Some(signature) = &function.signature else {
            return Self::default();
        };
        let mut builder = Builder {
            schema,
            function,
            params: &signature.params,
            plan: Self {
                rule: rules::of(&RULES, &function.base),
                returns_code: matches!(&signature.returns, Type::Named(name) if name == code_type(function.library)),
                only_asks: function.effects.contains(&Effect::Queries),
                ..Self::default()
            },
        };
        builder.add_params();
        builder
            .plan
            .sites
            .sort_by_key(|site| site.role == Role::Creates);
        builder
            .plan
            .sites
            .sort_by_key(|site| matches!(site.role, Role::Tells | Role::Creates));
        builder.plan
    }
}

struct Builder<'a> {
    schema: &'a TraceSchema,
    function: &'a Function,
    params: &'a [Param],
    plan: Plan,
}

impl Builder<'_> {
    fn add_params(&mut self) {
        let mut word = 0;
        for (number, param) in (0..MAX_PARAMS).zip(self.params) {
            match param.direction {
                Direction::Value => self.add_value(number, param, word),
                Direction::In => self.add_behind(number, param, false),
                Direction::Out => self.add_behind(number, param, true),
                Direction::InOut => {
                    self.add_behind(number, param, false);
                    self.add_behind(number, param, true);
                }
                Direction::Opaque => self.add_host_pointer(number, param, word),
            }
            if matches!(&param.ty, Type::Named(name) if name == "CUdevice") {
                self.plan.device = self.plan.device.or(Some(word));
            }
            word = word.saturating_add(self.words(param));
        }
        self.add_what_creation_needs();
    }

    fn add_what_creation_needs(&mut self) {
        let creates = |site: &Site| site.role == Role::Creates;
        if self.plan.sites.iter().any(creates) {
            let manner = rules::of(&MANNERS, &self.function.base);
            self.plan.manner = Some(manner.unwrap_or(Manner::New));
            self.plan.size = self.size();
            self.plan.name = self.text(Direction::In);
        } else if self.plan.rule == Some(Rule::TellName) {
            self.plan.name = self.text(Direction::Out);
        }
    }

    /// Argument words that a parameter takes.
    fn words(&self, param: &Param) -> u16 {
        match param.direction {
            Direction::Value => {
                let bytes = self.schema.size_of(&param.ty).clamp(1, MAX_VALUE_BYTES);
                bytes.div_ceil(8) as u16
            }
            _ => 1,
        }
    }

    fn add_value(&mut self, number: u8, param: &Param, word: u16) {
        for found in inside(self.schema, &param.ty) {
            let destroys = self.has(Effect::Destroys(number.into()));
            self.plan.sites.push(Site {
                param: number,
                kind: memory_kind(&self.function.base, found.kind),
                spot: Spot::Word(word.saturating_add((found.offset / 8) as u16)),
                role: if destroys {
                    Role::Destroys
                } else {
                    Role::Takes
                },
                sure: found.whole,
            });
        }
    }

    fn add_behind(&mut self, number: u8, param: &Param, after: bool) {
        let Type::Pointer { to, .. } = &param.ty else {
            return;
        };
        let creates = after && self.creates(number);
        let many = !matches!(param.extent, Extent::One);
        let stride = if many {
            self.schema.size_of(to) as u32
        } else {
            0
        };
        let mut push = |kind, offset, whole| {
            self.plan.sites.push(Site {
                param: number,
                kind,
                spot: Spot::Behind {
                    after,
                    offset,
                    stride,
                },
                role: match (after, creates && whole) {
                    (_, true) => Role::Creates,
                    (true, false) => Role::Tells,
                    (false, false) => Role::Takes,
                },
                sure: whole,
            });
        };
        if creates && is_void_pointer(to) {
            push(Kind::HostMemory, 0, true);
            return;
        }
        let base = self.function.base.as_str();
        for found in inside(self.schema, to) {
            push(memory_kind(base, found.kind), found.offset, found.whole);
        }
    }

    /// A pointer into the process: page-locked memory, if it is known as such.
    fn add_host_pointer(&mut self, number: u8, param: &Param, word: u16) {
        if !is_void_pointer(&param.ty) {
            return;
        }
        let base = self.function.base.as_str();
        let registers = REGISTERS_HOST.contains(&base) && number == 0;
        let destroys = self.has(Effect::Destroys(number.into()))
            || UNREGISTERS_HOST.contains(&base) && number == 0;
        self.plan.sites.push(Site {
            param: number,
            kind: Kind::HostMemory,
            spot: Spot::Word(word),
            role: match (registers, destroys) {
                (true, _) => Role::Creates,
                (_, true) => Role::Destroys,
                _ => Role::Takes,
            },
            sure: registers || destroys,
        });
    }

    fn has(&self, effect: Effect) -> bool {
        self.function.effects.contains(&effect)
    }

    /// Whether what the parameter points to after the call is new or comes from the driver's own.
    fn creates(&self, number: u8) -> bool {
        self.has(Effect::Creates(number.into()))
            || rules::of(&MANNERS, &self.function.base) == Some(Manner::Given)
    }

    /// The first text that the call takes or answers.
    fn text(&self, direction: Direction) -> Option<TextAt> {
        let is_text = |param: &Param| {
            param.direction == direction
                && matches!(param.extent, Extent::Text(_) | Extent::PointedText)
        };
        let param = self.params.iter().position(is_text)?;
        Some(TextAt {
            param: u8::try_from(param).ok()?,
            after: direction == Direction::Out,
        })
    }

    /// The factors of the size of what is created; none where one of them is not to be found.
    fn size(&self) -> Vec<Number> {
        let factors = rules::of(&SIZES, &self.function.base).unwrap_or_default();
        let found: Option<Vec<Number>> = factors.iter().map(|path| self.number(path)).collect();
        found.unwrap_or_default()
    }

    /// A parameter, what it points to, or a field of that.
    fn number(&self, path: &str) -> Option<Number> {
        let (name, field) = match path.split_once('.') {
            Some((name, field)) => (name, Some(field)),
            None => (path, None),
        };
        let place = self.params.iter().position(|param| param.name == name)?;
        let param = &self.params[place];
        let size = |ty: &Type| {
            u8::try_from(self.schema.size_of(ty))
                .ok()
                .filter(|size| (1..=8).contains(size))
        };
        if param.direction == Direction::Value {
            let words = self.params[..place].iter().map(|param| self.words(param));
            return Some(Number {
                param: u8::try_from(place).ok()?,
                spot: Spot::Word(words.fold(0, u16::saturating_add)),
                bytes: size(&param.ty)?,
            });
        }
        let Type::Pointer { to, .. } = &param.ty else {
            return None;
        };
        let (offset, ty) = match field {
            None => (0, &**to),
            Some(field) => self.field(to, field)?,
        };
        Some(Number {
            param: u8::try_from(place).ok()?,
            spot: Spot::Behind {
                after: param.direction == Direction::Out,
                offset,
                stride: 0,
            },
            bytes: size(ty)?,
        })
    }

    fn field<'t>(&'t self, ty: &'t Type, name: &str) -> Option<(u32, &'t Type)> {
        let mut ty = ty;
        // An alias may stand for itself in a hostile schema.
        for _ in 0..MAX_ALIASES {
            let Type::Named(type_name) = ty else {
                return None;
            };
            match &self.schema.type_named(type_name)?.kind {
                TypeKind::Alias(target) => ty = target,
                TypeKind::Struct(fields) => {
                    let field = fields.iter().find(|field| field.name == name)?;
                    return Some((field.offset, &field.ty));
                }
                _ => return None,
            }
        }
        None
    }
}

fn is_void_pointer(ty: &Type) -> bool {
    matches!(ty, Type::Pointer { to, .. } if **to == Type::Void)
}

/// The kind of new or destroyed memory, by the function: the table has one type for all device addresses.
fn memory_kind(base: &str, kind: Kind) -> Kind {
    match kind {
        Kind::DeviceMemory if GLOBALS.contains(&base) => Kind::Global,
        Kind::DeviceMemory if RESERVATIONS.contains(&base) => Kind::Reservation,
        other => other,
    }
}

/// Plans by function.
#[derive(Debug, Default)]
pub(super) struct Plans(Vec<Option<Box<Plan>>>);

impl Plans {
    /// The plan of a function; nothing for one that the trace does not describe.
    pub fn of(&mut self, schema: &TraceSchema, id: FunctionId) -> Option<&Plan> {
        let place = id.0 as usize;
        let function = schema.function(id)?;
        if self.0.len() <= place {
            self.0.resize(place + 1, None);
        }
        let plan = self.0.get_mut(place)?;
        Some(plan.get_or_insert_with(|| Box::new(Plan::new(schema, function))))
    }
}
