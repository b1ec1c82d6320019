//! The trace on disk: rings, blocks, schema, writer, reader, recovery.

pub mod ring;
