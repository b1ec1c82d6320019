//! Which calls of a function a fault hits: `3`, `3+`, `2..5`, `every 4`, `after 2 s`, and lists of these.

use std::str::FromStr;
use std::time::Duration;

use super::duration;

/// Which calls are hit, counted from 1 in each process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct When(Vec<Calls>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Calls {
    Range {
        first: u64,
        last: u64,
    },
    Every(u64),
    /// Those made at least this long after the process's first call to the driver.
    After(Duration),
}

impl When {
    /// Every call.
    pub fn always() -> Self {
        Self(vec![Calls::Every(1)])
    }

    /// Whether the call of that number is hit. `elapsed` tells how long ago the process's first call was; it is asked only where a
    /// fault depends on it.
    pub fn hits(&self, call: u64, elapsed: impl Fn() -> Duration) -> bool {
        self.0.iter().any(|calls| match *calls {
            Calls::Range { first, last } => (first..=last).contains(&call),
            Calls::Every(step) => call.is_multiple_of(step),
            Calls::After(delay) => elapsed() >= delay,
        })
    }
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim() == "always" {
            return Ok(Self::always());
        }
        text.split(',')
            .map(|item| calls(item.trim()))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

fn calls(item: &str) -> Result<Calls, String> {
    let expected = || {
        format!(
            "expected `always`, a call number from 1 on (`3`), `3+`, `2..5`, `every 4` or `after 2 s`, found \"{item}\""
        )
    };
    let number = |digits: &str| match digits.trim().parse::<u64>() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(expected()),
    };
    if let Some(delay) = item.strip_prefix("after ") {
        return duration::parse(delay)
            .map(Calls::After)
            .ok_or_else(expected);
    }
    if let Some(step) = item.strip_prefix("every ") {
        return Ok(Calls::Every(number(step)?));
    }
    if let Some(first) = item.strip_suffix('+') {
        return Ok(Calls::Range {
            first: number(first)?,
            last: u64::MAX,
        });
    }
    if let Some((first, last)) = item.split_once("..") {
        let (first, last) = (number(first)?, number(last)?);
        if last < first {
            return Err(format!("\"{item}\" ends before it begins"));
        }
        return Ok(Calls::Range { first, last });
    }
    let only = number(item)?;
    Ok(Calls::Range {
        first: only,
        last: only,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(text: &str) -> Vec<u64> {
        let when: When = text.parse().unwrap();
        // The first call comes at once, each other one a second later.
        let elapsed = |call: u64| move || Duration::from_secs(call - 1);
        (1..=9)
            .filter(|&call| when.hits(call, elapsed(call)))
            .collect()
    }

    #[test]
    fn each_form_hits_the_calls_that_it_names() {
        assert_eq!(hit("3"), [3]);
        assert_eq!(hit("7+"), [7, 8, 9]);
        assert_eq!(hit("2..4"), [2, 3, 4]);
        assert_eq!(hit("every 4"), [4, 8]);
        assert_eq!(hit("1, 3,8+"), [1, 3, 8, 9]);
        assert_eq!(hit("after 5500 ms"), [7, 8, 9]);
        assert_eq!(hit("1, after 7 s"), [1, 8, 9]);
        assert_eq!(hit("always"), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn anything_else_is_refused_with_what_was_expected() {
        for wrong in [
            "",
            "0",
            "3-",
            "every",
            "every 0",
            "5..2",
            "x",
            "1,,2",
            "-1",
            "after",
            "after 3",
            "after soon",
        ] {
            assert!(wrong.parse::<When>().is_err(), "{wrong}");
        }
        assert!("soon".parse::<When>().unwrap_err().contains("every 4"));
    }
}
