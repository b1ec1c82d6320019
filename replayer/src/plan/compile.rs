//! From a function of the table to the plan for its calls.

use cutape_cuda_api::convention::{Layout, Place};
use cutape_cuda_api::{
    Api, Direction, Effect as ApiEffect, Extent, Function, Length, Library, Param, Signature, Type,
    TypeKind,
};

use crate::plan::relocations::{Finder, Kinds, Way};
use crate::plan::rules::{self, OpaqueRole, SizeRule};
use crate::plan::{
    Destination, Effect, HostSide, Kind, Memory, ParamPlan, Passing, Plan, Plans, RangeBytes,
    Relocation, Returns, Role, Span, Target,
};
use crate::skip::SkipReason;

/// Words that a call can have; more than any function of the table takes.
pub const MAX_WORDS: usize = 40;

/// Makes plans.
pub struct Compiler {
    api: &'static Api,
    kinds: Kinds,
    plans: Vec<Plan>,
    kernels_agree: bool,
}

impl Default for Compiler {
    fn default() -> Self {
        Self::new(true)
    }
}

impl Compiler {
    /// Without any plan; `kernels_agree` if kernels leave behind what they left behind when the calls were recorded.
    pub fn new(kernels_agree: bool) -> Self {
        Self {
            api: Api::get(),
            kinds: Kinds::default(),
            plans: Vec::new(),
            kernels_agree,
        }
    }

    /// Adds the plan of a function by its exported name. `recorded` is its prototype as the trace has it: where that is not the table's,
    /// the recorded words can't be trusted to mean what the driver will take them for.
    pub fn add(&mut self, name: &str, recorded: Option<&Signature>) {
        let function = self.api.function(name).map(|id| self.api.at(id));
        let signature = function.and_then(|function| function.signature.as_ref());
        let plan = match (function, signature, recorded) {
            (Some(function), Some(signature), Some(recorded)) if is_same(signature, recorded) => {
                self.plan(function, signature)
            }
            _ => skipped(name, SkipReason::UnknownPrototype),
        };
        self.plans.push(plan);
    }

    /// All plans, in the order of adding.
    pub fn finish(self) -> Plans {
        Plans {
            plans: self.plans,
            kinds: self.kinds.names().to_vec(),
        }
    }

    fn plan(&mut self, function: &'static Function, signature: &'static Signature) -> Plan {
        let layout = Layout::of(self.api, function);
        if layout.places.len() > MAX_WORDS || layout.places.len() > usize::from(u8::MAX) {
            return skipped(&function.name, SkipReason::UnknownPrototype);
        }
        let mut params = Vec::new();
        let mut skip = rules::skip_of(&function.name);
        for (number, param) in signature.params.iter().enumerate() {
            let place = ParamPlace {
                function,
                signature,
                layout: &layout,
                number,
            };
            match self.role(&place, param) {
                Ok(Some(role)) => params.push(ParamPlan {
                    number: number as u8,
                    word: layout.first_word[number] as u8,
                    role,
                }),
                Ok(None) => {}
                Err(reason) => skip = skip.or(Some(reason)),
            }
        }
        Plan {
            function: function.name.clone(),
            is_nvml: function.library == Library::Nvml,
            skip,
            returns: returns(&signature.returns),
            passing: passing(&layout),
            words: layout.places.len() as u16,
            effects: self.effects(function, signature, &layout),
            takes_any_address: rules::takes_any_address(&function.name),
            writes_unseen: rules::writes_unseen(&function.name, self.kernels_agree),
            brings_data: rules::brings_data(&function.base),
            params,
        }
    }

    fn role(&mut self, place: &ParamPlace<'_>, param: &Param) -> Result<Option<Role>, SkipReason> {
        let role = match param.direction {
            Direction::Value => return Ok(self.value(place, param)),
            Direction::Opaque => self.opaque(place, param)?,
            Direction::In | Direction::InOut
                if rules::OPTION_VALUES.contains(&param.name.as_str()) =>
            {
                self.option_values(place)?
            }
            Direction::In if rules::names_image_file(&place.function.name, &param.name) => {
                Role::ImageFile
            }
            Direction::In if matches!(param.extent, Extent::Text(_)) => Role::Text,
            Direction::In => Role::In(self.memory(place, param, Way::Passed)?),
            Direction::Out => Role::Out(self.memory(place, param, Way::Answered)?),
            Direction::InOut => Role::InOut(self.memory(place, param, Way::Passed)?),
        };
        Ok(Some(role))
    }

    /// A value passed as it is has no plan.
    fn value(&mut self, place: &ParamPlace<'_>, param: &Param) -> Option<Role> {
        let relocations = self.relocations(&param.ty, Way::Passed);
        let bytes = self.api.size_of(&param.ty).unwrap_or(8);
        let side = rules::unified_side(&place.function.base, &param.name);
        let host_side = side.and_then(|(is_written, bytes)| {
            let bytes = place.word_named(bytes)?;
            Some(HostSide { is_written, bytes })
        });
        (!relocations.is_empty()).then_some(Role::Value {
            bytes,
            relocations,
            host_side,
        })
    }

    fn relocations(&mut self, ty: &Type, way: Way) -> Vec<Relocation> {
        Finder::new(self.api, &mut self.kinds, way).of(ty)
    }

    fn opaque(&mut self, place: &ParamPlace<'_>, param: &Param) -> Result<Role, SkipReason> {
        let host_side = |name: &str, is_written| {
            place
                .word_named(name)
                .map(|bytes| Role::Copied(HostSide { is_written, bytes }))
        };
        let role = match rules::opaque_role(&place.function.name, &param.name) {
            Some(OpaqueRole::Source(bytes)) => host_side(bytes, false),
            Some(OpaqueRole::Sink(bytes)) => host_side(bytes, true),
            Some(OpaqueRole::Host) => Some(Role::Host),
            Some(OpaqueRole::Registered(bytes)) => place
                .word_named(bytes)
                .map(|bytes| Role::Registered { bytes }),
            Some(OpaqueRole::Device) => Some(Role::DeviceAddress),
            Some(OpaqueRole::Scratch(bytes)) => Some(Role::Scratch { bytes }),
            Some(OpaqueRole::Stub(stub)) => Some(Role::Callback(stub)),
            Some(OpaqueRole::UserData) => Some(Role::UserData),
            Some(OpaqueRole::Image) => Some(Role::Image),
            Some(OpaqueRole::KernelParams) => Some(Role::KernelParams),
            Some(OpaqueRole::KernelExtra) => Some(Role::KernelExtra),
            None => Some(Role::OnlyNull),
        };
        role.ok_or(SkipReason::UnknownPrototype)
    }

    fn memory(
        &mut self,
        place: &ParamPlace<'_>,
        param: &Param,
        way: Way,
    ) -> Result<Memory, SkipReason> {
        let Type::Pointer { to, .. } = self.api.without_aliases(&param.ty) else {
            return Err(SkipReason::UnknownPrototype);
        };
        let item = match &param.extent {
            Extent::Bytes(_) | Extent::Text(_) => 1,
            _ => self
                .api
                .size_of(to)
                .filter(|&bytes| bytes > 0)
                .ok_or(SkipReason::UnknownPrototype)?,
        };
        let extent = match &param.extent {
            Extent::One => Span::Fixed(item),
            Extent::PointedText => Span::PointedText,
            // An answer of unknown length can't be given room.
            Extent::Text(None) => return Err(SkipReason::UnknownPrototype),
            Extent::Text(Some(length)) | Extent::Count(length) | Extent::Bytes(length) => {
                self.span(place, *length, item)?
            }
        };
        let is_list_of_places =
            rules::SCRATCH_POINTERS.contains(&(place.function.base.as_str(), param.name.as_str()));
        let relocations = match &param.extent {
            Extent::One | Extent::Count(_) if is_list_of_places => vec![Relocation {
                offset: 0,
                target: Target::Scratch,
                is_ambiguous: false,
                when: Vec::new(),
                shares_place: false,
            }],
            Extent::One if self.is_new_host_memory(place, param) => vec![Relocation {
                offset: 0,
                target: Target::HostAddress,
                is_ambiguous: false,
                when: Vec::new(),
                shares_place: false,
            }],
            Extent::One | Extent::Count(_) => self.relocations(to, way),
            _ => Vec::new(),
        };
        Ok(Memory {
            extent,
            relocations,
            may_stay_unwritten: rules::may_stay_unwritten(&place.function.name, &param.name),
        })
    }

    fn is_new_host_memory(&self, place: &ParamPlace<'_>, param: &Param) -> bool {
        let creates = ApiEffect::Creates(place.number as u16);
        place.function.effects.contains(&creates)
            && matches!(&param.ty, Type::Pointer { to, .. } if matches!(**to, Type::Pointer { .. }))
    }

    fn span(&self, place: &ParamPlace<'_>, length: Length, item: u32) -> Result<Span, SkipReason> {
        match length {
            Length::Const(count) => item
                .checked_mul(count)
                .map(Span::Fixed)
                .ok_or(SkipReason::TooLarge),
            Length::Param(number) => {
                let param = &place.signature.params[usize::from(number)];
                Ok(Span::Counted {
                    item,
                    word: place.layout.first_word[usize::from(number)] as u8,
                    word_bytes: self.api.size_of(&param.ty).unwrap_or(8) as u8,
                })
            }
            Length::Behind(number) => Ok(Span::CountedBehind {
                item,
                param: number as u8,
            }),
        }
    }

    /// `options in count(numOptions)` and `optionValues inout count(numOptions)` go together.
    fn option_values(&mut self, place: &ParamPlace<'_>) -> Result<Role, SkipReason> {
        let options = place
            .number
            .checked_sub(1)
            .ok_or(SkipReason::UnknownPrototype)?;
        match &place.signature.params[place.number].extent {
            Extent::Count(Length::Param(count)) => Ok(Role::OptionValues {
                options: options as u8,
                is_library: place.signature.params[place.number].name == rules::OPTION_VALUES[0],
                count: place.layout.first_word[usize::from(*count)] as u8,
            }),
            _ => Err(SkipReason::UnknownPrototype),
        }
    }

    fn effects(
        &mut self,
        function: &Function,
        signature: &Signature,
        layout: &Layout,
    ) -> Vec<Effect> {
        let place = ParamPlace {
            function,
            signature,
            layout,
            number: 0,
        };
        let mut effects: Vec<Effect> = function
            .effects
            .iter()
            .filter_map(|effect| match effect {
                ApiEffect::Creates(number) => Some(self.creation(&place, *number)),
                ApiEffect::Destroys(number) => self.destruction(&place, *number),
                _ => None,
            })
            .collect();
        if rules::RELEASES_HOST.contains(&function.base.as_str()) {
            effects.push(Effect::ReleasesHost(0));
        }
        if function.base == "cuDevicePrimaryCtxRetain" {
            effects.extend(place.word_named("dev").map(Effect::RetainsPrimaryContext));
        }
        effects
    }

    fn creation(&mut self, place: &ParamPlace<'_>, number: u16) -> Effect {
        let param = &place.signature.params[usize::from(number)];
        let is_handle = match &param.ty {
            Type::Pointer { to, .. } => self.handle_kind(to).is_some(),
            _ => false,
        };
        if is_handle {
            return Effect::CreatesHandle(number as u8);
        }
        let bytes = match rules::size_rule(&place.function.base) {
            Some(SizeRule::Param(name)) => place.word_named(name).map(RangeBytes::Word),
            Some(SizeRule::Behind(name)) => place.param_named(name).map(RangeBytes::Behind),
            Some(SizeRule::Pitch(pitch, rows)) => place
                .param_named(pitch)
                .zip(place.word_named(rows))
                .map(|(pitch, rows)| RangeBytes::PitchTimes { pitch, rows }),
            Some(SizeRule::Host(name)) => place.word_named(name).map(RangeBytes::HostRange),
            None => None,
        };
        Effect::CreatesRange {
            param: number as u8,
            bytes: bytes.unwrap_or(RangeBytes::Unknown),
            is_host: rules::HOST_TOO.contains(&place.function.base.as_str())
                || matches!(&param.ty, Type::Pointer { to, .. } if matches!(**to, Type::Pointer { .. })),
        }
    }

    fn destruction(&mut self, place: &ParamPlace<'_>, number: u16) -> Option<Effect> {
        let param = &place.signature.params[usize::from(number)];
        let word = place.layout.first_word[usize::from(number)] as u8;
        if let Some(kind) = self.handle_kind(&param.ty) {
            return Some(Effect::DestroysHandle { word, kind });
        }
        let is_pointer = self
            .api
            .definition(&param.ty)
            .is_some_and(|definition| definition.kind == TypeKind::DevicePointer);
        is_pointer.then_some(Effect::DestroysRange(word))
    }

    fn handle_kind(&mut self, ty: &Type) -> Option<Kind> {
        let definition = self.api.definition(ty)?;
        (definition.kind == TypeKind::Handle).then(|| self.kinds.number(&definition.name))
    }
}

/// A parameter among others.
struct ParamPlace<'a> {
    function: &'a Function,
    signature: &'a Signature,
    layout: &'a Layout,
    number: usize,
}

impl ParamPlace<'_> {
    fn param_named(&self, name: &str) -> Option<u8> {
        let params = &self.signature.params;
        params
            .iter()
            .position(|param| param.name == name)
            .map(|place| place as u8)
    }

    fn word_named(&self, name: &str) -> Option<u8> {
        self.param_named(name)
            .map(|number| self.layout.first_word[usize::from(number)] as u8)
    }
}

/// Whether a recorded prototype passes the same things in the same places as the table's. Names of parameters may differ.
fn is_same(own: &Signature, recorded: &Signature) -> bool {
    own.params.len() == recorded.params.len()
        && own
            .params
            .iter()
            .zip(&recorded.params)
            .all(|(own, recorded)| own.ty == recorded.ty && own.direction == recorded.direction)
}

fn skipped(name: &str, reason: SkipReason) -> Plan {
    Plan {
        function: name.to_owned(),
        is_nvml: name.starts_with("nvml"),
        skip: Some(reason),
        returns: Returns::Other,
        passing: Passing::Straight,
        words: 0,
        params: Vec::new(),
        effects: Vec::new(),
        takes_any_address: false,
        writes_unseen: true,
        brings_data: false,
    }
}

fn returns(ty: &Type) -> Returns {
    match ty {
        Type::Named(name) if name == "CUresult" || name == "nvmlReturn_t" => Returns::Code,
        _ => Returns::Other,
    }
}

fn passing(layout: &Layout) -> Passing {
    if layout.is_straight() {
        return Passing::Straight;
    }
    let destination = |place: &Place| match *place {
        Place::Register(number) => Destination::Register(number as u8),
        Place::Vector(number) => Destination::Vector(number as u8),
        Place::Stack(number) => Destination::Stack(number as u8),
    };
    Passing::Placed(layout.places.iter().map(destination).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plans() -> Plans {
        let mut compiler = Compiler::default();
        for function in Api::get().functions() {
            compiler.add(&function.name, function.signature.as_ref());
        }
        compiler.finish()
    }

    #[test]
    fn every_function_with_a_prototype_can_be_played_or_says_why_not() {
        let plans = plans();
        for plan in &plans.plans {
            let function = Api::get().function(&plan.function).expect("of the table");
            let has_prototype = Api::get().at(function).signature.is_some();
            if has_prototype {
                assert_ne!(
                    plan.skip,
                    Some(SkipReason::UnknownPrototype),
                    "{}",
                    plan.function
                );
            } else {
                assert_eq!(plan.skip, Some(SkipReason::UnknownPrototype));
            }
        }
    }

    #[test]
    fn an_allocation_makes_a_range_of_so_many_bytes() {
        let plans = plans();
        let plan = plans
            .plans
            .iter()
            .find(|plan| plan.function == "cuMemAlloc_v2")
            .expect("there");
        assert_eq!(
            plan.effects,
            [Effect::CreatesRange {
                param: 0,
                bytes: RangeBytes::Word(1),
                is_host: false
            }]
        );
    }

    #[test]
    fn every_source_of_device_pointers_knows_their_size_or_is_not_played() {
        for plan in plans().plans.iter().filter(|plan| plan.skip.is_none()) {
            for effect in &plan.effects {
                let unknown = matches!(
                    effect,
                    Effect::CreatesRange {
                        bytes: RangeBytes::Unknown,
                        ..
                    }
                );
                assert!(!unknown, "{}: {effect:?}", plan.function);
            }
        }
    }

    #[test]
    fn a_prototype_other_than_the_tables_is_not_trusted() {
        let mut compiler = Compiler::default();
        let id = Api::get().function("cuMemGetInfo_v2").expect("there");
        let mut signature = Api::get().at(id).signature.clone().expect("a prototype");
        signature.params[0].direction = Direction::Value;
        compiler.add("cuMemGetInfo_v2", Some(&signature));
        compiler.add("cuMemGetInfo_v2", None);
        compiler.add("cuFromTheFuture", None);
        for plan in compiler.finish().plans {
            assert_eq!(plan.skip, Some(SkipReason::UnknownPrototype));
        }
    }
}
