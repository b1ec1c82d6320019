//! The table's layouts and values against NVIDIA's headers, by the C compiler: a `_Static_assert` for every structure size, field offset
//! and enumerator. Needs the headers and `cc`.

mod nvidia_files;

use cutape_cuda_api::{Api, Field, Type, TypeDef, TypeKind};
use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Types whose layout grew from CUDA 12.9 to 13.5; the table has the newer one. None of them crosses the API by itself: each is a
/// member of a union padded to a fixed size (CUgraphNodeParams, CUdevResource), or took over reserved bytes (the checkpoint
/// arguments, CUmemPoolProps, CUmemLocation's anonymous union), or only asks for a wider alignment (CUtensorMap), so reading the newer layout never reads beyond what the caller passes.
const NEWER_IN_13: [&str; 11] = [
    "CUDA_EVENT_RECORD_NODE_PARAMS",
    "CUDA_EXT_SEM_SIGNAL_NODE_PARAMS_v2",
    "CUDA_EXT_SEM_WAIT_NODE_PARAMS_v2",
    "CUDA_HOST_NODE_PARAMS_v2",
    "CUdevSmResource",
    "CUdevResource_v1",
    "CUcheckpointCheckpointArgs",
    "CUcheckpointRestoreArgs",
    "CUmemLocation_v1",
    "CUmemPoolProps_v1",
    "CUtensorMap",
];

/// Enumerators that move with every release.
const MOVING: [&str; 5] = [
    "CU_COREDUMP_LIGHTWEIGHT_FLAGS",
    "CU_DEVICE_ATTRIBUTE_MAX",
    "CU_FUNC_ATTRIBUTE_MAX",
    "CU_JIT_NUM_OPTIONS",
    "CU_LIMIT_MAX",
];

struct Headers {
    folder: std::path::PathBuf,
    include: &'static str,
    defines: &'static [&'static str],
}

impl Headers {
    const CUDA_DEFINES: &[&str] = &[
        "-D__CUDA_API_VERSION_INTERNAL",
        "-D__CUDA_API_VERSION_INTERNAL_ODR",
    ];
    const NVML_DEFINES: &[&str] = &["-DNVML_NO_UNVERSIONED_FUNC_DEFS"];

    fn cuda(folder: std::path::PathBuf) -> Self {
        Self {
            folder,
            include: "cuda.h",
            defines: Self::CUDA_DEFINES,
        }
    }

    fn cc(&self, options: &[&str], source: &Path) -> std::process::Output {
        Command::new("cc")
            .args(["-std=gnu11", "-w"])
            .args(self.defines)
            .arg("-I")
            .arg(&self.folder)
            .args(options)
            .arg(source)
            .stdin(Stdio::null())
            .output()
            .expect("a C compiler named cc")
    }

    /// Every word of the preprocessed header.
    fn words(&self, scratch: &Path) -> HashSet<String> {
        let source = scratch.join("include.c");
        std::fs::write(&source, format!("#include <{}>\n", self.include))
            .expect("a writable scratch folder");
        let output = self.cc(&["-E", "-P"], &source);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .map(str::to_owned)
            .collect()
    }
}

/// Writes the assertions for the types and enumerators that these headers have; returns how many.
fn push_assertions(
    source: &mut String,
    words: &HashSet<String>,
    skipped: &[&str],
    moving: &[&str],
) -> usize {
    let mut count = 0;
    for type_def in Api::get().types() {
        let TypeDef {
            name,
            size,
            align,
            kind,
        } = type_def;
        let c_name = c_name(name);
        let is_declared = words.contains(name) && !name.contains('.');
        match kind {
            TypeKind::Enum { values, .. } => {
                for (constant, value) in values
                    .iter()
                    .filter(|(constant, _)| !moving.contains(&constant.as_str()))
                {
                    if words.contains(constant) {
                        let _ = writeln!(
                            source,
                            "_Static_assert((unsigned)({constant}) == (unsigned)({value}LL), \"{constant}\");"
                        );
                    } else {
                        // A macro: absent from the older header, perhaps.
                        let _ = writeln!(
                            source,
                            "#ifdef {constant}\n_Static_assert((unsigned)({constant}) == (unsigned)({value}LL), \"{constant}\");\n#endif"
                        );
                    }
                    count += 1;
                }
            }
            TypeKind::Struct(fields) | TypeKind::Union(fields)
                if is_declared && !skipped.contains(&name.as_str()) =>
            {
                let _ = writeln!(
                    source,
                    "_Static_assert(sizeof({c_name}) == {size}, \"size of {name}\");"
                );
                let _ = writeln!(
                    source,
                    "_Static_assert(_Alignof({c_name}) == {align}, \"alignment of {name}\");"
                );
                count += 2 + push_fields(source, words, &c_name, "", 0, fields);
            }
            TypeKind::Alias(_) | TypeKind::Handle | TypeKind::DevicePointer
                if is_declared
                    && *size != 0
                    && !skipped
                        .iter()
                        .any(|skipped| skipped.starts_with(name.as_str())) =>
            {
                let _ = writeln!(
                    source,
                    "_Static_assert(sizeof({c_name}) == {size}, \"size of {name}\");"
                );
                count += 1;
            }
            _ => {}
        }
    }
    count
}

/// How C calls a type: one that the headers only tag (`_st`) needs the keyword.
fn c_name(name: &str) -> String {
    if name.ends_with("_st") {
        format!("struct {name}")
    } else {
        name.to_owned()
    }
}

/// Offsets of fields, also of those inside anonymous and nested members: `offsetof(CUarrayMapInfo, resource.mipmap)`.
fn push_fields(
    source: &mut String,
    words: &HashSet<String>,
    owner: &str,
    path: &str,
    base: u32,
    fields: &[Field],
) -> usize {
    let mut count = 0;
    // The older header lacks members that joined a union since.
    let is_declared = |field: &&Field| {
        field.bits.is_none() && (field.name.is_empty() || words.contains(&field.name))
    };
    for field in fields.iter().filter(is_declared) {
        let at = base + field.offset;
        let inner_path = if field.name.is_empty() {
            path.to_owned()
        } else {
            format!("{path}{}.", field.name)
        };
        if !field.name.is_empty() {
            let name = inner_path.trim_end_matches('.');
            let _ = writeln!(
                source,
                "_Static_assert(__builtin_offsetof({owner}, {name}) == {at}, \"{owner}.{name}\");"
            );
            count += 1;
        }
        if let Type::Named(inner) = &field.ty
            && inner.contains('.')
            && let Some(TypeDef {
                kind: TypeKind::Struct(inner) | TypeKind::Union(inner),
                ..
            }) = Api::get().type_def(inner)
        {
            count += push_fields(source, words, owner, &inner_path, at, inner);
        }
    }
    count
}

fn check(headers: &Headers, skipped: &[&str], moving: &[&str], at_least: usize) {
    let scratch =
        std::env::temp_dir().join(format!("cutape-headers-{}-{at_least}", std::process::id()));
    std::fs::create_dir_all(&scratch).expect("a writable temporary folder");
    let words = headers.words(&scratch);
    let mut source = format!("#include <{}>\n", headers.include);
    let count = push_assertions(&mut source, &words, skipped, moving);
    let path = scratch.join("assertions.c");
    std::fs::write(&path, source).expect("a writable scratch folder");
    let output = headers.cc(&["-fsyntax-only"], &path);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    std::fs::remove_dir_all(&scratch).expect("the scratch folder is ours");
    assert!(output.status.success(), "{message}");
    assert!(count >= at_least, "only {count} assertions");
}

#[test]
fn layouts_and_values_are_those_of_cuda_13() {
    let Some(folder) = nvidia_files::find(nvidia_files::CUDA_13_HEADERS) else {
        return;
    };
    check(&Headers::cuda(folder), &[], &[], 2500);
}

#[test]
fn layouts_and_values_are_those_of_cuda_12_but_for_what_grew_since() {
    let Some(folder) = nvidia_files::find(nvidia_files::CUDA_12_HEADERS) else {
        return;
    };
    check(&Headers::cuda(folder), &NEWER_IN_13, &MOVING, 2000);
}

#[test]
fn layouts_and_values_are_those_of_nvml() {
    let Some(folder) = nvidia_files::find(nvidia_files::NVML_HEADERS) else {
        return;
    };
    let headers = Headers {
        folder,
        include: "nvml.h",
        defines: Headers::NVML_DEFINES,
    };
    check(&headers, &[], &[], 1000);
}

/// What a parameter is to the calling convention: its size, and whether it travels as an integer or pointer (0), as a
/// floating-point number (1) or as a structure (2).
fn abi_code(ty: &Type) -> u32 {
    let api = Api::get();
    let ty = api.without_aliases(ty);
    let class = match ty {
        Type::Float { .. } => 1,
        Type::Named(name) => match api.type_def(name).map(|type_def| &type_def.kind) {
            Some(TypeKind::Struct(_) | TypeKind::Union(_)) => 2,
            _ => 0,
        },
        _ => 0,
    };
    api.size_of(ty).unwrap_or(0) * 10 + class
}

/// Reads a prototype as [`abi_code`] does, for the C++ compiler.
const ABI_TEMPLATES: &str = r"
#include <type_traits>
template <unsigned... C> struct Codes {};
template <class T> constexpr unsigned code() {
    return sizeof(T) * 10 + (std::is_floating_point<T>::value ? 1 : std::is_class<T>::value || std::is_union<T>::value ? 2 : 0);
}
template <class F> struct Abi;
template <class R, class... A> struct Abi<R (*)(A...)> { using type = Codes<code<R>(), code<A>()...>; };
";

/// The C compiler can't take a prototype apart, so this needs `c++`. The prototypes are what the interposer's hooks are made from.
#[test]
fn prototypes_are_those_of_the_headers() {
    if Command::new("c++")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_err()
    {
        eprintln!("SKIPPED: no C++ compiler named c++");
        return;
    }
    let cuda = |folder| Some(Headers::cuda(nvidia_files::find(folder)?));
    let nvml = || {
        let folder = nvidia_files::find(nvidia_files::NVML_HEADERS)?;
        Some(Headers {
            folder,
            include: "nvml.h",
            defines: Headers::NVML_DEFINES,
        })
    };
    for (headers, version, at_least) in [
        (cuda(nvidia_files::CUDA_12_HEADERS), 12090, 600),
        (cuda(nvidia_files::CUDA_13_HEADERS), 13050, 660),
        (nvml(), 12090, 380),
    ] {
        if let Some(headers) = headers {
            let count = check_prototypes(&headers, version);
            assert!(
                count >= at_least,
                "only {count} prototypes of {} {version}",
                headers.include
            );
        }
    }
}

/// Compiles an assertion for each function that the headers declare; returns how many.
fn check_prototypes(headers: &Headers, version: u32) -> usize {
    let scratch = std::env::temp_dir().join(format!("cutape-prototypes-{}", std::process::id()));
    std::fs::create_dir_all(&scratch).expect("a writable temporary folder");
    let words = headers.words(&scratch);
    let mut source = format!("{ABI_TEMPLATES}#include <{}>\n", headers.include);
    let mut count = 0;
    let declared = Api::get()
        .functions()
        .iter()
        .filter(|function| words.contains(&function.name) && function.headers.contains(&version));
    for function in declared {
        let Some(signature) = &function.signature else {
            continue;
        };
        let types = std::iter::once(&signature.returns)
            .chain(signature.params.iter().map(|param| &param.ty));
        let codes: Vec<String> = types.map(|ty| abi_code(ty).to_string()).collect();
        let name = &function.name;
        let _ = writeln!(
            source,
            "static_assert(std::is_same<Abi<decltype(&{name})>::type, Codes<{}>>::value, \"{name}\");",
            codes.join(", ")
        );
        count += 1;
    }
    let path = scratch.join("prototypes.cpp");
    std::fs::write(&path, source).expect("a writable scratch folder");
    let output = Command::new("c++")
        .args(["-std=c++14", "-w", "-fsyntax-only"])
        .args(headers.defines)
        .arg("-I")
        .arg(&headers.folder)
        .arg(&path)
        .stdin(Stdio::null())
        .output()
        .expect("the C++ compiler runs");
    std::fs::remove_dir_all(&scratch).expect("the scratch folder is ours");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    count
}

/// No function takes a type whose layout grew by itself, so the newer layout can't make a reader go beyond the caller's memory.
#[test]
fn types_that_grew_cross_the_api_only_inside_padded_ones() {
    let api = Api::get();
    let grew_in_size = &NEWER_IN_13[..5];
    for function in api.functions() {
        for param in function
            .signature
            .iter()
            .flat_map(|signature| &signature.params)
        {
            let pointed = match api.without_aliases(&param.ty) {
                Type::Pointer { to, .. } => to,
                value => value,
            };
            let name = api
                .definition(pointed)
                .map_or("", |type_def| &type_def.name);
            assert!(
                !grew_in_size.contains(&name),
                "{}.{} takes a {name}",
                function.name,
                param.name
            );
        }
    }
}
