//! Writes the generated source.

use std::fmt::Write;

use cutape_cuda_api::{Api, DefaultStream, Function, Library, Param, Type, TypeKind};

use crate::check::definition;
use crate::implementations::Implementation;

/// Everything but the layout checks.
pub fn surface(api: &Api, implemented: &[Implementation]) -> String {
    let mut out = String::from("// Written by the build script.\n");
    let mut exports = String::new();
    let mut names = String::new();
    writeln!(out, "pub static FUNCTIONS: &[FunctionInfo] = &[").expect("a string");
    for (place, function) in api.functions().iter().enumerate() {
        let implementation = implementation_of(api, function, implemented);
        if implementation.is_some() {
            names += &format!("{}\\0", function.name);
        }
        let answers_code = implementation.is_none_or(Implementation::answers_code);
        out += &info(api, function, answers_code);
        exports += &export(api, place, function, implementation);
    }
    out += "];\n";
    writeln!(out, "pub static IMPLEMENTED: &str = \"{names}\\0\";").expect("a string");
    out += &attributes(api);
    out += &errors(api, Library::Cuda, "CUDA_ERRORS", "CUresult");
    out += &errors(api, Library::Nvml, "NVML_ERRORS", "nvmlReturn_t");
    out += &objects(api);
    writeln!(
        out,
        "#[allow(non_snake_case, non_upper_case_globals, unused_variables, unused_imports, clippy::too_many_arguments, clippy::redundant_closure, clippy::missing_safety_doc)]\n\
         pub mod exports {{\n use std::ffi::{{c_char, c_void}};\n use crate::abi::*;\n use crate::nvml::abi::*;\n \
         use crate::boundary::{{In, Out, Text}};\n use super::DefaultStream;\n{exports}}}"
    )
    .expect("a string");
    out
}

/// What does the work of a function: an implementation of the same name, or for a per-thread form one that asks which default
/// stream is meant.
fn implementation_of<'a>(
    api: &Api,
    function: &Function,
    implemented: &'a [Implementation],
) -> Option<&'a Implementation> {
    let by_name = |name: &str| implemented.iter().find(|one| one.name == name);
    if let Some(found) = by_name(&function.name) {
        return Some(found);
    }
    if function.default_stream != DefaultStream::PerThread {
        return None;
    }
    let legacy = function
        .name
        .strip_suffix("_ptsz")
        .or_else(|| function.name.strip_suffix("_ptds"))?;
    let found = by_name(legacy).filter(|one| one.takes_default_stream)?;
    let types = |name: &str| {
        let signature = api
            .function(name)
            .and_then(|id| api.at(id).signature.as_ref());
        signature.map(|signature| {
            signature
                .params
                .iter()
                .map(|param| param.ty.clone())
                .collect::<Vec<_>>()
        })
    };
    assert!(
        types(legacy) == types(&function.name),
        "{} and {legacy} differ in their parameters",
        function.name
    );
    Some(found)
}

fn info(api: &Api, function: &Function, answers_code: bool) -> String {
    let library = match function.library {
        Library::Cuda => "Cuda",
        Library::Nvml => "Nvml",
    };
    let stream = match function.default_stream {
        DefaultStream::Legacy => "Legacy",
        DefaultStream::PerThread => "PerThread",
    };
    let mut params = String::new();
    for param in function
        .signature
        .iter()
        .flat_map(|signature| &signature.params)
    {
        let bytes = out_bytes(api, function, param);
        write!(
            params,
            "ParamInfo {{ name: {:?}, out_bytes: {bytes} }}, ",
            param.name
        )
        .expect("a string");
    }
    format!(
        "    FunctionInfo {{ name: {:?}, base: {:?}, library: Library::{library}, since: {}, default_stream: DefaultStream::{stream}, \
         params: &[{params}], answers_code: {answers_code}, address: Address(exports::{} as *const std::ffi::c_void) }},\n",
        function.name, function.base, function.since, function.name
    )
}

/// Bytes of the number that a fault may write behind a parameter; 0 where it is no pointer to a number.
fn out_bytes(api: &Api, function: &Function, param: &Param) -> u32 {
    let Type::Pointer {
        to,
        constant: false,
    } = api.without_aliases(&param.ty)
    else {
        return 0;
    };
    let is_number = match api.without_aliases(to) {
        Type::Int { bytes, .. } => *bytes > 1,
        Type::Named(name) => api.type_def(name).is_some_and(|definition| {
            matches!(
                definition.kind,
                TypeKind::Enum { .. } | TypeKind::DevicePointer | TypeKind::Handle
            )
        }),
        _ => false,
    };
    if is_number && takes_words_only(api, function) {
        api.size_of(to).unwrap_or(0)
    } else {
        0
    }
}

/// Whether all parameters are numbers or pointers of at most 8 bytes, passed like words.
fn takes_words_only(api: &Api, function: &Function) -> bool {
    function.signature.as_ref().is_some_and(|signature| {
        signature
            .params
            .iter()
            .all(|param| match api.without_aliases(&param.ty) {
                Type::Int { .. } | Type::Char | Type::Pointer { .. } => true,
                Type::Named(name) => api.type_def(name).is_some_and(|definition| {
                    !matches!(
                        definition.kind,
                        TypeKind::Struct(_) | TypeKind::Union(_) | TypeKind::Opaque
                    )
                }),
                _ => false,
            })
    })
}

fn export(
    api: &Api,
    place: usize,
    function: &Function,
    implementation: Option<&Implementation>,
) -> String {
    let name = &function.name;
    let refusals = match function.library {
        Library::Cuda => "crate::entry::CUDA",
        Library::Nvml => "crate::entry::NVML",
    };
    let Some(implementation) = implementation else {
        return unsupported(api, place, function, refusals);
    };
    let params: String = implementation
        .params
        .iter()
        .enumerate()
        .map(|(number, (_, kind))| format!("a{number}: {kind}, "))
        .collect();
    let mut values = Vec::new();
    if implementation.takes_default_stream {
        values.push(match function.default_stream {
            DefaultStream::Legacy => "DefaultStream::Legacy".to_owned(),
            DefaultStream::PerThread => "DefaultStream::PerThread".to_owned(),
        });
    }
    values.extend((0..implementation.params.len()).map(|number| format!("a{number}")));
    let call = format!(
        "{}::{}({})",
        implementation.module,
        implementation.name,
        values.join(", ")
    );
    if !implementation.answers_code() {
        let returns = &implementation.returns;
        return format!(
            " #[unsafe(no_mangle)] pub unsafe extern \"C\" fn {name}({params}) -> {returns} {{ {call} }}\n"
        );
    }
    let words: String = implementation
        .params
        .iter()
        .enumerate()
        .map(|(number, (_, kind))| {
            if kind.starts_with("Out<") {
                format!("a{number}.address(), ")
            } else if kind.starts_with("*mut ") {
                format!("a{number} as u64, ")
            } else {
                "0, ".to_owned()
            }
        })
        .collect();
    format!(
        " #[unsafe(no_mangle)] pub unsafe extern \"C\" fn {name}({params}) -> u32 \
         {{ crate::entry::call({refusals}, {place}, &[{words}], || {call}) }}\n"
    )
}

/// A function without an implementation: "not supported", unless a fault says otherwise.
fn unsupported(api: &Api, place: usize, function: &Function, refusals: &str) -> String {
    let name = &function.name;
    let count = function
        .signature
        .as_ref()
        .map_or(0, |signature| signature.params.len());
    let count = if takes_words_only(api, function) {
        count
    } else {
        0
    };
    let params: String = (0..count)
        .map(|number| format!("a{number}: u64, "))
        .collect();
    let words: String = (0..count).map(|number| format!("a{number}, ")).collect();
    let answer = match function.library {
        Library::Cuda => "crate::entry::not_supported_cuda",
        Library::Nvml => "crate::entry::not_supported_nvml",
    };
    format!(
        " #[unsafe(no_mangle)] pub unsafe extern \"C\" fn {name}({params}) -> u64 \
         {{ u64::from(crate::entry::call({refusals}, {place}, &[{words}], {answer})) }}\n"
    )
}

fn attributes(api: &Api) -> String {
    let mut out = String::from("pub static ATTRIBUTES: &[(&str, i32)] = &[\n");
    let definition =
        definition(api, "CUdevice_attribute").expect("the table has CUdevice_attribute");
    let TypeKind::Enum { values, .. } = &definition.kind else {
        panic!("CUdevice_attribute is no enumeration")
    };
    for (name, value) in values {
        let short = name
            .strip_prefix("CU_DEVICE_ATTRIBUTE_")
            .unwrap_or(name)
            .to_lowercase();
        if short != "max" && *value > 0 {
            writeln!(out, "    ({short:?}, {value}),").expect("a string");
        }
    }
    out + "];\n"
}

fn errors(api: &Api, library: Library, list: &str, enumeration: &str) -> String {
    let mut out = format!("pub static {list}: &[ErrorInfo] = &[\n");
    let definition = definition(api, enumeration).expect("the table has the error codes");
    let TypeKind::Enum { values, .. } = &definition.kind else {
        panic!("{enumeration} is no enumeration")
    };
    let mut values: Vec<_> = values.iter().collect();
    values.sort_by_key(|(_, code)| *code);
    values.dedup_by_key(|(_, code)| *code);
    for (name, code) in values {
        let code = i32::try_from(*code).expect("an error code");
        let text = api.error_text(library, code).unwrap_or(name);
        writeln!(
            out,
            "    ErrorInfo {{ code: {code}, name: {name:?}, text: \"{}\\0\", name_nul: \"{name}\\0\" }},",
            text.escape_default()
        )
        .expect("a string");
    }
    out + "];\n"
}

/// Data symbols that the real libraries export and debuggers look for.
fn objects(api: &Api) -> String {
    let mut out = String::new();
    for object in api.objects() {
        writeln!(
            out,
            "#[unsafe(no_mangle)] #[allow(non_upper_case_globals)] pub static mut {}: [u8; {}] = [0; {}];",
            object.name,
            object.size.max(1),
            object.size.max(1)
        )
        .expect("a string");
    }
    out
}
