//! Rules as users write them, and what becomes of them.

use cutape_call_choice::calls::Calls;
use cutape_cuda_api::{Api, FunctionId};
use cutape_trace_format::injection_plan::{Condition, Plan, Room, Rule};

use super::Injection;

fn plan(inject: &[&str], overrides: &[&str]) -> Result<Plan, String> {
    let texts =
        |rules: &[&str]| -> Vec<String> { rules.iter().map(|&rule| rule.to_owned()).collect() };
    Injection::of(&texts(inject), &texts(overrides)).map(|injection| injection.plan)
}

fn injects(text: &str) -> Rule {
    let plan = plan(&[text], &[]).unwrap_or_else(|error| panic!("{error}"));
    plan.rules.into_iter().next().expect("one rule")
}

fn overrides(text: &str) -> Rule {
    let plan = plan(&[], &[text]).unwrap_or_else(|error| panic!("{error}"));
    plan.rules.into_iter().next().expect("one rule")
}

fn refused(inject: &[&str], overrides: &[&str]) -> String {
    plan(inject, overrides).expect_err("a rule that is refused")
}

fn functions(rule: &Rule) -> Vec<&'static str> {
    let targets = rule.targets.iter();
    targets
        .map(|target| Api::get().at(FunctionId(target.function)).name.as_str())
        .collect()
}

/// The bytes that a rule for one function writes, each with its parameter and offset.
fn writes(rule: &Rule) -> Vec<(u8, u32, Vec<u8>)> {
    let writes = rule.targets.iter().flat_map(|target| &target.writes);
    writes
        .map(|write| (write.param, write.offset, write.bytes.clone()))
        .collect()
}

#[test]
fn a_name_means_all_its_versions_and_a_version_itself() {
    let rule = injects("cuMemAlloc:error=OUT_OF_MEMORY");
    assert_eq!(functions(&rule), ["cuMemAlloc", "cuMemAlloc_v2"]);
    assert_eq!(
        functions(&injects("cuMemAlloc_v2:error=2")),
        ["cuMemAlloc_v2"]
    );
    // The thread's own stream as NULL stream is the program's choice when it is compiled, and not in its source.
    let twins = functions(&injects("cuMemcpyHtoD_v2:error=1"));
    assert_eq!(twins, ["cuMemcpyHtoD_v2", "cuMemcpyHtoD_v2_ptds"]);
    let launches = functions(&injects("cuLaunchKernel:error=1"));
    assert_eq!(launches, ["cuLaunchKernel", "cuLaunchKernel_ptsz"]);
    let all = functions(&injects("cuMem*,nvmlDeviceGetMemoryInfo*:delay=1ms"));
    assert!(all.len() > 100 && all.contains(&"nvmlDeviceGetMemoryInfo_v2"));
}

#[test]
fn an_error_keeps_the_call_from_the_driver_unless_it_comes_after() {
    let rule = injects("cuMemAlloc_v2:error=OUT_OF_MEMORY:when=3+");
    assert_eq!(
        (rule.effect.returns, rule.effect.withholds),
        (Some(2), true)
    );
    let from_third = Calls::Numbers {
        first: 3,
        last: u64::MAX,
        step: 1,
    };
    assert_eq!(rule.when, [from_third]);
    let rule = injects("cuMemAlloc_v2:ret=2:after");
    assert_eq!(
        (rule.effect.returns, rule.effect.withholds),
        (Some(2), false)
    );
    let rule = overrides("cuMemAlloc_v2:ret=CUDA_ERROR_OUT_OF_MEMORY");
    assert_eq!(
        (rule.effect.returns, rule.effect.withholds),
        (Some(2), false)
    );
    let rule = injects("nvmlInit_v2:error=LIB_RM_VERSION_MISMATCH");
    assert_eq!(rule.effect.returns, Some(18));
}

#[test]
fn items_are_separated_by_colons_or_commas_and_a_list_of_calls_has_commas_of_its_own() {
    let one = injects("cuInit : error=999 , when=2, every 100 , delay = 5ms, in=llama-*");
    assert_eq!(one.effect.returns, Some(999));
    assert_eq!(one.when.len(), 2);
    assert_eq!(one.effect.delay_before_ns, 5_000_000);
    assert_eq!(one.program.as_deref(), Some("llama-*"));
    let other = injects("cuInit:signal=SIGSEGV:delay-after=1.5us:when=after 2s");
    assert_eq!(other.effect.signal, Some(11));
    assert_eq!(other.effect.delay_after_ns, 1500);
    assert_eq!(other.when, [Calls::After(2_000_000_000)]);
    assert_eq!(injects("cuInit:signal=9").effect.signal, Some(9));
}

#[test]
fn values_are_written_as_their_types_say() {
    let rule = overrides("cuMemGetInfo_v2:free=78GiB,total=80 GiB,ret=0");
    assert_eq!(
        writes(&rule),
        [
            (0, 0, (78u64 << 30).to_le_bytes().to_vec()),
            (1, 0, (80u64 << 30).to_le_bytes().to_vec())
        ]
    );
    assert_eq!(rule.effect.returns, Some(0));
    let version = overrides("cuDriverGetVersion:driverVersion=12.9");
    assert_eq!(writes(&version), [(0, 0, 12090u32.to_le_bytes().to_vec())]);
    let negative = overrides("cuDeviceGetAttribute:pi=-1");
    assert_eq!(writes(&negative), [(0, 0, vec![0xff; 4])]);
    let field = overrides("cuDeviceGetProperties:prop.maxThreadsDim.2=64");
    assert_eq!(writes(&field), [(0, 12, 64u32.to_le_bytes().to_vec())]);
    let nvml = overrides("nvmlDeviceGetMemoryInfo:memory.free=1MiB");
    assert_eq!(writes(&nvml), [(1, 8, (1u64 << 20).to_le_bytes().to_vec())]);
    let state = overrides("cuDevicePrimaryCtxGetState:flags=SCHED_SPIN,active=1");
    assert_eq!(writes(&state)[0].2, 1u32.to_le_bytes());
    let uuid = overrides(&format!(
        "cuDeviceGetUuid_v2:uuid.bytes=0x{}",
        "ab".repeat(16)
    ));
    assert_eq!(writes(&uuid), [(0, 0, vec![0xab; 16])]);
    let elapsed = overrides("cuEventElapsedTime:pMilliseconds=12us");
    assert!(writes(&elapsed).contains(&(0, 0, 0.012f32.to_le_bytes().to_vec())));
}

#[test]
fn text_knows_where_its_buffer_ends() {
    let rule = overrides("cuDeviceGetName:name='GPU: 1, the first'");
    let write = &rule.targets[0].writes[0];
    assert_eq!(write.bytes, b"GPU: 1, the first");
    assert_eq!(write.room, Some(Room::Word { word: 1, bytes: 4 }));
}

#[test]
fn a_version_without_room_for_the_number_is_left_out() {
    let rule = overrides("cuMemGetInfo:free=78GiB");
    assert_eq!(functions(&rule), ["cuMemGetInfo_v2"]);
    assert_eq!(functions(&overrides("cuMemGetInfo:free=1GiB")).len(), 2);
    let error = refused(&[], &["cuMemGetInfo_v2:free=16777216TiB"]);
    assert!(error.contains("of 0 to 18446744073709551615"), "{error}");
}

#[test]
fn conditions_choose_calls_by_their_arguments() {
    let rule = overrides("cuDeviceGetAttribute[75]=8");
    let attribute = |value| Condition::Number {
        word: 1,
        bytes: 4,
        value,
    };
    assert_eq!(rule.targets[0].conditions, [attribute(75)]);
    assert_eq!(writes(&rule), [(0, 0, 8u32.to_le_bytes().to_vec())]);
    let rule = overrides("cuDeviceGetAttribute[COMPUTE_CAPABILITY_MAJOR, dev=1]:pi=9");
    let device = Condition::Number {
        word: 2,
        bytes: 4,
        value: 1,
    };
    assert_eq!(rule.targets[0].conditions, [attribute(75), device]);
    let rule = injects("cuGetProcAddress_v2[cuMemGetInfo*]:error=NOT_FOUND");
    let symbol = Condition::Text {
        word: 0,
        pattern: "cuMemGetInfo*".to_owned(),
    };
    assert_eq!(rule.targets[0].conditions, [symbol]);
}

#[test]
fn missing_functions_are_named_with_all_their_versions() {
    let rules = ["cuMemGetInfo:missing".to_owned()];
    let injection = Injection::of(&rules, &[]).expect("a rule");
    assert_eq!(injection.hidden, ["cuMemGetInfo", "cuMemGetInfo_v2"]);
    assert!(injection.plan.rules[0].effect.hides);
}

#[test]
fn what_is_wrong_is_marked_and_what_was_meant_is_said() {
    assert_eq!(
        refused(&["cuMemAloc_v2:error=2"], &[]),
        "--inject: expected a function of the CUDA driver API or of NVML, or a pattern such as cuMem*, found cuMemAloc_v2; \
         did you mean cuMemAlloc_v2?\n  cuMemAloc_v2:error=2\n  ^^^^^^^^^^^^"
    );
    for (inject, overrides, said) in [
        (
            "cuInit:error=NOT_INITIALISED",
            "",
            "did you mean NOT_INITIALIZED?",
        ),
        ("", "cuMemGetInfo_v2:fre=1", "did you mean free?"),
        ("", "cuMemGetInfo_v2:free=lots", "a size such as 78GiB"),
        (
            "",
            "cuDeviceGetAttribute:dev=1",
            "dev is passed in by the program; cuDeviceGetAttribute[dev=VALUE]",
        ),
        ("", "cuDeviceGetProperties:prop=1", "name one of its fields"),
        (
            "",
            "cuDeviceGetProperties:prop.regsPerBlok=1",
            "did you mean regsPerBlock?",
        ),
        (
            "",
            "cuDeviceGetProperties:prop.maxThreadsDim.3=1",
            "an element from 0 to 2",
        ),
        ("", "cuGetErrorName:pStr=x", "text that the driver keeps"),
        (
            "",
            "cuMemGetInfo_v2[1]:free=1",
            "NAME=VALUE with an argument of cuMemGetInfo_v2",
        ),
        ("", "cuMemGetInfo_v2=1", "which value it is"),
        (
            "",
            "cuMemGetInfo_v2",
            "an override replaces what the driver answers",
        ),
        (
            "",
            "cuMemGetInfo_v2:free=1:after",
            "an override always calls the driver first",
        ),
        ("", "cuMemGetInfo_v2:missing", "missing is for --inject"),
        ("cuInit", "", "a rule does something"),
        ("cuInit:delay=0s", "", "a rule does something"),
        ("cuInit:delay=5", "", "a time with its unit"),
        ("cuInit:error=1:when=soon", "", "every 4"),
        ("cuInit:signal=SIGSEG", "", "did you mean SIGSEGV?"),
        ("cuInit:eror", "", "did you mean error?"),
        ("cuInit:missing:when=2", "", "missing alone"),
        (
            "cuMemGetInfo_v2:free=1:after",
            "",
            "the driver is called anyway",
        ),
        (
            "cuDeviceGetAttribute[attrb=1]:error=1",
            "",
            "did you mean attrib?",
        ),
        (
            "cuDeviceGetAttribute[75:error=1",
            "",
            "conditions in brackets",
        ),
        (
            "nvmlErrorString:error=1",
            "",
            "nvmlErrorString returns none",
        ),
        (
            "cuInit,nvmlInit_v2:error=NOT_FOUND",
            "",
            "functions of one library",
        ),
        ("", "", "found nothing"),
    ] {
        let error = if overrides.is_empty() {
            refused(&[inject], &[])
        } else {
            refused(&[], &[overrides])
        };
        assert!(error.contains(said), "{inject}{overrides}: {error}");
        assert!(error.contains('^'), "{error}");
    }
    let many = vec!["cuInit:delay=1ms"; 65];
    assert!(refused(&many, &[]).contains("at most 64 rules"));
}
