//! The driver under test: its functions, and how they are called.

use std::collections::HashSet;
use std::ffi::{CStr, CString, c_char, c_void};
use std::path::Path;

use crate::plan::{Destination, Passing};
use crate::worker::instructions::Instructions;

/// Words on the stack of the widest call.
const STACK_WORDS: usize = 34;

/// The addresses of functions, by number of the plan; 0 where the driver lacks the function.
pub struct Driver {
    functions: Vec<usize>,
    cuda: Library,
    /// `cuDevicePrimaryCtxRetain` and `cuDevicePrimaryCtxRelease_v2`, which stand in for calls through an export table.
    primary_context: [usize; 2],
}

impl Driver {
    /// Loads the libraries and looks all functions up.
    ///
    /// # Errors
    /// The loader's reason.
    pub fn load(instructions: &Instructions) -> Result<Self, String> {
        let cuda = open(&instructions.cuda)?;
        // Without the NVML library, its functions are missing: that is what a program finds.
        let nvml = instructions
            .nvml
            .as_deref()
            .and_then(|path| open(path).ok());
        let hidden: HashSet<&str> = instructions.hidden.iter().map(String::as_str).collect();
        let functions = instructions.plans.plans.iter().map(|plan| {
            let library = if plan.is_nvml { nvml } else { Some(cuda) };
            match library {
                Some(library) if !hidden.contains(plan.function.as_str()) => {
                    look_up(library, &plan.function)
                }
                _ => 0,
            }
        });
        Ok(Self {
            functions: functions.collect(),
            cuda,
            primary_context: ["cuDevicePrimaryCtxRetain", "cuDevicePrimaryCtxRelease_v2"]
                .map(|name| look_up(cuda, name)),
        })
    }

    /// The address of a function by its exported name; 0 where the driver lacks it.
    pub fn exported(&self, name: &str) -> usize {
        look_up(self.cuda, name)
    }

    /// The primary context of a device, retained.
    pub fn retain_primary_context(&self, device: i32) -> Option<u64> {
        let [retain, _] = self.primary_context;
        if retain == 0 {
            return None;
        }
        let mut context = 0u64;
        let words = [
            (&raw mut context).expose_provenance() as u64,
            u64::from(device.cast_unsigned()),
        ];
        // SAFETY: CUresult cuDevicePrimaryCtxRetain(CUcontext *pctx, CUdevice dev)
        let code = unsafe { call(retain, &Passing::Straight, &words) } as u32;
        (code == 0 && context != 0).then_some(context)
    }

    /// Gives a device's primary context back.
    pub fn release_primary_context(&self, device: i32) {
        let [_, release] = self.primary_context;
        if release != 0 {
            let words = [u64::from(device.cast_unsigned())];
            // SAFETY: CUresult cuDevicePrimaryCtxRelease_v2(CUdevice dev)
            unsafe { call(release, &Passing::Straight, &words) };
        }
    }

    /// A kernel of a module, by its name.
    pub fn function_of(&self, module: u64, name: &[u8]) -> Option<u64> {
        let (get, name) = (
            self.exported("cuModuleGetFunction"),
            CString::new(name).ok()?,
        );
        if get == 0 {
            return None;
        }
        let mut function = 0u64;
        let words = [
            (&raw mut function).expose_provenance() as u64,
            module,
            name.as_ptr().expose_provenance() as u64,
        ];
        // SAFETY: CUresult cuModuleGetFunction(CUfunction *hfunc, CUmodule hmod, const char *name)
        let code = unsafe { call(get, &Passing::Straight, &words) } as u32;
        (code == 0 && function != 0).then_some(function)
    }

    /// The address of a plan's function; 0 where the driver lacks it.
    #[inline]
    pub fn function(&self, plan: usize) -> usize {
        self.functions.get(plan).copied().unwrap_or(0)
    }
}

/// The exported function that begins at an address, by the name that the loader finds first.
pub fn name_at(address: u64) -> Option<String> {
    // SAFETY: all zeros is a valid Dl_info.
    let mut found: libc::Dl_info = unsafe { std::mem::zeroed() };
    // SAFETY: the loader compares the address with those of the libraries that it has loaded; it is not followed.
    let is_found =
        unsafe { libc::dladdr(std::ptr::without_provenance(address as usize), &mut found) };
    if is_found == 0 || found.dli_saddr.addr() as u64 != address {
        return None;
    }
    // SAFETY: a name that dladdr answers is one of a loaded library.
    Some(unsafe { text(found.dli_sname) })
}

/// A loaded library; never unloaded.
#[derive(Clone, Copy)]
struct Library(*mut c_void);

// SAFETY: a handle of the loader's, which any thread may use.
unsafe impl Send for Library {}
// SAFETY: as above.
unsafe impl Sync for Library {}

fn open(path: &Path) -> Result<Library, String> {
    let name = CString::new(path.as_os_str().as_encoded_bytes())
        .map_err(|_| format!("the path {} has a NUL in it", path.display()))?;
    // SAFETY: runs the library's constructors: the driver under test, which is what this process is for.
    let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    if handle.is_null() {
        // SAFETY: after a failed dlopen, dlerror answers a string that lives until the next call of its family, or NULL.
        let reason = unsafe { text(libc::dlerror()) };
        return Err(format!("{} can't be loaded: {reason}", path.display()));
    }
    Ok(Library(handle))
}

/// # Safety
/// `pointer` is NULL or points to a NUL-terminated string.
unsafe fn text(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: the caller says so.
    let text = unsafe { CStr::from_ptr(pointer) };
    text.to_string_lossy().into_owned()
}

fn look_up(library: Library, name: &str) -> usize {
    let Ok(name) = CString::new(name) else {
        return 0;
    };
    // SAFETY: the handle is that of a library that stays loaded.
    unsafe { libc::dlsym(library.0, name.as_ptr()) }.addr()
}

#[rustfmt::skip]
type Narrow = unsafe extern "C" fn(u64, u64, u64, u64, u64, u64) -> u64;
#[rustfmt::skip]
type Middle = unsafe extern "C" fn(
    u64, u64, u64, u64, u64, u64,
    u64, u64, u64, u64, u64, u64,
) -> u64;
#[rustfmt::skip]
type Wide = unsafe extern "C" fn(
    f64, f64, f64, f64, f64, f64, f64, f64,
    u64, u64, u64, u64, u64, u64,
    u64, u64, u64, u64, u64, u64, u64, u64, u64, u64, u64, u64, u64, u64, u64, u64, u64,
    u64, u64, u64, u64, u64, u64, u64, u64, u64, u64, u64, u64, u64, u64, u64, u64, u64,
) -> u64;

/// Calls a function with its words where they belong, and answers what it leaves in rax.
///
/// By the System V convention integers fill six registers, floating-point numbers eight others, and what is left lies on the stack in
/// order. So one prototype serves all functions: registers and stack words that a function doesn't take do no harm.
///
/// # Safety
/// `function` is the address of a function of the driver under test, and `words` are what it takes: every address among them is one of
/// memory that it may use as its prototype says.
#[inline]
pub unsafe fn call(function: usize, passing: &Passing, words: &[u64]) -> u64 {
    let w = |place: usize| words.get(place).copied().unwrap_or(0);
    match passing {
        Passing::Straight if words.len() <= 6 => {
            // SAFETY: all such functions can be called by this prototype.
            let function = unsafe { std::mem::transmute::<usize, Narrow>(function) };
            // SAFETY: the caller says so.
            unsafe { function(w(0), w(1), w(2), w(3), w(4), w(5)) }
        }
        Passing::Straight if words.len() <= 12 => {
            // SAFETY: as above.
            let function = unsafe { std::mem::transmute::<usize, Middle>(function) };
            // SAFETY: the caller says so.
            unsafe {
                function(
                    w(0),
                    w(1),
                    w(2),
                    w(3),
                    w(4),
                    w(5),
                    w(6),
                    w(7),
                    w(8),
                    w(9),
                    w(10),
                    w(11),
                )
            }
        }
        // SAFETY: the caller says so.
        _ => unsafe { call_wide(function, &Placed::of(passing, words)) },
    }
}

/// Words by where they go.
struct Placed {
    vectors: [f64; 8],
    registers: [u64; 6],
    stack: [u64; STACK_WORDS],
}

impl Placed {
    fn of(passing: &Passing, words: &[u64]) -> Self {
        let mut placed = Self {
            vectors: [0.0; 8],
            registers: [0; 6],
            stack: [0; STACK_WORDS],
        };
        for (place, &word) in words.iter().enumerate() {
            let destination = match passing {
                Passing::Straight if place < 6 => Destination::Register(place as u8),
                Passing::Straight => Destination::Stack((place - 6) as u8),
                Passing::Placed(destinations) => match destinations.get(place) {
                    Some(destination) => *destination,
                    None => continue,
                },
            };
            placed.put(destination, word);
        }
        placed
    }

    fn put(&mut self, destination: Destination, word: u64) {
        let (words, number) = match destination {
            // The lower half of a vector register holds a 4-byte number as it holds an 8-byte one.
            Destination::Vector(number) => {
                if let Some(place) = self.vectors.get_mut(usize::from(number)) {
                    *place = f64::from_bits(word);
                }
                return;
            }
            Destination::Register(number) => (&mut self.registers[..], number),
            Destination::Stack(number) => (&mut self.stack[..], number),
        };
        if let Some(place) = words.get_mut(usize::from(number)) {
            *place = word;
        }
    }
}

/// # Safety
/// As for [`call`].
unsafe fn call_wide(function: usize, placed: &Placed) -> u64 {
    // SAFETY: all such functions can be called by this prototype.
    let function = unsafe { std::mem::transmute::<usize, Wide>(function) };
    let Placed {
        vectors: v,
        registers: r,
        stack: s,
    } = placed;
    // SAFETY: the caller says so.
    unsafe {
        function(
            v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], r[0], r[1], r[2], r[3], r[4], r[5],
            s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], s[8], s[9], s[10], s[11], s[12], s[13],
            s[14], s[15], s[16], s[17], s[18], s[19], s[20], s[21], s[22], s[23], s[24], s[25],
            s[26], s[27], s[28], s[29], s[30], s[31], s[32], s[33],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    extern "C" fn six(a: u64, b: u32, c: u64, d: u64, e: u64, f: u64) -> u64 {
        a + 10 * u64::from(b) + 100 * c + 1000 * d + 10_000 * e + 100_000 * f
    }

    extern "C" fn eleven(
        a: u64,
        _: u32,
        _: u32,
        _: u32,
        _: u32,
        f: u32,
        g: u32,
        h: u32,
        i: u64,
        j: u64,
        k: u64,
    ) -> u64 {
        a + 10 * u64::from(f)
            + 100 * u64::from(g)
            + 1000 * u64::from(h)
            + 10_000 * i
            + 100_000 * j
            + 1_000_000 * k
    }

    #[repr(C)]
    struct Big([u64; 8]);

    extern "C" fn with_structure(a: u64, big: Big, b: u64) -> u64 {
        a + 10 * b
            + big
                .0
                .iter()
                .zip(1u64..)
                .map(|(word, n)| 100 * word * n)
                .sum::<u64>()
    }

    extern "C" fn with_float(a: u64, f: f32, b: u64) -> u64 {
        a + 10 * b + 100 * f as u64
    }

    #[test]
    fn words_come_to_where_functions_look_for_them() {
        let straight = Passing::Straight;
        // SAFETY: the functions are those above, and take what they are given.
        unsafe {
            assert_eq!(
                call(six as *const () as usize, &straight, &[1, 2, 3, 4, 5, 6]),
                654_321
            );
            let words = [1, 0, 0, 0, 0, 2, 3, 4, 5, 6, 7];
            assert_eq!(
                call(eleven as *const () as usize, &straight, &words),
                7_654_321
            );
        }
    }

    #[test]
    fn structures_lie_on_the_stack_and_floats_in_registers_of_their_own() {
        let mut places = vec![Destination::Register(0)];
        places.extend((0..8).map(Destination::Stack));
        places.push(Destination::Register(1));
        let mut words = vec![1];
        words.extend([1; 8]);
        words.push(2);
        let placed = Passing::Placed(places);
        let floats = Passing::Placed(vec![
            Destination::Register(0),
            Destination::Vector(0),
            Destination::Register(1),
        ]);
        // SAFETY: as above.
        unsafe {
            let sum = call(with_structure as *const () as usize, &placed, &words);
            assert_eq!(sum, 1 + 20 + 3600);
            let float = u64::from(3f32.to_bits());
            assert_eq!(
                call(with_float as *const () as usize, &floats, &[1, float, 2]),
                321
            );
        }
    }
}
