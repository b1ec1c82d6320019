//! What a field means for its neighbours: a pointer with its length in another field, a union with its choice in another field. In the
//! overlay they are named, `count(numAttrs)`; in the joined table they are numbered, `count(1)`.

use crate::model::{Field, TypeDef, TypeKind};

/// One word of a field's role, its argument still text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldRole<'a> {
    /// A pointer to as many values as that field says.
    Count(&'a str),
    /// A union; that field says which member counts.
    Selector(&'a str),
    /// The member that counts where the selector has this value.
    SelectedBy(&'a str),
}

impl<'a> FieldRole<'a> {
    /// Reads `count(FIELD)`, `selector(FIELD)` or `selected(VALUE)`.
    pub fn parse(word: &'a str) -> Option<Self> {
        let (keyword, argument) = word.strip_suffix(')')?.split_once('(')?;
        match keyword {
            "count" => Some(Self::Count(argument)),
            "selector" => Some(Self::Selector(argument)),
            "selected" => Some(Self::SelectedBy(argument)),
            _ => None,
        }
    }

    /// Gives a field the role; `resolve` finds the place of another field. `None` if the argument means nothing.
    pub fn apply(self, field: &mut Field, resolve: impl Fn(&str) -> Option<u16>) -> Option<()> {
        match self {
            Self::Count(name) => field.count = Some(resolve(name)?),
            Self::Selector(name) => field.selector = Some(resolve(name)?),
            Self::SelectedBy(value) => field.selected_by = Some(value.parse().ok()?),
        }
        Some(())
    }
}

/// The roles of a field as the joined table has them, each with a blank before it.
pub(crate) fn write_field_roles(field: &Field) -> String {
    let word = |keyword: &str, number: Option<i64>| {
        number.map_or(String::new(), |number| format!(" {keyword}({number})"))
    };
    word("count", field.count.map(i64::from))
        + &word("selector", field.selector.map(i64::from))
        + &word("selected", field.selected_by)
}

/// The place of the field of that name; `-` is the first without a name.
fn place_of(fields: &[Field], name: &str) -> Option<u16> {
    let name = if name == "-" { "" } else { name };
    let place = fields.iter().position(|field| field.name == name)?;
    u16::try_from(place).ok()
}

/// Applies `STRUCT.FIELD ROLE...` of the overlay to a type. False if the type has no such field; `Err` is the word that means nothing.
pub(crate) fn apply_to_type<'a>(
    definition: &mut TypeDef,
    field: &str,
    roles: &'a str,
) -> Result<bool, &'a str> {
    let (TypeKind::Struct(fields) | TypeKind::Union(fields)) = &mut definition.kind else {
        return Ok(false);
    };
    let Some(place) = place_of(fields, field) else {
        return Ok(false);
    };
    for word in roles.split_ascii_whitespace() {
        let role = FieldRole::parse(word).ok_or(word)?;
        let mut changed = fields[usize::from(place)].clone();
        role.apply(&mut changed, |name| place_of(fields, name))
            .ok_or(word)?;
        fields[usize::from(place)] = changed;
    }
    Ok(true)
}
