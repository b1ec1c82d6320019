//! Green contexts: multiprocessors are split as the documentation of `cuDevSmResourceSplitByCount` says, and given away.

use crate::driver::{Library, in_child, start, to};

const INVALID_VALUE: u32 = 1;
const INVALID_DEVICE: u32 = 101;
const INVALID_CONTEXT: u32 = 201;
const INVALID_RESOURCE_TYPE: u32 = 914;
const INVALID_RESOURCE_CONFIGURATION: u32 = 915;
const STREAM_DETACHED: u32 = 917;
/// `CU_DEV_RESOURCE_TYPE_INVALID`, `CU_DEV_RESOURCE_TYPE_SM`, `CU_DEV_RESOURCE_TYPE_WORKQUEUE`.
const NONE: u64 = 0;
const SM: u64 = 1;
const WORK_QUEUE: u64 = 10000;

/// `CUdevResource`: the type in the first 4 bytes, the number of multiprocessors at 96.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Resource([u8; 144]);

impl Resource {
    fn empty() -> Self {
        Self([0xee; 144])
    }

    fn word(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.0[at..at + 4].try_into().unwrap())
    }

    fn multiprocessors(&self) -> u32 {
        self.word(96)
    }
}

fn whole(cuda: &Library) -> Resource {
    let mut resource = Resource::empty();
    let words = [0, to(&mut resource), SM];
    assert_eq!(cuda.call("cuDeviceGetDevResource", words), 0);
    resource
}

/// Code, number of groups, the first group, and what is left.
fn split(
    cuda: &Library,
    mut input: Resource,
    (groups, flags, least): (u32, u64, u64),
) -> (u32, u32, Resource, Resource) {
    let mut result = [Resource::empty(); 16];
    let (mut count, mut rest) = (groups, Resource::empty());
    let code = cuda.call(
        "cuDevSmResourceSplitByCount",
        [
            to(&mut result),
            to(&mut count),
            to(&mut input),
            to(&mut rest),
            flags,
            least,
        ],
    );
    (code, count, result[0], rest)
}

fn descriptor(cuda: &Library, resources: &mut [Resource]) -> (u32, u64) {
    let mut descriptor = 0u64;
    let words = [
        to(&mut descriptor),
        resources.as_mut_ptr() as u64,
        resources.len() as u64,
    ];
    (cuda.call("cuDevResourceGenerateDesc", words), descriptor)
}

/// A green context of that many multiprocessors, and the context that it is.
fn green(cuda: &Library, least: u64) -> (u64, u64) {
    let (code, _, group, _) = split(cuda, whole(cuda), (1, 0, least));
    assert_eq!(code, 0);
    let (code, descriptor) = descriptor(cuda, &mut [group]);
    assert_eq!(code, 0);
    let (mut green, mut context) = (0u64, 0u64);
    let words = [to(&mut green), descriptor, 0, 1];
    assert_eq!(cuda.call("cuGreenCtxCreate", words), 0);
    let words = [to(&mut context), green];
    assert_eq!(cuda.call("cuCtxFromGreenCtx", words), 0);
    (green, context)
}

#[test]
fn multiprocessors_are_split_in_steps_of_the_architecture() {
    in_child(
        "green_contexts::multiprocessors_are_split_in_steps_of_the_architecture",
        "h100",
        |cuda| {
            start(cuda);
            let all = whole(cuda);
            assert_eq!((all.word(0), all.multiprocessors()), (SM as u32, 132));
            // At least 8, and a multiple of 8.
            assert_eq!((all.word(100), all.word(104)), (8, 8));
            let (code, count, group, rest) = split(cuda, all, (16, 0, 12));
            assert_eq!((code, count, group.multiprocessors()), (0, 8, 16));
            assert_eq!(rest.multiprocessors(), 132 - 8 * 16);
            let (code, count, group, rest) = split(cuda, all, (3, 0, 0));
            assert_eq!((code, count, group.multiprocessors()), (0, 3, 8));
            assert_eq!(rest.multiprocessors(), 108);
            // Blocks that need not run beside each other: any two.
            let (code, _, group, rest) = split(cuda, all, (2, 1, 66));
            assert_eq!((code, group.multiprocessors()), (0, 66));
            assert_eq!(u64::from(rest.word(0)), NONE);
            // A split that is only asked about.
            let (mut input, mut count) = (all, 0u32);
            let words = [0, to(&mut count), to(&mut input), 0, 0, 40];
            assert_eq!(cuda.call("cuDevSmResourceSplitByCount", words), 0);
            assert_eq!(count, 3);
        },
    );
}

#[test]
fn what_can_not_be_split_is_refused() {
    in_child(
        "green_contexts::what_can_not_be_split_is_refused",
        "h100",
        |cuda| {
            start(cuda);
            let all = whole(cuda);
            let code = |input, how| split(cuda, input, how).0;
            assert_eq!(code(all, (1, 0, 133)), INVALID_VALUE);
            assert_eq!(code(all, (1, 4, 8)), INVALID_VALUE);
            assert_eq!(code(all, (0, 0, 8)), INVALID_VALUE);
            // 132 is no multiple of 8, and 136 are not there.
            assert_eq!(code(all, (1, 0, 132)), INVALID_RESOURCE_CONFIGURATION);
            let (_, _, group, _) = split(cuda, all, (1, 0, 64));
            assert_eq!(code(group, (1, 0, 8)), INVALID_RESOURCE_CONFIGURATION);
            let mut foreign = all;
            foreign.0[4..96].fill(0);
            assert_eq!(code(foreign, (1, 0, 8)), INVALID_RESOURCE_CONFIGURATION);
            let mut other = all;
            other.0[..4].copy_from_slice(&(WORK_QUEUE as u32).to_le_bytes());
            assert_eq!(code(other, (1, 0, 8)), INVALID_RESOURCE_TYPE);
            let mut place = Resource::empty();
            let words = [0, to(&mut place), WORK_QUEUE];
            let asked = cuda.call("cuDeviceGetDevResource", words);
            assert_eq!(asked, INVALID_RESOURCE_TYPE);
            assert_eq!(descriptor(cuda, &mut []).0, INVALID_VALUE);
            let twice = descriptor(cuda, &mut [all, all]).0;
            assert_eq!(twice, INVALID_RESOURCE_CONFIGURATION);
        },
    );
}

#[test]
fn a_green_context_has_its_part_and_what_the_primary_context_has() {
    in_child(
        "green_contexts::a_green_context_has_its_part_and_what_the_primary_context_has",
        "h100",
        |cuda| {
            let primary = start(cuda);
            let (green, context) = green(cuda, 64);
            assert_ne!(context, primary);
            let mut part = Resource::empty();
            for (name, handle) in [
                ("cuGreenCtxGetDevResource", green),
                ("cuCtxGetDevResource", context),
            ] {
                assert_eq!(cuda.call(name, [handle, to(&mut part), SM]), 0);
                assert_eq!(part.multiprocessors(), 64, "{name}");
            }
            // What it was given can be split again.
            assert_eq!(split(cuda, part, (2, 0, 32)).0, 0);
            // Memory and events of the one are the other's, too.
            let mut address = 0u64;
            assert_eq!(cuda.call("cuMemAlloc_v2", [to(&mut address), 64]), 0);
            assert_eq!(cuda.call("cuCtxSetCurrent", [context]), 0);
            assert_eq!(cuda.call("cuMemsetD8_v2", [address, 7, 64]), 0);
            let (mut ids, mut green_id) = ([0u64; 2], 0u64);
            assert_eq!(cuda.call("cuCtxGetId", [primary, to(&mut ids[0])]), 0);
            assert_eq!(cuda.call("cuCtxGetId", [context, to(&mut ids[1])]), 0);
            let words = [green, to(&mut green_id)];
            assert_eq!(cuda.call("cuGreenCtxGetId", words), 0);
            assert_ne!(ids[0], ids[1]);
            assert_eq!(ids[1], green_id);
            assert_eq!(cuda.call("cuCtxDestroy_v2", [context]), INVALID_CONTEXT);
            assert_eq!(cuda.call("cuGreenCtxDestroy", [green]), 0);
            // It was current, and is no more; memory that was there before it stays.
            assert_eq!(cuda.call("cuCtxSetCurrent", [primary]), 0);
            assert_eq!(cuda.call("cuMemFree_v2", [address]), 0);
            assert_eq!(cuda.call("cuGreenCtxDestroy", [green]), INVALID_CONTEXT);
            assert_eq!(cuda.call("cuCtxSetCurrent", [context]), INVALID_CONTEXT);
        },
    );
}

#[test]
fn streams_know_their_green_context_and_lose_it() {
    in_child(
        "green_contexts::streams_know_their_green_context_and_lose_it",
        "h100",
        |cuda| {
            start(cuda);
            let (green, _) = green(cuda, 8);
            let (mut stream, mut plain) = (0u64, 0u64);
            let blocking = [to(&mut stream), green, 0, 0];
            assert_eq!(cuda.call("cuGreenCtxStreamCreate", blocking), INVALID_VALUE);
            let words = [to(&mut stream), green, 1, 0];
            assert_eq!(cuda.call("cuGreenCtxStreamCreate", words), 0);
            assert_eq!(cuda.call("cuStreamCreate", [to(&mut plain), 1]), 0);
            let (mut context, mut its_green) = (7u64, 7u64);
            let words = [stream, to(&mut context), to(&mut its_green)];
            assert_eq!(cuda.call("cuStreamGetCtx_v2", words), 0);
            assert_eq!((context, its_green), (0, green));
            let words = [plain, to(&mut context), to(&mut its_green)];
            assert_eq!(cuda.call("cuStreamGetCtx_v2", words), 0);
            assert_eq!((context != 0, its_green), (true, 0));
            let words = [stream, to(&mut its_green)];
            assert_eq!(cuda.call("cuStreamGetGreenCtx", words), 0);
            assert_eq!(its_green, green);
            let mut event = 0u64;
            assert_eq!(cuda.call("cuEventCreate", [to(&mut event), 0]), 0);
            assert_eq!(cuda.call("cuGreenCtxRecordEvent", [green, event]), 0);
            assert_eq!(cuda.call("cuGreenCtxWaitEvent", [green, event]), 0);
            assert_eq!(cuda.call("cuStreamSynchronize", [stream]), 0);
            assert_eq!(cuda.call("cuGreenCtxDestroy", [green]), 0);
            assert_eq!(cuda.call("cuStreamQuery", [stream]), STREAM_DETACHED);
            assert_eq!(cuda.call("cuStreamDestroy_v2", [stream]), 0);
            assert_eq!(cuda.call("cuStreamQuery", [plain]), 0);
        },
    );
}

#[test]
fn a_green_context_is_of_the_device_that_its_part_is_of() {
    in_child(
        "green_contexts::a_green_context_is_of_the_device_that_its_part_is_of",
        "two-gpu",
        |cuda| {
            start(cuda);
            let (_, descriptor) = descriptor(cuda, &mut [whole(cuda)]);
            let mut green = 0u64;
            let create = |green: &mut u64, device: u64, flags: u64| {
                cuda.call("cuGreenCtxCreate", [to(green), descriptor, device, flags])
            };
            assert_eq!(create(&mut green, 1, 1), INVALID_DEVICE);
            assert_eq!(create(&mut green, 0, 2), INVALID_VALUE);
            assert_eq!(
                cuda.call("cuGreenCtxCreate", [to(&mut green), 0, 0, 1]),
                INVALID_VALUE
            );
            assert_eq!(create(&mut green, 0, 1), 0);
            // It keeps the primary context alive.
            assert_eq!(cuda.call("cuDevicePrimaryCtxRelease_v2", [0]), 0);
            let (mut flags, mut active) = (0u32, 0i32);
            let words = [0, to(&mut flags), to(&mut active)];
            assert_eq!(cuda.call("cuDevicePrimaryCtxGetState", words), 0);
            assert_eq!(active, 1);
            assert_eq!(cuda.call("cuGreenCtxDestroy", [green]), 0);
            assert_eq!(cuda.call("cuDevicePrimaryCtxGetState", words), 0);
            assert_eq!(active, 0);
        },
    );
}
