//! What calls only point to is in the trace: module images, kernel arguments, what structures lead to, copied data; and the program notices
//! nothing of it.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use cutape_driver_search::elf::Library;
use cutape_trace_format::capture_number::{CaptureOf, MAX_PARAMS};
use cutape_trace_format::kernel_arguments::{ArgumentForm, KernelArguments, LayoutOrigin};
use cutape_trace_format::payload::{PayloadKind, PayloadRef, PayloadState};
use cutape_trace_format::value::Value;
use support::{End, Finished, Recorded, SeenCall, client, cutape, finish, library, program};

const IMAGE_IN_FILE: &str =
    ".version 8.0\n.target sm_70\n.address_size 64\n.visible .entry from_file()\n{\n    ret;\n}\n";

/// A folder with a module's file and what was recorded there.
struct Run {
    folder: tempfile::TempDir,
    finished: Finished,
}

impl Run {
    /// Records the client `payloads` with these options.
    fn record(options: &[&str]) -> Self {
        Self::record_on("sim", options)
    }

    /// The same on a driver of choice.
    fn record_on(driver: &str, options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let module = folder.path().join("module.ptx");
        fs::write(&module, IMAGE_IN_FILE).unwrap();
        let mut command = cutape(["record", "--driver", driver, "-o"]);
        command.arg(folder.path().join("trace.cutape"));
        command.args(options).arg("--").arg(client("payloads"));
        let finished = finish(command.arg(&module));
        Self { folder, finished }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("trace.cutape")
    }

    fn trace(&self) -> Recorded {
        Recorded::open(&self.path())
    }

    /// What the client prints without cutape's recording.
    fn alone(&self) -> Finished {
        let module = self.folder.path().join("module.ptx");
        finish(cutape(["sim", "--"]).arg(client("payloads")).arg(module))
    }

    fn print(&self, options: &[&str]) -> String {
        let printed = finish(cutape(["print"]).args(options).arg(self.path()));
        assert_eq!(printed.end, End::Code(0), "{}", printed.stderr);
        printed.stdout
    }
}

fn kernels(call: &SeenCall, param: u8) -> Vec<KernelArguments> {
    call.call.kernel_arguments(param)
}

/// Offset, size and value of each argument.
fn values(arguments: &KernelArguments) -> Vec<(u32, u32, Vec<u8>)> {
    let params = arguments.params.iter();
    params
        .map(|param| {
            let bytes = param.bytes.clone().expect("captured");
            (param.offset, param.size, bytes)
        })
        .collect()
}

fn pair(numbers: [f64; 3]) -> Vec<u8> {
    numbers.iter().flat_map(|one| one.to_le_bytes()).collect()
}

#[test]
fn the_program_does_not_notice() {
    for mode in ["none", "modules", "full"] {
        let run = Run::record(&["--payload", mode]);
        run.finished.assert_same_as(&run.alone());
        let told = &run.trace().trace.recording().expect("told").options.clone();
        assert!(
            told.contains(&("payload".to_owned(), mode.to_owned())),
            "{told:?}"
        );
    }
}

#[test]
fn without_payload_nothing_of_it_is_kept() {
    let run = Run::record(&["--payload", "none"]);
    let recorded = run.trace();
    assert_eq!(recorded.trace.payloads().count(), 0);
    let kept = recorded
        .calls
        .iter()
        .flat_map(|call| call.call.captures().map(|capture| capture.param))
        .filter(|&number| number >= MAX_PARAMS)
        .filter(|&number| !matches!(CaptureOf::number(number), CaptureOf::Region(_)));
    assert_eq!(kept.count(), 0);
}

#[test]
fn images_are_in_the_trace_each_once() {
    let run = Run::record(&[]);
    let recorded = run.trace();
    let image = |function: &str, nth: usize, param: u8| -> PayloadRef {
        recorded.of(function)[nth]
            .call
            .payload(param)
            .unwrap_or_else(|| panic!("{function} has no payload"))
    };
    let of_file = image("cuModuleLoad", 0, 1);
    assert_eq!(of_file.kind, PayloadKind::Ptx);
    let content = recorded
        .trace
        .payload(&of_file.hash.expect("named"))
        .expect("there");
    assert_eq!(content, IMAGE_IN_FILE.as_bytes());
    let absent = image("cuModuleLoad", 1, 1);
    assert_eq!(absent.state, PayloadState::Unreadable);
    let by_address = image("cuModuleLoadData", 0, 1);
    assert_eq!(by_address, image("cuModuleLoadDataEx", 0, 1));
    let content = recorded
        .trace
        .payload(&by_address.hash.expect("named"))
        .expect("there");
    assert!(content.starts_with(b".version 8.0"));
    assert!(content.ends_with(b"ret;\n}\n"));
    // The linker is told the length, which has the NUL in it.
    let linked = image("cuLinkAddData_v2", 0, 2);
    assert_eq!(linked.bytes, by_address.bytes + 1);
    // What it answers is an image, too, of the length that it says.
    let output = image("cuLinkComplete", 0, 1);
    let size = recorded.argument(recorded.of("cuLinkComplete")[0], "sizeOut");
    assert_eq!(size, Value::Uint(output.bytes));
    let content = recorded.trace.payload(&output.hash.expect("named"));
    assert_eq!(content.expect("there").len() as u64, output.bytes);
    assert_eq!(recorded.trace.payloads().count(), 4);
    let printed = run.print(&["--columns", "none"]);
    let short = by_address.hash.expect("named").short();
    let shown = format!("image=<ptx {} bytes blake3:{short}>", by_address.bytes);
    assert!(printed.contains(&shown), "{shown} in\n{printed}");
}

#[test]
fn arguments_of_launches_are_values_wherever_the_program_keeps_them() {
    let run = Run::record(&[]);
    let recorded = run.trace();
    let memory = recorded.argument(recorded.of("cuMemAlloc_v2")[0], "dptr");
    let Value::DevicePointer(memory) = memory else {
        panic!("{memory:?}")
    };
    let expected = |count: u32, scale: f64, numbers: [f64; 3]| {
        vec![
            (0, 8, memory.to_le_bytes().to_vec()),
            (8, 4, count.to_le_bytes().to_vec()),
            (16, 8, scale.to_le_bytes().to_vec()),
            (24, 24, pair(numbers)),
        ]
    };
    let launches = recorded.of("cuLaunchKernel");
    // The first asks the driver, the next ones go the fast way; then the heap, then a buffer.
    let arguments: Vec<Vec<KernelArguments>> =
        launches.iter().map(|call| kernels(call, 9)).collect();
    for (nth, count) in [(0, 1000), (1, 1001), (2, 1002), (4, 1003)] {
        assert_eq!(arguments[nth].len(), 1, "launch {nth}");
        assert_eq!(arguments[nth][0].origin, LayoutOrigin::Driver);
        assert_eq!(arguments[nth][0].form, ArgumentForm::Pointers);
        assert_eq!(
            values(&arguments[nth][0]),
            expected(count, 2.5, [1.0, 2.0, 3.0]),
            "launch {nth}"
        );
    }
    assert_eq!(arguments[3], [], "a kernel without parameters");
    assert_eq!(arguments[5], []);
    let in_a_buffer = kernels(launches[5], 10);
    assert_eq!(in_a_buffer[0].form, ArgumentForm::Buffer);
    assert_eq!(in_a_buffer[0].buffer.len(), 48);
    assert_eq!(
        values(&in_a_buffer[0]),
        expected(1003, 2.5, [1.0, 2.0, 3.0])
    );
    assert_eq!(arguments[6], [], "nobody knows the NULL kernel");
    for (function, param) in [("cuLaunchCooperativeKernel", 9), ("cuLaunchKernelEx", 2)] {
        let found = kernels(recorded.of(function)[0], param);
        assert_eq!(
            values(&found[0]),
            expected(1003, 2.5, [1.0, 2.0, 3.0]),
            "{function}"
        );
    }
    for (function, param, count) in [
        ("cuGraphAddKernelNode_v2", 4, 7),
        ("cuGraphKernelNodeSetParams_v2", 1, 8),
        ("cuGraphAddNode", 4, 8),
        ("cuGraphExecKernelNodeSetParams_v2", 2, 9),
    ] {
        let found = kernels(recorded.of(function)[0], param);
        assert_eq!(found.len(), 1, "{function}");
        assert_eq!(
            values(&found[0]),
            expected(count, 0.5, [4.0, 5.0, 6.0]),
            "{function}"
        );
    }
    // What we asked the driver is not on record.
    assert_eq!(recorded.of("cuFuncGetParamInfo").len(), 0);
}

/// The arguments of a kernel, and the function that passed them.
#[derive(Debug, PartialEq)]
struct KernelValues {
    function: String,
    values: Vec<(u32, u32, Vec<u8>)>,
}

/// All arguments of kernels in a trace, without the values that are addresses: name and layout say enough of those.
fn shapes_and_numbers(recorded: &Recorded) -> Vec<KernelValues> {
    let mut all = Vec::new();
    for seen in &recorded.calls {
        for param in 0..MAX_PARAMS {
            for arguments in kernels(seen, param) {
                let mut values = values(&arguments);
                values
                    .iter_mut()
                    .filter(|value| value.0 == 0)
                    .for_each(|value| value.2.clear());
                all.push(KernelValues {
                    function: seen.function.clone(),
                    values,
                });
            }
        }
    }
    all
}

#[test]
fn the_image_says_how_arguments_lie_where_the_driver_can_not() {
    let folder = tempfile::tempdir().unwrap();
    let driver = folder.path().join("libcuda.so.1");
    let simulated = Library::read(&library("libcutape_sim.so")).unwrap();
    let before_12_4 = simulated.without(|name| !name.ends_with("GetParamInfo"));
    fs::write(&driver, before_12_4).unwrap();
    let old = Run::record_on(driver.to_str().unwrap(), &[]).trace();
    let new = Run::record_on("sim:h100", &[]).trace();
    let found = shapes_and_numbers(&old);
    assert!(found.len() >= 11, "{found:?}");
    assert_eq!(found, shapes_and_numbers(&new));
    let first = &kernels(old.of("cuLaunchKernel")[0], 9)[0];
    assert_eq!(first.origin, LayoutOrigin::Image);
}

#[test]
fn structures_show_what_they_lead_to_and_the_member_that_counts() {
    let run = Run::record(&["--payload", "none"]);
    let printed = run.print(&["--columns", "none"]);
    assert!(
        printed.contains(
            "attrs=[{id=CU_LAUNCH_ATTRIBUTE_COOPERATIVE (2), value={cooperative=1}}, {id=CU_LAUNCH_ATTRIBUTE_PRIORITY (8), value={priority=-1}}], numAttrs=2"
        ),
        "{printed}"
    );
    assert!(
        printed.contains("nodeParams={type=CU_GRAPH_NODE_TYPE_KERNEL (0), {kernel={func="),
        "{printed}"
    );
}

#[test]
fn copied_data_is_kept_when_all_is_wanted() {
    let run = Run::record(&["--payload", "full"]);
    let recorded = run.trace();
    let out: Vec<u8> = (0..64).collect();
    let content = |function: &str, param: u8| {
        let reference = recorded.of(function)[0].call.payload(param)?;
        let hash = reference.hash?;
        Some(recorded.trace.payload(&hash).expect("there"))
    };
    for (function, param) in [
        ("cuMemcpyHtoD_v2", 1),
        ("cuMemcpyHtoDAsync_v2", 1),
        ("cuMemcpyDtoH_v2", 0),
        ("cuMemcpy", 1),
    ] {
        assert_eq!(content(function, param), Some(out.clone()), "{function}");
    }
    // Rows of 4 bytes from column 2 of rows 1 to 3.
    let rows = vec![18, 19, 20, 21, 34, 35, 36, 37, 50, 51, 52, 53];
    assert_eq!(content("cuMemcpy2D_v2", 0), Some(rows));
    let later = recorded.of("cuMemcpyDtoHAsync_v2")[0].call.payload(0);
    let later = later.expect("told");
    assert_eq!((later.state, later.bytes), (PayloadState::Later, 64));
    // The other side of the copy is the device's.
    assert_eq!(recorded.of("cuMemcpy")[0].call.payload(0), None);
    let modules = Run::record(&["--payload", "modules"]).trace();
    assert_eq!(modules.of("cuMemcpyHtoD_v2")[0].call.payload(1), None);
}

#[test]
fn info_tells_what_is_kept() {
    let run = Run::record(&[]);
    let info = finish(cutape(["info"]).arg(run.path()));
    let bytes = run.trace().trace.payloads().bytes();
    let line = info
        .stdout
        .lines()
        .find(|line| line.starts_with("payload "));
    let line = line.unwrap_or_else(|| panic!("{}", info.stdout));
    assert!(line.contains("modules"), "{line}");
    assert!(line.contains("4 kept"), "{line}");
    assert!(line.contains(&bytes.to_string()), "{line}");
    let json = finish(cutape(["info", "--json"]).arg(run.path()));
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["payload"]["mode"], "modules");
    assert_eq!(json["payload"]["count"], 4);
    assert_eq!(json["payload"]["bytes"], bytes);
}

#[test]
fn a_size_limit_leaves_out_images_before_it_ends_the_recording() {
    let run = Run::record(&["--max-size", "700"]);
    let recorded = Recorded::open(&run.path());
    let loaded = recorded.of("cuModuleLoad");
    if let Some(reference) = loaded.first().and_then(|call| call.call.payload(1)) {
        assert_eq!(reference.state, PayloadState::NoRoom);
    }
    assert_eq!(recorded.trace.payloads().count(), 0);
    run.finished.assert_same_as(&run.alone());
}

#[test]
fn a_recording_that_was_not_sealed_has_its_images_in_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.cutape");
    let module = folder.path().join("module.ptx");
    fs::write(&module, IMAGE_IN_FILE).unwrap();
    let environment = support::environment_of(&[
        "-o".as_ref(),
        path.as_os_str(),
        "--driver".as_ref(),
        "sim".as_ref(),
    ]);
    let mut command = program(client("payloads"));
    command.arg(&module).envs(environment);
    let finished = finish(&mut command);
    assert_eq!(finished.end, End::Code(0), "{}", finished.stderr);
    assert!(path.is_dir());
    let unsealed = Recorded::open(&path);
    assert_eq!(unsealed.trace.payloads().count(), 4);
    let verified = finish(cutape(["verify"]).arg(&path));
    assert_eq!(verified.end, End::Code(0), "{}", verified.stdout);
    assert_private(&path);
}

/// Payloads are as private as the rest.
fn assert_private(trace: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let process = fs::read_dir(trace)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.is_dir());
    let file = process.expect("a process").join("payload");
    let mode = fs::metadata(file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
