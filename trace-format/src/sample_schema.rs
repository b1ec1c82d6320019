//! A small schema for recordings made without a driver.

use cutape_cuda_api::{
    DefaultStream, Direction, Effect, Extent, Field, Function, Length, Library, Param, Signature,
    Type, TypeDef, TypeKind, Unit, Validity,
};

use crate::schema::Schema;

/// `cuInit(unsigned int Flags)`.
pub const INIT: u32 = 0;
/// `cuMemGetInfo_v2(size_t *free, size_t *total)`, whose out parameters are always written.
pub const MEM_GET_INFO: u32 = 1;
/// `cuDeviceGetName(char *name, int len, CUdevice dev)`.
pub const DEVICE_GET_NAME: u32 = 2;
/// `cuLaunchKernel` with its 11 parameters.
pub const LAUNCH_KERNEL: u32 = 3;
/// `cuMemCreate(handle *, size_t, const CUmemAllocationProp *, unsigned long long)`, with a structure behind its third parameter.
pub const MEM_CREATE: u32 = 4;
/// `cuGetErrorString(CUresult, const char **)`.
pub const GET_ERROR_STRING: u32 = 5;

/// `cuSampleProbe`, made up: an in-out count with an array of that length, a float, a structure with a union and bit fields, bytes, a callback,
/// a device pointer, a structure of 16 bytes by value.
pub const PROBE: u32 = 6;

fn named(name: &str) -> Type {
    Type::Named(name.to_owned())
}

fn pointer(to: Type) -> Type {
    Type::Pointer {
        to: Box::new(to),
        constant: false,
    }
}

const SIZE: Type = Type::Int {
    bytes: 8,
    signed: false,
};
const UNSIGNED: Type = Type::Int {
    bytes: 4,
    signed: false,
};
const INT: Type = Type::Int {
    bytes: 4,
    signed: true,
};

fn value(name: &str, ty: Type) -> Param {
    behind(name, ty, Direction::Value, Extent::One)
}

fn behind(name: &str, ty: Type, direction: Direction, extent: Extent) -> Param {
    Param {
        name: name.to_owned(),
        ty,
        direction,
        extent,
        valid: Validity::OnSuccess,
        unit: None,
    }
}

fn function(name: &str, params: Vec<Param>, effects: Vec<Effect>) -> Function {
    Function {
        name: name.to_owned(),
        library: Library::Cuda,
        base: name.trim_end_matches("_v2").to_owned(),
        family: "Sample".to_owned(),
        since: 2000,
        headers: vec![12090],
        default_stream: DefaultStream::Legacy,
        signature: Some(Signature {
            returns: named("CUresult"),
            params,
        }),
        effects,
    }
}

fn definition(name: &str, size: u32, kind: TypeKind) -> TypeDef {
    TypeDef {
        name: name.to_owned(),
        size,
        align: size.min(8),
        kind,
    }
}

fn field(name: &str, offset: u32, ty: Type) -> Field {
    Field {
        name: name.to_owned(),
        offset,
        ty,
        bits: None,
        count: None,
        selector: None,
        selected_by: None,
    }
}

/// The functions above, and the types that they need.
pub fn sample_schema() -> Schema {
    let memory = |name: &str| Param {
        valid: Validity::Always,
        unit: Some(Unit::Bytes),
        ..behind(name, pointer(SIZE), Direction::Out, Extent::One)
    };
    let mut launch: Vec<Param> = vec![value("f", named("CUfunction"))];
    let dims = [
        "gridDimX",
        "gridDimY",
        "gridDimZ",
        "blockDimX",
        "blockDimY",
        "blockDimZ",
        "sharedMemBytes",
    ];
    launch.extend(dims.map(|name| value(name, UNSIGNED)));
    launch.push(value("hStream", named("CUstream")));
    let pointers = pointer(pointer(Type::Void));
    launch.extend(
        ["kernelParams", "extra"]
            .map(|name| behind(name, pointers.clone(), Direction::Opaque, Extent::One)),
    );
    let create = vec![
        behind(
            "handle",
            pointer(named("CUmemGenericAllocationHandle")),
            Direction::Out,
            Extent::One,
        ),
        Param {
            unit: Some(Unit::Bytes),
            ..value("size", SIZE)
        },
        behind(
            "prop",
            pointer(named("CUmemAllocationProp")),
            Direction::In,
            Extent::One,
        ),
        Param {
            unit: Some(Unit::Hex),
            ..value("flags", SIZE)
        },
    ];
    let text = behind(
        "name",
        pointer(Type::Char),
        Direction::Out,
        Extent::Text(Some(Length::Param(1))),
    );
    let error_text = behind(
        "pStr",
        pointer(pointer(Type::Char)),
        Direction::Out,
        Extent::One,
    );
    let results = [
        ("CUDA_SUCCESS", 0),
        ("CUDA_ERROR_INVALID_VALUE", 1),
        ("CUDA_ERROR_NOT_INITIALIZED", 3),
    ];
    let property = vec![
        field("type", 0, named("CUmemAllocationType")),
        field(
            "requestedHandleTypes",
            4,
            named("CUmemAllocationHandleType"),
        ),
        field("location", 8, named("CUmemLocation")),
        field("win32HandleMetaData", 16, pointer(Type::Void)),
        field(
            "reserved",
            24,
            Type::Array {
                of: Box::new(Type::Int {
                    bytes: 1,
                    signed: false,
                }),
                len: 8,
            },
        ),
    ];
    let names = |values: &[(&str, i64)], flags| TypeKind::Enum {
        values: values
            .iter()
            .map(|&(name, value)| (name.to_owned(), value))
            .collect(),
        flags,
    };
    let count = pointer(UNSIGNED);
    let probe = vec![
        behind("count", count.clone(), Direction::InOut, Extent::One),
        behind(
            "values",
            count,
            Direction::Out,
            Extent::Count(Length::Behind(0)),
        ),
        behind(
            "milliseconds",
            pointer(Type::Float { bytes: 4 }),
            Direction::Out,
            Extent::One,
        ),
        behind(
            "shape",
            pointer(named("CUsampleShape")),
            Direction::In,
            Extent::One,
        ),
        behind(
            "data",
            pointer(Type::Void),
            Direction::In,
            Extent::Bytes(Length::Const(12)),
        ),
        value("callback", named("CUsampleCallback")),
        value("address", named("CUdeviceptr")),
        value("pair", named("CUsamplePair")),
        value("scale", Type::Float { bytes: 8 }),
    ];
    let bits = |name: &str, first, count| Field {
        bits: Some((first, count)),
        ..field(name, 16, UNSIGNED)
    };
    let either = TypeKind::Union(vec![
        field("word", 0, SIZE),
        field("pair", 0, named("CUsamplePair")),
    ]);
    let tag = Type::Array {
        of: Box::new(Type::Char),
        len: 4,
    };
    let numbers = Type::Array {
        of: Box::new(INT),
        len: 2,
    };
    let shape = vec![
        field("", 0, named("CUsampleEither")),
        bits("low", 0, 3),
        bits("high", 3, 29),
        field("tag", 20, tag),
        field("numbers", 24, numbers),
    ];
    let pair = TypeKind::Struct(vec![
        field("first", 0, SIZE),
        field("second", 8, named("CUstream")),
    ]);
    Schema {
        functions: vec![
            (PROBE, function("cuSampleProbe", probe, vec![])),
            (
                INIT,
                function("cuInit", vec![value("Flags", UNSIGNED)], vec![]),
            ),
            (
                MEM_GET_INFO,
                function(
                    "cuMemGetInfo_v2",
                    vec![memory("free"), memory("total")],
                    vec![Effect::Queries],
                ),
            ),
            (
                DEVICE_GET_NAME,
                function(
                    "cuDeviceGetName",
                    vec![text, value("len", INT), value("dev", named("CUdevice"))],
                    vec![],
                ),
            ),
            (
                LAUNCH_KERNEL,
                function("cuLaunchKernel", launch, vec![Effect::Launches]),
            ),
            (
                MEM_CREATE,
                function("cuMemCreate", create, vec![Effect::Creates(0)]),
            ),
            (
                GET_ERROR_STRING,
                function(
                    "cuGetErrorString",
                    vec![value("error", named("CUresult")), error_text],
                    vec![],
                ),
            ),
        ],
        types: vec![
            definition("CUsampleEither", 16, either),
            definition("CUsamplePair", 16, pair),
            definition("CUsampleShape", 32, TypeKind::Struct(shape)),
            definition("CUsampleCallback", 8, TypeKind::Callback),
            definition("CUdeviceptr", 8, TypeKind::DevicePointer),
            definition("CUresult", 4, names(&results, false)),
            definition("CUfunction", 8, TypeKind::Handle),
            definition("CUstream", 8, TypeKind::Handle),
            definition("CUdevice", 4, TypeKind::Alias(INT)),
            definition("CUmemGenericAllocationHandle", 8, TypeKind::Alias(SIZE)),
            definition(
                "CUmemAllocationType",
                4,
                names(&[("CU_MEM_ALLOCATION_TYPE_PINNED", 1)], false),
            ),
            definition(
                "CUmemAllocationHandleType",
                4,
                names(&[("POSIX", 1), ("WIN32", 2), ("FABRIC", 8)], true),
            ),
            definition(
                "CUmemLocationType",
                4,
                names(&[("CU_MEM_LOCATION_TYPE_DEVICE", 1)], false),
            ),
            definition(
                "CUmemLocation",
                8,
                TypeKind::Struct(vec![
                    field("type", 0, named("CUmemLocationType")),
                    field("id", 4, INT),
                ]),
            ),
            definition("CUmemAllocationProp", 32, TypeKind::Struct(property)),
        ],
        export_tables: Vec::new(),
    }
}
