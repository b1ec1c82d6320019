//! What the runtime keeps with a context: values by key, each with a function to call when the context ends.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::abi::CUcontext;

/// Called with the context, the key and the value.
pub type Destructor = Option<unsafe extern "C" fn(CUcontext, u64, u64)>;

/// A context's values.
#[derive(Default)]
pub struct Storage(Mutex<BTreeMap<u64, (u64, Destructor)>>);

impl Storage {
    /// Keeps a value, in place of an older one.
    pub fn put(&self, key: u64, value: u64, destructor: Destructor) {
        self.values().insert(key, (value, destructor));
    }

    /// Forgets a value, without calling its function.
    pub fn delete(&self, key: u64) -> bool {
        self.values().remove(&key).is_some()
    }

    /// The value of a key.
    pub fn get(&self, key: u64) -> Option<u64> {
        self.values().get(&key).map(|(value, _)| *value)
    }

    /// Forgets everything, and calls each function with no lock held.
    pub fn end(&self, context: CUcontext) {
        let values = std::mem::take(&mut *self.values());
        for (key, (value, destructor)) in values {
            if let Some(destructor) = destructor {
                // SAFETY: the runtime gave the function to be called with these when the context ends.
                unsafe { destructor(context, key, value) }
            }
        }
    }

    fn values(&self) -> MutexGuard<'_, BTreeMap<u64, (u64, Destructor)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
