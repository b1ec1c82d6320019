//! Why a call was not played.

use serde::{Deserialize, Serialize};

/// Why a call was not played. Each reason is counted by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum SkipReason {
    /// Handles of other processes: `cuIpc*`, shareable handles, fabric handles.
    OtherProcess,
    /// Memory and semaphores of other APIs, and graphics: Vulkan, Direct3D, OpenGL, EGL, VDPAU, NvSci.
    ForeignResource,
    /// It names a file, which a trace has no right to make us open.
    NamesFile,
    /// It would change the machine for others: clocks, power limits, modes, drained or removed devices, checkpoints.
    ChangesMachine,
    /// The function's prototype is not known, so what its words mean isn't either.
    UnknownPrototype,
    /// The recording has no image of the module or library.
    NoImage,
    /// The recording has no arguments of the kernel.
    NoKernelArguments,
    /// Something that a pointer leads to was not recorded, or only its beginning.
    NotRecorded,
    /// It would need more memory than is allowed.
    TooLarge,
    /// It never returned when it was recorded, so there is nothing to compare with.
    NeverReturned,
    /// A handle that no earlier call of the recording answered; it is never passed on.
    UnknownHandle,
    /// A handle that no earlier call answered, in a call that failed when it was recorded: the program itself was wrong.
    InvalidHandle,
    /// What it needs comes from a call that answered differently, or was not played, here.
    Consequence,
    /// The driver ended the process before its turn.
    NotReached,
    /// The function would bring a call of the recorded program's own code.
    CallsBack,
    /// A handle that the program got through an export table, and nothing in the recording says what it stands for.
    PrivateHandle,
    /// A rule of the recording answered in the driver's place, so there is no answer of a driver to compare with.
    Injected,
}

impl SkipReason {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::OtherProcess,
        Self::ForeignResource,
        Self::NamesFile,
        Self::ChangesMachine,
        Self::UnknownPrototype,
        Self::NoImage,
        Self::NoKernelArguments,
        Self::NotRecorded,
        Self::TooLarge,
        Self::NeverReturned,
        Self::UnknownHandle,
        Self::InvalidHandle,
        Self::Consequence,
        Self::NotReached,
        Self::CallsBack,
        Self::PrivateHandle,
        Self::Injected,
    ];

    /// Its stable name in reports and policies: `unknown-handle`.
    pub fn name(self) -> &'static str {
        match self {
            Self::OtherProcess => "other-process",
            Self::ForeignResource => "foreign-resource",
            Self::NamesFile => "names-file",
            Self::ChangesMachine => "changes-machine",
            Self::UnknownPrototype => "unknown-prototype",
            Self::NoImage => "no-image",
            Self::NoKernelArguments => "no-kernel-arguments",
            Self::NotRecorded => "not-recorded",
            Self::TooLarge => "too-large",
            Self::NeverReturned => "never-returned",
            Self::UnknownHandle => "unknown-handle",
            Self::InvalidHandle => "invalid-handle",
            Self::Consequence => "consequence",
            Self::NotReached => "not-reached",
            Self::CallsBack => "calls-back",
            Self::PrivateHandle => "private-handle",
            Self::Injected => "injected",
        }
    }

    /// One line for people.
    pub fn why(self) -> &'static str {
        match self {
            Self::OtherProcess => "hands something to or takes it from another process",
            Self::ForeignResource => "needs a resource of another API",
            Self::NamesFile => "names a file, and a trace has no say in which files are opened",
            Self::ChangesMachine => "would change the machine for others",
            Self::UnknownPrototype => "the prototype is not known",
            Self::NoImage => "the recording has no image of the module",
            Self::NoKernelArguments => "the recording has no kernel arguments",
            Self::NotRecorded => "what a pointer leads to was not recorded, or only its beginning",
            Self::TooLarge => "needs more host memory than is allowed",
            Self::NeverReturned => "never returned when it was recorded",
            Self::UnknownHandle => "uses a handle that no recorded call answered",
            Self::InvalidHandle => "was given a handle that nobody had answered, and failed",
            Self::Consequence => "needs what an earlier call did not bring",
            Self::NotReached => "the driver ended the process before",
            Self::CallsBack => "would call the recorded program's own code back",
            Self::PrivateHandle => {
                "uses a handle from an export table, and the recording doesn't say of what"
            }
            Self::Injected => "a rule of the recording answered in the driver's place",
        }
    }

    /// Whether it counts against the driver, or at least against the replay's worth: what is missing should have been there.
    pub fn is_reproach(self) -> bool {
        matches!(self, Self::UnknownHandle | Self::NotReached)
    }
}

#[cfg(test)]
mod tests {
    use super::SkipReason;

    #[test]
    fn the_list_is_complete_and_in_order() {
        for (place, reason) in SkipReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, place);
        }
    }
}
