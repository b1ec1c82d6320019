//! Reads a table. The grammar, one item a line, its details indented by one blank:
//!
//! ```text
//! # comment
//! library cuda
//! headers 12090 13050
//! handle CUcontext
//! devptr CUdeviceptr_v2 8
//! alias CUdevice i32 4 4
//! callback CUhostFn
//! opaque NAME
//! enum NAME [SIZE] | flags NAME [SIZE]           (4 bytes where not said)
//!  NAME VALUE
//! struct NAME SIZE ALIGN | union NAME SIZE ALIGN
//!  OFFSET[:FIRST_BIT+BITS] NAME TYPE [ROLE]       (`-` for an anonymous member)
//! fn NAME [of BASE] [since VERSION] [in HEADER...] [per-thread] -> TYPE
//!  NAME TYPE [ROLE]
//!  ! EFFECT [PARAMETER]
//! symbol NAME                                     (exported, no prototype known)
//! object NAME BYTES
//! ```

use crate::error::TableError;
use crate::family::family_of;
use crate::field_role::FieldRole;
use crate::model::{
    DefaultStream, Direction, Effect, Extent, Field, Function, Library, Object, Param, Signature,
    TypeDef, TypeKind, Validity,
};
use crate::role_text::RoleText;
use crate::type_text::parse_type;

/// What one table file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The library whose interface it describes.
    pub library: Library,
    /// CUDA versions of the headers that it was made from.
    pub headers: Vec<u32>,
    /// Types, sorted by name.
    pub types: Vec<TypeDef>,
    /// Functions, sorted by name.
    pub functions: Vec<Function>,
    /// Data symbols, sorted by name.
    pub objects: Vec<Object>,
}

/// Reads a table from its text; `file` is for messages only.
///
/// # Errors
/// The first line that doesn't follow the grammar.
pub fn parse_table(file: &str, text: &str) -> Result<Table, TableError> {
    let mut reader = Reader {
        file,
        line: 0,
        table: Table::empty(),
        item: Item::None,
        pending: Vec::new(),
    };
    for line in text.lines() {
        reader.line += 1;
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match line.strip_prefix(' ') {
            Some(detail) => reader.detail(detail)?,
            None => reader.item(line)?,
        }
    }
    reader.apply_pending_roles()?;
    Ok(reader.table)
}

impl Table {
    fn empty() -> Self {
        Self {
            library: Library::Cuda,
            headers: Vec::new(),
            types: Vec::new(),
            functions: Vec::new(),
            objects: Vec::new(),
        }
    }
}

/// Which item the indented lines belong to: always the last one of its list.
#[derive(Clone, Copy)]
enum Item {
    None,
    Enum,
    Fields,
    Function,
}

struct Reader<'a> {
    file: &'a str,
    line: usize,
    table: Table,
    item: Item,
    /// Roles of the current function's parameters: line, place, role.
    pending: Vec<(usize, usize, RoleText)>,
}

impl Reader<'_> {
    fn error(&self, expected: &str, found: &str) -> TableError {
        TableError::new(self.file, self.line, expected, format!("`{found}`"))
    }

    fn number<N: std::str::FromStr>(
        &self,
        what: &str,
        text: Option<&str>,
    ) -> Result<N, TableError> {
        let text = text.unwrap_or("");
        text.parse().map_err(|_| self.error(what, text))
    }

    fn item(&mut self, line: &str) -> Result<(), TableError> {
        let (keyword, rest) = line.split_once(' ').unwrap_or((line, ""));
        self.apply_pending_roles()?;
        self.item = Item::None;
        match keyword {
            "library" => self.library(rest)?,
            "headers" => self.table.headers = self.versions(rest)?,
            "fn" => self.function(rest)?,
            "symbol" => {
                let function = name_only(self.plain_name(rest)?, self.table.library);
                self.table.functions.push(function);
            }
            "object" => self.object(rest)?,
            _ => self.type_def(keyword, rest)?,
        }
        Ok(())
    }

    fn plain_name<'t>(&self, text: &'t str) -> Result<&'t str, TableError> {
        if text.is_empty() || text.contains(' ') {
            return Err(self.error("one name", text));
        }
        Ok(text)
    }

    fn library(&mut self, name: &str) -> Result<(), TableError> {
        self.table.library = match name {
            "cuda" => Library::Cuda,
            "nvml" => Library::Nvml,
            other => return Err(self.error("library `cuda` or `nvml`", other)),
        };
        Ok(())
    }

    fn versions(&self, text: &str) -> Result<Vec<u32>, TableError> {
        text.split_ascii_whitespace()
            .map(|version| self.number("a CUDA version such as 12090", Some(version)))
            .collect()
    }

    fn object(&mut self, rest: &str) -> Result<(), TableError> {
        let (name, size) = rest
            .split_once(' ')
            .ok_or_else(|| self.error("a name and a size in bytes", rest))?;
        let size = self.number("a size in bytes", Some(size))?;
        self.table.objects.push(Object {
            name: name.to_owned(),
            library: self.table.library,
            size,
        });
        Ok(())
    }

    fn type_def(&mut self, keyword: &str, rest: &str) -> Result<(), TableError> {
        let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        if name.is_empty() {
            return Err(self.error("an item (`fn NAME ...`, `struct NAME ...`)", keyword));
        }
        let (kind, size, align) = match keyword {
            "handle" => (TypeKind::Handle, 8, 8),
            "callback" => (TypeKind::Callback, 8, 8),
            "opaque" => (TypeKind::Opaque, 0, 1),
            "devptr" => {
                let size = self.number("the device pointer's size in bytes", Some(rest))?;
                (TypeKind::DevicePointer, size, size)
            }
            "alias" => {
                let (ty, sizes) = parse_type(rest).ok_or_else(|| self.error("a type", rest))?;
                let (size, align) = self.size_and_align(sizes.trim_start())?;
                (TypeKind::Alias(ty), size, align)
            }
            "enum" | "flags" => {
                self.item = Item::Enum;
                let size = if rest.is_empty() {
                    4
                } else {
                    self.number("an enumeration's size in bytes", Some(rest))?
                };
                (
                    TypeKind::Enum {
                        values: Vec::new(),
                        flags: keyword == "flags",
                    },
                    size,
                    size,
                )
            }
            "struct" | "union" => {
                self.item = Item::Fields;
                let (size, align) = self.size_and_align(rest)?;
                (
                    if keyword == "struct" {
                        TypeKind::Struct(Vec::new())
                    } else {
                        TypeKind::Union(Vec::new())
                    },
                    size,
                    align,
                )
            }
            other => {
                return Err(self.error(
                    "an item keyword (fn, symbol, object, handle, struct, ...)",
                    other,
                ));
            }
        };
        self.table.types.push(TypeDef {
            name: name.to_owned(),
            size,
            align,
            kind,
        });
        Ok(())
    }

    fn size_and_align(&self, text: &str) -> Result<(u32, u32), TableError> {
        let mut words = text.split(' ');
        let size = self.number("a size in bytes", words.next())?;
        let align = self.number("an alignment in bytes", words.next())?;
        Ok((size, align))
    }

    fn function(&mut self, rest: &str) -> Result<(), TableError> {
        let (head, returns) = rest
            .split_once(" -> ")
            .ok_or_else(|| self.error("`fn NAME ... -> TYPE`", rest))?;
        let Some((returns, "")) = parse_type(returns) else {
            return Err(self.error("a return type", returns));
        };
        let mut words = head.split(' ').peekable();
        let name = words.next().unwrap_or("");
        let mut function = name_only(self.plain_name(name)?, self.table.library);
        function.signature = Some(Signature {
            returns,
            params: Vec::new(),
        });
        while let Some(word) = words.next() {
            match word {
                "of" => {
                    function.base = words
                        .next()
                        .ok_or_else(|| self.error("a base name after `of`", head))?
                        .to_owned()
                }
                "since" => {
                    function.since = self.number("a CUDA version after `since`", words.next())?
                }
                "in" => {
                    while let Some(version) =
                        words.next_if(|word| word.starts_with(|c: char| c.is_ascii_digit()))
                    {
                        function
                            .headers
                            .push(self.number("a CUDA version after `in`", Some(version))?);
                    }
                }
                "per-thread" => function.default_stream = DefaultStream::PerThread,
                other => return Err(self.error("`of`, `since`, `in` or `per-thread`", other)),
            }
        }
        function.family = family_of(&function.base);
        self.table.functions.push(function);
        self.item = Item::Function;
        Ok(())
    }

    fn detail(&mut self, detail: &str) -> Result<(), TableError> {
        match self.item {
            Item::None => Err(self.error("an item; this indented line belongs to none", detail)),
            Item::Enum => self.enum_value(detail),
            Item::Fields => self.field(detail),
            Item::Function => match detail.strip_prefix("! ") {
                Some(effect) => self.effect(effect),
                None => self.param(detail),
            },
        }
    }

    fn enum_value(&mut self, detail: &str) -> Result<(), TableError> {
        let (name, value) = detail
            .split_once(' ')
            .ok_or_else(|| self.error("`NAME VALUE`", detail))?;
        let value = self.number("an integer", Some(value))?;
        if let Some(TypeDef {
            kind: TypeKind::Enum { values, .. },
            ..
        }) = self.table.types.last_mut()
        {
            values.push((name.to_owned(), value));
        }
        Ok(())
    }

    fn field(&mut self, detail: &str) -> Result<(), TableError> {
        let mut words = detail.splitn(3, ' ');
        let (place, name, ty) = (
            words.next().unwrap_or(""),
            words.next(),
            words.next().unwrap_or(""),
        );
        let name = name.ok_or_else(|| self.error("`OFFSET NAME TYPE`", detail))?;
        let (ty, roles) = parse_type(ty).ok_or_else(|| self.error("the field's type", ty))?;
        let (offset, bits) = match place.split_once(':') {
            None => (place, None),
            Some((offset, bits)) => {
                let (first, count) = bits
                    .split_once('+')
                    .ok_or_else(|| self.error("`OFFSET:FIRST_BIT+BITS`", place))?;
                (
                    offset,
                    Some((
                        self.number("a bit number", Some(first))?,
                        self.number("a number of bits", Some(count))?,
                    )),
                )
            }
        };
        let offset = self.number("an offset in bytes", Some(offset))?;
        let name = if name == "-" {
            String::new()
        } else {
            name.to_owned()
        };
        if let Some(TypeDef {
            kind: TypeKind::Struct(fields) | TypeKind::Union(fields),
            ..
        }) = self.table.types.last_mut()
        {
            let mut field = Field {
                name,
                offset,
                ty,
                bits,
                count: None,
                selector: None,
                selected_by: None,
            };
            for word in roles.split_ascii_whitespace() {
                FieldRole::parse(word)
                    .and_then(|role| role.apply(&mut field, |place| place.parse().ok()))
                    .ok_or_else(|| {
                        let found = format!("`{word}`");
                        TableError::new(self.file, self.line, "a field's role", found)
                    })?;
            }
            fields.push(field);
        }
        Ok(())
    }

    /// A length may name a later parameter, so roles wait in `pending` until the function's list is complete.
    fn param(&mut self, detail: &str) -> Result<(), TableError> {
        let (name, rest) = detail
            .split_once(' ')
            .ok_or_else(|| self.error("`NAME TYPE [ROLE]`", detail))?;
        let (ty, role) =
            parse_type(rest).ok_or_else(|| self.error("the parameter's type", rest))?;
        let role = RoleText::parse(role).map_err(|word| {
            self.error("a role (in, out, text(len), always, unit:bytes, ...)", word)
        })?;
        let param = Param {
            name: name.to_owned(),
            ty,
            direction: Direction::Value,
            extent: Extent::One,
            valid: Validity::OnSuccess,
            unit: None,
        };
        if let Some(Function {
            signature: Some(signature),
            ..
        }) = self.table.functions.last_mut()
        {
            if role != RoleText::default() {
                self.pending.push((self.line, signature.params.len(), role));
            }
            signature.params.push(param);
        }
        Ok(())
    }

    fn apply_pending_roles(&mut self) -> Result<(), TableError> {
        for (line, place, role) in self.pending.drain(..) {
            if let Some(Function {
                name,
                signature: Some(signature),
                ..
            }) = self.table.functions.last_mut()
            {
                role.apply(&mut signature.params, place)
                    .map_err(|unknown| {
                        TableError::new(
                            self.file,
                            line,
                            format!("a parameter of {name}"),
                            unknown.to_string(),
                        )
                    })?;
            }
        }
        Ok(())
    }

    fn effect(&mut self, text: &str) -> Result<(), TableError> {
        let Some(function) = self.table.functions.last_mut() else {
            return Ok(());
        };
        let params = function
            .signature
            .as_ref()
            .map_or(&[][..], |signature| &signature.params);
        match parse_effect(text, params) {
            Some(effect) => function.effects.push(effect),
            None => {
                return Err(self.error(
                    "an effect (creates P, destroys P, enqueues P, launches, ...) of this function",
                    text,
                ));
            }
        }
        Ok(())
    }
}

/// Reads an effect in text: `creates phModule`, `launches`. `None` where the word or the parameter is unknown.
pub fn parse_effect(text: &str, params: &[Param]) -> Option<Effect> {
    let (word, name) = text.split_once(' ').unwrap_or((text, ""));
    let place = params
        .iter()
        .position(|param| param.name == name)
        .and_then(|place| u16::try_from(place).ok());
    Some(match (word, place) {
        ("creates", Some(place)) => Effect::Creates(place),
        ("destroys", Some(place)) => Effect::Destroys(place),
        ("sets-current", Some(place)) => Effect::SetsCurrent(place),
        ("enqueues", Some(place)) => Effect::Enqueues(place),
        ("launches", None) if name.is_empty() => Effect::Launches,
        ("copies", None) if name.is_empty() => Effect::Copies,
        ("synchronizes", None) if name.is_empty() => Effect::Synchronizes,
        ("queries", None) if name.is_empty() => Effect::Queries,
        _ => return None,
    })
}

fn name_only(name: &str, library: Library) -> Function {
    Function {
        name: name.to_owned(),
        library,
        base: name.to_owned(),
        family: family_of(name),
        since: 0,
        headers: Vec::new(),
        default_stream: DefaultStream::Legacy,
        signature: None,
        effects: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::write_table;

    const SAMPLE: &str = "\
library cuda
headers 12090 13050
handle CUmodule
enum CUresult
 CUDA_SUCCESS 0
 CUDA_ERROR_UNKNOWN 999
struct CUpair 16 8
 0 first u64
 8:0+3 low u32
 12 - CUpair.union1
fn cuModuleLoad since 2000 in 12090 13050 -> CUresult
 module *CUmodule out
 fname *const char in text
 ! creates module
fn cuNames_v2_ptsz of cuNames since 7000 in 13050 per-thread -> CUresult
 name *char out text(*len) always
 len *u64 inout unit:bytes
symbol cudbgMain
object cudbgFlag 4
";

    #[test]
    fn a_table_is_read_as_it_is_written() {
        let table = parse_table("sample", SAMPLE).expect("the sample is right");
        assert_eq!(write_table(&table), SAMPLE);
        let names = &table.functions[1];
        assert_eq!(
            (names.base.as_str(), names.family.as_str(), names.since),
            ("cuNames", "Names", 7000)
        );
        let signature = names.signature.as_ref().expect("a prototype");
        assert_eq!(
            signature.params[0].extent,
            Extent::Text(Some(crate::Length::Behind(1)))
        );
        assert_eq!(table.functions[0].effects, [Effect::Creates(0)]);
    }

    #[test]
    fn an_error_says_where_and_what() {
        let cases = [
            (
                "library cuda\nfn cuX\n",
                "sample:2: expected `fn NAME ... -> TYPE`, found `cuX`",
            ),
            (
                "library amd\n",
                "sample:1: expected library `cuda` or `nvml`, found `amd`",
            ),
            (
                " 0 a u8\n",
                "sample:1: expected an item; this indented line belongs to none, found `0 a u8`",
            ),
            (
                "fn cuX -> CUresult\n p *u8 out count(n)\n",
                "sample:2: expected a parameter of cuX, found no parameter `n`",
            ),
            (
                "fn cuX -> CUresult\n p *u8 outward\n",
                "sample:2: expected a role (in, out, text(len), always, unit:bytes, ...), found `outward`",
            ),
            (
                "struct S 4 4\n x a u8\n",
                "sample:2: expected an offset in bytes, found `x`",
            ),
            (
                "enum E\n A one\n",
                "sample:2: expected an integer, found `one`",
            ),
        ];
        for (text, message) in cases {
            assert_eq!(
                parse_table("sample", text).expect_err(text).to_string(),
                message
            );
        }
    }
}
