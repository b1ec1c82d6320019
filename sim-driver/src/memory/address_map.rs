//! What lies at an address.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::abi::CUcontext;

/// How memory came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `cuMemAlloc`.
    Device,
    /// `cuMemAllocManaged`.
    Managed,
    /// `cuMemAllocAsync` and its like.
    Pool,
    /// `cuMemHostAlloc`.
    Host,
    /// Memory of a graph's node.
    Graph,
    /// Another process's, opened with `cuIpcOpenMemHandle`.
    Opened,
    /// The program's own memory, given to `cuMemHostRegister`.
    Registered,
}

/// A run of memory that the driver knows of.
#[derive(Clone, Copy, Debug)]
pub struct Allocation {
    pub base: u64,
    pub bytes: u64,
    /// Bytes of the GPU's memory that it costs.
    pub taken_bytes: u64,
    pub origin: Origin,
    pub context_id: u64,
    pub context: CUcontext,
    /// Place of the GPU in the machine.
    pub device: usize,
    /// `CU_POINTER_ATTRIBUTE_BUFFER_ID`.
    pub buffer_id: u64,
    /// The flags of the call that made it.
    pub flags: u32,
    /// The pool that it counts for; 0 for none.
    pub pool: u64,
}

impl Allocation {
    /// Whether it is memory of the host that the device may reach.
    pub fn is_host(&self) -> bool {
        matches!(self.origin, Origin::Host | Origin::Registered)
    }

    /// Whether all these bytes lie in it.
    pub fn holds(&self, address: u64, bytes: u64) -> bool {
        address >= self.base
            && address
                .checked_add(bytes)
                .is_some_and(|end| end <= self.base + self.bytes)
    }
}

/// All allocations by address.
#[derive(Default)]
pub struct AddressMap(RwLock<BTreeMap<u64, Allocation>>);

impl AddressMap {
    /// Adds one. It must not overlap another; fresh mappings never do.
    pub fn insert(&self, allocation: Allocation) {
        self.write().insert(allocation.base, allocation);
    }

    /// Adds one, unless it overlaps another.
    pub fn insert_if_free(&self, allocation: Allocation) -> bool {
        let mut map = self.write();
        let before = map
            .range(..allocation.base + allocation.bytes.max(1))
            .next_back();
        if before.is_some_and(|(base, other)| base + other.bytes > allocation.base) {
            return false;
        }
        map.insert(allocation.base, allocation);
        true
    }

    /// The allocation that an address lies in.
    pub fn find(&self, address: u64) -> Option<Allocation> {
        let map = self.read();
        let (_, allocation) = map.range(..=address).next_back()?;
        allocation.holds(address, 1).then_some(*allocation)
    }

    /// Takes away the allocation that begins at the address, if it is one of the right sort.
    pub fn remove_if(&self, base: u64, may: impl Fn(&Allocation) -> bool) -> Option<Allocation> {
        let mut map = self.write();
        map.get(&base).filter(|allocation| may(allocation))?;
        map.remove(&base)
    }

    /// Takes away all allocations of a context.
    pub fn remove_all_of(&self, context_id: u64) -> Vec<Allocation> {
        let mut map = self.write();
        let mut taken = Vec::new();
        map.retain(|_, allocation| {
            let stays = allocation.context_id != context_id;
            if !stays {
                taken.push(*allocation);
            }
            stays
        });
        taken
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<u64, Allocation>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<u64, Allocation>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}
