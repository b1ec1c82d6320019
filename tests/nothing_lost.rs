//! Whatever ends a program, every call that it completed is on record, and so is each thread's call in flight, with its arguments.
//!
//! `counting.c` says in shared memory which calls it has completed; the trace is held against that.

mod support;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cutape_test_clients::counting::{CountedCall, Counting, counted_call};
use cutape_trace_format::call::Call;
use cutape_trace_format::trace::Trace;
use support::{End, Recorded, Running, client, cutape, environment_of, finish, record, start};

const KILLS: u32 = 200;
const THREADS: usize = 4;

/// A thread's last call, which is none of its loop's.
type LastCall = Option<CountedCall>;

/// What a trace has of a counting program.
#[derive(Debug, Default, PartialEq)]
struct Found {
    /// Calls of all counting threads.
    calls: u64,
    /// Those among them that did not return.
    in_flight: u64,
}

/// Holds a trace against the counts. `last` is the call that ends thread 0's loop, in the modes that have one.
fn check(trace: &Path, counting: &Counting, last: LastCall) -> Found {
    let trace = Trace::open(trace).unwrap_or_else(|error| panic!("{error}"));
    assert!(trace.damages().is_empty(), "{:?}", trace.damages());
    let losses = trace.losses();
    assert_eq!(
        (losses.dropped, losses.without_ring, losses.damaged),
        (0, 0, 0)
    );
    let threads = counting.threads.iter().enumerate();
    let by_id: HashMap<u32, usize> = threads
        .map(|(number, thread)| (thread.thread_id, number))
        .collect();
    let mut seen = vec![0u64; by_id.len()];
    let mut found = Found::default();
    let mut reader = trace.calls();
    let mut call = Call::default();
    while reader
        .read_next(&mut call)
        .unwrap_or_else(|damage| panic!("{damage:?}"))
    {
        let thread_id = trace.thread(call.thread).expect("a thread").tid;
        // The main thread starts the others and makes no counted call.
        let Some(&thread) = by_id.get(&thread_id) else {
            continue;
        };
        let function = trace.function_name(call.function);
        if ["cuCtxSetCurrent", "cuCtxSynchronize"].contains(&&*function) {
            // Around the call back that crashes; counting.c does not announce them.
            continue;
        }
        seen[thread] += 1;
        let progress = &counting.threads[thread];
        let number = seen[thread];
        let expected = match last {
            Some(last) if thread == 0 && number == progress.started => last,
            _ => counted_call(thread as u64, number),
        };
        let where_ = || format!("thread {thread} call {number}, {progress:?}: {call:?}");
        assert_eq!(function, expected.function, "{}", where_());
        if let Some((place, value)) = expected.argument {
            assert_eq!(call.args[place], value, "{}", where_());
        }
        match call.returned {
            None => {
                assert!(
                    number > progress.completed,
                    "completed, and shown in flight: {}",
                    where_()
                );
                found.in_flight += 1;
            }
            // With a call in flight, the result may be that call's already.
            Some(result) if number == progress.completed && number == progress.started => {
                assert_eq!(result, u64::from(progress.result), "{}", where_());
            }
            Some(_) => {}
        }
    }
    for (thread, progress) in counting.threads.iter().enumerate() {
        let range = progress.completed..=progress.started;
        assert!(
            range.contains(&seen[thread]),
            "thread {thread}: {} on record of {progress:?}",
            seen[thread]
        );
    }
    found.calls = seen.iter().sum();
    found
}

/// xorshift64*, with a fixed seed: a failure comes again.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % limit
    }
}

/// Waits until the program's threads call and `enough` holds of what they published.
fn wait_for(running: &mut Running, shared: &Path, enough: impl Fn(&Counting) -> bool) {
    loop {
        if Counting::read(shared).is_ok_and(|count| count.running && enough(&count)) {
            return;
        }
        assert!(!running.has_ended(), "the program ended before its time");
        std::thread::yield_now();
    }
}

fn counting_command(
    program: &Path,
    environment: &[(String, String)],
    out: &Path,
    arguments: &[&str],
) -> std::process::Command {
    let mut command = support::program(program);
    command
        .args(arguments)
        .envs(environment.iter().map(|(name, value)| (name, value)));
    command.env("CUTAPE_OUT", out);
    command
}

fn simulated_environment(scratch: &Path) -> Vec<(String, String)> {
    let out = scratch.join("unused.cutape");
    environment_of(&[
        "-o".as_ref(),
        out.as_os_str(),
        "--driver".as_ref(),
        "sim".as_ref(),
    ])
}

fn shared_file(scratch: &Path, number: u32) -> PathBuf {
    scratch.join(format!("count-{number}"))
}

#[test]
fn two_hundred_kills_lose_no_completed_call() {
    let scratch = tempfile::tempdir().unwrap();
    let program = client("counting");
    let environment = simulated_environment(scratch.path());
    let mut dice = Dice(0x5eed_c07a_9e01);
    let mut in_flight = 0;
    for number in 0..KILLS {
        let shared = shared_file(scratch.path(), number);
        let out = scratch.path().join(format!("trace-{number}.cutape"));
        let arguments = [shared.to_str().unwrap(), "4", "run"];
        let mut running = start(&mut counting_command(
            &program,
            &environment,
            &out,
            &arguments,
        ));
        wait_for(&mut running, &shared, |_| true);
        // Not to wait for anything: the moment of the kill is random.
        std::thread::sleep(Duration::from_micros(dice.below(12_000)));
        running.signal(libc::SIGKILL);
        let finished = running.finish();
        assert_eq!(
            (finished.end, &*finished.stderr),
            (End::Signal(libc::SIGKILL), "")
        );
        let counting = Counting::read(&shared).unwrap();
        let found = check(&out, &counting, None);
        in_flight += found.in_flight;
        if number % 8 == 0 {
            let sealed = finish(cutape(["seal"]).arg(&out));
            assert_eq!(sealed.end, End::Code(0), "{}", sealed.stderr);
            assert!(out.is_file(), "the file takes the folder's place");
            assert_eq!(check(&out, &counting, None), found, "sealed and not");
            std::fs::remove_file(&out).unwrap();
        } else {
            // Rings of five threads; two hundred of them are not to pile up.
            std::fs::remove_dir_all(&out).unwrap();
        }
    }
    // A thread is killed between two calls, too; that no call was ever met in flight would be a wonder.
    let threads = KILLS as usize * THREADS;
    assert!(
        in_flight > 20,
        "{in_flight} calls in flight at {KILLS} kills of {threads} threads"
    );
}

#[test]
fn a_kill_while_the_recording_starts_leaves_something_readable() {
    let scratch = tempfile::tempdir().unwrap();
    let program = client("counting");
    let environment = simulated_environment(scratch.path());
    let mut dice = Dice(0x5eed_0f57_a7e5);
    for number in 0..40 {
        let shared = shared_file(scratch.path(), number);
        let out = scratch.path().join(format!("trace-{number}.cutape"));
        let arguments = [shared.to_str().unwrap(), "4", "run"];
        let running = start(&mut counting_command(
            &program,
            &environment,
            &out,
            &arguments,
        ));
        std::thread::sleep(Duration::from_micros(dice.below(40_000)));
        running.signal(libc::SIGKILL);
        assert_eq!(running.finish().stderr, "");
        match Counting::read(&shared) {
            Ok(counting) if counting.running => drop(check(&out, &counting, None)),
            // Not all threads had begun: their ids may not be published yet. Before the first call there is not even a folder.
            _ if out.join("schema").exists() => drop(Recorded::open(&out)),
            _ => {}
        }
    }
}

#[test]
fn every_other_end_is_recorded_as_well() {
    let scratch = tempfile::tempdir().unwrap();
    let program = client("counting");
    let crash_in_driver = CountedCall {
        function: "cuDriverGetVersion",
        argument: Some((0, 16)),
    };
    let host_function = CountedCall {
        function: "cuLaunchHostFunc",
        argument: None,
    };
    for (number, (mode, end, last)) in [
        ("return", End::Code(0), None),
        ("abort", End::Signal(libc::SIGABRT), None),
        ("_exit", End::Code(7), None),
        ("exit", End::Code(7), None),
        (
            "segv-driver",
            End::Signal(libc::SIGSEGV),
            Some(crash_in_driver),
        ),
        (
            "segv-callback",
            End::Signal(libc::SIGSEGV),
            Some(host_function),
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let shared = shared_file(scratch.path(), number as u32);
        let arguments = [shared.to_str().unwrap(), "4", mode, "3000"];
        let alone = finish(cutape(["sim", "--"]).arg(&program).args(arguments));
        assert_eq!(alone.end, end, "{mode} without cutape");
        let out = scratch.path().join(format!("{mode}.cutape"));
        let recorded = finish(&mut record(&out, "sim", &program, &arguments));
        recorded.assert_same_as(&alone);
        assert!(out.is_file(), "{mode}: sealed");
        let counting = Counting::read(&shared).unwrap();
        let found = check(&out, &counting, last);
        assert!(found.calls >= 3000, "{mode}: {found:?}");
        if mode == "segv-driver" {
            assert_crash_in_flight(&out, &counting);
        }
    }
}

/// The call that crashed is the thread's last one, begun and never returned, and is printed with its argument.
fn assert_crash_in_flight(trace: &Path, counting: &Counting) {
    let recorded = Recorded::open(trace);
    let crashed = recorded.of("cuDriverGetVersion");
    let crashed: Vec<_> = crashed
        .iter()
        .filter(|call| call.tid == counting.threads[0].thread_id)
        .collect();
    let [crashed] = crashed[..] else {
        panic!("{crashed:?}")
    };
    assert_eq!((crashed.args[0], crashed.returned), (16, None));
    let exit = recorded.trace.exit().expect("how the program ended");
    assert_eq!((exit.code, exit.signal), (None, Some(libc::SIGSEGV)));
    let printed = finish(cutape(["print"]).arg(trace));
    assert_eq!(printed.end, End::Code(0), "{}", printed.stderr);
    let line = printed
        .stdout
        .lines()
        .find(|line| line.contains("cuDriverGetVersion("))
        .expect("the call");
    assert!(line.contains("0x10"), "{line}");
}

#[test]
fn a_killed_recorder_does_not_end_the_recording() {
    let scratch = tempfile::tempdir().unwrap();
    let program = client("counting");
    let shared = shared_file(scratch.path(), 0);
    let out = scratch.path().join("trace.cutape");
    let arguments = [shared.to_str().unwrap(), "4", "run"];
    let mut recorder = start(&mut record(&out, "sim", &program, &arguments));
    wait_for(&mut recorder, &shared, |_| true);
    recorder.signal(libc::SIGKILL);
    while !recorder.has_ended() {
        std::thread::yield_now();
    }
    // The program goes on, and so does its recording.
    let before = Counting::read(&shared).unwrap();
    let went_on = |count: &Counting| {
        let pairs = count.threads.iter().zip(&before.threads);
        pairs
            .clone()
            .all(|(now, then)| now.completed > then.completed + 5000)
    };
    while !went_on(&Counting::read(&shared).unwrap()) {
        std::thread::yield_now();
    }
    let refused = finish(cutape(["seal"]).arg(&out));
    assert_eq!(refused.end, End::Code(2), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("still being made"),
        "{}",
        refused.stderr
    );
    kill_and_wait(before.process_id as i32);
    let counting = Counting::read(&shared).unwrap();
    let found = check(&out, &counting, None);
    let sealed = finish(cutape(["seal"]).arg(&out));
    assert_eq!(sealed.end, End::Code(0), "{}", sealed.stderr);
    assert!(
        sealed
            .stderr
            .contains(&format!("{} calls", Recorded::open(&out).calls.len())),
        "{}",
        sealed.stderr
    );
    assert_eq!(check(&out, &counting, None), found);
}

/// Kills a process that is not our child, one that this test had started, and waits until it is gone.
fn kill_and_wait(pid: i32) {
    // SAFETY: plain system calls on a descriptor that is opened and closed here.
    unsafe {
        let descriptor = libc::syscall(libc::SYS_pidfd_open, pid, 0) as i32;
        assert!(descriptor >= 0);
        assert_eq!(libc::kill(pid, libc::SIGKILL), 0);
        let mut poll = libc::pollfd {
            fd: descriptor,
            events: libc::POLLIN,
            revents: 0,
        };
        assert_eq!(
            libc::poll(&raw mut poll, 1, 60_000),
            1,
            "process {pid} does not end"
        );
        libc::close(descriptor);
    }
}

#[test]
fn a_recorder_that_is_asked_to_end_passes_it_on_and_seals() {
    for signal in [libc::SIGTERM, libc::SIGHUP] {
        let scratch = tempfile::tempdir().unwrap();
        let program = client("counting");
        let shared = shared_file(scratch.path(), 0);
        let out = scratch.path().join("trace.cutape");
        let arguments = [shared.to_str().unwrap(), "4", "run"];
        let mut recorder = start(&mut record(&out, "sim", &program, &arguments));
        wait_for(&mut recorder, &shared, |count| {
            count.threads.iter().all(|thread| thread.completed > 100)
        });
        recorder.signal(signal);
        assert_eq!(recorder.finish().end, End::Signal(signal));
        assert!(out.is_file());
        check(&out, &Counting::read(&shared).unwrap(), None);
        let exit = Recorded::open(&out)
            .trace
            .exit()
            .cloned()
            .expect("how the program ended");
        assert_eq!(exit.signal, Some(signal));
    }
}
