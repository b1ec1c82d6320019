//! What the player is told once, before it loads the driver.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::plan::Plans;
use crate::primary_contexts::PrimaryContext;

/// What the player is told.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Instructions {
    /// The driver under test.
    pub cuda: PathBuf,
    /// The NVML library that goes with it.
    pub nvml: Option<PathBuf>,
    /// Functions that count as missing.
    pub hidden: Vec<String>,
    /// How calls are played.
    pub plans: Plans,
    /// Contexts that the program knew before any call answered them, because libcudart asks an export table for them.
    pub primary_contexts: Vec<PrimaryContext>,
    /// Host memory that the player may use for one call's data, bytes.
    pub max_host_bytes: u64,
}

impl Instructions {
    /// As bytes.
    ///
    /// # Panics
    /// Never: the type has nothing that msgpack can't say.
    pub fn to_bytes(&self) -> Vec<u8> {
        rmp_serde::to_vec(self).expect("plain data")
    }

    /// From bytes.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        rmp_serde::from_slice(bytes).ok()
    }
}
