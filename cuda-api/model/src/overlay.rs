//! The overlay: what the headers don't say, written by hand. One statement a line, later lines override earlier ones.
//!
//! ```text
//! FUNCTIONS.PARAMETERS ROLE [as TYPE]      cuDeviceGetName.name out text(len)
//! ! FUNCTIONS EFFECT [PARAMETER]           ! cuMemAlloc,cuMemAllocManaged creates dptr
//! . TYPE.FIELD ROLE                        . CUlaunchConfig.attrs count(numAttrs)
//! = NAME                                   = CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED
//! ```
//! FUNCTIONS and PARAMETERS are lists separated by commas; `*` stands for any characters. A function is named by its base name, which
//! takes all its versions and stream variants, or by one version (`cuCtxCreate_v3`; `cuCtxCreate_v1` is the first), which takes that
//! one's stream variants. `as` says which enumeration an integer's value comes from. `=` says which of an enumeration's names for one value
//! is shown; without it the header's first one is, which may be one kept for old programs. `.` says what a field
//! means for its neighbours: a pointer to `count(FIELD)` values, a union whose `selector(FIELD)` says which member counts, a member
//! `selected(VALUE)`. A name that applies to nothing is an error.

use crate::default_roles::find_type;
use crate::error::TableError;
use crate::field_role::apply_to_type;
use crate::model::{Effect, Function, Param, Type, TypeDef, TypeKind};
use crate::role_text::RoleText;
use crate::table_read::{Table, parse_effect};

/// Applies an overlay to tables; `file` is for messages.
///
/// # Errors
/// The first line that isn't understood or applies to nothing.
pub fn apply_overlay(file: &str, text: &str, tables: &mut [Table]) -> Result<(), TableError> {
    for (index, line) in text.lines().enumerate() {
        let statement = line.split('#').next().unwrap_or("").trim();
        if statement.is_empty() {
            continue;
        }
        let at =
            |problem: Problem| TableError::new(file, index + 1, problem.expected, problem.found);
        match statement.split_once(' ') {
            Some(("!", effect)) => apply_effect(effect.trim_start(), tables),
            Some((".", field)) => apply_field_role(field.trim_start(), tables),
            Some(("=", name)) => show_name(name.trim_start(), tables),
            _ => apply_role(statement, tables),
        }
        .map_err(at)?;
    }
    Ok(())
}

/// Moves a name ahead of the others that its enumeration has for the same value.
fn show_name(name: &str, tables: &mut [Table]) -> Result<(), Problem> {
    let types = tables.iter_mut().flat_map(|table| &mut table.types);
    for definition in types {
        let TypeKind::Enum { values, .. } = &mut definition.kind else {
            continue;
        };
        let Some(place) = values.iter().position(|(other, _)| other == name) else {
            continue;
        };
        let value = values[place].1;
        let first = values.iter().position(|&(_, other)| other == value);
        return match first {
            Some(first) if first < place => {
                values[first..=place].rotate_right(1);
                Ok(())
            }
            _ => Err(Problem::new(
                "a name that another one hides",
                format!("`{name}`, which is the first of its value"),
            )),
        };
    }
    Err(Problem::new(
        "a name of an enumeration's value",
        format!("`{name}`"),
    ))
}

fn apply_field_role(statement: &str, tables: &mut [Table]) -> Result<(), Problem> {
    let expected = || {
        let found = format!("`. {statement}`");
        Problem::new("`. TYPE.FIELD ROLE`", found)
    };
    let (field, roles) = statement.split_once(' ').ok_or_else(expected)?;
    let (owner, field) = field.rsplit_once('.').ok_or_else(expected)?;
    let mut applied = false;
    let types = tables.iter_mut().flat_map(|table| &mut table.types);
    for definition in types.filter(|definition| matches_glob(owner, &definition.name)) {
        applied |= apply_to_type(definition, field, roles).map_err(|word| {
            Problem::new(
                "a field's role (count(FIELD), selector(FIELD), selected(VALUE))",
                format!("`{word}`"),
            )
        })?;
    }
    if applied {
        return Ok(());
    }
    let found = format!("none for `{owner}.{field}`");
    Err(Problem::new("a structure with such a field", found))
}

/// What is wrong with a statement; the line is added by the caller.
struct Problem {
    expected: String,
    found: String,
}

impl Problem {
    fn new(expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            expected: expected.into(),
            found: found.into(),
        }
    }
}

/// A list of names with `*`, which remembers which of them have applied.
struct Patterns<'a> {
    patterns: Vec<&'a str>,
    applied: Vec<bool>,
}

impl<'a> Patterns<'a> {
    fn new(list: &'a str) -> Self {
        let patterns: Vec<&str> = list.split(',').collect();
        let applied = vec![false; patterns.len()];
        Self { patterns, applied }
    }

    /// The places of the patterns that one of the names fits.
    fn fitting(&self, names: &[String]) -> Vec<usize> {
        let fits = |pattern: &str| names.iter().any(|name| matches_glob(pattern, name));
        (0..self.patterns.len())
            .filter(|&place| fits(self.patterns[place]))
            .collect()
    }

    fn mark(&mut self, places: &[usize]) {
        places.iter().for_each(|&place| self.applied[place] = true);
    }

    fn unapplied(&self) -> Option<&'a str> {
        self.applied
            .iter()
            .position(|applied| !applied)
            .map(|place| self.patterns[place])
    }
}

/// Whether `*` in the pattern can be filled so that it becomes the name.
fn matches_glob(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, tail)) => name.strip_prefix(head).is_some_and(|rest| {
            (0..=rest.len()).any(|skipped| {
                rest.is_char_boundary(skipped) && matches_glob(tail, &rest[skipped..])
            })
        }),
    }
}

/// The names by which a statement can mean a function.
fn names_of(function: &Function) -> Vec<String> {
    let stem = function
        .name
        .strip_suffix("_ptsz")
        .or_else(|| function.name.strip_suffix("_ptds"))
        .unwrap_or(&function.name);
    let mut names = vec![function.base.clone(), stem.to_owned()];
    if stem == function.base {
        names.push(format!("{stem}_v1"));
    }
    names
}

/// `FUNCTIONS.PARAMETERS ROLE [as TYPE]`, taken apart.
struct RoleStatement<'a> {
    functions: Patterns<'a>,
    params: Patterns<'a>,
    role: RoleText,
    new_type: Option<&'a str>,
}

impl<'a> RoleStatement<'a> {
    fn parse(statement: &'a str) -> Result<Self, Problem> {
        let (target, rest) = statement
            .split_once(' ')
            .ok_or_else(|| Problem::new("`FUNCTIONS.PARAMETERS ROLE`", format!("`{statement}`")))?;
        let (functions, params) = target
            .split_once('.')
            .ok_or_else(|| Problem::new("`FUNCTIONS.PARAMETERS`", format!("`{target}`")))?;
        let (role, new_type) = match rest.split_once("as ") {
            Some((role, ty)) if role.is_empty() || role.ends_with(' ') => (role, Some(ty.trim())),
            _ => (rest, None),
        };
        let role = RoleText::parse(role).map_err(|word| {
            Problem::new(
                "a role (in, out, text(len), always, ...)",
                format!("`{word}`"),
            )
        })?;
        Ok(Self {
            functions: Patterns::new(functions),
            params: Patterns::new(params),
            role,
            new_type,
        })
    }

    /// Applies it to one function; returns types that this brought into being.
    fn apply(
        &mut self,
        function: &mut Function,
        types: &[TypeDef],
    ) -> Result<Vec<TypeDef>, Problem> {
        let by_function = self.functions.fitting(&names_of(function));
        let Some(signature) = function
            .signature
            .as_mut()
            .filter(|_| !by_function.is_empty())
        else {
            return Ok(Vec::new());
        };
        let mut widened = Vec::new();
        for place in 0..signature.params.len() {
            let by_param = self
                .params
                .fitting(std::slice::from_ref(&signature.params[place].name));
            if by_param.is_empty() {
                continue;
            }
            self.functions.mark(&by_function);
            self.params.mark(&by_param);
            self.role
                .apply(&mut signature.params, place)
                .map_err(|unknown| {
                    Problem::new(
                        format!("a parameter of {}", function.name),
                        unknown.to_string(),
                    )
                })?;
            if let Some(new_type) = self.new_type {
                widened.extend(retype(
                    &mut signature.params[place],
                    new_type,
                    types,
                    &function.name,
                )?);
            }
        }
        Ok(widened)
    }
}

fn apply_role(statement: &str, tables: &mut [Table]) -> Result<(), Problem> {
    let mut statement = RoleStatement::parse(statement)?;
    for Table {
        functions, types, ..
    } in tables.iter_mut()
    {
        let mut widened = Vec::new();
        for function in functions.iter_mut() {
            widened.extend(statement.apply(function, types)?);
        }
        add_types(types, widened);
    }
    check_applied(&statement.functions, "function with such a parameter")?;
    check_applied(&statement.params, "parameter of these functions")
}

fn apply_effect(statement: &str, tables: &mut [Table]) -> Result<(), Problem> {
    let (functions, effect_text) = statement.split_once(' ').ok_or_else(|| {
        Problem::new(
            "`! FUNCTIONS EFFECT [PARAMETER]`",
            format!("`! {statement}`"),
        )
    })?;
    let effect_text = effect_text.trim_start();
    let needs_param = effect_text.contains(' ');
    let mut functions = Patterns::new(functions);
    for function in tables.iter_mut().flat_map(|table| &mut table.functions) {
        let fitting = functions.fitting(&names_of(function));
        let Some(signature) = function.signature.as_ref().filter(|_| !fitting.is_empty()) else {
            continue;
        };
        match parse_effect(effect_text, &signature.params) {
            Some(effect) => {
                functions.mark(&fitting);
                add_effect(&mut function.effects, effect);
            }
            // A version without the parameter is passed over; that some version has it is checked below.
            None if needs_param => {}
            None => {
                return Err(Problem::new(
                    "an effect (creates P, destroys P, enqueues P, launches, ...)",
                    format!("`{effect_text}`"),
                ));
            }
        }
    }
    check_applied(
        &functions,
        &format!("function for the effect `{effect_text}`"),
    )
}

/// What changes something is no mere query, whatever a broader line said before.
fn add_effect(effects: &mut Vec<Effect>, effect: Effect) {
    if effect != Effect::Queries {
        effects.retain(|known| *known != Effect::Queries);
    }
    if !effects.contains(&effect) {
        effects.push(effect);
    }
}

fn check_applied(patterns: &Patterns<'_>, what: &str) -> Result<(), Problem> {
    match patterns.unapplied() {
        None => Ok(()),
        Some(pattern) => Err(Problem::new(
            format!("a {what}"),
            format!("none for `{pattern}`"),
        )),
    }
}

/// Gives an integer (or what is behind a pointer: an integer, or void) the name of a type of the same size. Returns the wider twin
/// of a 4-byte enumeration where an 8-byte integer carries it.
fn retype(
    param: &mut Param,
    name: &str,
    types: &[TypeDef],
    who: &str,
) -> Result<Option<TypeDef>, Problem> {
    let new = find_type(name, types)
        .ok_or_else(|| Problem::new("a type of the table after `as`", format!("`{name}`")))?;
    let old = match &mut param.ty {
        Type::Pointer { to, .. } => to.as_mut(),
        value => value,
    };
    // Bytes of no type become what the call is known to put there.
    if *old == Type::Void {
        *old = Type::Named(name.to_owned());
        return Ok(None);
    }
    let Some(bytes) = integer_bytes(old, types) else {
        return Err(Problem::new(
            format!("an integer, or a pointer to one, for {who}"),
            crate::write_type(old),
        ));
    };
    if bytes == new.size {
        *old = Type::Named(name.to_owned());
        return Ok(None);
    }
    if !matches!(new.kind, TypeKind::Enum { .. }) {
        return Err(Problem::new(
            format!("a type of {bytes} bytes for {who}"),
            format!("`{name}` of {}", new.size),
        ));
    }
    let twin = TypeDef {
        name: format!("{name}_{}", bytes * 8),
        size: bytes,
        align: bytes,
        kind: new.kind.clone(),
    };
    *old = Type::Named(twin.name.clone());
    Ok(Some(twin))
}

fn integer_bytes(ty: &Type, types: &[TypeDef]) -> Option<u32> {
    match ty {
        Type::Int { bytes, .. } => Some(u32::from(*bytes)),
        Type::Named(name) => match find_type(name, types) {
            Some(TypeDef {
                kind: TypeKind::Alias(target),
                ..
            }) => integer_bytes(target, types),
            Some(TypeDef {
                kind: TypeKind::Enum { .. },
                size,
                ..
            }) => Some(*size),
            _ => None,
        },
        _ => None,
    }
}

fn add_types(types: &mut Vec<TypeDef>, new: Vec<TypeDef>) {
    for type_def in new {
        if let Err(place) = types.binary_search_by(|known| known.name.cmp(&type_def.name)) {
            types.insert(place, type_def);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Direction, Extent, Length};
    use crate::parse_table;

    const TABLE: &str = "\
library cuda
headers 12090
enum CUhow_flags
 CU_HOW_FAST 1
 CU_HOW_QUICK 1
fn cuName since 2000 in 12090 -> CUresult
 name *char
 len i32
fn cuName_v2 of cuName since 3020 in 12090 -> CUresult
 name *char
 len u64
 flags u64
fn cuName_v2_ptsz of cuName since 7000 in 12090 per-thread -> CUresult
 name *char
 len u64
 flags u64
";

    fn overlaid(overlay: &str) -> Result<Table, String> {
        let mut tables = [parse_table("table", TABLE).expect("a right table")];
        apply_overlay("overlay", overlay, &mut tables).map_err(|error| error.to_string())?;
        let [table] = tables;
        Ok(table)
    }

    #[test]
    fn of_two_names_for_a_value_the_one_that_is_asked_for_is_shown() {
        let first = |table: Table| match &table.types[0].kind {
            TypeKind::Enum { values, .. } => values[0].0.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(first(overlaid("").expect("nothing")), "CU_HOW_FAST");
        let table = overlaid("= CU_HOW_QUICK\n").expect("a right overlay");
        assert_eq!(first(table), "CU_HOW_QUICK");
        let hidden = overlaid("= CU_HOW_FAST\n").unwrap_err();
        assert!(hidden.contains("first of its value"), "{hidden}");
        assert!(
            overlaid("= CU_HOW_SLOW\n")
                .unwrap_err()
                .contains("overlay:1")
        );
    }

    #[test]
    fn one_line_reaches_all_versions_and_variants() {
        let table = overlaid("cuName.name out text(len)  # comment\n! cuName queries\n")
            .expect("a right overlay");
        for function in &table.functions {
            let params = &function.signature.as_ref().expect("a prototype").params;
            assert_eq!(
                (params[0].direction, &params[0].extent),
                (Direction::Out, &Extent::Text(Some(Length::Param(1))))
            );
            assert_eq!(function.effects, [Effect::Queries]);
        }
    }

    #[test]
    fn a_version_can_be_named_alone() {
        let table =
            overlaid("cuName_v1.len unit:bytes\n! cuName_v2 launches\n").expect("a right overlay");
        let units: Vec<_> = table
            .functions
            .iter()
            .map(|function| function.signature.as_ref().expect("one").params[1].unit)
            .collect();
        assert_eq!(units, [Some(crate::Unit::Bytes), None, None]);
        let launches: Vec<_> = table
            .functions
            .iter()
            .map(|function| function.effects.len())
            .collect();
        assert_eq!(launches, [0, 1, 1]);
    }

    #[test]
    fn an_enumeration_is_widened_to_the_integer_that_carries_it() {
        let table = overlaid("cuName.flags as CUhow_flags\n").expect("a right overlay");
        let params = &table.functions[1].signature.as_ref().expect("one").params;
        assert_eq!(params[2].ty, Type::Named("CUhow_flags_64".to_owned()));
        assert_eq!(
            find_type("CUhow_flags_64", &table.types).map(|ty| ty.size),
            Some(8)
        );
    }

    #[test]
    fn what_applies_to_nothing_is_an_error_with_its_line() {
        let cases = [
            (
                "\ncuNome.name out\n",
                "overlay:2: expected a function with such a parameter, found none for `cuNome`",
            ),
            (
                "cuName.nome out\n",
                "overlay:1: expected a function with such a parameter, found none for `cuName`",
            ),
            (
                "cuName.name,nome out\n",
                "overlay:1: expected a parameter of these functions, found none for `nome`",
            ),
            (
                "cuName.name outwards\n",
                "overlay:1: expected a role (in, out, text(len), always, ...), found `outwards`",
            ),
            (
                "cuName.name out text(size)\n",
                "overlay:1: expected a parameter of cuName, found no parameter `size`",
            ),
            (
                "cuName.flags as CUnone\n",
                "overlay:1: expected a type of the table after `as`, found `CUnone`",
            ),
            (
                "! cuName creates nome\n",
                "overlay:1: expected a function for the effect `creates nome`, found none for `cuName`",
            ),
            (
                "! cuName explodes\n",
                "overlay:1: expected an effect (creates P, destroys P, enqueues P, launches, ...), found `explodes`",
            ),
        ];
        for (overlay, message) in cases {
            assert_eq!(overlaid(overlay).expect_err(overlay), message);
        }
    }

    #[test]
    fn globs() {
        assert!(matches_glob("cu*Async", "cuMemcpyAsync"));
        assert!(matches_glob("*", ""));
        assert!(!matches_glob("cu*Async", "cuMemcpyAsyncX"));
        assert!(matches_glob("*Get*", "cuDeviceGetName"));
    }
}
