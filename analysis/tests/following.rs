//! Following a recording delivers every call once, whatever becomes of the folder meanwhile.

#[allow(dead_code)]
mod sample;

use std::io::Write;

use cutape_analysis::following::{Batch, Following};
use cutape_trace_format::metadata::Exit;
use cutape_trace_format::seal::{SealOptions, seal};
use sample::Sample;

/// Flags of the calls, which the tests number by, and whether each returned.
fn flags(batch: &Batch) -> Vec<(u64, bool)> {
    batch
        .calls
        .iter()
        .map(|call| (call.args[0], call.returned.is_some()))
        .collect()
}

fn end(sample: &Sample) {
    let exit = Exit {
        code: Some(0),
        ..Exit::default()
    };
    let path = sample.recording.path.join("recording");
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(path)
        .expect("opens");
    file.write_all(&exit.to_block().expect("encodes"))
        .expect("writes");
}

#[test]
fn a_recording_goes_on_until_record_notes_the_end_of_the_program() {
    let mut sample = Sample::new();
    sample.call("cuInit", &[1], Some(0));
    sample.open();
    let mut following = Following::open(&sample.recording.path).expect("opens");
    let batch = following.poll().expect("polls");
    assert_eq!(flags(&batch), [(1, true)]);
    assert!(
        !batch.ended,
        "the program may start another process, though this one has ended"
    );
    sample.process(200);
    sample
        .call("cuInit", &[2], Some(0))
        .call("cuInit", &[3], None);
    sample.open();
    end(&sample);
    let batch = following.poll().expect("polls");
    assert_eq!(flags(&batch), [(2, true), (3, false)]);
    assert!(batch.ended);
    assert_eq!(
        batch.calls.iter().map(|call| call.seq).collect::<Vec<_>>(),
        [2, 3]
    );
}

#[test]
fn a_recording_made_without_record_ends_with_its_processes() {
    let mut sample = Sample::new();
    std::fs::remove_file(sample.recording.path.join("recording")).expect("removes");
    sample.call("cuInit", &[1], Some(0));
    sample.open();
    let mut following = Following::open(&sample.recording.path).expect("opens");
    assert!(following.poll().expect("polls").ended);
}

/// Start time of this process, as the kernel names it.
fn own_start_time() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("reads");
    let after_name = stat.rsplit(')').next().expect("has a name");
    after_name
        .split_whitespace()
        .nth(19)
        .and_then(|field| field.parse().ok())
        .expect("field 22 is the start time")
}

#[test]
fn what_came_just_before_the_folder_became_a_file_is_delivered_once() {
    let mut sample = Sample::new();
    // A process that is alive, as ours is: its rings are not read yet.
    let mut alive = sample
        .recording
        .process(std::process::id(), own_start_time())
        .expect("creates");
    alive.ring().thread(0, 0, 7, "main");
    sample.processes.push(alive);
    sample
        .call("cuInit", &[1], Some(0))
        .call("cuInit", &[2], None);
    sample.call("cuInit", &[3], Some(0));
    sample.open();
    let mut following = Following::open(&sample.recording.path).expect("opens");
    let first = following.poll().expect("polls");
    assert_eq!(flags(&first), [(1, true), (3, true)]);
    assert!(!first.ended && !first.new_trace);

    sample.call("cuInit", &[4], Some(0));
    sample.open();
    let path = &sample.recording.path;
    let options = SealOptions {
        allow_live: true,
        ..SealOptions::default()
    };
    seal(path, path, options, &mut |_| {}).expect("seals");
    let rest = following.poll().expect("polls");
    assert_eq!(flags(&rest), [(2, false), (4, true)]);
    assert!(rest.ended && rest.new_trace);
    assert_eq!(
        following.trace().function_name(rest.calls[0].function),
        "cuInit"
    );
    let nothing = following.poll().expect("polls");
    assert!(nothing.ended && nothing.calls.is_empty());
}

#[test]
fn a_folder_that_vanishes_is_an_error_and_not_an_end() {
    let mut sample = Sample::new();
    sample.call("cuInit", &[1], Some(0));
    sample.open();
    let mut following = Following::open(&sample.recording.path).expect("opens");
    std::fs::remove_dir_all(&sample.recording.path).expect("removes");
    assert!(following.poll().is_err());
}
