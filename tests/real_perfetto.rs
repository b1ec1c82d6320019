//! Exports as Perfetto's trace processor reads them, which is the engine of ui.perfetto.dev: it takes them without an error, and its SQL
//! says of every call what cutape itself says.

mod support;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use cutape_trace_format::sample_recording::SampleRecording;
use cutape_trace_format::sample_schema::{INIT, PROBE};
use cutape_trace_format::sample_story::{STORY_CALLS, write_story};
use serde_json::{Value, json};
use support::trace_processor::TraceProcessor;
use support::{End, client, cutape, finish, record};

/// Rows of the engine's own complaints: it could not read a part of the trace, or lost it.
const COMPLAINTS: &str = "SELECT name, severity, value FROM stats WHERE severity IN ('error', 'data_loss') AND value <> 0";

/// Every call as a slice of its thread.
const SLICES: &str = "
    SELECT extract_arg(slice.arg_set_id, 'debug.seq') AS seq, extract_arg(slice.arg_set_id, 'debug.ret') AS ret, ts, dur,
           slice.name, category, depth, tid, thread.name AS thread, pid, process.name AS process
    FROM slice JOIN thread_track ON slice.track_id = thread_track.id JOIN thread USING (utid) LEFT JOIN process USING (upid)
    ORDER BY seq";

/// Every argument of every call.
const ARGUMENTS: &str = "
    SELECT extract_arg(slice.arg_set_id, 'debug.seq') AS seq, key, int_value, string_value, real_value, value_type
    FROM slice JOIN thread_track ON slice.track_id = thread_track.id JOIN args USING (arg_set_id)
    WHERE key GLOB 'debug.*'";

/// The tracks of streams, with the work on each.
const STREAMS: &str = "
    SELECT process_track.name AS stream, slice.name AS work, count() AS times
    FROM slice JOIN process_track ON slice.track_id = process_track.id GROUP BY process_track.id, slice.name ORDER BY 1, 2";

/// From the call that put work on a stream, by its mark there, to the call that waited for it.
const ARROWS: &str = "
    SELECT extract_arg(put.arg_set_id, 'debug.seq') AS put, mark.name AS work, track.name AS stream,
           extract_arg(waited.arg_set_id, 'debug.seq') AS waited
    FROM flow AS first JOIN flow AS second ON first.slice_in = second.slice_out
         JOIN slice AS put ON put.id = first.slice_out JOIN slice AS mark ON mark.id = first.slice_in
         JOIN slice AS waited ON waited.id = second.slice_in JOIN track ON track.id = mark.track_id
    ORDER BY 1, 4";

fn golden(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("traces").join(name)
}

/// Exports a trace and returns the text or the file's path.
fn export(trace: &Path, to: &str, file: &Path) {
    let mut command = cutape(["export", "--to", to, "-o"]);
    let done = finish(command.arg(file).arg(trace));
    assert_eq!(done.end, End::Code(0), "{}", done.stderr);
}

/// A trace as both see it.
struct Seen {
    /// What cutape says: the header and a line for each call.
    header: Value,
    calls: Vec<Value>,
    /// What the engine says.
    slices: Vec<Value>,
    arguments: HashMap<(u64, String), Value>,
    streams: Vec<Value>,
    arrows: Vec<Value>,
}

impl Seen {
    /// Exports a trace in two forms and lets the engine read one.
    fn of(engine: &TraceProcessor, trace: &Path) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let (protobuf, lines) = (scratch.path().join("p"), scratch.path().join("j"));
        export(trace, "perfetto", &protobuf);
        export(trace, "jsonl", &lines);
        let [complaints, slices, arguments, streams, arrows] =
            engine.ask(&protobuf, [COMPLAINTS, SLICES, ARGUMENTS, STREAMS, ARROWS]);
        assert_eq!(complaints, Vec::<Value>::new(), "{}", trace.display());
        let text = fs::read_to_string(&lines).unwrap();
        let mut lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        let keyed = |row: Value| {
            let key = row["key"].as_str().unwrap().to_owned();
            ((row["seq"].as_u64().unwrap(), key), row)
        };
        Self {
            header: lines.next().unwrap(),
            calls: lines.collect(),
            slices,
            arguments: arguments.into_iter().map(keyed).collect(),
            streams,
            arrows,
        }
    }

    /// Fails unless the engine says of each call what cutape says.
    fn assert_same(&self) {
        assert_eq!(self.slices.len(), self.calls.len());
        let start_ns = integer(&self.header["start_monotonic_ns"]).unwrap();
        for (call, slice) in self.calls.iter().zip(&self.slices) {
            for (member, column) in [
                ("seq", "seq"),
                ("api", "name"),
                ("tid", "tid"),
                ("thread", "thread"),
                ("pid", "pid"),
            ] {
                assert_eq!(call[member], slice[column], "{call}\n{slice}");
            }
            let begin_ns = start_ns + integer(&call["t_ns"]).unwrap();
            assert_eq!(integer(&slice["ts"]), Some(begin_ns), "{call}\n{slice}");
            let duration_ns = integer(&call["dur_ns"]).unwrap_or(-1);
            assert_eq!(integer(&slice["dur"]), Some(duration_ns), "{call}\n{slice}");
            assert_answer(call, slice);
            self.assert_arguments(call);
        }
    }

    fn assert_arguments(&self, call: &Value) {
        let seq = call["seq"].as_u64().unwrap();
        for (name, value) in call["args"].as_object().unwrap() {
            let objects = call["objects"][name].as_str().unwrap_or_default();
            self.assert_value(seq, &format!("debug.{name}"), (value, objects));
        }
    }

    /// Compares one value with the engine's, field by field; `objects` are the names of the handles and addresses in it.
    fn assert_value(&self, seq: u64, key: &str, (value, objects): (&Value, &str)) {
        match value {
            Value::Object(fields) if fields.contains_key("items") => {
                self.assert_value(seq, key, (&fields["items"], objects));
            }
            Value::Object(fields) if fields.contains_key("not_captured") => {
                self.assert_value(seq, key, (&fields["not_captured"], objects));
            }
            Value::Object(fields)
                if fields.contains_key("before") && fields["before"] == fields["after"] =>
            {
                self.assert_value(seq, key, (&fields["after"], objects));
            }
            // Text that was cut, bytes, and what is not on record: cutape shows them in words of its own.
            Value::Object(fields)
                if fields.contains_key("full_bytes")
                    || fields.get("bytes").is_some_and(Value::is_string)
                    || fields.contains_key("not_recorded") =>
            {
                assert!(
                    self.arguments.contains_key(&(seq, key.to_owned())),
                    "call {seq} {key}"
                );
            }
            Value::Object(fields) => {
                for (name, value) in fields {
                    self.assert_value(seq, &format!("{key}.{name}"), (value, objects));
                }
            }
            Value::Array(items) => {
                for (place, value) in items.iter().take(8).enumerate() {
                    self.assert_value(seq, &format!("{key}[{place}]"), (value, objects));
                }
            }
            leaf => {
                let found = self.arguments.get(&(seq, key.to_owned()));
                let found = found.unwrap_or_else(|| panic!("call {seq} has no {key}, {leaf}"));
                assert!(
                    is_same(leaf, objects, found),
                    "call {seq} {key}: {leaf} ({objects}), {found}"
                );
            }
        }
    }
}

/// Integers beyond 2^53 are strings on both sides.
fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::String(digits) => digits.parse().ok(),
        value => value.as_i64(),
    }
}

/// The answer by name and number, and whether the slice is marked as failed.
fn assert_answer(call: &Value, slice: &Value) {
    let ret = slice["ret"].as_str().unwrap();
    let mut categories = slice["category"].as_str().unwrap_or_default().split(',');
    let failed = categories.any(|category| category == "failed");
    if let Some(name) = call["ret_name"].as_str() {
        assert_eq!(ret, format!("{name} ({})", call["ret"]));
        assert_eq!(failed, call["ret"] != 0, "{slice}");
    }
    if call["in_flight"] == true {
        assert_eq!(ret, "? <in flight>");
        assert!(!failed);
    }
}

/// Whether the engine has the same for a value without parts.
fn is_same(value: &Value, objects: &str, found: &Value) -> bool {
    let text = found["string_value"].as_str();
    match value {
        Value::Null => text == Some("NULL"),
        Value::Number(number) if number.is_f64() => found["real_value"] == *value,
        // A choice without a name stays text, like those that have one.
        Value::Number(number) => {
            integer(&found["int_value"]) == number.as_i64() || text == Some(&number.to_string())
        }
        Value::String(word) if word == "0x0" => text == Some("NULL"),
        Value::String(word) if word.starts_with("0x") && text.is_none() => {
            let word = u64::from_str_radix(&word[2..], 16).unwrap();
            integer(&found["int_value"]) == Some(word as i64)
        }
        Value::String(word) if word.starts_with("0x") => {
            // By name; behind it the number of a new object, the name of a kernel.
            let is_named = |name| {
                let rest = text.and_then(|text| text.strip_prefix(name));
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(" ("))
                    || rest.is_some_and(|rest| rest.starts_with(" <"))
            };
            objects.split(' ').any(is_named)
        }
        Value::String(word) => {
            text == Some(word)
                || word.parse::<u64>().ok().map(|number| number as i64)
                    == integer(&found["int_value"])
        }
        _ => false,
    }
}

#[test]
fn golden_traces_are_read_as_cutape_reads_them() {
    let Some(engine) = TraceProcessor::find_or_skip() else {
        return;
    };
    let entries = fs::read_dir(golden("")).unwrap();
    let traces = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "cutape"));
    let mut calls = 0;
    for trace in traces {
        let seen = Seen::of(&engine, &trace);
        seen.assert_same();
        calls += seen.calls.len();
    }
    assert!(calls > 2000, "{calls} calls");
}

/// Records a client on the simulated driver and compares what both say of each call.
fn recorded(engine: &TraceProcessor, program: &str, arguments: &[&str]) -> Seen {
    let scratch = tempfile::tempdir().unwrap();
    let trace = scratch.path().join("trace.cutape");
    let done = finish(&mut record(&trace, "sim:h100", &client(program), arguments));
    assert_eq!(done.end, End::Code(0), "{}", done.stderr);
    let seen = Seen::of(engine, &trace);
    seen.assert_same();
    seen
}

/// How many slices have each value in a column.
fn times(slices: &[Value], column: &str) -> BTreeMap<String, usize> {
    let mut times = BTreeMap::new();
    for slice in slices {
        let value = slice[column].to_string().replace('"', "");
        *times.entry(value).or_default() += 1;
    }
    times
}

#[test]
fn threads_have_their_calls() {
    let Some(engine) = TraceProcessor::find_or_skip() else {
        return;
    };
    let seen = recorded(&engine, "threads", &["5", "20"]);
    let mut by_thread = times(&seen.slices, "thread");
    // The main thread calls cuInit.
    by_thread.remove("threads");
    assert_eq!(by_thread.len(), 5);
    assert!(
        by_thread.values().all(|&calls| calls == 20),
        "{by_thread:?}"
    );
    assert_eq!(times(&seen.slices, "process").len(), 1);
}

#[test]
fn forked_and_started_children_are_processes_of_their_own() {
    let Some(engine) = TraceProcessor::find_or_skip() else {
        return;
    };
    let seen = recorded(&engine, "fork_calls", &[]);
    assert_eq!(times(&seen.slices, "pid").len(), 6);
    let by_name = times(&seen.slices, "process");
    assert_eq!(by_name.keys().collect::<Vec<_>>(), ["fork_calls"]);
    // A program that becomes others by exec stays one process, as it does in the system.
    let seen = recorded(&engine, "exec_chain", &["3"]);
    assert_eq!(times(&seen.slices, "pid").len(), 1);
}

#[test]
fn an_arrow_leads_from_each_piece_of_work_to_the_call_that_waits_for_it() {
    let Some(engine) = TraceProcessor::find_or_skip() else {
        return;
    };
    let seen = recorded(&engine, "shared_streams", &["4", "3"]);
    let work = ["cuEventRecord", "cuMemsetD8Async", "cuStreamWaitEvent"];
    let expected: Vec<Value> = (1..=4)
        .flat_map(|stream| {
            work.map(|work| json!({"stream": format!("stream#{stream}"), "work": work, "times": 3}))
        })
        .collect();
    assert_eq!(seen.streams, expected);
    assert_eq!(seen.arrows.len(), 12, "{:?}", seen.arrows);
    for arrow in &seen.arrows {
        let of = |end: &str| &seen.calls[arrow[end].as_u64().unwrap() as usize - 1];
        let (put, waited) = (of("put"), of("waited"));
        assert_eq!(put["api"], "cuMemsetD8Async", "{put}");
        assert_eq!(waited["api"], "cuStreamSynchronize", "{waited}");
        assert_eq!(put["tid"], waited["tid"]);
        assert_eq!(put["objects"]["hStream"], arrow["stream"]);
        assert_eq!(waited["objects"]["hStream"], arrow["stream"]);
        let later = &seen.calls[put["seq"].as_u64().unwrap() as usize..];
        let next = later
            .iter()
            .find(|call| call["api"] == waited["api"] && call["tid"] == put["tid"]);
        assert_eq!(next, Some(waited), "the next call of the thread that waits");
    }
}

#[test]
fn calls_inside_calls_lie_in_them() {
    let Some(engine) = TraceProcessor::find_or_skip() else {
        return;
    };
    let seen = recorded(&engine, "nested", &[]);
    let inner = seen.slices.iter().filter(|slice| slice["depth"] == 1);
    let inner: Vec<&str> = inner.map(|slice| slice["name"].as_str().unwrap()).collect();
    assert!(
        inner.contains(&"cuGetErrorName") && inner.contains(&"cuDriverGetVersion"),
        "{inner:?}"
    );
}

#[test]
fn a_killed_programs_call_has_no_end() {
    let Some(engine) = TraceProcessor::find_or_skip() else {
        return;
    };
    let scratch = tempfile::tempdir().unwrap();
    let trace = scratch.path().join("trace.cutape");
    let mut command = cutape([
        "record",
        "--inject",
        "cuDriverGetVersion:signal=SIGSEGV",
        "-o",
    ]);
    command.arg(&trace).args(["--driver", "sim", "--"]);
    let done = finish(command.arg(client("injected")).args(["threads", "1"]));
    assert_eq!(done.end, End::Signal(libc::SIGSEGV), "{}", done.stderr);
    let seen = Seen::of(&engine, &trace);
    seen.assert_same();
    let open = seen.slices.iter().filter(|slice| slice["dur"] == -1);
    assert!(open.count() > 0, "{:?}", seen.slices);
}

/// The program jumped out of the second call into the first one's call back, which returned.
#[test]
fn a_call_that_was_left_does_not_take_the_end_of_the_one_around_it() {
    let Some(engine) = TraceProcessor::find_or_skip() else {
        return;
    };
    let scratch = tempfile::tempdir().unwrap();
    let trace = scratch.path().join("trace");
    let recording = SampleRecording::create(&trace).unwrap();
    let mut process = recording.process(100, 0).unwrap();
    let ring = process.ring();
    ring.thread(1_000_000, 0, 100, "main");
    let outer = ring.begin(1_100_000, PROBE, &[]);
    ring.begin(1_200_000, INIT, &[0]);
    ring.end(1_300_000, outer, 0);
    let next = ring.begin(1_400_000, INIT, &[0]);
    ring.end(1_500_000, next, 0);
    process.leave().unwrap();
    let durations: Vec<Value> = Seen::of(&engine, &trace)
        .slices
        .into_iter()
        .map(|slice| slice["dur"].clone())
        .collect();
    assert_eq!(
        durations,
        [200_000, 100_000, 100_000],
        "it ends with the one around it"
    );
}

#[test]
fn a_recording_without_calls_is_a_trace_without_slices() {
    let Some(engine) = TraceProcessor::find_or_skip() else {
        return;
    };
    let scratch = tempfile::tempdir().unwrap();
    let trace = scratch.path().join("trace.cutape");
    let mut command = cutape(["record", "--driver", "sim", "-o"]);
    let done = finish(command.arg(&trace).args(["--", "/bin/true"]));
    assert_eq!(done.end, End::Code(0), "{}", done.stderr);
    assert_eq!(Seen::of(&engine, &trace).slices, Vec::<Value>::new());
}

#[test]
fn one_of_everything_is_read_as_cutape_reads_it() {
    let Some(engine) = TraceProcessor::find_or_skip() else {
        return;
    };
    let scratch = tempfile::tempdir().unwrap();
    let trace = scratch.path().join("trace");
    write_story(&trace).unwrap();
    let seen = Seen::of(&engine, &trace);
    seen.assert_same();
    assert_eq!(seen.calls.len() as u64, STORY_CALLS);
}

/// The queries of docs/export.md for Perfetto, in order.
fn documented_queries() -> [String; 3] {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("docs/export.md")).unwrap();
    let (_, after) = text.split_once("\n## Perfetto\n").unwrap();
    let (section, _) = after.split_once("\n## ").unwrap();
    let blocks = section.split("```sql\n").skip(1);
    let queries: Vec<String> = blocks
        .map(|block| block.split("```").next().unwrap().to_owned())
        .collect();
    queries.try_into().unwrap()
}

#[test]
fn the_engine_answers_the_documented_queries() {
    let Some(engine) = TraceProcessor::find_or_skip() else {
        return;
    };
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("ggml.pftrace");
    export(&golden("ggml-backend-on-h100.cutape"), "perfetto", &file);
    let queries = documented_queries();
    let [functions, failures, waits] = engine.ask(
        &file,
        [&queries[0], &queries[1], &queries[2]].map(String::as_str),
    );
    assert_eq!(functions.len(), 10);
    assert_eq!(
        functions[0]["name"], "cuLibraryLoadData",
        "the slowest function"
    );
    let failed = cutape(["print", "--format", "jsonl", "-e", "ret != 0"])
        .arg(golden("ggml-backend-on-h100.cutape"))
        .output()
        .unwrap();
    let failed = String::from_utf8(failed.stdout).unwrap();
    let failed: Vec<Value> = failed
        .lines()
        .skip(1)
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(failures.len(), failed.len());
    for (row, call) in failures.iter().zip(&failed) {
        assert_eq!((&row["seq"], &row["name"]), (&call["seq"], &call["api"]));
    }
    assert_eq!(waits.len(), 10);
    let waited = waits
        .iter()
        .find(|row| row["stream"] == "stream#1")
        .unwrap();
    assert_eq!(waited["waited_by"], "cuStreamSynchronize");
    assert!(waited["at_most_ns"].as_u64().unwrap() > 0);
}
