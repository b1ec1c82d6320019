//! Running programs, above all the benchmark's client and what it prints.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use crate::error::BenchError;

/// Runs a program to its end and gives what it wrote to stdout.
///
/// # Errors
/// It can't be started, or fails; then with the end of its stderr.
pub fn output_of(command: &mut Command) -> Result<String, BenchError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| BenchError::NotStarted {
            program: program.clone(),
            error,
        })?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let lines: Vec<&str> = said.lines().collect();
    Err(BenchError::Failed {
        program,
        status: output.status.to_string(),
        said: lines[lines.len().saturating_sub(4)..].join(" | "),
    })
}

/// What the client measured: numbers by name, in the order of measuring.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Samples(BTreeMap<String, Vec<f64>>);

impl Samples {
    /// Reads lines of a name and a number.
    ///
    /// # Errors
    /// A line is something else.
    pub fn parse(text: &str) -> Result<Self, BenchError> {
        let mut samples = Self::default();
        for line in text.lines() {
            let (name, value) = line
                .split_once(' ')
                .and_then(|(name, value)| Some((name, value.parse::<f64>().ok()?)))
                .ok_or_else(|| BenchError::Output {
                    line: line.to_owned(),
                })?;
            samples.0.entry(name.to_owned()).or_default().push(value);
        }
        Ok(samples)
    }

    /// Adds another run's samples behind these.
    pub fn append(&mut self, more: Self) {
        for (name, mut values) in more.0 {
            self.0.entry(name).or_default().append(&mut values);
        }
    }

    /// The samples of one name, at least one.
    ///
    /// # Errors
    /// There are none.
    pub fn named(&self, name: &str) -> Result<&[f64], BenchError> {
        self.0
            .get(name)
            .map(Vec::as_slice)
            .ok_or_else(|| BenchError::NoSamples {
                name: name.to_owned(),
            })
    }

    /// The only sample of its name, as a whole number.
    ///
    /// # Errors
    /// There is none.
    pub fn count(&self, name: &str) -> Result<u64, BenchError> {
        Ok(self.named(name)?[0] as u64)
    }
}

/// The middle one, or the mean of the two in the middle. `values` has at least one.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        (sorted[middle - 1] + sorted[middle]) / 2.0
    }
}

/// The least one.
pub fn minimum(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_several_runs_are_kept_in_order() {
        let mut samples = Samples::parse("a 2\nb 5\na 1\n").unwrap();
        samples.append(Samples::parse("a 9").unwrap());
        assert_eq!(samples.named("a").unwrap(), [2.0, 1.0, 9.0]);
        assert_eq!(samples.count("b").unwrap(), 5);
    }

    #[test]
    fn a_line_that_is_no_sample_is_shown() {
        let error = Samples::parse("a 2\noops").unwrap_err();
        assert!(error.to_string().contains("\"oops\""));
    }

    #[test]
    fn missing_samples_are_named() {
        let error = Samples::default().named("floor").unwrap_err();
        assert!(error.to_string().contains("floor"));
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_the_two_in_the_middle() {
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(median(&[7.0, 1.0, 3.0]), 3.0);
        assert_eq!(minimum(&[7.0, 1.0, 3.0]), 1.0);
    }
}
