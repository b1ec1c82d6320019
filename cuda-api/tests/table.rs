//! The joined table makes sense in itself: every name resolves, every length can be read, every role fits its type.

use cutape_cuda_api::{
    Api, DefaultStream, Direction, Effect, Extent, Function, Length, Library, Param, Type, TypeDef,
    TypeKind, Unit, Validity,
};
use std::collections::HashSet;

fn params_of(name: &str) -> &'static [Param] {
    let api = Api::get();
    let id = api
        .function(name)
        .unwrap_or_else(|| panic!("{name} is in the table"));
    &api.at(id)
        .signature
        .as_ref()
        .expect("it has a prototype")
        .params
}

fn param(function: &str, name: &str) -> &'static Param {
    params_of(function)
        .iter()
        .find(|param| param.name == name)
        .unwrap_or_else(|| panic!("{function} has {name}"))
}

/// Every (function, its parameters, one parameter) of the table.
fn all_params() -> impl Iterator<Item = (&'static Function, &'static [Param], &'static Param)> {
    let with_signature = |function: &'static Function| {
        Some((function, function.signature.as_ref()?.params.as_slice()))
    };
    Api::get()
        .functions()
        .iter()
        .filter_map(with_signature)
        .flat_map(|(function, params)| params.iter().map(move |param| (function, params, param)))
}

#[test]
fn functions_types_and_objects_are_sorted_and_unique() {
    let api = Api::get();
    for library in [Library::Cuda, Library::Nvml] {
        let names: Vec<&str> = api
            .library_functions(library)
            .iter()
            .map(|function| function.name.as_str())
            .collect();
        assert!(
            names.windows(2).all(|pair| pair[0] < pair[1]),
            "{library:?}: functions out of order"
        );
    }
    assert!(
        api.types()
            .windows(2)
            .all(|pair| pair[0].name < pair[1].name),
        "types out of order"
    );
    let objects: HashSet<&str> = api
        .objects()
        .iter()
        .map(|object| object.name.as_str())
        .collect();
    assert_eq!(objects.len(), api.objects().len());
    for function in api.functions() {
        assert_eq!(
            api.function(&function.name).map(|id| api.at(id)),
            Some(function)
        );
    }
    assert_eq!(api.function("cuNoSuchFunction"), None);
}

#[test]
fn every_type_that_is_named_exists() {
    fn check(ty: &Type, of: &str) {
        match ty {
            Type::Pointer { to, .. } => check(to, of),
            Type::Array { of: element, .. } => check(element, of),
            Type::Named(name) => {
                assert!(Api::get().type_def(name).is_some(), "{of}: no type {name}")
            }
            _ => {}
        }
    }
    for (function, _, param) in all_params() {
        check(&param.ty, &format!("{}.{}", function.name, param.name));
    }
    for type_def in Api::get().types() {
        match &type_def.kind {
            TypeKind::Alias(target) => check(target, &type_def.name),
            TypeKind::Struct(fields) | TypeKind::Union(fields) => fields
                .iter()
                .for_each(|field| check(&field.ty, &type_def.name)),
            _ => {}
        }
    }
}

#[test]
fn fields_lie_inside_their_structures() {
    let api = Api::get();
    for TypeDef {
        name, size, kind, ..
    } in api.types()
    {
        let (TypeKind::Struct(fields) | TypeKind::Union(fields)) = kind else {
            continue;
        };
        for field in fields {
            let bytes = api
                .size_of(&field.ty)
                .unwrap_or_else(|| panic!("{name}.{} has a size", field.name));
            assert!(
                field.offset + bytes <= *size,
                "{name}.{} reaches beyond {size} bytes",
                field.name
            );
        }
    }
}

#[test]
fn a_length_is_an_integer_that_can_be_read() {
    let api = Api::get();
    let is_integer = |ty: &Type| matches!(api.without_aliases(ty), Type::Int { .. });
    for (function, params, param) in all_params() {
        let (Extent::Text(Some(length)) | Extent::Count(length) | Extent::Bytes(length)) =
            &param.extent
        else {
            continue;
        };
        let who = format!("{}.{}", function.name, param.name);
        match *length {
            Length::Const(number) => assert!(number > 0, "{who}"),
            Length::Param(place) => assert!(
                is_integer(&params[usize::from(place)].ty),
                "{who}: its length is no integer"
            ),
            Length::Behind(place) => {
                let counter = &params[usize::from(place)];
                let Type::Pointer { to, .. } = api.without_aliases(&counter.ty) else {
                    panic!("{who}: {} is no pointer", counter.name);
                };
                assert!(
                    is_integer(to),
                    "{who}: {} points to no integer",
                    counter.name
                );
                assert_ne!(
                    counter.direction,
                    Direction::Opaque,
                    "{who}: {} isn't followed",
                    counter.name
                );
            }
        }
    }
}

#[test]
fn a_role_fits_the_type() {
    let api = Api::get();
    for (function, _, param) in all_params() {
        let who = format!("{}.{}", function.name, param.name);
        match (api.without_aliases(&param.ty), param.direction) {
            (Type::Pointer { constant: true, .. }, direction) => {
                assert!(
                    matches!(direction, Direction::In | Direction::Opaque),
                    "{who}: the driver can't write through const"
                );
            }
            (Type::Pointer { .. }, direction) => {
                assert_ne!(direction, Direction::Value, "{who}: a pointer is no value")
            }
            (Type::Named(_), Direction::Opaque) => {
                let kind = api.definition(&param.ty).map(|type_def| &type_def.kind);
                assert_eq!(
                    kind,
                    Some(&TypeKind::Callback),
                    "{who}: only callbacks and pointers are opaque"
                );
            }
            (_, direction) => {
                assert_eq!(direction, Direction::Value, "{who}: no pointer to follow")
            }
        }
        if param.valid == Validity::Always {
            assert!(
                matches!(param.direction, Direction::Out | Direction::InOut),
                "{who}: always valid, yet no answer"
            );
        }
    }
}

#[test]
fn what_is_followed_has_a_size() {
    let api = Api::get();
    for (function, _, param) in all_params() {
        let Type::Pointer { to, .. } = api.without_aliases(&param.ty) else {
            continue;
        };
        let is_followed = matches!(
            param.direction,
            Direction::In | Direction::Out | Direction::InOut
        );
        if is_followed && !matches!(param.extent, Extent::Bytes(_)) {
            assert!(
                api.size_of(to).is_some(),
                "{}.{}: unknown size behind it",
                function.name,
                param.name
            );
        }
    }
}

#[test]
fn text_that_the_driver_writes_has_a_length() {
    for (function, _, param) in all_params() {
        if matches!(param.direction, Direction::Out | Direction::InOut) {
            assert_ne!(
                param.extent,
                Extent::Text(None),
                "{}.{}",
                function.name,
                param.name
            );
            let is_char = matches!(&param.ty, Type::Pointer { to, .. } if **to == Type::Char);
            assert!(
                !is_char || param.extent != Extent::One,
                "{}.{}: one char?",
                function.name,
                param.name
            );
        }
    }
}

#[test]
fn effects_name_parameters_that_can_bear_them() {
    let api = Api::get();
    for function in api.functions() {
        let params = function
            .signature
            .as_ref()
            .map_or(&[][..], |signature| &signature.params);
        for effect in &function.effects {
            match *effect {
                Effect::Creates(place) => {
                    let made = &params[usize::from(place)];
                    assert_eq!(
                        made.direction,
                        Direction::Out,
                        "{}: {} is where the new object is put",
                        function.name,
                        made.name
                    );
                }
                Effect::Enqueues(place) => {
                    assert_eq!(
                        params[usize::from(place)].ty,
                        Type::Named("CUstream".to_owned()),
                        "{}",
                        function.name
                    );
                }
                Effect::Destroys(place) | Effect::SetsCurrent(place) => {
                    assert!(usize::from(place) < params.len(), "{}", function.name)
                }
                Effect::Launches | Effect::Copies | Effect::Synchronizes | Effect::Queries => {}
            }
        }
        let queries = function.effects.contains(&Effect::Queries);
        assert!(
            !queries || function.effects.len() == 1,
            "{}: a query that also {:?}",
            function.name,
            function.effects
        );
    }
}

#[test]
fn versions_and_stream_variants_share_their_roles() {
    let api = Api::get();
    for function in api
        .functions()
        .iter()
        .filter(|function| function.default_stream == DefaultStream::PerThread)
    {
        let legacy_name = function
            .name
            .trim_end_matches("_ptsz")
            .trim_end_matches("_ptds");
        let legacy = api.at(api
            .function(legacy_name)
            .unwrap_or_else(|| panic!("{legacy_name}")));
        // One header calls a parameter otherwise in the two variants, so names don't count.
        let roles = |function: &Function| {
            let params = function
                .signature
                .iter()
                .flat_map(|signature| signature.params.clone());
            params
                .map(|param| Param {
                    name: String::new(),
                    ..param
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(roles(function), roles(legacy), "{}", function.name);
        assert_eq!(function.effects, legacy.effects, "{}", function.name);
    }
}

#[test]
fn the_calls_that_matter_most_are_described_right() {
    let free = param("cuMemGetInfo_v2", "free");
    assert_eq!(
        (free.direction, free.valid, free.unit),
        (Direction::Out, Validity::Always, Some(Unit::Bytes))
    );
    let name = param("cuDeviceGetName", "name");
    assert_eq!(
        (name.direction, &name.extent),
        (Direction::Out, &Extent::Text(Some(Length::Param(1))))
    );
    assert_eq!(
        param("cuGetErrorString", "pStr").extent,
        Extent::PointedText
    );
    assert_eq!(
        param("cuGetExportTable", "pExportTableId").direction,
        Direction::In
    );
    assert_eq!(
        param("cuGetExportTable", "ppExportTable").direction,
        Direction::Out
    );
    assert_eq!(
        param("cuMemcpyHtoD_v2", "srcHost").direction,
        Direction::Opaque
    );
    assert_eq!(
        param("cuLaunchKernel_ptsz", "kernelParams").direction,
        Direction::Opaque
    );
    assert_eq!(
        param("cuModuleLoadData", "image").direction,
        Direction::Opaque
    );
    assert_eq!(param("cuMemcpy2D_v2", "pCopy").direction, Direction::In);
    assert_eq!(
        param("cuCtxCreate_v2", "flags").ty,
        Type::Named("CUctx_flags".to_owned())
    );
    assert_eq!(
        param("cuGraphNodeGetDependencies_v2", "edgeData").extent,
        Extent::Count(Length::Behind(3))
    );
    let count = param("nvmlDeviceGetComputeRunningProcesses_v3", "infoCount");
    assert_eq!(
        (count.direction, count.valid),
        (Direction::InOut, Validity::Always)
    );
    assert_eq!(
        param("nvmlDeviceGetMemoryInfo_v2", "memory").direction,
        Direction::InOut
    );
    assert_eq!(
        param("nvmlDeviceGetMemoryInfo", "memory").direction,
        Direction::Out
    );
    let api = Api::get();
    let effects = |name: &str| api.at(api.function(name).expect("known")).effects.clone();
    assert_eq!(
        effects("cuCtxCreate_v4"),
        [Effect::Creates(0), Effect::SetsCurrent(0)]
    );
    assert_eq!(
        effects("cuMemcpyHtoDAsync_v2_ptsz"),
        [Effect::Copies, Effect::Enqueues(3)]
    );
    assert_eq!(
        effects("cuMemcpyHtoD_v2"),
        [Effect::Copies, Effect::Synchronizes]
    );
    assert_eq!(effects("cuDeviceGetCount"), [Effect::Queries]);
}

#[test]
fn codes_flags_and_attributes_have_names() {
    let api = Api::get();
    assert_eq!(
        api.error_name(Library::Cuda, 3),
        Some("CUDA_ERROR_NOT_INITIALIZED")
    );
    assert_eq!(
        api.error_text(Library::Cuda, 3),
        Some("initialization error")
    );
    assert_eq!(api.error_text(Library::Cuda, 0), Some("no error"));
    assert_eq!(api.error_name(Library::Cuda, 123_456), None);
    assert_eq!(
        api.error_name(Library::Nvml, 999),
        Some("NVML_ERROR_UNKNOWN")
    );
    assert_eq!(api.error_text(Library::Nvml, 7), Some("Insufficient Size"));
    assert_eq!(
        api.enum_name("CUdevice_attribute", 75),
        Some("CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR")
    );
    assert_eq!(
        api.flag_names("CUctx_flags", 0x0c),
        Some((vec!["CU_CTX_SCHED_BLOCKING_SYNC", "CU_CTX_MAP_HOST"], 0))
    );
    assert_eq!(
        api.flag_names("CUctx_flags", 0x1000),
        Some((vec![], 0x1000))
    );
    assert_eq!(
        api.flag_names("CUmemHostAlloc_flags", 3)
            .map(|(names, _)| names.len()),
        Some(2)
    );
}

#[test]
fn every_error_code_has_a_text() {
    let api = Api::get();
    for (library, enumeration) in [(Library::Cuda, "CUresult"), (Library::Nvml, "nvmlReturn_t")] {
        let Some(TypeKind::Enum { values, .. }) =
            api.type_def(enumeration).map(|type_def| &type_def.kind)
        else {
            panic!("{enumeration} is an enumeration");
        };
        for (name, value) in values {
            let code = i32::try_from(*value).expect("codes are small");
            assert!(
                api.error_text(library, code)
                    .is_some_and(|text| !text.is_empty()),
                "{name}"
            );
        }
    }
}

#[test]
fn export_tables_are_known_by_their_guid() {
    let api = Api::get();
    let lines = include_str!("../table/export_tables.api")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .count();
    assert_eq!(api.export_tables().len(), lines);
    let integrity = [
        0xd4, 0x08, 0x20, 0x55, 0xbd, 0xe6, 0x70, 0x4b, 0x8d, 0x34, 0xba, 0x12, 0x3c, 0x66, 0xe1,
        0xf2,
    ];
    assert_eq!(api.export_table_name(integrity), Some("INTEGRITY_CHECK"));
    assert_eq!(api.export_table_name([0; 16]), None);
}

#[test]
fn resolve_chooses_by_version_and_stream() {
    let api = Api::get();
    let resolve = |base, version, stream| {
        api.resolve(base, version, stream)
            .map(|id| api.at(id).name.as_str())
    };
    assert_eq!(
        resolve("cuCtxCreate", 3000, DefaultStream::Legacy),
        Some("cuCtxCreate")
    );
    assert_eq!(
        resolve("cuCtxCreate", 12020, DefaultStream::Legacy),
        Some("cuCtxCreate_v3")
    );
    assert_eq!(
        resolve("cuCtxCreate", 13050, DefaultStream::Legacy),
        Some("cuCtxCreate_v4")
    );
    assert_eq!(
        resolve("cuMemcpyHtoD", 12020, DefaultStream::PerThread),
        Some("cuMemcpyHtoD_v2_ptds")
    );
    assert_eq!(
        resolve("cuMemcpyHtoD", 6050, DefaultStream::PerThread),
        None
    );
    assert_eq!(
        resolve("cuInit", 12020, DefaultStream::PerThread),
        Some("cuInit")
    );
    assert_eq!(resolve("cuInit", 1000, DefaultStream::Legacy), None);
    assert_eq!(
        resolve("cuMemcpyHtoD_v2", 12020, DefaultStream::Legacy),
        None
    );
    assert_eq!(resolve("", 12020, DefaultStream::Legacy), None);
}
