//! How much aligning may cost.

use super::watch::Watch;

/// Steps between two looks at whether the work is still wanted: some ten milliseconds.
const STEPS_OF_LOOK: u64 = 1 << 22;

/// Work that may be done, in visits of a diagonal. A budget in steps rather than in time gives the same answer on every machine.
#[derive(Debug)]
pub(crate) struct Budget<'w> {
    steps: u64,
    exhausted: bool,
    until_look: u64,
    watch: &'w Watch<'w>,
}

impl<'w> Budget<'w> {
    /// That many steps; a processor does some 300 million of them in a second. `watch` may end the work before.
    pub fn steps(steps: u64, watch: &'w Watch<'w>) -> Self {
        Self {
            steps,
            exhausted: false,
            until_look: STEPS_OF_LOOK,
            watch,
        }
    }

    /// Who watches the work.
    pub fn watch(&self) -> &'w Watch<'w> {
        self.watch
    }

    /// Whether the work had to be cut short.
    pub fn is_exhausted(&self) -> bool {
        self.exhausted
    }

    /// Takes steps; false if there are none left, or the work is not wanted any more.
    pub fn spend(&mut self, steps: u64) -> bool {
        self.until_look = match self.until_look.checked_sub(steps) {
            Some(left) => left,
            None if self.watch.look().is_ok() => STEPS_OF_LOOK,
            None => {
                self.exhausted = true;
                return false;
            }
        };
        match self.steps.checked_sub(steps) {
            Some(left) if !self.exhausted => {
                self.steps = left;
                true
            }
            _ => {
                self.exhausted = true;
                false
            }
        }
    }
}
