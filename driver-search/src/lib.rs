//! Where the dynamic loader would find a driver library, and which symbols that library exports.
