//! Arrays, and textures and surfaces of them.

use crate::driver::{Library, in_child, memory, start, to};

/// `CU_AD_FORMAT_UNSIGNED_INT8`, `..._FLOAT`.
const BYTE: u32 = 1;
const FLOAT: u32 = 0x20;
const LAYERED: u32 = 1;
const SURFACE: u32 = 2;
/// `CUmemorytype`.
const HOST: u32 = 1;
const DEVICE: u32 = 2;
const ARRAY: u32 = 3;

#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Descriptor {
    width: usize,
    height: usize,
    depth: usize,
    format: u32,
    channels: u32,
    flags: u32,
}

/// One side of `CUDA_MEMCPY3D`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Side {
    offset: [usize; 3],
    level: usize,
    kind: u32,
    host: u64,
    device: u64,
    array: u64,
    reserved: u64,
    pitch: usize,
    height: usize,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Copy3D {
    from: Side,
    to: Side,
    extent: [usize; 3],
}

fn descriptor(extent: [usize; 3], format: u32, flags: u32) -> Descriptor {
    Descriptor {
        width: extent[0],
        height: extent[1],
        depth: extent[2],
        format,
        channels: 1,
        flags,
    }
}

fn create(cuda: &Library, mut wanted: Descriptor) -> (u32, u64) {
    let mut array = 0u64;
    let code = cuda.call("cuArray3DCreate_v2", [to(&mut array), to(&mut wanted)]);
    (code, array)
}

fn in_array(array: u64, offset: [usize; 3]) -> Side {
    Side {
        kind: ARRAY,
        array,
        offset,
        ..Side::default()
    }
}

/// Bytes of the program, packed for that extent.
fn in_host(bytes: &mut [u8], extent: [usize; 3]) -> Side {
    Side {
        kind: HOST,
        host: bytes.as_mut_ptr() as u64,
        pitch: extent[0],
        height: extent[1],
        ..Side::default()
    }
}

fn copy(cuda: &Library, to_side: Side, from: Side, extent: [usize; 3]) -> u32 {
    let mut copied = Copy3D {
        from,
        to: to_side,
        extent,
    };
    cuda.call("cuMemcpy3D_v2", [to(&mut copied)])
}

#[test]
fn boxes_go_into_arrays_and_out_again_and_stay_inside() {
    in_child(
        "arrays::boxes_go_into_arrays_and_out_again_and_stay_inside",
        "h100",
        |cuda| {
            start(cuda);
            let (width, height, depth) = (7, 5, 3);
            let (code, array) = create(cuda, descriptor([width, height, depth], BYTE, 0));
            assert_eq!(code, 0);
            let whole = [width, height, depth];
            let mut sent: Vec<u8> = (0..width * height * depth).map(|at| at as u8).collect();
            let from = in_host(&mut sent, whole);
            assert_eq!(copy(cuda, in_array(array, [0; 3]), from, whole), 0);
            // Out of the middle: what lies there in the order of rows and slices.
            let part = [2, 3, 2];
            let mut back = vec![0u8; 12];
            let place = in_host(&mut back, part);
            assert_eq!(copy(cuda, place, in_array(array, [4, 1, 1]), part), 0);
            let expected: Vec<u8> = (0..12)
                .map(|at| (at % 2 + 4, at / 2 % 3 + 1, at / 6 + 1))
                .map(|(x, y, z)| (x + width * (y + height * z)) as u8)
                .collect();
            assert_eq!(back, expected);
            for outside in [[6, 1, 1], [4, 3, 1], [4, 1, 2]] {
                let place = in_host(&mut back, part);
                assert_eq!(copy(cuda, place, in_array(array, outside), part), 1);
            }
            // By device memory to another array, and from there.
            let mut linear = 0u64;
            assert_eq!(cuda.call("cuMemAlloc_v2", [to(&mut linear), 4096]), 0);
            let on_device = Side {
                kind: DEVICE,
                device: linear,
                pitch: width,
                height,
                ..Side::default()
            };
            let (_, other) = create(cuda, descriptor(whole, BYTE, 0));
            assert_eq!(copy(cuda, on_device, in_array(array, [0; 3]), whole), 0);
            assert_eq!(copy(cuda, in_array(other, [0; 3]), on_device, whole), 0);
            let mut back = vec![0u8; sent.len()];
            let place = in_host(&mut back, whole);
            assert_eq!(copy(cuda, place, in_array(other, [0; 3]), whole), 0);
            assert_eq!(back, sent);
            assert_eq!(cuda.call("cuArrayDestroy", [array]), 0);
            assert_eq!(cuda.call("cuArrayDestroy", [array]), 400);
            assert_eq!(copy(cuda, place, in_array(array, [0; 3]), whole), 400);
        },
    );
}

#[test]
fn rows_of_arrays_are_copied_by_offset() {
    in_child(
        "arrays::rows_of_arrays_are_copied_by_offset",
        "h100",
        |cuda| {
            start(cuda);
            let (_, array) = create(cuda, descriptor([64, 0, 0], BYTE, 0));
            let (_, other) = create(cuda, descriptor([64, 0, 0], BYTE, 0));
            let mut sent = [7u8; 16];
            let mut back = [0u8; 16];
            let mut linear = 0u64;
            assert_eq!(cuda.call("cuMemAlloc_v2", [to(&mut linear), 64]), 0);
            assert_eq!(
                cuda.call("cuMemcpyHtoA_v2", [array, 8, to(&mut sent), 16]),
                0
            );
            assert_eq!(cuda.call("cuMemcpyAtoA_v2", [other, 40, array, 8, 16]), 0);
            assert_eq!(cuda.call("cuMemcpyAtoD_v2", [linear, other, 40, 16]), 0);
            assert_eq!(cuda.call("cuMemcpyDtoA_v2", [array, 48, linear, 16]), 0);
            let words = [to(&mut back), array, 48, 16, 0];
            assert_eq!(cuda.call("cuMemcpyAtoHAsync_v2", words), 0);
            assert_eq!(cuda.call("cuCtxSynchronize", []), 0);
            assert_eq!(back, sent);
            assert_eq!(
                cuda.call("cuMemcpyAtoH_v2", [to(&mut back), array, 49, 16]),
                1
            );
        },
    );
}

#[test]
fn arrays_take_memory_and_are_what_was_asked_for() {
    in_child(
        "arrays::arrays_take_memory_and_are_what_was_asked_for",
        "h100",
        |cuda| {
            start(cuda);
            let before = memory(cuda).1;
            let wanted = descriptor([1024, 1024, 0], FLOAT, SURFACE);
            let (_, array) = create(cuda, wanted);
            assert_eq!(before - memory(cuda).1, 4 << 20);
            let mut found = Descriptor::default();
            let words = [to(&mut found), array];
            assert_eq!(cuda.call("cuArray3DGetDescriptor_v2", words), 0);
            assert_eq!(found, wanted);
            assert_eq!(cuda.call("cuArrayDestroy", [array]), 0);
            assert_eq!(memory(cuda).1, before);
            for (wrong, code) in [
                (descriptor([0, 0, 0], FLOAT, 0), 1),
                (descriptor([1 << 20, 1, 0], FLOAT, 0), 1),
                (descriptor([8, 8, 0], 5, 0), 1),
                (descriptor([8, 8, 6], FLOAT, 4), 0),
                (descriptor([8, 9, 6], FLOAT, 4), 1),
                (descriptor([8, 0, 5], FLOAT, LAYERED), 0),
                (descriptor([8, 8, 0], FLOAT, 0x40), 801),
                (descriptor([8, 8, 0], FLOAT, 0x1000), 1),
            ] {
                assert_eq!(create(cuda, wrong).0, code, "{wrong:?}");
            }
        },
    );
}

#[test]
fn mipmapped_arrays_have_a_level_for_each_half() {
    in_child(
        "arrays::mipmapped_arrays_have_a_level_for_each_half",
        "h100",
        |cuda| {
            start(cuda);
            let before = memory(cuda).1;
            let mut wanted = descriptor([32, 8, 0], FLOAT, 0);
            let (mut mipmap, mut level, mut again) = (0u64, 0u64, 0u64);
            let words = [to(&mut mipmap), to(&mut wanted), 99];
            assert_eq!(cuda.call("cuMipmappedArrayCreate", words), 0);
            for (number, extent) in [[32, 8], [16, 4], [8, 2], [4, 1], [2, 1], [1, 1]]
                .into_iter()
                .enumerate()
            {
                let words = [to(&mut level), mipmap, number as u64];
                assert_eq!(cuda.call("cuMipmappedArrayGetLevel", words), 0);
                let mut found = Descriptor::default();
                let words = [to(&mut found), level];
                assert_eq!(cuda.call("cuArray3DGetDescriptor_v2", words), 0);
                assert_eq!([found.width, found.height], extent);
            }
            let words = [to(&mut again), mipmap, 5];
            assert_eq!(cuda.call("cuMipmappedArrayGetLevel", words), 0);
            assert_eq!(again, level);
            let words = [to(&mut again), mipmap, 6];
            assert_eq!(cuda.call("cuMipmappedArrayGetLevel", words), 1);
            // A level ends with its whole.
            assert_eq!(cuda.call("cuArrayDestroy", [level]), 400);
            assert_eq!(cuda.call("cuMipmappedArrayDestroy", [mipmap]), 0);
            assert_eq!(cuda.call("cuMipmappedArrayDestroy", [mipmap]), 400);
            assert_eq!(memory(cuda).1, before);
        },
    );
}

/// `CUDA_RESOURCE_DESC`: an array, or linear memory with format, channels and bytes.
fn resource(kind: u32, words: [u64; 5]) -> [u64; 18] {
    let mut resource = [0; 18];
    resource[0] = u64::from(kind);
    resource[1..6].copy_from_slice(&words);
    resource
}

#[test]
fn textures_and_surfaces_are_checked_and_remembered() {
    in_child(
        "arrays::textures_and_surfaces_are_checked_and_remembered",
        "h100",
        |cuda| {
            start(cuda);
            let (_, plain) = create(cuda, descriptor([64, 64, 0], FLOAT, 0));
            let (_, writable) = create(cuda, descriptor([64, 64, 0], FLOAT, SURFACE));
            let mut linear = 0u64;
            assert_eq!(cuda.call("cuMemAlloc_v2", [to(&mut linear), 1 << 16]), 0);
            let float = u64::from(FLOAT) | 1 << 32;
            let mut how = [0u32; 26];
            let mut object = 0u64;
            let mut texture = |mut of: [u64; 18]| {
                let words = [to(&mut object), to(&mut of), to(&mut how), 0];
                (cuda.call("cuTexObjectCreate", words), object)
            };
            assert_eq!(texture(resource(2, [linear, float, 1 << 16, 0, 0])).0, 0);
            assert_eq!(texture(resource(2, [linear, float, 1 << 17, 0, 0])).0, 1);
            assert_eq!(texture(resource(2, [linear + 4, float, 64, 0, 0])).0, 1);
            assert_eq!(texture(resource(3, [linear, float, 64, 64, 256])).0, 0);
            assert_eq!(texture(resource(3, [linear, float, 64, 64, 255])).0, 1);
            assert_eq!(texture(resource(0, [0xdead, 0, 0, 0, 0])).0, 400);
            assert_eq!(texture(resource(9, [plain, 0, 0, 0, 0])).0, 1);
            let (code, made) = texture(resource(0, [plain, 0, 0, 0, 0]));
            assert_eq!(code, 0);
            let mut found = [7u64; 18];
            let words = [to(&mut found), made];
            assert_eq!(cuda.call("cuTexObjectGetResourceDesc", words), 0);
            assert_eq!(found[1], plain);
            assert_eq!(cuda.call("cuTexObjectGetResourceViewDesc", words), 1);
            assert_eq!(cuda.call("cuTexObjectDestroy", [made]), 0);
            assert_eq!(cuda.call("cuTexObjectDestroy", [made]), 1);
            for (array, code) in [(plain, 1), (writable, 0)] {
                let mut of = resource(0, [array, 0, 0, 0, 0]);
                let words = [to(&mut object), to(&mut of)];
                assert_eq!(cuda.call("cuSurfObjectCreate", words), code);
            }
            assert_eq!(cuda.call("cuSurfObjectDestroy", [object]), 0);
        },
    );
}
