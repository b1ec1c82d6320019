//! Memory: what is allocated where, and the calls about it. Device memory is host memory that the kernel maps when it is first
//! touched; a device pointer is the address at which it lies, so copies are real, and 70 GiB cost nothing until they are used.

mod address_map;
mod advice;
mod advise;
mod allocate;
mod copy;
mod copy_array;
mod copy_box;
mod fill;
mod heap;
mod host;
mod ipc;
pub mod pages;
mod pointer_attribute;
mod pool;
mod shareable;
mod virtual_memory;

use std::sync::atomic::{AtomicU64, Ordering};

pub use address_map::{AddressMap, Allocation, Origin};
pub use advise::*;
pub use allocate::*;
pub use copy::*;
pub use copy_array::*;
pub use copy_box::*;
pub use fill::*;
pub use host::*;
pub use ipc::{cuIpcCloseMemHandle, cuIpcGetMemHandle, cuIpcOpenMemHandle, cuIpcOpenMemHandle_v2};
pub use pointer_attribute::*;
pub use pool::*;
pub use shareable::{cuMemExportToShareableHandle, cuMemImportFromShareableHandle};
pub use virtual_memory::*;

use crate::context::Context;
use crate::driver::Driver;
use crate::status::CuError;
use advice::AdviceMap;
use heap::Heap;

/// All memory that the program has from the driver.
#[derive(Default)]
pub struct Memory {
    pub map: AddressMap,
    /// Small allocations share chunks.
    heap: Heap,
    pub reservations: Reservations,
    /// What was advised about managed memory.
    advice: AdviceMap,
    next_buffer_id: AtomicU64,
}

/// What is to be allocated.
#[derive(Clone, Copy)]
pub struct Request {
    pub bytes: u64,
    pub origin: Origin,
    /// The pool that it counts for; 0 for none.
    pub pool: u64,
}

impl Memory {
    /// Device or managed memory for a context.
    pub fn allocate(&self, context: &Context, request: Request) -> Result<u64, CuError> {
        let taken = heap::taken_bytes(request.bytes);
        context.device.take(taken)?;
        let Some(base) = self.heap.allocate(request.bytes) else {
            context.device.give_back(taken);
            return Err(CuError::OUT_OF_MEMORY);
        };
        self.map.insert(Allocation {
            base,
            bytes: request.bytes,
            taken_bytes: taken,
            origin: request.origin,
            context_id: context.id,
            context: context.handle,
            device: context.device.index,
            buffer_id: self.new_buffer_id(),
            flags: 0,
            pool: request.pool,
        });
        Ok(base)
    }

    /// Zeroes an allocation of ours and lays its first bytes into it.
    pub fn fill_in(&self, address: u64, bytes: u64, initial: &[u8]) {
        let used = initial.len().min(bytes as usize);
        move_bytes(address, initial.as_ptr() as u64, used);
        zero(address + used as u64, bytes as usize - used);
    }

    /// Gives back memory that begins at this address.
    pub fn free(
        &self,
        driver: &Driver,
        base: u64,
        may: impl Fn(&Allocation) -> bool,
    ) -> Result<(), CuError> {
        // What a graph's node allocated keeps its addresses until the node is gone.
        if self
            .map
            .find(base)
            .is_some_and(|found| found.base == base && found.origin == Origin::Graph)
        {
            return if crate::graph::release_graph_memory(base) {
                Ok(())
            } else {
                Err(CuError::INVALID_VALUE)
            };
        }
        // Memory of another process is closed, not freed.
        let may = |found: &Allocation| may(found) && found.origin != Origin::Opened;
        let allocation = self
            .map
            .remove_if(base, may)
            .ok_or(CuError::INVALID_VALUE)?;
        self.discard(driver, &allocation);
        Ok(())
    }

    /// The allocation or mapped run that an address lies in: where it begins, and its bytes.
    pub fn range_around(&self, address: u64) -> Option<(u64, u64)> {
        let allocated = self
            .map
            .find(address)
            .map(|allocation| (allocation.base, allocation.bytes));
        allocated.or_else(|| self.reservations.mapping_around(address))
    }

    /// Whether the device may reach all these bytes.
    pub fn is_reachable(&self, address: u64, bytes: u64) -> bool {
        match self.map.find(address) {
            Some(allocation) => allocation.holds(address, bytes),
            None => self.reservations.is_accessible(address, bytes),
        }
    }

    /// A number that no other allocation of the process has or had.
    pub fn new_buffer_id(&self) -> u64 {
        1 + self.next_buffer_id.fetch_add(1, Ordering::Relaxed)
    }

    /// Ends everything that a context has allocated.
    pub fn free_all_of(&self, driver: &Driver, context: &Context) {
        for allocation in self.map.remove_all_of(context.id) {
            self.discard(driver, &allocation);
        }
    }

    fn discard(&self, driver: &Driver, allocation: &Allocation) {
        if let Some(pool) = driver.pools.get(allocation.pool) {
            pool.give_back(allocation.taken_bytes);
        }
        if allocation.origin == Origin::Managed {
            let end = allocation.base + allocation.bytes;
            self.advice.forget(allocation.base..end);
        }
        match allocation.origin {
            Origin::Device | Origin::Managed | Origin::Pool => {
                driver.gpus[allocation.device].give_back(allocation.taken_bytes);
                self.heap.free(allocation.base, allocation.bytes);
            }
            Origin::Host => pages::unmap(allocation.base, allocation.bytes),
            Origin::Opened => {
                ipc::close(allocation.base);
            }
            Origin::Registered | Origin::Graph => {}
        }
    }
}
