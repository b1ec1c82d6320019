//! From one `[[fault]]` of a profile to what goes wrong.

use cutape_call_choice::time;

use super::document::Item;
use super::error::suggestion;
use super::{Effect, End, Fault, Latency, Pattern, Profile, ProfileError, When};
use crate::surface::{self, FunctionInfo, Library};

/// Keys about calls: what they do, and which of them.
const CALL_KEYS: &[&str] = &[
    "error",
    "set",
    "latency",
    "prints",
    "close_descriptors",
    "scribble",
    "hang",
    "exit",
    "crash",
    "when",
    "process",
];
/// Keys about finding functions, which know neither calls nor processes.
const LOOK_UP_KEYS: &[&str] = &["missing", "found_as", "ignores"];

/// Signals by which a driver's crash ends a process.
const SIGNALS: &[(&str, i32)] = &[
    ("SIGSEGV", libc::SIGSEGV),
    ("SIGABRT", libc::SIGABRT),
    ("SIGBUS", libc::SIGBUS),
    ("SIGILL", libc::SIGILL),
    ("SIGFPE", libc::SIGFPE),
    ("SIGTRAP", libc::SIGTRAP),
    ("SIGKILL", libc::SIGKILL),
];

/// Reads one `[[fault]]` into the profile, for each function that its names and patterns mean.
pub fn read(table: &Item, profile: &mut Profile) -> Result<(), ProfileError> {
    let known = [&["function"], CALL_KEYS, LOOK_UP_KEYS].concat();
    let entries = Entries(table.table()?.checked(&known)?);
    let function = entries
        .get("function")
        .ok_or_else(|| table.complain("a fault needs `function`"))?;
    let hit = functions(function)?;
    if entries.any_of(LOOK_UP_KEYS).is_some() {
        if let Some(entry) = entries.any_of(CALL_KEYS) {
            let what = format!(
                "`{}` is about calls, and can't stand in one fault with {}, which are about finding functions: make it two faults",
                entry.key(),
                LOOK_UP_KEYS.join(", ")
            );
            return Err(entry.complain(what));
        }
        return look_up(&entries, &hit, profile);
    }
    let when = match entries.get("when") {
        None => When::always(),
        Some(entry) => entry
            .text_or_number("which calls are hit")?
            .parse()
            .map_err(|what| entry.complain(format!("`when`: {what}")))?,
    };
    let process = match entries.get("process") {
        None => None,
        Some(entry) => Some(Pattern::new(
            entry.text("a program's file name, such as \"python*\"")?,
        )),
    };
    for info in hit {
        let effect = effect(&entries, info)?;
        if effect.is_empty() {
            let does = CALL_KEYS
                .iter()
                .filter(|key| !["when", "process"].contains(key));
            let does: Vec<_> = does
                .chain(LOOK_UP_KEYS)
                .map(|key| format!("`{key}`"))
                .collect();
            return Err(table.complain(format!("a fault needs one of {}", does.join(", "))));
        }
        profile
            .faults
            .push(Fault::new(info.name, effect, when.clone(), process.clone()));
    }
    Ok(())
}

/// The keys of a fault.
struct Entries<'a>(Vec<Item<'a>>);

impl<'a> Entries<'a> {
    fn get(&self, key: &str) -> Option<&Item<'a>> {
        self.0.iter().find(|entry| entry.key() == key)
    }

    fn any_of(&self, keys: &[&str]) -> Option<&Item<'a>> {
        self.0.iter().find(|entry| keys.contains(&entry.key()))
    }

    fn flag(&self, key: &str) -> Result<bool, ProfileError> {
        self.get(key).map_or(Ok(false), Item::flag)
    }
}

/// The functions of an exact name, of a name that ends in `*`, or of a list of these.
fn functions(item: &Item) -> Result<Vec<&'static FunctionInfo>, ProfileError> {
    let mut hit = Vec::new();
    for item in item.one_or_many() {
        hit.extend(functions_of(&item)?);
    }
    hit.sort_by_key(|info| info.name);
    hit.dedup_by_key(|info| info.name);
    match hit.first() {
        None => Err(item.expected("the exported name of a function, or a list of names")),
        Some(first) if hit.iter().any(|info| info.library != first.library) => Err(item.complain(
            "`function` names functions of the driver and of NVML, whose errors differ: make it two faults",
        )),
        Some(_) => Ok(hit),
    }
}

fn functions_of(item: &Item) -> Result<Vec<&'static FunctionInfo>, ProfileError> {
    let written = item.text("the exported name of a function, or a beginning and `*`")?;
    let hit: Vec<_> = match written.strip_suffix('*') {
        Some(beginning) => surface::FUNCTIONS
            .iter()
            .filter(|info| info.name.starts_with(beginning) && info.answers_code)
            .collect(),
        None => exact(written).into_iter().collect(),
    };
    if hit.is_empty() {
        return Err(item.expected(&format!(
            "the exported name of a function{}",
            function_hint(written)
        )));
    }
    if let Some(odd) = hit.iter().find(|info| !info.answers_code) {
        return Err(item.complain(format!(
            "{} answers no error code, so no fault can be put on it",
            odd.name
        )));
    }
    Ok(hit)
}

fn exact(name: &str) -> Option<&'static FunctionInfo> {
    surface::FUNCTIONS.iter().find(|info| info.name == name)
}

fn function_hint(written: &str) -> String {
    suggestion(written, surface::FUNCTIONS.iter().map(|info| info.name))
}

fn look_up(
    entries: &Entries,
    hit: &[&'static FunctionInfo],
    profile: &mut Profile,
) -> Result<(), ProfileError> {
    if entries.flag("missing")? {
        profile
            .look_ups
            .missing
            .extend(hit.iter().map(|info| info.name));
    }
    if let Some(entry) = entries.get("found_as") {
        let written = entry.text("the exported name of another function")?;
        let other = exact(written).filter(|other| other.library == Library::Cuda);
        let other = other.ok_or_else(|| {
            let hint = function_hint(written);
            entry.expected(&format!(
                "the exported name of another function of the driver{hint}"
            ))
        })?;
        profile
            .look_ups
            .found_as
            .extend(hit.iter().map(|info| (info.name, other.name)));
    }
    if let Some(entry) = entries.get("ignores") {
        const WHAT: &str = "\"version\" or \"stream\"";
        if hit
            .iter()
            .any(|info| !info.name.starts_with("cuGetProcAddress"))
        {
            let what =
                "`ignores` is about cuGetProcAddress: expected `function = \"cuGetProcAddress*\"`";
            return Err(entry.complain(what));
        }
        match entry.text(WHAT)? {
            "version" => profile.look_ups.ignores_version = true,
            "stream" => profile.look_ups.ignores_stream = true,
            _ => return Err(entry.expected(WHAT)),
        }
    }
    Ok(())
}

fn effect(entries: &Entries, info: &FunctionInfo) -> Result<Effect, ProfileError> {
    let mut effect = Effect {
        latency: entries.get("latency").map(latency).transpose()?,
        prints: entries.get("prints").map(printed).transpose()?,
        closes_descriptors: entries.flag("close_descriptors")?,
        scribbles: entries.flag("scribble")?,
        end: end(entries)?,
        ..Effect::default()
    };
    if let Some(entry) = entries.get("error") {
        effect.error = Some(error_code(entry, info.library)?);
    }
    if let Some(entry) = entries.get("set") {
        for value in entry.table()?.all() {
            effect.set.push(out_value(&value, info)?);
        }
    }
    Ok(effect)
}

/// How the call ends, if it does not come back.
fn end(entries: &Entries) -> Result<Option<End>, ProfileError> {
    let mut ends = Vec::new();
    for entry in &entries.0 {
        let end = match entry.key() {
            "hang" => entry.flag()?.then_some(End::Hang),
            "exit" => Some(End::Exit(entry.number("an exit code, 0 to 255")?)),
            "crash" => Some(End::Crash(signal(entry)?)),
            _ => None,
        };
        ends.extend(end.map(|end| (entry, end)));
    }
    match ends[..] {
        [] => Ok(None),
        [(_, end)] => Ok(Some(end)),
        [(one, _), (other, _), ..] => Err(other.complain(format!(
            "a call ends in one way only: found `{}` and `{}`",
            one.key(),
            other.key()
        ))),
    }
}

/// What a call writes to standard output.
fn printed(item: &Item) -> Result<String, ProfileError> {
    const WHAT: &str = "the text that the call writes to standard output";
    let text = item.text(WHAT)?;
    if text.is_empty() {
        return Err(item.expected(WHAT));
    }
    Ok(text.to_owned())
}

/// `"10 ms"`, `{ from = "1 ms", to = "5 ms" }` or `{ median = "2 ms", p99 = "50 ms" }`.
fn latency(item: &Item) -> Result<Latency, ProfileError> {
    const WHAT: &str =
        "a time such as \"10 ms\", or { from = ..., to = ... }, or { median = ..., p99 = ... }";
    let Ok(keys) = item.table() else {
        return time(item, WHAT).map(Latency::Fixed);
    };
    let entries = Entries(keys.checked(&["from", "to", "median", "p99"])?);
    let ends = |first: &str, second: &str| match (entries.get(first), entries.get(second)) {
        (Some(first), Some(second)) if entries.0.len() == 2 => Some((*first, *second)),
        _ => None,
    };
    let pair = |(first, second): (Item, Item)| {
        const WHAT: &str = "a time such as \"10 ms\"";
        let (low, high) = (time(&first, WHAT)?, time(&second, WHAT)?);
        if high < low {
            return Err(second.expected(&format!("a time not below `{}`", first.key())));
        }
        Ok((low, high))
    };
    if let Some(both) = ends("from", "to") {
        let (least, most) = pair(both)?;
        return Ok(Latency::Uniform { least, most });
    }
    let both = ends("median", "p99").ok_or_else(|| item.expected(WHAT))?;
    let (median, p99) = pair(both)?;
    if median.is_zero() {
        return Err(both.0.expected("a time above 0"));
    }
    Ok(Latency::LogNormal { median, p99 })
}

fn time(item: &Item, what: &str) -> Result<std::time::Duration, ProfileError> {
    time::nanoseconds(item.text(what)?)
        .map(std::time::Duration::from_nanos)
        .ok_or_else(|| item.expected(what))
}

fn signal(item: &Item) -> Result<i32, ProfileError> {
    let names = || SIGNALS.iter().map(|(name, _)| *name);
    let what = || format!("one of {}", names().collect::<Vec<_>>().join(", "));
    let written = item.text(&what())?;
    let found = SIGNALS.iter().find(|(name, _)| *name == written);
    found
        .map(|(_, number)| *number)
        .ok_or_else(|| item.expected(&format!("{}{}", what(), suggestion(written, names()))))
}

fn error_code(item: &Item, library: Library) -> Result<u32, ProfileError> {
    const WHAT: &str = "the name or number of an error";
    let written = item.text_or_number(WHAT)?;
    if let Ok(code) = written.parse() {
        return Ok(code);
    }
    let errors = surface::errors(library);
    let found = errors.iter().find(|error| error.name == written);
    found.map(|error| error.code).ok_or_else(|| {
        let hint = suggestion(&written, errors.iter().map(|error| error.name));
        item.expected(&format!("{WHAT}{hint}"))
    })
}

/// An entry of `set`: the parameter's place, and the value in as many bytes as the parameter points to.
fn out_value(entry: &Item, function: &FunctionInfo) -> Result<(usize, Vec<u8>), ProfileError> {
    let writable = || {
        function
            .params
            .iter()
            .filter(|param| param.out_bytes > 0)
            .map(|param| param.name)
    };
    let place = function
        .params
        .iter()
        .position(|param| param.name == entry.key() && param.out_bytes > 0);
    let place = place.ok_or_else(|| {
        let names: Vec<_> = writable().collect();
        let expected = if names.is_empty() {
            "none (it writes no numbers)".to_owned()
        } else {
            names.join(", ")
        };
        let hint = suggestion(entry.key(), writable());
        entry.complain(format!(
            "`{}` is not an out parameter of {}: expected {expected}{hint}",
            entry.key(),
            function.name
        ))
    })?;
    let bytes = usize::from(function.params[place].out_bytes);
    let value = match entry.text("") {
        Ok(_) => i128::from(entry.bytes()?),
        Err(_) => entry.integer("a number, or a size such as \"78 GiB\"")?,
    };
    let bits = 8 * bytes as u32;
    if value < -(1i128 << (bits - 1)) || value >= 1i128 << bits {
        return Err(entry.expected(&format!("a number that fits {bytes} bytes")));
    }
    Ok((place, value.to_le_bytes()[..bytes].to_vec()))
}
