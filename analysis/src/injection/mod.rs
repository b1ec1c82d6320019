//! Rules of `record --inject` and `--override`: `cuMemAlloc:error=OUT_OF_MEMORY:when=3+`, `cuMemGetInfo_v2:free=78GiB,total=80GiB,ret=0`.
//! docs/inject.md describes them for users.
//!
//! A rule is `FUNCTIONS:ITEM...`, with `:` or `,` between items. It is compiled here, with the API table at hand, into a
//! [`Plan`] of numbers and bytes that the interposer carries out without knowing any type.

mod item;
mod piece;
mod place;
mod recorded;
mod selector;
mod value;
mod when;

use cutape_cuda_api::convention::Layout;
use cutape_cuda_api::{Api, Extent, Function, FunctionId, Length, Type};
use cutape_trace_format::injected::MAX_RULES;
use cutape_trace_format::injection_plan::{Effect, Plan, Replacement, Room, Rule, Target};

pub(crate) use self::recorded::has_rules;
pub use self::recorded::{rules_of, rules_on};
pub use crate::filter::FilterError as RuleError;
use crate::outcome::code_type;

use self::item::Items;
use self::piece::Piece;
use self::place::{Place, params};
use self::selector::Selector;

/// The rules of a recording.
#[derive(Clone, Debug, Default)]
pub struct Injection {
    /// What the interposer does.
    pub plan: Plan,
    /// Functions that programs must not find.
    pub hidden: Vec<String>,
}

impl Injection {
    /// Reads the rules of both options.
    ///
    /// # Errors
    /// The option and what is wrong with its rule, with a mark under the place.
    pub fn of(inject: &[String], overrides: &[String]) -> Result<Self, String> {
        let api = Api::get();
        let mut injection = Self {
            plan: Plan {
                functions: api.functions().len() as u32,
                rules: Vec::new(),
            },
            hidden: Vec::new(),
        };
        for (texts, overrides) in [(inject, false), (overrides, true)] {
            for text in texts {
                let rule = rule(api, text, overrides).map_err(|error| {
                    let option = if overrides { "--override" } else { "--inject" };
                    format!("{option}: {error}")
                })?;
                injection.add(api, rule);
            }
        }
        if injection.plan.rules.len() > MAX_RULES {
            return Err(format!(
                "expected at most {MAX_RULES} rules, found {}; one rule can be for many functions: cuMem*,cuMemcpy*:...",
                injection.plan.rules.len()
            ));
        }
        Ok(injection)
    }

    /// Whether there are no rules.
    pub fn is_empty(&self) -> bool {
        self.plan.rules.is_empty()
    }

    fn add(&mut self, api: &Api, rule: Rule) {
        if rule.effect.hides {
            let names = rule.targets.iter().map(|target| {
                let function = api.at(FunctionId(target.function));
                function.name.clone()
            });
            self.hidden.extend(names);
        }
        self.plan.rules.push(rule);
    }
}

/// Reads one rule.
fn rule(api: &Api, text: &str, overrides: bool) -> Result<Rule, RuleError> {
    let whole = Piece::whole(text);
    let functions_end = whole.split(&[':']);
    let items = match functions_end.as_slice() {
        [_, _, ..] => {
            let rest = functions_end[1].up_to(&functions_end[functions_end.len() - 1]);
            Items::read(&rest.split(&[':', ',']))?
        }
        _ => Items::default(),
    };
    let selectors = Selector::list(&functions_end[0])?;
    check(&whole, &selectors, &items, overrides)?;
    let mut rule = Rule {
        overrides,
        text: text.to_owned(),
        effect: Effect {
            withholds: !overrides && items.code.is_some() && items.after.is_none(),
            returns: None,
            delay_before_ns: items.delay_before_ns,
            delay_after_ns: items.delay_after_ns,
            signal: items.signal,
            hides: items.missing.is_some(),
        },
        when: items.when.clone(),
        program: items.program.clone(),
        targets: Vec::new(),
    };
    for selector in &selectors {
        add_targets(api, &mut rule, selector, &items)?;
    }
    Ok(rule)
}

/// Whether the parts of a rule go together.
fn check(
    whole: &Piece<'_>,
    selectors: &[Selector<'_>],
    items: &Items<'_>,
    overrides: bool,
) -> Result<(), RuleError> {
    if let Some(missing) = &items.missing {
        let alone = items.only_missing()
            && selectors
                .iter()
                .all(|selector| selector.conditions.is_empty());
        return match (overrides, alone) {
            (true, _) => Err(missing.error_with(
                "NAME=VALUE or ret=CODE",
                Some("missing is for --inject".to_owned()),
            )),
            (false, false) => Err(missing
                .error("missing alone: a function is there or not, for all calls and programs")),
            (false, true) => Ok(()),
        };
    }
    if let Some(after) = &items.after {
        let hint = match (overrides, &items.code) {
            (true, _) => "an override always calls the driver first",
            (false, None) => "without error or ret the driver is called anyway",
            (false, Some(_)) => return Ok(()),
        };
        return Err(after.error_with("no after", Some(hint.to_owned())));
    }
    let has_values =
        !items.writes.is_empty() || selectors.iter().any(|selector| selector.value.is_some());
    if overrides && !has_values && items.code.is_none() {
        let hint = "an override replaces what the driver answers, such as cuMemGetInfo_v2:free=78GiB:total=80GiB";
        return Err(whole.error_with(
            "NAME=VALUE or ret=CODE behind the functions",
            Some(hint.to_owned()),
        ));
    }
    if !items.acts() && !has_values {
        let hint = "a rule does something, such as cuMemAlloc:error=OUT_OF_MEMORY:when=3+";
        return Err(whole.error_with(
            "error, ret, delay, signal, missing or NAME=VALUE behind the functions",
            Some(hint.to_owned()),
        ));
    }
    Ok(())
}

/// Adds the functions that a selector means. Of several, those that the rule makes no sense for are left out: not all versions of a
/// function have room for the same number.
fn add_targets(
    api: &Api,
    rule: &mut Rule,
    selector: &Selector<'_>,
    items: &Items<'_>,
) -> Result<(), RuleError> {
    let mut first_error = None;
    let mut found = false;
    for id in selector.functions(api)? {
        match target(api, id, selector, items) {
            Ok((target, code)) => {
                found = true;
                // Codes of CUDA and of NVML have the same names and other numbers, so a rule for both would need two.
                match (rule.effect.returns, code) {
                    (Some(known), Some(code)) if known != code => {
                        let library = "functions of one library: the code has another number in the other one";
                        return Err(selector.name.error(library));
                    }
                    _ => rule.effect.returns = code.or(rule.effect.returns),
                }
                if !rule.targets.contains(&target) {
                    rule.targets.push(target);
                }
            }
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    match first_error {
        Some(error) if !found => Err(error),
        _ => Ok(()),
    }
}

/// A function with what the rule means for it, and the code that it returns.
fn target(
    api: &Api,
    id: FunctionId,
    selector: &Selector<'_>,
    items: &Items<'_>,
) -> Result<(Target, Option<u32>), RuleError> {
    let function = api.at(id);
    let layout = Layout::of(api, function);
    let code = match &items.code {
        Some(value) => Some(code(api, function, value)?),
        None => None,
    };
    let conditions = selector
        .conditions
        .iter()
        .map(|text| selector::condition(api, function, &layout, text))
        .collect::<Result<_, _>>()?;
    let mut writes = Vec::new();
    for (name, value) in &items.writes {
        let place = place::find(api, function, name)?;
        writes.push(replacement(api, (function, &layout), place, value)?);
    }
    if let Some(value) = &selector.value {
        let name = place::only(function, value)?;
        let place = place::find(api, function, &Piece::whole(name))?;
        writes.push(replacement(api, (function, &layout), place, value)?);
    }
    let target = Target {
        function: id.0,
        conditions,
        writes,
    };
    Ok((target, code))
}

/// What a function returns for the code that a rule names.
fn code(api: &Api, function: &Function, value: &Piece<'_>) -> Result<u32, RuleError> {
    let enumeration = code_type(function.library);
    let returns_code = function.signature.as_ref().is_none_or(
        |signature| matches!(&signature.returns, Type::Named(name) if name == enumeration),
    );
    if !returns_code {
        return Err(value.error(format!("no code: {} returns none", function.name)));
    }
    value::code(api, enumeration, value)
}

fn replacement(
    api: &Api,
    (function, layout): (&Function, &Layout),
    place: Place<'_>,
    value: &Piece<'_>,
) -> Result<Replacement, RuleError> {
    let word = |param: usize| layout.first_word[param] as u8;
    let (bytes, room) = match place.target {
        place::Target::Value(ty) => (value::bytes(api, ty, place.unit, value)?, None),
        place::Target::Text => {
            let bytes = value.unquoted().as_bytes().to_vec();
            (bytes, Some(room(api, function, layout, place.param)))
        }
    };
    Ok(Replacement {
        param: place.param as u8,
        word: word(place.param),
        offset: place.offset,
        bytes,
        room,
    })
}

/// Where the size of a text's buffer is found.
fn room(api: &Api, function: &Function, layout: &Layout, param: usize) -> Room {
    let all = params(function);
    let word = |param: u16| layout.first_word[usize::from(param)] as u8;
    let size = |ty: &Type| api.size_of(ty).unwrap_or(4).min(8) as u8;
    match all[param].extent {
        Extent::Text(Some(Length::Const(bytes))) => Room::Bytes(bytes),
        Extent::Text(Some(Length::Param(of))) => Room::Word {
            word: word(of),
            bytes: size(&all[usize::from(of)].ty),
        },
        Extent::Text(Some(Length::Behind(of))) => Room::Behind {
            word: word(of),
            bytes: match &all[usize::from(of)].ty {
                Type::Pointer { to, .. } => size(to),
                _ => 4,
            },
        },
        _ => Room::Bytes(0),
    }
}

#[cfg(test)]
mod tests;
