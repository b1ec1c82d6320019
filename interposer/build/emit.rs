//! The generated source text.

use std::fmt::Write;

use cutape_cuda_api::convention::{Layout, Place};
use cutape_cuda_api::{Api, DefaultStream, Function, Library, Type};

use crate::captures::{self, Phase};
use crate::more::{self, More};
use crate::trampoline::Trampoline;

/// Functions that a driver hands out by `cuGetProcAddress` and the table doesn't know get one of these.
const DYNAMIC_HOOKS: usize = 512;
/// Words recorded of a function whose prototype nobody knows.
const UNKNOWN_WORDS: usize = 6;
/// Words copied from the caller's stack for such a function. More than any function of the API takes; above every frame lie at
/// least the C library's own.
const UNKNOWN_STACK_WORDS: usize = 16;

/// `hooks.rs`: the static tables.
pub fn hooks(api: &Api) -> String {
    let functions = api.functions();
    let mut text = format!("pub static HOOKS: [Hook; {}] = [\n", functions.len());
    let mut details = String::new();
    for (id, function) in functions.iter().enumerate() {
        hook(api, id, function, &mut text, &mut details);
    }
    text.push_str("];\n");
    dynamic_hooks(functions.len(), &mut text);
    text + &details
}

fn hook(api: &Api, id: usize, function: &Function, text: &mut String, details: &mut String) {
    let layout = Layout::of(api, function);
    let ins = captures::list(api, function, &layout, Phase::In);
    let outs = captures::list(api, function, &layout, Phase::Out);
    let stack_words = if function.signature.is_some() {
        layout.stack_words
    } else {
        UNKNOWN_STACK_WORDS
    };
    let placed = !layout.is_straight();
    let wide_return = has_wide_return(api, function);
    let more = More::of(api, function, &layout);
    let special = special(function, &more);
    let needs_more = wide_return || after(&function.name) != "None" || more.has_after();
    let begins_with_more = more.has_before() || more::unloads(function);
    let elaborate_begin = placed || !ins.is_empty() || begins_with_more;
    let elaborate_end = needs_more || !outs.is_empty();
    let small_outs =
        !needs_more && !placed && !outs.is_empty() && outs.iter().all(|capture| capture.is_small);
    let fixed_ins = !placed
        && (!begins_with_more || more.only_data)
        && layout.stack_words == 0
        && !ins.is_empty()
        && ins.iter().all(|capture| capture.is_fixed);
    line(
        text,
        format_args!(
            "Hook {{ real: AtomicPtr::new(ptr::null_mut()), begin: Hook::begin_word({id}, {}), mode: {}, wide_return: {wide_return}, elaborate_begin: {elaborate_begin}, elaborate_end: {elaborate_end}, small_outs: {small_outs}, fixed_ins: AtomicBool::new({fixed_ins}), placed: {placed}, special: {special}, ins: &[{}], outs: &[{}], detail: &DETAIL_{id} }},",
            layout.places.len(),
            1 + stack_words.next_multiple_of(2),
            captures::source(&ins),
            captures::source(&outs),
        ),
    );
    let places: Vec<String> = if placed {
        layout.places.iter().map(place).collect()
    } else {
        Vec::new()
    };
    line(
        details,
        format_args!(
            "static DETAIL_{id}: Detail = Detail {{ name: c\"{}\", library: Library::{:?}, places: &[{}], after: {}, more: {} }};",
            function.name,
            function.library,
            places.join(", "),
            after(&function.name),
            if more.is_empty() {
                "NOTHING_MORE".to_owned()
            } else {
                more.source()
            },
        ),
    );
}

fn dynamic_hooks(known: usize, text: &mut String) {
    line(
        text,
        format_args!("pub static DYNAMIC_HOOKS: [Hook; {DYNAMIC_HOOKS}] = ["),
    );
    for index in 0..DYNAMIC_HOOKS {
        line(
            text,
            format_args!(
                "Hook {{ real: AtomicPtr::new(ptr::null_mut()), begin: Hook::begin_word({}, {UNKNOWN_WORDS}), mode: {}, wide_return: false, elaborate_begin: false, elaborate_end: false, small_outs: false, fixed_ins: AtomicBool::new(false), placed: false, special: 0, ins: &[], outs: &[], detail: &DYNAMIC_DETAIL }},",
                known + index,
                1 + UNKNOWN_STACK_WORDS,
            ),
        );
    }
    text.push_str("];\n");
    text.push_str("static DYNAMIC_DETAIL: Detail = Detail { name: c\"\", library: Library::Cuda, places: &[], after: None, more: NOTHING_MORE };\n");
}

/// `exports.rs`: the symbols. Each names its hook and jumps to the routine that serves all.
pub fn exports(api: &Api) -> String {
    let mut text = String::new();
    for (id, function) in api.functions().iter().enumerate() {
        line(
            &mut text,
            format_args!(
                "export!({}, HOOKS, {id}, {});",
                function.name,
                Trampoline::of(api, function)
            ),
        );
    }
    for index in 0..DYNAMIC_HOOKS {
        line(
            &mut text,
            format_args!("dynamic!(dynamic_{index}, DYNAMIC_HOOKS, {index}, trampoline::wide);"),
        );
    }
    line(
        &mut text,
        format_args!("pub static DYNAMIC_STUBS: [unsafe extern \"C\" fn(); {DYNAMIC_HOOKS}] = ["),
    );
    for index in 0..DYNAMIC_HOOKS {
        line(&mut text, format_args!("dynamic_{index},"));
    }
    text.push_str("];\n");
    line(
        &mut text,
        format_args!(
            "pub static STUBS: [unsafe extern \"C\" fn(); {}] = [",
            api.functions().len()
        ),
    );
    for function in api.functions() {
        line(&mut text, format_args!("{},", function.name));
    }
    text.push_str("];\n");
    for object in api.objects() {
        line(
            &mut text,
            format_args!("object!({}, {});", object.name, object.size),
        );
    }
    text
}

/// `names.rs`: which functions `cuGetProcAddress` may mean by a base name, sorted by name; the newest first.
pub fn names(api: &Api) -> String {
    let mut rows: Vec<(&str, bool, u32, usize)> = Vec::new();
    for (id, function) in api.functions().iter().enumerate() {
        if function.library == Library::Cuda && function.signature.is_some() {
            let per_thread = function.default_stream == DefaultStream::PerThread;
            rows.push((&function.base, per_thread, function.since, id));
        }
    }
    rows.sort_by(|a, b| a.0.cmp(b.0).then(b.2.cmp(&a.2)));
    let mut text = format!("pub static NAMES: [Name; {}] = [\n", rows.len());
    for (base, per_thread, since, hook) in rows {
        line(
            &mut text,
            format_args!(
                "Name {{ base: {base:?}, per_thread: {per_thread}, since: {since}, hook: {hook} }},"
            ),
        );
    }
    text + "];\n"
}

/// See `Hook::special`.
fn special(function: &Function, more: &More) -> String {
    let mut bits = Vec::new();
    if more.has_before() {
        bits.push("SPECIAL_BEFORE");
    }
    if more.has_after() {
        bits.push("SPECIAL_AFTER");
    }
    if more.only_data {
        bits.push("SPECIAL_DATA");
    }
    if more::unloads(function) {
        bits.push("SPECIAL_UNLOADS");
    }
    if bits.is_empty() {
        "0".to_owned()
    } else {
        bits.join(" | ")
    }
}

/// What runs after the calls of a function, as source text of type `Detail::after`.
pub fn after(name: &str) -> &'static str {
    match name {
        "cuGetProcAddress" | "cuGetProcAddress_v2" => "Some(crate::proc_address::hand_out_ours)",
        "cuModuleGetFunction" => "Some(crate::kernel_table::function_given)",
        "cuKernelGetFunction" => "Some(crate::kernel_table::function_of_kernel_given)",
        "cuLibraryGetKernel" => "Some(crate::kernel_table::kernel_given)",
        "cuModuleEnumerateFunctions" => "Some(crate::kernel_table::functions_given)",
        "cuModuleLoadData" | "cuModuleLoadDataEx" | "cuModuleLoadFatBinary" => {
            "Some(crate::image_layouts::module_loaded)"
        }
        "cuModuleLoad" => "Some(crate::image_layouts::module_file_loaded)",
        "cuLibraryLoadData" => "Some(crate::image_layouts::library_loaded)",
        "cuLibraryLoadFromFile" => "Some(crate::image_layouts::library_file_loaded)",
        "cuLibraryGetModule" => "Some(crate::image_layouts::module_given)",
        "cuLibraryEnumerateKernels" => "Some(crate::kernel_table::kernels_given)",
        _ => "None",
    }
}

/// Whether a function returns more than 32 bits.
pub fn has_wide_return(api: &Api, function: &Function) -> bool {
    function
        .signature
        .as_ref()
        .is_none_or(|signature| match &signature.returns {
            Type::Void => false,
            other => api.size_of(other).is_none_or(|bytes| bytes > 4),
        })
}

fn place(place: &Place) -> String {
    match place {
        Place::Register(n) => format!("Place::Register({n})"),
        Place::Vector(n) => format!("Place::Vector({n})"),
        Place::Stack(n) => format!("Place::Stack({n})"),
    }
}

/// Adds a line.
pub fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    writeln!(text, "{arguments}").expect("writing to a String cannot fail");
}
