//! Contexts: what they are, which one is current, and the calls about them.

mod calls;
mod current;
mod green;
pub mod limits;
pub mod primary;
mod primary_calls;
mod sm_resource;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

pub use calls::*;
pub use current::{current, per_thread_stream, with_current};
pub use green::*;
pub use primary_calls::*;
pub use sm_resource::*;

use crate::abi::{CUcontext, CUgreenCtx};
use crate::device::Device;
use crate::driver::Driver;
use crate::export_table::Storage;
use crate::status::{Answer, CuError};
use crate::stream::{Group, Stream, StreamKind, end_captures_of};
use limits::Limits;

/// A context.
pub struct Context {
    pub handle: CUcontext,
    /// Whose memory, events and modules it has: unique in the process, from 1 on, and the primary context's in a green one.
    pub id: u64,
    /// Unique in the process.
    pub unique_id: u64,
    green: Option<Green>,
    pub device: &'static Device,
    pub is_primary: bool,
    pub flags: AtomicU32,
    pub cache_config: AtomicU32,
    pub shared_memory_config: AtomicU32,
    pub limits: Mutex<Limits>,
    /// How often `cuCtxAttach` was called beyond the creation.
    pub attached: AtomicU32,
    /// Kernels launched in it.
    pub launches: AtomicU64,
    /// The legacy default stream.
    pub legacy: Arc<Stream>,
    /// All its streams, for the order between them.
    pub group: Arc<Group>,
    /// Contexts whose memory it may reach, by id.
    peers: Mutex<BTreeSet<u64>>,
    /// What the runtime keeps with it.
    pub storage: Storage,
    alive: AtomicBool,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

impl Context {
    /// A context on the device, registered under a new handle.
    pub fn create(
        driver: &'static Driver,
        device: &'static Device,
        flags: u32,
        is_primary: bool,
    ) -> Result<Arc<Self>, CuError> {
        let group = Arc::new(Group::default());
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let make = |handle| Self {
            handle: CUcontext(handle),
            id,
            unique_id: id,
            green: None,
            device,
            is_primary,
            flags: AtomicU32::new(flags),
            cache_config: AtomicU32::new(0),
            shared_memory_config: AtomicU32::new(0),
            limits: Mutex::new(Limits::of(device)),
            attached: AtomicU32::new(0),
            launches: AtomicU64::new(0),
            legacy: Arc::new(Stream::default_of(
                StreamKind::Legacy,
                CUcontext(handle),
                id,
                &group,
            )),
            group,
            peers: Mutex::default(),
            storage: Storage::default(),
            alive: AtomicBool::new(true),
        };
        driver.contexts.insert(make).ok_or(CuError::OUT_OF_MEMORY)
    }

    /// A green context beside a device's primary one, registered under new handles.
    fn create_green(
        driver: &'static Driver,
        primary: &Self,
        part: SmPart,
    ) -> Result<CUgreenCtx, CuError> {
        let unique_id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let mut handle_of_green = CUgreenCtx::default();
        let make = |green_handle| {
            let green = Green {
                handle: CUgreenCtx(green_handle),
                part,
            };
            handle_of_green = green.handle;
            let make = |handle| Self {
                handle: CUcontext(handle),
                id: primary.id,
                unique_id,
                green: Some(green),
                device: primary.device,
                is_primary: false,
                flags: AtomicU32::new(primary.flags.load(Ordering::Relaxed)),
                cache_config: AtomicU32::new(0),
                shared_memory_config: AtomicU32::new(0),
                limits: Mutex::new(Limits::of(primary.device)),
                attached: AtomicU32::new(0),
                launches: AtomicU64::new(0),
                legacy: Arc::new(Stream::default_of(
                    StreamKind::Legacy,
                    CUcontext(handle),
                    primary.id,
                    &primary.group,
                )),
                group: Arc::clone(&primary.group),
                peers: Mutex::default(),
                storage: Storage::default(),
                alive: AtomicBool::new(true),
            };
            let made = driver.contexts.insert(make);
            made.map_or(CUcontext::default(), |context| context.handle)
        };
        let context = driver.green_contexts.insert(make);
        match context {
            Some(context) if !context.is_null() => Ok(handle_of_green),
            _ => Err(CuError::OUT_OF_MEMORY),
        }
    }

    /// What makes it a green context, if it is one.
    pub fn green(&self) -> Option<Green> {
        self.green
    }

    /// Multiprocessors that its kernels run on.
    pub fn multiprocessors(&self) -> u32 {
        let whole = SmPart::whole(self.device);
        self.green.map_or(whole, |green| green.part).count
    }

    /// Whether it has not been destroyed.
    pub fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Acquire)
    }

    /// Makes a new primary context wait for its first user.
    pub fn put_to_sleep(&self) {
        self.alive.store(false, Ordering::Release);
    }

    /// Brings a primary context back that was released.
    pub fn revive(&self, flags: u32) {
        self.flags.store(flags, Ordering::Relaxed);
        self.alive.store(true, Ordering::Release);
    }

    /// Ends the context and everything that was made in it: memory, streams, events, modules. Waits for its work first.
    pub fn end(&self, driver: &Driver) {
        if !self.alive.swap(false, Ordering::AcqRel) {
            return;
        }
        end_captures_of(self);
        self.group.wait();
        self.storage.end(self.handle);
        driver.memory.free_all_of(driver, self);
        crate::array::end_all_of(driver, self);
        for (handle, _) in driver
            .streams
            .all()
            .into_iter()
            .filter(|(_, stream)| stream.context_id == self.id)
        {
            driver.streams.remove(handle);
        }
        for (handle, _) in driver
            .events
            .all()
            .into_iter()
            .filter(|(_, event)| event.context_id == self.id)
        {
            driver.events.remove(handle);
        }
        for (handle, module) in driver
            .modules
            .all()
            .into_iter()
            .filter(|(_, module)| module.context_id == self.id)
        {
            driver.modules.remove(handle);
            module.drop_functions(driver);
        }
    }

    /// Lets it reach the memory of another device's context.
    pub fn enable_peer(&self, peer: u64) -> Answer {
        let is_new = self
            .peers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(peer);
        if is_new {
            Ok(())
        } else {
            Err(CuError::PEER_ACCESS_ALREADY_ENABLED)
        }
    }

    /// Takes that away again.
    pub fn disable_peer(&self, peer: u64) -> Answer {
        let was_there = self
            .peers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&peer);
        if was_there {
            Ok(())
        } else {
            Err(CuError::PEER_ACCESS_NOT_ENABLED)
        }
    }

    /// Its limits, for reading and changing.
    pub fn limits(&self) -> std::sync::MutexGuard<'_, Limits> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
