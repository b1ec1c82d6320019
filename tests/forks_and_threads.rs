//! Programs that fork, exec, start threads by the thousand, hop between them, and leave calls in unusual ways: they print and end as without
//! cutape, and every call is on record, in its process, on its thread, once.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cutape_test_clients::{programs, python, skip};
use cutape_trace_format::ring_file::RingFile;
use support::{End, Recorded, SeenCall, client, compare_on_simulated_gpu};

/// Where a call was made: process id and which program of that process.
type Place = (u32, u32);

/// The calls `cuPointerGetAttribute(&value, 2, group << 40 | i)` of the client programs: for each place and group the `i` in order.
fn numbered_calls(recorded: &Recorded) -> BTreeMap<(Place, u64), Vec<u64>> {
    let mut numbers: BTreeMap<_, Vec<u64>> = BTreeMap::new();
    for call in recorded.of("cuPointerGetAttribute") {
        assert_eq!(call.args[1], 2);
        assert!(call.returned.is_some(), "{call:?}");
        let (group, number) = (call.args[2] >> 40, call.args[2] & 0xff_ffff_ffff);
        let place = ((call.pid, call.incarnation), group);
        numbers.entry(place).or_default().push(number);
    }
    numbers
}

fn from_one_to(last: u64) -> Vec<u64> {
    (1..=last).collect()
}

#[test]
fn every_way_of_making_a_process_is_followed() {
    let run = compare_on_simulated_gpu(&client("fork_calls"), &[]);
    assert!(
        run.recorded.stdout.contains("posix_spawn: 500 calls"),
        "{}",
        run.recorded.stdout
    );
    run.trace.assert_nothing_lost();
    let numbers = numbered_calls(&run.trace);
    let mut groups: Vec<u64> = numbers.keys().map(|(_, group)| *group).collect();
    groups.sort_unstable();
    assert_eq!(groups, from_one_to(7), "each group of calls in one process");
    assert!(numbers.values().all(|numbers| *numbers == from_one_to(500)));
    let place = |group| numbers.keys().find(|(_, found)| *found == group).unwrap().0;
    assert_eq!(place(1), place(7), "the parent is one process to its end");
    let places: BTreeSet<Place> = numbers.keys().map(|(place, _)| *place).collect();
    assert_eq!(
        places.len(),
        6,
        "parent, child, grandchild, clone, vfork and exec, posix_spawn"
    );
    assert_eq!(run.trace.trace.processes().len(), 6);
    assert_eq!(
        run.trace.of("cuInit").len(),
        3,
        "the parent and the two that were exec'd"
    );
}

#[test]
fn programs_that_one_process_becomes_by_exec_are_told_apart() {
    let run = compare_on_simulated_gpu(&client("exec_chain"), &["5"]);
    assert!(
        run.recorded.stdout.contains("link 5: "),
        "{}",
        run.recorded.stdout
    );
    run.trace.assert_nothing_lost();
    let numbers = numbered_calls(&run.trace);
    let links: Vec<_> = numbers
        .iter()
        .map(|((place, link), made)| (place.1, *link, made.len()))
        .collect();
    assert_eq!(
        links,
        [
            (0, 1, 100),
            (1, 2, 200),
            (2, 3, 300),
            (3, 4, 400),
            (4, 5, 500)
        ]
    );
    let pids: BTreeSet<u32> = run.trace.calls.iter().map(|call| call.pid).collect();
    assert_eq!(pids.len(), 1);
    // The bystander of each link but the last made at least the call that its link waited for.
    for incarnation in 0..4 {
        let of_bystander = run.trace.of("cuGetErrorName");
        let mut own = of_bystander
            .iter()
            .filter(|call| call.incarnation == incarnation);
        assert!(
            own.any(|call| call.returned.is_some()),
            "link {}",
            incarnation + 1
        );
    }
}

#[test]
fn pools_of_forked_and_spawned_workers_are_followed() {
    if let Err(error) = python::version() {
        return skip(&error.to_string());
    }
    let script = programs::python_script("multiprocessing_pool");
    let run = compare_on_simulated_gpu(
        Path::new(&python::interpreter()),
        &[script.to_str().unwrap(), "4", "40"],
    );
    assert!(
        run.recorded.stdout.contains("spawn: 1000 calls"),
        "{}",
        run.recorded.stdout
    );
    run.trace.assert_nothing_lost();
    let mut times_by_task = BTreeMap::new();
    for ((_, task), numbers) in numbered_calls(&run.trace) {
        // A worker that gets a task of the other pool's number again would have it twice; the pools have different processes.
        assert_eq!(numbers, from_one_to(25), "task {task}");
        *times_by_task.entry(task).or_insert(0) += 1;
    }
    assert_eq!(times_by_task, (1..=40).map(|task| (task, 2)).collect());
}

#[test]
fn sixty_four_threads_at_once() {
    let run = compare_on_simulated_gpu(&client("threads"), &["64", "1000"]);
    run.trace.assert_nothing_lost();
    let mut threads: BTreeMap<u64, BTreeSet<(u32, String)>> = BTreeMap::new();
    for call in run.trace.of("cuPointerGetAttribute") {
        let name = call.thread_name.clone();
        threads
            .entry(call.args[2] >> 40)
            .or_default()
            .insert((call.tid, name));
    }
    let numbers = numbered_calls(&run.trace);
    assert_eq!(numbers.len(), 64);
    assert!(
        numbers
            .values()
            .all(|numbers| *numbers == from_one_to(1000))
    );
    let mut thread_ids = BTreeSet::new();
    for (thread, seen) in threads {
        let seen: Vec<_> = seen.into_iter().collect();
        let [(id, name)] = &seen[..] else {
            panic!("thread {thread} was seen as {seen:?}")
        };
        assert_eq!(*name, format!("caller-{thread}"));
        thread_ids.insert(*id);
    }
    assert_eq!(thread_ids.len(), 64, "each has a thread id of its own");
}

#[test]
fn a_thread_for_each_call_takes_no_more_rings_than_threads_at_once() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("threads.cutape");
    let program = client("thread_per_call");
    let alone = support::finish(support::cutape(["sim", "--"]).arg(&program));
    let options = [
        "-o".as_ref(),
        folder.as_os_str(),
        "--driver".as_ref(),
        "sim".as_ref(),
    ];
    let mut command = support::program(&program);
    let run = support::finish(command.envs(support::environment_of(&options)));
    run.assert_same_as(&alone);
    assert_eq!(run.messages(), [""; 0]);
    // The folder is as the program left it, with its ring file.
    let [rings] = &ring_files(&folder)[..] else {
        panic!("one process, one ring file")
    };
    // One for the main thread and each of the eight that call at once, larger ones for some that filled, and a few to spare.
    assert!(rings.rings.len() <= 16, "{:?}", rings.rings);
    let bytes: u64 = rings.rings.iter().map(|ring| ring.capacity).sum();
    assert!(
        bytes <= 64 << 20,
        "10,000 threads took {} MiB of rings",
        bytes >> 20
    );
    let recorded = Recorded::open(&folder);
    recorded.assert_nothing_lost();
    let mut numbers: Vec<u64> = recorded
        .of("cuPointerGetAttribute")
        .iter()
        .map(|call| call.args[2])
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, from_one_to(10_000));
    // The main thread and one for each call. Kernel thread ids may come round again, numbers in the trace don't.
    assert_eq!(recorded.trace.threads().len(), 10_001);
}

fn ring_files(folder: &Path) -> Vec<RingFile> {
    let entries = std::fs::read_dir(folder).unwrap();
    let files = entries.map(|entry| entry.unwrap().path().join("rings"));
    let present = files.filter(|file| file.exists());
    present
        .map(|file| RingFile::open(&file).unwrap().expect("a ring file"))
        .collect()
}

#[test]
fn goroutines_that_hop_between_threads() {
    let program = match programs::go_program("goroutines") {
        Err(error @ programs::BuildError::NoCompiler { .. }) => return skip(&error.to_string()),
        built => built.unwrap(),
    };
    let run = compare_on_simulated_gpu(&program, &["64", "500"]);
    run.trace.assert_nothing_lost();
    let numbers = numbered_calls(&run.trace);
    assert!(numbers.values().all(|numbers| *numbers == from_one_to(500)));
    let mut groups_by_process: BTreeMap<Place, usize> = BTreeMap::new();
    for (place, _) in numbers.keys() {
        *groups_by_process.entry(*place).or_default() += 1;
    }
    let mut groups: Vec<usize> = groups_by_process.into_values().collect();
    groups.sort_unstable();
    assert_eq!(
        groups,
        [1, 1, 1, 1, 64],
        "four children with one goroutine, the parent with 64"
    );
}

#[test]
fn a_driver_that_is_closed_and_opened_again() {
    let run = compare_on_simulated_gpu(&client("reopen"), &[]);
    run.trace.assert_nothing_lost();
    let counts = run.trace.counts();
    let expected = [
        "cuDriverGetVersion",
        "cuGetErrorName",
        "cuInit",
        "cuMemGetInfo_v2",
    ];
    assert_eq!(counts, expected.into_iter().map(|name| (name, 4)).collect());
    assert_eq!(run.trace.trace.processes().len(), 1);
}

#[test]
fn calls_inside_calls_are_recorded_with_both_ends() {
    let run = compare_on_simulated_gpu(&client("nested"), &[]);
    run.trace.assert_nothing_lost();
    let printed = &run.recorded.stdout;
    let called_back = printed.matches("call back: its calls worked").count();
    assert_eq!(called_back, 3, "{printed}");
    let inner = run.trace.of("cuGetErrorName");
    assert!(
        inner
            .iter()
            .all(|call| call.args[0] == 4242 && call.returned.is_some())
    );
    // The driver may try several block sizes, so at least one for each of the three ways.
    assert!(inner.len() >= 3, "{}", inner.len());
    let [outer] = run.trace.of("cuOccupancyMaxPotentialBlockSize")[..] else {
        panic!("one call, {:?}", run.trace.counts());
    };
    let begin = outer.call.begin_ns;
    let end = begin + outer.call.duration_ns.expect("it returned");
    let within = inner.iter().filter(|call| {
        let its_end = call.call.begin_ns + call.call.duration_ns.unwrap();
        call.tid == outer.tid && call.call.begin_ns >= begin && its_end <= end
    });
    assert!(within.count() >= 1, "the call back's calls lie in the call");
    assert!(run.trace.calls.iter().all(|call| call.returned.is_some()));
}

#[test]
fn calls_in_signal_handlers_are_recorded_and_answers_kept() {
    let run = compare_on_simulated_gpu(&client("signals"), &[]);
    assert!(
        run.recorded.stdout.contains("errno changed: no"),
        "{}",
        run.recorded.stdout
    );
    run.trace.assert_nothing_lost();
    let mut in_handler = BTreeSet::new();
    let (mut made, mut without_end) = (0, 0);
    for call in run.trace.of("cuGetErrorName") {
        without_end += usize::from(call.returned.is_none());
        if call.args[0] >= 1000 {
            in_handler.insert(call.args[0]);
            made += 1;
        }
    }
    // 1000 was asked once more before the timers started.
    assert_eq!(in_handler, (1000..1300).collect());
    assert_eq!((made, without_end), (301, 0));
}

#[test]
fn calls_that_are_left_by_longjmp_stay_on_record_as_begun() {
    let run = compare_on_simulated_gpu(&client("longjmp"), &[]);
    let printed = &run.recorded.stdout;
    assert!(
        printed.contains("left cuOccupancyMaxPotentialBlockSize\n"),
        "{printed}"
    );
    assert_eq!(
        printed
            .matches("left a crash in cuDriverGetVersion(16)")
            .count(),
        5,
        "{printed}"
    );
    run.trace.assert_nothing_lost();
    let crashed = run.trace.of("cuDriverGetVersion");
    let seen: Vec<_> = crashed
        .iter()
        .map(|call| (call.args[0], call.returned))
        .collect();
    assert_eq!(seen, [(16, None); 5]);
    let left = run.trace.of("cuOccupancyMaxPotentialBlockSize");
    assert_eq!(
        left.iter().map(|call| call.returned).collect::<Vec<_>>(),
        [None]
    );
    // One before, one after each way out.
    let after = run.trace.of("cuGetErrorName");
    assert_eq!(after.len(), 7);
    for call in after {
        assert_eq!((call.args[0], call.returned), (3, Some(0)));
        let text = call.call.capture(1, true).expect("what pStr leads to");
        assert_eq!(text.bytes, b"CUDA_ERROR_NOT_INITIALIZED\0");
    }
}

#[test]
fn late_calls_are_recorded_and_every_exit_is_the_programs_own() {
    for (mode, end) in [
        ("atexit", End::Code(0)),
        ("destructor", End::Code(0)),
        ("thread-key", End::Code(0)),
        ("main-ends", End::Code(0)),
        ("exit-thread", End::Code(5)),
        ("quick-exit", End::Code(6)),
    ] {
        let run = compare_on_simulated_gpu(&client("exit_paths"), &[mode]);
        assert_eq!(run.recorded.end, end, "{mode}");
        run.trace.assert_nothing_lost();
        let printed = run.recorded.stdout.matches(": cuGetErrorName = ").count();
        let own = |call: &&&SeenCall| call.args[0] == 100;
        let made = run.trace.of("cuGetErrorName").iter().filter(own).count();
        assert_eq!(made, printed, "{mode}: {}", run.recorded.stdout);
    }
}

#[test]
fn errno_is_what_the_driver_leaves() {
    let run = compare_on_simulated_gpu(&client("errno_kept"), &[]);
    run.trace.assert_nothing_lost();
    assert_eq!(run.trace.calls.len(), 24, "eight calls in three rounds");
}

#[test]
fn looked_up_functions_are_recorded_as_linked_ones_are() {
    let run = compare_on_simulated_gpu(&client("proc_address"), &[]);
    run.trace.assert_nothing_lost();
    let printed = &run.recorded.stdout;
    let (new, old) = (
        printed.matches("v2 \"").count(),
        printed.matches("v1 \"").count(),
    );
    let counts = run.trace.counts();
    // Five look-ups to call through, and three more through looked-up look-ups.
    assert_eq!(counts["cuGetProcAddress_v2"], new + 5 + 2, "{counts:?}");
    assert_eq!(counts["cuGetProcAddress"], old, "{counts:?}");
    for called_through in [
        "cuInit",
        "cuDriverGetVersion",
        "cuDeviceGetCount",
        "cuMemGetInfo_v2",
    ] {
        assert_eq!(counts[called_through], 1, "{called_through}");
    }
}
