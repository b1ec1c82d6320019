//! Lines of the list: a listed call each, or a loop that is closed. Positions of calls and lines count from 0.

use std::sync::Arc;

use cutape_analysis::loops::Loop;

use super::folds::Folds;

/// What a line shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// The call at a position.
    Call(u64),
    /// A loop that is closed.
    Loop(Loop),
}

impl Line {
    /// The position of its first call.
    pub fn position(&self) -> u64 {
        match self {
            Self::Call(position) => *position,
            Self::Loop(closed) => closed.start,
        }
    }
}

/// Which loops are closed, and what that makes of positions.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    folds: Arc<Folds>,
    /// Loops are closed, apart from the exceptions; otherwise they are open, apart from these.
    all_closed: bool,
    /// Numbers of the loops that are not as the others, rising, each with the lines that it and those before it save when closed.
    exceptions: Vec<(usize, u64)>,
}

impl Lines {
    /// Loops that were found; those that are known stay as they are, if it is the same listing.
    pub fn set_folds(&mut self, folds: Arc<Folds>) {
        let same = folds.edition == self.folds.edition;
        let numbers: Vec<usize> = self.exceptions.iter().map(|&(number, _)| number).collect();
        self.folds = folds;
        self.set_exceptions(if same { numbers } else { Vec::new() });
    }

    /// What was found.
    pub fn folds(&self) -> &Arc<Folds> {
        &self.folds
    }

    /// Whether loops are closed unless they were opened.
    pub fn are_closed(&self) -> bool {
        self.all_closed
    }

    /// Closes or opens all loops.
    pub fn set_all(&mut self, closed: bool) {
        self.all_closed = closed;
        self.exceptions.clear();
    }

    /// Whether a loop is closed.
    pub fn is_closed(&self, number: usize) -> bool {
        self.exception(number).is_ok() != self.all_closed
    }

    /// Closes a loop that is open, or opens it.
    pub fn toggle(&mut self, number: usize) {
        let mut numbers: Vec<usize> = self.exceptions.iter().map(|&(number, _)| number).collect();
        match self.exception(number) {
            Ok(place) => _ = numbers.remove(place),
            Err(place) => numbers.insert(place, number),
        }
        self.set_exceptions(numbers);
    }

    /// The closed loop that a position lies in.
    pub fn closed_around(&self, position: u64) -> Option<usize> {
        let number = self.folds.around(position)?;
        self.is_closed(number).then_some(number)
    }

    /// Number of lines for so many listed calls.
    pub fn len(&self, calls: u64) -> u64 {
        calls.saturating_sub(self.saved_before(self.folds.len()))
    }

    /// What a line shows; the line may be beyond the end.
    pub fn line(&self, line: u64) -> Line {
        let (mut low, mut high) = (0, self.folds.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.line_of_loop(middle) <= line {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        if let Some(number) = low.checked_sub(1)
            && self.is_closed(number)
            && self.line_of_loop(number) == line
            && let Some(closed) = self.folds.get(number)
        {
            return Line::Loop(*closed);
        }
        Line::Call(line.saturating_add(self.saved_before(low)))
    }

    /// The line that shows the call at a position.
    pub fn line_of(&self, position: u64) -> u64 {
        if let Some(number) = self.closed_around(position) {
            return self.line_of_loop(number);
        }
        position
            - self
                .saved_before(self.folds.started(position))
                .min(position)
    }

    fn exception(&self, number: usize) -> Result<usize, usize> {
        self.exceptions
            .binary_search_by_key(&number, |&(number, _)| number)
    }

    fn set_exceptions(&mut self, numbers: Vec<usize>) {
        let mut all = 0;
        let saved = |number: usize| {
            let calls = self.folds.get(number).map_or(1, Loop::calls);
            all += calls - 1;
            (number, all)
        };
        self.exceptions = numbers.into_iter().map(saved).collect();
    }

    /// The line that shows a loop, or its first call.
    fn line_of_loop(&self, number: usize) -> u64 {
        let start = self.folds.get(number).map_or(0, |found| found.start);
        start - self.saved_before(number).min(start)
    }

    /// Lines that the closed ones of the loops before one save.
    fn saved_before(&self, number: usize) -> u64 {
        let behind = self
            .exceptions
            .partition_point(|&(exception, _)| exception < number);
        let exceptions = behind
            .checked_sub(1)
            .map_or(0, |place| self.exceptions[place].1);
        match self.all_closed {
            true => self.folds.saved_before(number) - exceptions,
            false => exceptions,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(start: u64, body: u64, count: u64) -> Loop {
        Loop { start, body, count }
    }

    fn lines() -> Lines {
        let mut lines = Lines::default();
        let loops = vec![of(2, 3, 4), of(14, 1, 5), of(30, 2, 10)];
        lines.set_folds(Arc::new(Folds::new(loops, 60, 0)));
        lines
    }

    /// The lines of 60 calls by the slow way.
    fn expected(lines: &Lines) -> Vec<Line> {
        let mut all = Vec::new();
        let mut position = 0;
        while position < 60 {
            match lines.closed_around(position) {
                Some(number) => {
                    let closed = *lines.folds.get(number).expect("a loop");
                    all.push(Line::Loop(closed));
                    position = closed.end();
                }
                None => {
                    all.push(Line::Call(position));
                    position += 1;
                }
            }
        }
        all
    }

    #[test]
    fn lines_and_positions_agree_whatever_is_open() {
        let mut lines = lines();
        for all_closed in [false, true] {
            lines.set_all(all_closed);
            for toggled in [0, 1, 2, 0, 2, 1] {
                lines.toggle(toggled);
                let expected = expected(&lines);
                assert_eq!(lines.len(60), expected.len() as u64);
                for (number, line) in (0..).zip(&expected) {
                    assert_eq!(lines.line(number), *line, "{lines:?}");
                    assert_eq!(lines.line_of(line.position()), number, "{lines:?}");
                }
            }
        }
    }

    #[test]
    fn what_was_open_stays_open_when_a_loop_goes_on() {
        let mut lines = lines();
        lines.set_all(true);
        lines.toggle(2);
        assert_eq!(lines.len(60), 60 - 11 - 4);
        let longer = vec![of(2, 3, 4), of(14, 1, 5), of(30, 2, 20)];
        lines.set_folds(Arc::new(Folds::new(longer, 80, 0)));
        assert_eq!(lines.len(80), 80 - 11 - 4);
        lines.set_folds(Arc::new(Folds::new(vec![of(0, 1, 10)], 80, 1)));
        assert_eq!(lines.len(80), 71, "another listing is closed again");
    }
}
