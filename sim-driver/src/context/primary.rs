//! The primary context of a device: one that all who retain it share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Context;
use crate::abi::CUcontext;
use crate::device::Device;
use crate::driver::Driver;
use crate::status::{Answer, CuError};

/// A device's primary context. Its handle stays the same over releases and retains, as with the real driver.
#[derive(Default)]
pub struct Primary(Mutex<State>);

#[derive(Default)]
struct State {
    retained: u64,
    flags: u32,
    context: Option<Arc<Context>>,
}

impl Primary {
    /// One more user; the first one brings the context to life.
    pub fn retain(
        &self,
        driver: &'static Driver,
        device: &'static Device,
    ) -> Result<Arc<Context>, CuError> {
        let mut state = self.state();
        let context = match &state.context {
            Some(context) => Arc::clone(context),
            None => Context::create(driver, device, state.flags, true)?,
        };
        if !context.is_alive() {
            context.revive(state.flags);
        }
        state.context = Some(Arc::clone(&context));
        state.retained += 1;
        Ok(context)
    }

    /// Its handle, whether or not anyone uses it.
    pub fn handle(
        &self,
        driver: &'static Driver,
        device: &'static Device,
    ) -> Result<CUcontext, CuError> {
        let mut state = self.state();
        if let Some(context) = &state.context {
            return Ok(context.handle);
        }
        let context = Context::create(driver, device, state.flags, true)?;
        context.put_to_sleep();
        let handle = context.handle;
        state.context = Some(context);
        Ok(handle)
    }

    /// One user less; the last one ends it.
    pub fn release(&self, driver: &Driver) -> Answer {
        self.wait();
        let mut state = self.state();
        if state.retained == 0 {
            return Err(CuError::INVALID_CONTEXT);
        }
        state.retained -= 1;
        if state.retained == 0 {
            end(&state, driver);
        }
        Ok(())
    }

    /// Ends everything in it, whoever uses it. Those who retained it still have to release it.
    pub fn reset(&self, driver: &Driver) {
        self.wait();
        let state = self.state();
        end(&state, driver);
        if let Some(context) = state.context.as_ref().filter(|_| state.retained > 0) {
            context.revive(state.flags);
        }
    }

    /// Flags, and whether it is alive.
    pub fn flags_and_activity(&self) -> (u32, bool) {
        let state = self.state();
        (state.flags, state.retained > 0)
    }

    /// Flags for now, if it is alive, and for later.
    pub fn set_flags(&self, flags: u32) {
        let mut state = self.state();
        state.flags = flags;
        if let Some(context) = &state.context {
            context
                .flags
                .store(flags, std::sync::atomic::Ordering::Relaxed);
        }
    }

    /// Waits for its work without holding the lock: a host function may be among the work, and may make calls.
    fn wait(&self) {
        let context = self.state().context.clone();
        if let Some(context) = context {
            context.group.wait();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn end(state: &State, driver: &Driver) {
    if let Some(context) = &state.context {
        context.end(driver);
    }
}
