//! Memory that a node of a graph allocates. Its address is known from the making of the node on; it counts as taken from the launch
//! that allocates it until it is freed, by a node or by a call.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::abi::{CUcontext, CUmemLocation};
use crate::driver::{self, Driver};
use crate::memory::{Allocation, Origin, pages};
use crate::status::{Answer, CuError};

/// A run of device memory that belongs to a node.
pub struct GraphMemory {
    pub address: u64,
    pub bytes: u64,
    pub location: CUmemLocation,
    taken_bytes: u64,
    /// Place of its GPU in the machine.
    device: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Launches that allocated it, less frees.
    users: u32,
    /// Keeps the memory while the program uses it after its graph is gone.
    itself: Option<Arc<GraphMemory>>,
}

/// All of it by address, so that `cuMemFree` finds it.
static BY_ADDRESS: Mutex<BTreeMap<u64, Weak<GraphMemory>>> = Mutex::new(BTreeMap::new());

fn by_address() -> MutexGuard<'static, BTreeMap<u64, Weak<GraphMemory>>> {
    BY_ADDRESS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl GraphMemory {
    /// Addresses for so many bytes on a device.
    pub fn reserve(
        driver: &Driver,
        location: CUmemLocation,
        bytes: usize,
    ) -> Result<Arc<Self>, CuError> {
        if bytes == 0 {
            return Err(CuError::INVALID_VALUE);
        }
        let device = driver.device(location.id)?.index;
        let taken_bytes = (bytes as u64)
            .checked_next_multiple_of(pages::PAGE_BYTES)
            .ok_or(CuError::OUT_OF_MEMORY)?;
        let address = pages::map(taken_bytes, 512).ok_or(CuError::OUT_OF_MEMORY)?;
        driver.memory.map.insert(Allocation {
            base: address,
            bytes: bytes as u64,
            taken_bytes: 0,
            origin: Origin::Graph,
            // Of no context: the memory ends with its node, or when it is freed.
            context_id: 0,
            context: CUcontext::default(),
            device,
            buffer_id: driver.memory.new_buffer_id(),
            flags: 0,
            pool: 0,
        });
        let memory = Arc::new(Self {
            address,
            bytes: bytes as u64,
            location,
            taken_bytes,
            device,
            state: Mutex::default(),
        });
        by_address().insert(address, Arc::downgrade(&memory));
        Ok(memory)
    }

    /// A launch allocates it. Memory that an earlier launch left allocated is an error, unless that launch's graph frees it itself.
    pub fn allocate(self: &Arc<Self>, driver: &Driver, is_freed_by_graph: bool) -> Answer {
        let mut state = self.state();
        if state.users > 0 && !is_freed_by_graph {
            return Err(CuError::INVALID_VALUE);
        }
        if state.users == 0 {
            driver.gpus[self.device].take(self.taken_bytes)?;
            state.itself = Some(Arc::clone(self));
        }
        state.users += 1;
        Ok(())
    }

    /// Whether a launch has allocated it.
    pub fn is_allocated(&self) -> bool {
        self.state().users > 0
    }

    fn free(&self, driver: &Driver) -> bool {
        let mut state = self.state();
        if state.users == 0 {
            return false;
        }
        state.users -= 1;
        if state.users == 0 {
            driver.gpus[self.device].give_back(self.taken_bytes);
            let itself = state.itself.take();
            drop(state);
            drop(itself);
        }
        true
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for GraphMemory {
    fn drop(&mut self) {
        by_address().remove(&self.address);
        if let Ok(driver) = driver::started() {
            let is_ours = |found: &Allocation| found.origin == Origin::Graph;
            driver.memory.map.remove_if(self.address, is_ours);
        }
        pages::unmap(self.address, self.taken_bytes);
    }
}

/// Frees memory of a graph. `false` if none that is allocated begins there.
pub fn release_graph_memory(address: u64) -> bool {
    let memory = by_address().get(&address).and_then(Weak::upgrade);
    match (memory, driver::started()) {
        (Some(memory), Ok(driver)) => memory.free(driver),
        _ => false,
    }
}
