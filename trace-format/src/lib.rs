//! The trace on disk: rings, blocks, schema, writer, reader, recovery.
//!
//! Writing, inside the traced program: [`encoder::CallsEncoder`] and the blocks of [`metadata`]. Reading: [`trace::Trace`].

pub mod block;
pub mod calls_block;
pub mod clock;
pub mod column;
pub mod encoder;
mod encoder_news;
pub mod metadata;
pub mod msgpack;
mod prefetch;
pub mod record;
pub mod ring;
pub mod sample;
pub mod schema;
