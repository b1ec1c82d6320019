//! What belongs to a function's record besides what its pointers lead to directly: memory behind pointers in structures, arguments of
//! kernels, module images, copied data, what a kernel's handle stands for. See src/more.rs for what the generated text means.

use cutape_cuda_api::{
    Api, DefaultStream, Direction, Extent, Field, Function, Length, Param, Signature, Type,
    TypeKind,
};

use crate::captures::{self, Phase};
use cutape_cuda_api::convention::Layout;

/// Added to a parameter's number; as in the trace format.
const KERNEL_ARGUMENTS: usize = 0x40;
const REGION: usize = 0x80;
const PAYLOAD: usize = 0xc0;

/// Where a module image or copied data is found, by function and parameter.
const PAYLOADS: [(&str, &str, Rule); 22] = [
    ("cuModuleLoadData", "image", Rule::Image),
    ("cuModuleLoadDataEx", "image", Rule::Image),
    ("cuModuleLoadFatBinary", "fatCubin", Rule::Image),
    ("cuLibraryLoadData", "code", Rule::Image),
    ("cuLinkAddData", "data", Rule::ImageOf("size")),
    ("cuModuleLoad", "fname", Rule::File),
    ("cuLibraryLoadFromFile", "fileName", Rule::File),
    ("cuLinkAddFile", "path", Rule::File),
    ("cuLinkComplete", "cubinOut", Rule::Output("sizeOut")),
    ("cuMemcpyHtoD", "srcHost", Rule::Read("ByteCount")),
    ("cuMemcpyHtoDAsync", "srcHost", Rule::Read("ByteCount")),
    ("cuMemcpyHtoA", "srcHost", Rule::Read("ByteCount")),
    ("cuMemcpyHtoAAsync", "srcHost", Rule::Read("ByteCount")),
    ("cuMemcpyDtoH", "dstHost", Rule::Written("ByteCount")),
    (
        "cuMemcpyDtoHAsync",
        "dstHost",
        Rule::WrittenLater("ByteCount"),
    ),
    ("cuMemcpyAtoH", "dstHost", Rule::Written("ByteCount")),
    (
        "cuMemcpyAtoHAsync",
        "dstHost",
        Rule::WrittenLater("ByteCount"),
    ),
    ("cuMemcpy", "src", Rule::ReadIfHost("ByteCount")),
    ("cuMemcpy", "dst", Rule::WrittenIfHost("ByteCount")),
    ("cuMemcpyAsync", "src", Rule::ReadIfHost("ByteCount")),
    (
        "cuMemcpyAsync",
        "dst",
        Rule::WrittenLaterIfHost("ByteCount"),
    ),
    ("", "pCopy", Rule::Box),
];

/// What functions say of the order of asynchronous copies, by base name: the kind, and the parameter with an event or a context. A stream is
/// named `hStream` by all.
const ORDERS: [(&str, &str, Option<&str>); 16] = [
    ("cuStreamSynchronize", "StreamDone", None),
    ("cuStreamQuery", "StreamDone", None),
    ("cuCtxSynchronize", "ContextDone", Some("ctx")),
    ("cuEventSynchronize", "EventDone", Some("hEvent")),
    ("cuEventQuery", "EventDone", Some("hEvent")),
    ("cuEventRecord", "EventRecorded", Some("hEvent")),
    ("cuEventRecordWithFlags", "EventRecorded", Some("hEvent")),
    ("cuStreamWaitEvent", "StreamWaits", Some("hEvent")),
    ("cuLaunchHostFunc", "MayWrite", None),
    ("cuStreamAddCallback", "MayWrite", None),
    ("cuGraphLaunch", "MayWrite", None),
    ("cuStreamDestroy", "StreamGone", None),
    ("cuEventDestroy", "EventGone", Some("hEvent")),
    ("cuCtxDestroy", "AllGone", None),
    ("cuDevicePrimaryCtxReset", "AllGone", None),
    ("cuDevicePrimaryCtxRelease", "AllGone", None),
];
/// Kinds of order that say something only once the call has succeeded.
const ORDERS_OF_AFTER: [&str; 5] = [
    "StreamDone",
    "ContextDone",
    "EventDone",
    "EventRecorded",
    "StreamWaits",
];

/// How long a content is, and what must be true for it to be there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// It says itself how long it is.
    Image,
    /// As many bytes as that parameter says.
    ImageOf(&'static str),
    /// The file of that name.
    File,
    /// The driver answers with an address, and a length behind that parameter.
    Output(&'static str),
    Read(&'static str),
    Written(&'static str),
    WrittenLater(&'static str),
    /// An address that may be of host memory or of device memory.
    ReadIfHost(&'static str),
    WrittenIfHost(&'static str),
    WrittenLaterIfHost(&'static str),
    /// What a copy descriptor says.
    Box,
}

/// What belongs to a function's calls, as source text.
#[derive(Default)]
pub struct More {
    before: Vec<String>,
    after: Vec<String>,
    /// It is a kernel launch: arguments that are words, and at most a structure.
    pub launches: bool,
    /// All that there is, is copied data: only a recording that wants it all looks for it.
    pub only_data: bool,
    /// Word with the kernel and word with the pointer to its arguments, if that is the number of the parameter, too.
    pub kernel: Option<(usize, usize)>,
    /// The counted pointers of structures that are looked at before the call.
    pub pointers: Vec<RegionPlace>,
}

/// A counted pointer in a structure: offsets and sizes.
#[derive(Clone)]
pub struct RegionPlace {
    /// Offset of the pointer.
    pub pointer: u32,
    /// Offset of the count.
    pub count: u32,
    /// Bytes of the count.
    pub count_bytes: u32,
    /// Bytes of a value that the pointer leads to.
    size: u32,
    /// The condition as source text.
    when: String,
}

impl RegionPlace {
    /// Whether the pointer counts in every structure.
    pub fn is_unconditional(&self) -> bool {
        self.when == "None"
    }

    fn source(&self) -> String {
        format!(
            "RegionPlace {{ pointer: {}, size: {}, count: Number {{ offset: {}, bytes: {} }}, when: {} }}",
            self.pointer, self.size, self.count, self.count_bytes, self.when
        )
    }
}

impl More {
    /// What belongs to `function`.
    pub fn of(api: &Api, function: &Function, layout: &Layout) -> Self {
        let mut more = Self::default();
        let Some(signature) = &function.signature else {
            return more;
        };
        let finder = Finder {
            api,
            function,
            signature,
            layout,
        };
        finder.regions(&mut more);
        let no_kernels = more.before.len();
        finder.kernels(&mut more);
        more.launches = more.before.len() > no_kernels
            && finder.param("kernelParams").is_some()
            && layout.is_straight();
        let no_payloads = (more.before.len(), more.after.len());
        finder.payloads(&mut more);
        let is_about_copies = finder.is_copy() || finder.order().is_some();
        finder.orders(&mut more);
        more.only_data =
            no_payloads == (0, 0) && is_about_copies && !unloads(function) && !more.is_empty();
        if !more.launches {
            finder.functions(&mut more);
        }
        more
    }

    /// Whether nothing belongs to it.
    pub fn is_empty(&self) -> bool {
        self.before.is_empty() && self.after.is_empty()
    }

    /// Whether something is looked for before the call.
    pub fn has_before(&self) -> bool {
        !self.before.is_empty()
    }

    /// Whether something is looked for after the call.
    pub fn has_after(&self) -> bool {
        !self.after.is_empty()
    }

    /// The value of type `More`.
    pub fn source(&self) -> String {
        format!(
            "More {{ before: &[{}], after: &[{}] }}",
            self.before.join(", "),
            self.after.join(", ")
        )
    }
}

/// Calls after which handles of kernels may mean others.
pub fn unloads(function: &Function) -> bool {
    const UNLOADING: [&str; 7] = [
        "cuModuleUnload",
        "cuLibraryUnload",
        "cuCtxDestroy",
        "cuCtxDetach",
        "cuDevicePrimaryCtxRelease",
        "cuDevicePrimaryCtxReset",
        "cuGreenCtxDestroy",
    ];
    UNLOADING.contains(&function.base.as_str())
}

struct Finder<'a> {
    api: &'a Api,
    function: &'a Function,
    signature: &'a Signature,
    layout: &'a Layout,
}

impl<'a> Finder<'a> {
    fn is_copy(&self) -> bool {
        self.function.base.starts_with("cuMemcpy")
    }

    fn param(&self, name: &str) -> Option<usize> {
        let mut params = self.signature.params.iter();
        params.position(|param| param.name == name)
    }

    fn word(&self, param: usize) -> usize {
        self.layout.first_word[param]
    }

    /// The parameter's pointed-to structure.
    fn structure(&self, param: &'a Param) -> Option<(u32, &'a [Field])> {
        let Type::Pointer { to, .. } = &param.ty else {
            return None;
        };
        Some((self.api.size_of(to)?, fields_of(self.api, to)?))
    }

    /// How many structures a parameter points to.
    fn count(&self, param: &Param) -> String {
        match param.extent {
            Extent::Count(length) => {
                captures::count(self.api, &self.signature.params, self.layout, length)
            }
            _ => "Count::Const(1)".to_owned(),
        }
    }

    /// Memory behind counted pointers in structures.
    fn regions(&self, more: &mut More) {
        for (index, param) in self.signature.params.iter().enumerate() {
            let Some((size, fields)) = self.structure(param) else {
                continue;
            };
            let places = region_places(self.api, fields, 0, "None");
            if places.is_empty() {
                continue;
            }
            let texts: Vec<String> = places.iter().map(RegionPlace::source).collect();
            let text = format!(
                "Belonging::Regions(Regions {{ number: {}, word: {}, size: {size}, count: {}, places: &[{}] }})",
                index | REGION,
                self.word(index),
                self.count(param),
                texts.join(", ")
            );
            if matches!(param.direction, Direction::In | Direction::InOut) {
                more.before.push(text.clone());
                more.pointers.extend(places);
            }
            if matches!(param.direction, Direction::Out | Direction::InOut) {
                more.after.push(text);
            }
        }
    }

    /// Arguments of kernels: passed by the call itself, or by a structure.
    fn kernels(&self, more: &mut More) {
        if let (Some(params), Some(function)) = (self.param("kernelParams"), self.param("f")) {
            more.kernel = (self.word(params) == params).then(|| (self.word(function), params));
            let extra = self.param("extra");
            let extra_number = extra.map_or(0, |extra| extra | KERNEL_ARGUMENTS);
            let extra = option(extra.map(|extra| self.word(extra)));
            more.before.push(format!(
                "Belonging::Kernel(Kernel {{ number: {}, extra_number: {extra_number}, function: {}, params: {}, extra: {extra} }})",
                params | KERNEL_ARGUMENTS,
                self.word(function),
                self.word(params),
            ));
        }
        for (index, param) in self.signature.params.iter().enumerate() {
            let before = matches!(param.direction, Direction::In | Direction::InOut);
            let Some((size, fields)) = self.structure(param).filter(|_| before) else {
                continue;
            };
            if let Some(place) = kernel_place(self.api, fields, 0, "None") {
                more.before.push(format!(
                    "Belonging::Kernels(Kernels {{ number: {}, word: {}, size: {size}, count: {}, place: {place} }})",
                    index | KERNEL_ARGUMENTS,
                    self.word(index),
                    self.count(param),
                ));
            }
        }
    }

    /// Kernels that are named by handle. Launches take the shortest way there is, and have none to spare for this.
    fn functions(&self, more: &mut More) {
        for (index, param) in self.signature.params.iter().enumerate() {
            let is_function = matches!(&param.ty, Type::Named(name) if name == "CUfunction");
            if is_function && param.direction == Direction::Value {
                more.after.push(format!(
                    "Belonging::Function(UsedFunction {{ number: {index}, word: {} }})",
                    self.word(index)
                ));
            }
        }
    }

    /// What the function says of the order of asynchronous copies.
    fn order(&self) -> Option<(&'static str, Option<&'static str>)> {
        let mut orders = ORDERS.iter();
        let (_, kind, object) = orders.find(|(base, ..)| *base == self.function.base)?;
        Some((kind, *object))
    }

    fn orders(&self, more: &mut More) {
        let Some((kind, object)) = self.order() else {
            return;
        };
        let object = object.and_then(|name| self.param(name));
        let text = format!(
            "Belonging::Order(OrderOf {{ kind: OrderKind::{kind}, stream: {}, object: {} }})",
            self.stream(),
            option(object.map(|object| self.word(object))),
        );
        if ORDERS_OF_AFTER.contains(&kind) {
            more.after.push(text.clone());
        }
        more.before.push(text);
    }

    /// The stream among the arguments.
    fn stream(&self) -> String {
        let per_thread = self.function.default_stream == DefaultStream::PerThread;
        let word = self.param("hStream").map(|stream| self.word(stream));
        option(word.map(|word| format!("StreamWord {{ word: {word}, per_thread: {per_thread} }}")))
    }

    fn payloads(&self, more: &mut More) {
        for (base, name, rule) in PAYLOADS {
            if base != self.function.base && !(rule == Rule::Box && self.is_copy()) {
                continue;
            }
            let Some(index) = self.param(name) else {
                continue;
            };
            for (phase, content) in self.contents(index, rule) {
                let text = format!(
                    "Belonging::Payload(Payload {{ number: {}, word: {}, content: {content} }})",
                    index | PAYLOAD,
                    self.word(index)
                );
                match phase {
                    Phase::In => more.before.push(text),
                    Phase::Out => more.after.push(text),
                }
            }
        }
    }

    fn contents(&self, index: usize, rule: Rule) -> Vec<(Phase, String)> {
        let count = |name: &str| {
            let param = self
                .param(name)
                .unwrap_or_else(|| panic!("{} has no parameter {name}", self.function.name));
            let length = Length::Param(u16::try_from(param).expect("few parameters"));
            captures::count(self.api, &self.signature.params, self.layout, length)
        };
        let data = |name: &str, host: bool, later: bool| {
            let later = if later {
                self.stream()
            } else {
                option(None::<u8>)
            };
            format!(
                "Content::Data {{ count: {}, ask_whether_host: {host}, later: {later} }}",
                count(name)
            )
        };
        match rule {
            Rule::Image => vec![(Phase::In, "Content::Image".to_owned())],
            Rule::ImageOf(size) => vec![(Phase::In, format!("Content::ImageOf({})", count(size)))],
            Rule::File => vec![(Phase::In, "Content::File".to_owned())],
            Rule::Output(size) => {
                let size = self.param(size).map(|size| self.word(size));
                vec![(
                    Phase::Out,
                    format!("Content::Output {{ size: {} }}", size.unwrap_or(0)),
                )]
            }
            Rule::Read(bytes) => vec![(Phase::In, data(bytes, false, false))],
            Rule::ReadIfHost(bytes) => vec![(Phase::In, data(bytes, true, false))],
            Rule::Written(bytes) => vec![(Phase::Out, data(bytes, false, false))],
            Rule::WrittenIfHost(bytes) => vec![(Phase::Out, data(bytes, true, false))],
            Rule::WrittenLater(bytes) => vec![(Phase::Out, data(bytes, false, true))],
            Rule::WrittenLaterIfHost(bytes) => vec![(Phase::Out, data(bytes, true, true))],
            Rule::Box => self.boxes(index),
        }
    }

    /// The host sides of the box that a copy descriptor names.
    fn boxes(&self, index: usize) -> Vec<(Phase, String)> {
        let param = &self.signature.params[index];
        let Some((_, fields)) = self.structure(param) else {
            return Vec::new();
        };
        let later = self.function.base.ends_with("Async");
        let side = |end: &str, later: bool| {
            let number = |name: &str| option(number_place(self.api, fields, name));
            let own = |name: &str| number(&format!("{end}{name}"));
            let later = if later {
                self.stream()
            } else {
                option(None::<u8>)
            };
            format!(
                "Content::Box {{ shape: &CopyBox {{ memory_type: {}, host: {}, device: {}, x: {}, y: {}, z: {}, pitch: {}, plane: {}, width: {}, height: {}, depth: {} }}, later: {later} }}",
                own("MemoryType"),
                own("Host"),
                own("Device"),
                own("XInBytes"),
                own("Y"),
                own("Z"),
                own("Pitch"),
                own("Height"),
                number("WidthInBytes"),
                number("Height"),
                number("Depth"),
            )
        };
        vec![
            (Phase::In, side("src", false)),
            (Phase::Out, side("dst", later)),
        ]
    }
}

/// The fields of a structure or union, aliases followed.
fn fields_of<'a>(api: &'a Api, ty: &'a Type) -> Option<&'a [Field]> {
    match &api.definition(ty)?.kind {
        TypeKind::Struct(fields) | TypeKind::Union(fields) => Some(fields),
        _ => None,
    }
}

fn option(value: Option<impl std::fmt::Display>) -> String {
    value.map_or("None".to_owned(), |value| format!("Some({value})"))
}

/// Offset and size of a number in a structure.
fn number_place(api: &Api, fields: &[Field], name: &str) -> Option<String> {
    let field = fields.iter().find(|field| field.name == name)?;
    let bytes = api.size_of(&field.ty)?;
    Some(format!(
        "Number {{ offset: {}, bytes: {bytes} }}",
        field.offset
    ))
}

/// The condition under which the chosen member of a union counts: where its selector is, and what it must be.
fn condition(
    api: &Api,
    fields: &[Field],
    union: &Field,
    base: u32,
    member: &Field,
) -> Option<String> {
    let selector = &fields[usize::from(union.selector?)];
    let bytes = api.size_of(&selector.ty)?;
    Some(format!(
        "Some(When {{ selector: Number {{ offset: {}, bytes: {bytes} }}, value: {} }})",
        base + selector.offset,
        member.selected_by?
    ))
}

/// Counted pointers in a structure at `base`, and in the structures inside it. One condition is enough for the API.
fn region_places(api: &Api, fields: &[Field], base: u32, when: &str) -> Vec<RegionPlace> {
    let mut places = Vec::new();
    for field in fields {
        if let (Some(count), Type::Pointer { to, .. }) = (field.count, &field.ty) {
            let count = &fields[usize::from(count)];
            let (Some(size), Some(bytes)) = (api.size_of(to), api.size_of(&count.ty)) else {
                continue;
            };
            places.push(RegionPlace {
                pointer: base + field.offset,
                count: base + count.offset,
                count_bytes: bytes,
                size,
                when: when.to_owned(),
            });
            continue;
        }
        for_each_inner(api, fields, field, base, when, &mut |inner, base, when| {
            places.extend(region_places(api, inner, base, when));
        });
    }
    places
}

/// Visits the structure that a field is; of a union with a selector, each member under its condition.
fn for_each_inner(
    api: &Api,
    fields: &[Field],
    field: &Field,
    base: u32,
    when: &str,
    visit: &mut dyn FnMut(&[Field], u32, &str),
) {
    let Some(definition) = api.definition(&field.ty) else {
        return;
    };
    match &definition.kind {
        TypeKind::Struct(inner) => visit(inner, base + field.offset, when),
        TypeKind::Union(members) => {
            for member in members {
                let condition = condition(api, fields, field, base, member);
                if let (Some(condition), Some(inner)) = (condition, fields_of(api, &member.ty)) {
                    visit(inner, base + field.offset + member.offset, &condition);
                }
            }
        }
        _ => {}
    }
}

/// Where a structure names a kernel with its arguments.
fn kernel_place(api: &Api, fields: &[Field], base: u32, when: &str) -> Option<String> {
    let offset = |name: &str| {
        let field = fields.iter().find(|field| field.name == name)?;
        Some(base + field.offset)
    };
    if let Some(params) = offset("kernelParams") {
        let function = offset("func").or(offset("function"))?;
        return Some(format!(
            "KernelPlace {{ function: {function}, kernel: {}, params: {params}, extra: {}, when: {when} }}",
            option(offset("kern")),
            option(offset("extra"))
        ));
    }
    let mut found = None;
    for field in fields {
        for_each_inner(api, fields, field, base, when, &mut |inner, base, when| {
            if found.is_none() {
                found = kernel_place(api, inner, base, when);
            }
        });
    }
    found
}
