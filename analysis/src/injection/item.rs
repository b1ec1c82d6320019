//! What a rule does and when: the parts behind the functions, `error=OUT_OF_MEMORY:when=3+`.

use cutape_call_choice::calls::Calls;
use cutape_call_choice::time;

use super::RuleError;
use super::piece::Piece;
use super::when;
use crate::info::{signal_name, signal_names, signal_number};

/// Words that are no out parameters.
pub(super) const KEYS: [&str; 9] = [
    "error",
    "ret",
    "after",
    "when",
    "delay",
    "delay-after",
    "signal",
    "in",
    "missing",
];

/// Everything behind a rule's functions.
#[derive(Debug, Default)]
pub(super) struct Items<'t> {
    /// `error` or `ret`: what the call returns.
    pub code: Option<Piece<'t>>,
    /// `after`: the driver is called first.
    pub after: Option<Piece<'t>>,
    /// `when`: which calls.
    pub when: Vec<Calls>,
    /// `delay`: time that passes before the driver is called.
    pub delay_before_ns: u64,
    /// `delay-after`: time that passes before the call returns.
    pub delay_after_ns: u64,
    /// `signal`.
    pub signal: Option<i32>,
    /// `in`: the programs.
    pub program: Option<String>,
    /// `missing`: the functions are not found.
    pub missing: Option<Piece<'t>>,
    /// Out parameters and their values.
    pub writes: Vec<(Piece<'t>, Piece<'t>)>,
    /// Items so far, the value behind a function's brackets not counted.
    count: usize,
}

impl<'t> Items<'t> {
    /// Reads the parts of a rule behind its functions.
    ///
    /// # Errors
    /// An item that makes no sense, whatever the function.
    pub(super) fn read(parts: &[Piece<'t>]) -> Result<Self, RuleError> {
        let mut items = Self::default();
        let mut parts = parts.iter().peekable();
        while let Some(part) = parts.next() {
            let mut whole = part.clone();
            if is_when(part) {
                // A list of calls has commas, too.
                while let Some(next) = parts.next_if(|next| continues_when(next)) {
                    whole = whole.up_to(next);
                }
            }
            items.add(&whole)?;
            items.count += 1;
        }
        Ok(items)
    }

    /// Whether the rule does anything to a call but let it be missing.
    pub(super) fn acts(&self) -> bool {
        self.code.is_some()
            || self.signal.is_some()
            || self.delay_before_ns > 0
            || self.delay_after_ns > 0
            || !self.writes.is_empty()
    }

    /// Whether there is nothing but `missing`.
    pub(super) fn only_missing(&self) -> bool {
        self.missing.is_some() && self.count == 1 && self.writes.is_empty()
    }

    fn add(&mut self, item: &Piece<'t>) -> Result<(), RuleError> {
        let Some((key, value)) = item_of(item) else {
            return self.add_word(item);
        };
        match key.text() {
            "error" | "ret" => self.code = Some(value),
            "when" => self.when = when::list(&value)?,
            "delay" | "delay_enter" => self.delay_before_ns = time(&value)?,
            "delay-after" | "delay_exit" => self.delay_after_ns = time(&value)?,
            "signal" => self.signal = Some(signal(&value)?),
            "in" if value.text().is_empty() => {
                return Err(value.error("the name of a program, with * for any letters"));
            }
            "in" => self.program = Some(value.unquoted().to_owned()),
            _ => self.writes.push((key, value)),
        }
        Ok(())
    }

    fn add_word(&mut self, word: &Piece<'t>) -> Result<(), RuleError> {
        match word.text() {
            "after" => self.after = Some(word.clone()),
            "missing" => self.missing = Some(word.clone()),
            text => {
                let near = crate::filter::suggest::nearest(text, KEYS);
                let hint = near.map(|near| format!("did you mean {near}?"));
                let values =
                    "NAME=VALUE, after or missing; a value with , or : in it stands in quotes";
                return Err(word.error_with(values, hint));
            }
        }
        Ok(())
    }
}

fn item_of<'t>(item: &Piece<'t>) -> Option<(Piece<'t>, Piece<'t>)> {
    item.assignment()
}

fn is_when(part: &Piece<'_>) -> bool {
    part.assignment()
        .is_some_and(|(key, _)| key.text() == "when")
}

fn continues_when(part: &Piece<'_>) -> bool {
    Calls::read(part.text()).is_some()
}

fn time(value: &Piece<'_>) -> Result<u64, RuleError> {
    time::nanoseconds(value.text())
        .ok_or_else(|| value.error("a time with its unit, such as 5ms, of at most a day"))
}

fn signal(value: &Piece<'_>) -> Result<i32, RuleError> {
    let text = value.text();
    let by_number = || {
        text.parse()
            .ok()
            .filter(|&number| signal_name(number).is_some())
    };
    signal_number(text).or_else(by_number).ok_or_else(|| {
        let near = crate::filter::suggest::nearest(text, signal_names());
        value.error_with(
            "a signal that ends processes, such as SIGSEGV",
            near.map(|near| format!("did you mean {near}?")),
        )
    })
}
