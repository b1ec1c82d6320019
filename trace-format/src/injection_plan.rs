//! What `cutape record` tells the interposer to do to calls: the rules of `--inject` and `--override`, compiled. It travels in an
//! environment variable and is no part of a trace; the rules' words are, as notes.

use std::fmt::Write;

use cutape_call_choice::calls::Calls;
use serde::{Deserialize, Serialize};

use crate::injected::MAX_RULES;

/// The variable with the rules of `--inject` in words.
pub const INJECT_VARIABLE: &str = "CUTAPE_INJECT";
/// The variable with the rules of `--override` in words.
pub const OVERRIDE_VARIABLE: &str = "CUTAPE_OVERRIDE";
/// The variable with the plan that was made of them.
pub const PLAN_VARIABLE: &str = "CUTAPE_INJECTION";

/// All rules of a recording.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Functions of the table that the plan was made with: numbers mean nothing for another one.
    pub functions: u32,
    /// At most [`MAX_RULES`].
    pub rules: Vec<Rule>,
}

/// One rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Whether it was given by `--override`; otherwise by `--inject`.
    pub overrides: bool,
    /// Its words.
    pub text: String,
    /// The functions it is for.
    pub targets: Vec<Target>,
    /// Which calls of each function, counted from 1 in each process; all where there are none.
    pub when: Vec<Calls>,
    /// The programs it is for, by file name with `*` for any letters; all without.
    pub program: Option<String>,
    /// What it does.
    pub effect: Effect,
}

/// A function that a rule is for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Its number in the table.
    pub function: u32,
    /// What its arguments must be; only calls for which all hold are counted.
    pub conditions: Vec<Condition>,
    /// What is written behind its out parameters.
    pub writes: Vec<Replacement>,
}

/// What an argument must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Condition {
    /// The lower `bytes` bytes of an argument word.
    Number {
        /// The word's place.
        word: u8,
        /// 1, 2, 4 or 8.
        bytes: u8,
        /// Their value.
        value: u64,
    },
    /// The text that an argument word points to, with `*` for any letters.
    Text {
        /// The word's place.
        word: u8,
        /// What it must be.
        pattern: String,
    },
}

/// What is written behind an out parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replacement {
    /// Place of the parameter.
    pub param: u8,
    /// Place of the argument word that is the pointer.
    pub word: u8,
    /// Bytes from the pointer to where the value lies.
    pub offset: u32,
    /// The value's bytes.
    pub bytes: Vec<u8>,
    /// For text, which fits or is cut: where the size of the program's buffer is found.
    pub room: Option<Room>,
}

/// Where the size of a buffer is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Room {
    /// Known beforehand.
    Bytes(u32),
    /// The value of an argument word, of so many bytes.
    Word {
        /// Which one.
        word: u8,
        /// Its size.
        bytes: u8,
    },
    /// The integer that an argument word points to.
    Behind {
        /// Which one.
        word: u8,
        /// Size of the integer.
        bytes: u8,
    },
}

/// What a rule does to a call, besides writing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect {
    /// The call is not passed on to the driver.
    pub withholds: bool,
    /// What it returns.
    pub returns: Option<u32>,
    /// Nanoseconds that pass before the driver is called.
    pub delay_before_ns: u64,
    /// Nanoseconds that pass before the call returns.
    pub delay_after_ns: u64,
    /// A signal to the calling thread, before the driver is called.
    pub signal: Option<i32>,
    /// Look-ups don't find the function.
    pub hides: bool,
}

impl Rule {
    /// Whether the call of that number is one of the rule's.
    pub fn is_for(&self, number: u64, elapsed_ns: impl Fn() -> u64) -> bool {
        self.when.is_empty()
            || self
                .when
                .iter()
                .any(|calls| calls.include(number, &elapsed_ns))
    }

    /// The option as it was given.
    pub fn option(&self) -> String {
        let option = if self.overrides {
            "--override"
        } else {
            "--inject"
        };
        format!("{option} {}", self.text)
    }
}

impl Plan {
    /// The rules of one option in words, as the variable for people has them.
    pub fn words(&self, overrides: bool) -> String {
        let rules = self.rules.iter();
        let texts = rules.filter(|rule| rule.overrides == overrides);
        let texts: Vec<&str> = texts.map(|rule| rule.text.as_str()).collect();
        texts.join("; ")
    }

    /// The plan as the value of [`PLAN_VARIABLE`]: msgpack in hexadecimal digits.
    ///
    /// # Errors
    /// A plan that msgpack can't hold.
    pub fn to_variable(&self) -> Result<String, String> {
        let bytes = rmp_serde::to_vec(self).map_err(|error| error.to_string())?;
        let mut digits = String::with_capacity(2 * bytes.len());
        for byte in bytes {
            let _ = write!(digits, "{byte:02x}");
        }
        Ok(digits)
    }

    /// Reads the value of [`PLAN_VARIABLE`].
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_variable(value: &str) -> Result<Self, String> {
        let digits = value.as_bytes().chunks(2).map(|pair| {
            let text = std::str::from_utf8(pair).ok()?;
            u8::from_str_radix(text, 16).ok()
        });
        let bytes: Option<Vec<u8>> = digits.collect();
        let bytes = bytes.ok_or("it is no row of hexadecimal digits")?;
        let plan: Self = rmp_serde::from_slice(&bytes).map_err(|error| error.to_string())?;
        if plan.rules.len() > MAX_RULES {
            return Err(format!("it has more than {MAX_RULES} rules"));
        }
        Ok(plan)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_comes_back_from_its_variable() {
        let plan = Plan {
            functions: 1234,
            rules: vec![Rule {
                overrides: true,
                text: "cuMemGetInfo_v2:free=78GiB".to_owned(),
                targets: vec![Target {
                    function: 17,
                    conditions: vec![Condition::Text {
                        word: 0,
                        pattern: "cuMem*".to_owned(),
                    }],
                    writes: vec![Replacement {
                        param: 0,
                        word: 0,
                        offset: 8,
                        bytes: vec![1, 2, 3],
                        room: Some(Room::Word { word: 1, bytes: 4 }),
                    }],
                }],
                when: vec![Calls::After(5)],
                program: Some("python*".to_owned()),
                effect: Effect {
                    returns: Some(2),
                    ..Effect::default()
                },
            }],
        };
        let variable = plan.to_variable().expect("a plan");
        assert_eq!(Plan::from_variable(&variable), Ok(plan.clone()));
        assert_eq!(plan.words(true), "cuMemGetInfo_v2:free=78GiB");
        assert_eq!(plan.words(false), "");
        for wrong in ["x", "00zz", "ff", "f", &variable[..variable.len() / 2]] {
            assert!(Plan::from_variable(wrong).is_err(), "{wrong}");
        }
    }
}
