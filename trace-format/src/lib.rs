//! The trace on disk: rings, blocks, schema, writer, reader, recovery.
//!
//! Writing, inside the traced program: [`encoder::CallsEncoder`] and the blocks of [`metadata`]. Reading: [`trace::Trace`].

pub mod block;
pub mod block_source;
pub mod call;
pub mod calls_block;
pub mod capture_number;
pub mod clock;
pub mod column;
pub mod decode;
pub mod encoder;
mod exchange;
pub mod follow;
pub mod function_name;
pub mod index;
pub mod injected;
pub mod injection_plan;
pub mod kernel_arguments;
pub mod late_ends;
pub mod merge;
pub mod metadata;
pub mod msgpack;
mod open_folder;
mod open_sealed;
pub mod ordered_blocks;
pub mod payload;
pub mod payload_block;
pub mod payloads;
mod prefetch;
pub mod process_folder;
pub mod record;
pub mod rewrite;
pub mod ring;
pub mod ring_file;
pub mod sample;
pub mod sample_recording;
pub mod sample_schema;
pub mod sample_story;
pub mod sample_stream;
pub mod schema;
pub mod seal;
mod sealed_writer;
pub mod trace;
pub mod value;
pub mod verify;
