//! Turns a folder of headers into one preprocessed C source: every version of every function declared under its exported name.

use crate::error::GenError;
use crate::sources::MacroEnum;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What is asked of a header folder.
pub struct HeaderSet<'a> {
    /// The folder that holds the headers.
    pub folder: &'a Path,
    /// Headers to include, in order.
    pub includes: &'static [&'static str],
    /// Macros to define before them.
    pub defines: &'static [&'static str],
    /// Enumerations to make from the headers' macros.
    pub macro_enums: &'a [MacroEnum],
}

/// Enumerators made from macros carry this prefix in the preprocessed source: under its own name the macro would be expanded.
pub const MACRO_PREFIX: &str = "cutape_macro_";

/// The CUDA headers. `__CUDA_API_VERSION_INTERNAL` makes them declare each version by its exported name, and `..._ODR` keeps the
/// enumerators out that only NVIDIA's own sources see.
pub const CUDA_INCLUDES: &[&str] = &[
    "cuda.h",
    "cudaProfiler.h",
    "cudaGL.h",
    "cudaEGL.h",
    "vdpau/vdpau.h",
    "cudaVDPAU.h",
    "cudaTypedefs.h",
    "cudaProfilerTypedefs.h",
    "cudaGLTypedefs.h",
    "cudaEGLTypedefs.h",
    "cudaVDPAUTypedefs.h",
];

/// Definitions that go with [`CUDA_INCLUDES`]. `_Alignas` in the place of a field specifier is C11 that the parser knows only as an attribute.
pub const CUDA_DEFINES: &[&str] = &[
    "-D__CUDA_API_VERSION_INTERNAL",
    "-D__CUDA_API_VERSION_INTERNAL_ODR",
    "-D_Alignas(n)=__attribute__((aligned(n)))",
];

/// The NVML header, with the unversioned names declared beside the newest ones.
pub const NVML_INCLUDES: &[&str] = &["nvml.h"];

/// Definitions that go with [`NVML_INCLUDES`].
pub const NVML_DEFINES: &[&str] = &["-DNVML_NO_UNVERSIONED_FUNC_DEFS"];

/// Stand-ins for headers that NVIDIA's include and a machine without graphics development packages lacks: only the types that cross
/// the API, and VdpGetProcAddress, a function type, as something only pointed to. `cudaProfiler.h` comes in a package of its own; its three prototypes are also in cudaProfilerTypedefs.h.
const STAND_INS: [(&str, &str); 5] = [
    (
        "GL/gl.h",
        "typedef unsigned int GLenum; typedef unsigned int GLuint;\n",
    ),
    (
        "EGL/egl.h",
        "typedef int EGLint; typedef unsigned int EGLBoolean;\n",
    ),
    (
        "EGL/eglext.h",
        "typedef void *EGLImageKHR; typedef void *EGLStreamKHR; typedef void *EGLSyncKHR;\n",
    ),
    (
        "vdpau/vdpau.h",
        "typedef unsigned int VdpDevice; typedef unsigned int VdpVideoSurface; typedef unsigned int VdpOutputSurface;\n\
         typedef struct VdpGetProcAddress VdpGetProcAddress;\n",
    ),
    (
        "cudaProfiler.h",
        "#include <cuda.h>\ntypedef enum CUoutput_mode_enum { CU_OUT_KEY_VALUE_PAIR = 0, CU_OUT_CSV = 1 } CUoutput_mode;\n",
    ),
];

/// Runs the C preprocessor over the set and returns the source for the parser.
///
/// # Errors
/// No `cc`, or the headers don't preprocess.
pub fn preprocess(set: &HeaderSet<'_>) -> Result<String, GenError> {
    let scratch = Scratch::new()?;
    for (name, text) in STAND_INS {
        // A real header of that name in the folder wins.
        if !set.folder.join(name).exists() {
            scratch.write(&format!("include/{name}"), text)?;
        }
    }
    let mut source: String = set.includes.iter().fold(String::new(), |mut source, name| {
        let _ = writeln!(source, "#include <{name}>");
        source
    });
    let macros = run_cc(set, &scratch, &source, &["-dM"])?;
    push_macro_enums(&mut source, set.macro_enums, &macros);
    run_cc(set, &scratch, &source, &["-P"])
}

/// Declares an enumeration for each group of macros, so that parser and evaluator see them as any other.
fn push_macro_enums(source: &mut String, groups: &[MacroEnum], macros: &str) {
    let names: Vec<&str> = macros.lines().filter_map(plain_macro_name).collect();
    for group in groups {
        let mut members: Vec<&str> = names
            .iter()
            .copied()
            .filter(|name| group.takes(name))
            .collect();
        members.sort_unstable();
        if members.is_empty() {
            continue;
        }
        source.push_str("typedef enum {");
        for name in members {
            let _ = write!(source, " {MACRO_PREFIX}{name} = ({name}),");
        }
        let _ = writeln!(source, " }} {};", group.name);
    }
}

/// The name in `#define NAME value`; `None` for macros with parameters or without a value.
fn plain_macro_name(line: &str) -> Option<&str> {
    let (name, value) = line.strip_prefix("#define ")?.split_once(' ')?;
    (!name.contains('(') && !value.trim().is_empty()).then_some(name)
}

fn run_cc(
    set: &HeaderSet<'_>,
    scratch: &Scratch,
    source: &str,
    options: &[&str],
) -> Result<String, GenError> {
    let source_path = scratch.write("table.c", source)?;
    let output = Command::new("cc")
        .args(["-E", "-std=gnu11"])
        .args(options)
        .args(set.defines)
        .arg("-I")
        .arg(set.folder)
        .arg("-I")
        .arg(scratch.folder.join("include"))
        .arg(&source_path)
        .stdin(Stdio::null())
        .output()
        .map_err(GenError::io(Path::new("cc")))?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(GenError::Preprocessor {
            folder: set.folder.to_owned(),
            message,
        });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A folder for this process, removed when dropped.
struct Scratch {
    folder: PathBuf,
}

impl Scratch {
    fn new() -> Result<Self, GenError> {
        let folder = std::env::temp_dir().join(format!("cutape-table-gen-{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(GenError::io(&folder))?;
        Ok(Self { folder })
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf, GenError> {
        let path = self.folder.join(name);
        let parent = path.parent().unwrap_or(&self.folder);
        fs::create_dir_all(parent).map_err(GenError::io(parent))?;
        fs::write(&path, text).map_err(GenError::io(&path))?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays behind is a few kilobytes in the temporary folder: not worth failing for.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
