//! User objects: things of the program's that live as long as something refers to them, graphs among others.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{find, machine};
use crate::abi::{CUgraph, CUhostFn, CUuserObject};
use crate::boundary::Out;
use crate::driver::{self, Driver};
use crate::status::{Answer, CuError};
use crate::stream::HostCall;

/// `CU_USER_OBJECT_NO_DESTRUCTOR_SYNC`, which is the only flag and must be given.
const NO_DESTRUCTOR_SYNC: u32 = 1;
/// `CU_GRAPH_USER_OBJECT_MOVE`.
const MOVE: u32 = 1;

/// An object of the program's, with how it is destroyed.
pub struct UserObject {
    handle: CUuserObject,
    destroy: HostCall,
    references: AtomicU32,
}

impl UserObject {
    fn retain(&self, count: u32) {
        self.references.fetch_add(count, Ordering::Relaxed);
    }

    /// Takes references away; without any left, the object is destroyed.
    fn release(&self, driver: &Driver, count: u32) -> Answer {
        let left = |references: u32| references.checked_sub(count);
        let before = self
            .references
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, left)
            .map_err(|_| CuError::INVALID_VALUE)?;
        if before == count && driver.user_objects.remove(self.handle.0).is_some() {
            self.destroy.perform();
        }
        Ok(())
    }
}

/// The references that a graph holds.
#[derive(Default)]
pub struct HeldObjects(BTreeMap<u64, (Arc<UserObject>, u32)>);

impl HeldObjects {
    /// Another holder refers to the same objects, as often.
    pub fn share_with(&self, other: &mut Self) {
        for (handle, (object, count)) in &self.0 {
            object.retain(*count);
            other.0.insert(*handle, (Arc::clone(object), *count));
        }
    }

    /// Lets all of them go.
    pub fn release_all(self, driver: &Driver) {
        for (object, count) in self.0.into_values() {
            // The holder has these references, so there are enough.
            let _ = object.release(driver, count);
        }
    }
}

fn find_object(driver: &Driver, handle: CUuserObject) -> Result<Arc<UserObject>, CuError> {
    driver
        .user_objects
        .get(handle.0)
        .ok_or(CuError::INVALID_VALUE)
}

pub fn cuUserObjectCreate(
    object_out: Out<CUuserObject>,
    ptr: *mut c_void,
    destroy: CUhostFn,
    initialRefcount: u32,
    flags: u32,
) -> Answer {
    // Measured on 535, here and below: what is wrong with the arguments is told before "not initialized".
    let place = object_out.required()?;
    let destroy = HostCall::new(destroy, ptr)?;
    let is_sensible = i32::try_from(initialRefcount).is_ok_and(|count| count > 0);
    if !is_sensible || flags != NO_DESTRUCTOR_SYNC {
        return Err(CuError::INVALID_VALUE);
    }
    let driver = driver::started()?;
    let make = |handle| UserObject {
        handle: CUuserObject(handle),
        destroy,
        references: AtomicU32::new(initialRefcount),
    };
    let made = driver.user_objects.insert(make);
    place.set(made.ok_or(CuError::OUT_OF_MEMORY)?.handle);
    Ok(())
}

pub fn cuUserObjectRetain(object: CUuserObject, count: u32) -> Answer {
    if count == 0 {
        return Err(CuError::INVALID_VALUE);
    }
    let object = find_object(driver::started()?, object)?;
    object.retain(count);
    Ok(())
}

pub fn cuUserObjectRelease(object: CUuserObject, count: u32) -> Answer {
    if count == 0 {
        return Err(CuError::INVALID_VALUE);
    }
    let driver = driver::started()?;
    let object = find_object(driver, object)?;
    object.release(driver, count)
}

pub fn cuGraphRetainUserObject(
    graph: CUgraph,
    object: CUuserObject,
    count: u32,
    flags: u32,
) -> Answer {
    let driver = machine()?;
    let graph = find(driver, graph)?;
    let object = find_object(driver, object)?;
    if count == 0 || flags & !MOVE != 0 {
        return Err(CuError::INVALID_VALUE);
    }
    if flags & MOVE == 0 {
        object.retain(count);
    }
    let mut held = graph.objects();
    held.0.entry(object.handle.0).or_insert((object, 0)).1 += count;
    Ok(())
}

pub fn cuGraphReleaseUserObject(graph: CUgraph, object: CUuserObject, count: u32) -> Answer {
    let driver = machine()?;
    let graph = find(driver, graph)?;
    let object = find_object(driver, object)?;
    {
        let mut held = graph.objects();
        let (_, references) = held
            .0
            .get_mut(&object.handle.0)
            .filter(|(_, references)| count > 0 && *references >= count)
            .ok_or(CuError::INVALID_VALUE)?;
        *references -= count;
        if *references == 0 {
            held.0.remove(&object.handle.0);
        }
    }
    object.release(driver, count)
}
