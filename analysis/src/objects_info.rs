//! What `info` says about objects: what was left behind, and what was used when it was gone.

use serde::Serialize;

use crate::json::integer;
use crate::objects::{KINDS, Objects};
use crate::quantity::{push_bytes, push_decimal};

/// What is worth a word about the objects of a trace.
#[derive(Clone, Debug, Serialize)]
pub struct ObjectsInfo {
    /// Objects that were to be destroyed and were alive at the end, by kind.
    pub left_behind: Vec<LeftBehind>,
    /// Uses of objects that were gone.
    #[serde(serialize_with = "integer")]
    pub uses_after_end: u64,
    /// The first of these uses.
    pub first_use_after_end: Option<UseAfterEnd>,
}

/// Objects of one kind that were left behind.
#[derive(Clone, Debug, Serialize)]
pub struct LeftBehind {
    /// The kind, as names of objects begin: `dptr`.
    pub kind: &'static str,
    /// How many.
    #[serde(serialize_with = "integer")]
    pub count: u64,
    /// Bytes of those whose size is known.
    #[serde(serialize_with = "integer")]
    pub bytes: u64,
}

/// The use of an object that was gone.
#[derive(Clone, Debug, Serialize)]
pub struct UseAfterEnd {
    /// The call.
    #[serde(serialize_with = "integer")]
    pub seq: u64,
    /// The object's name.
    pub object: String,
    /// The call with which it went.
    #[serde(serialize_with = "integer")]
    pub gone_since: u64,
}

impl ObjectsInfo {
    /// From all objects of a trace.
    pub fn of(objects: &Objects) -> Self {
        let mut left_behind: Vec<LeftBehind> = KINDS
            .iter()
            .map(|info| LeftBehind {
                kind: info.word,
                count: 0,
                bytes: 0,
            })
            .collect();
        for object in objects.left_behind().filter_map(|id| objects.get(id)) {
            let left = &mut left_behind[object.kind() as usize];
            left.count += 1;
            left.bytes = left.bytes.saturating_add(object.bytes().unwrap_or(0));
        }
        left_behind.retain(|left| left.count > 0);
        let first = objects.misuses().first.first();
        Self {
            left_behind,
            uses_after_end: objects.misuses().count,
            first_use_after_end: first.and_then(|misuse| {
                let object = objects.get(misuse.object)?;
                Some(UseAfterEnd {
                    seq: misuse.seq,
                    object: object.label().to_string(),
                    gone_since: object.ended()?.0,
                })
            }),
        }
    }

    /// `1 ctx, 3 dptr (1.2 GiB)`; nothing if nothing was left behind.
    pub fn left_behind_text(&self) -> Option<String> {
        let mut out = String::new();
        for left in &self.left_behind {
            if !out.is_empty() {
                out.push_str(", ");
            }
            push_decimal(&mut out, left.count);
            out.push(' ');
            out.push_str(left.kind);
            if left.bytes > 0 {
                out.push_str(" (");
                push_bytes(&mut out, left.bytes);
                out.push(')');
            }
        }
        (!out.is_empty()).then_some(out)
    }

    /// `2 uses, the first in call 17: stream#3, gone since call 12`; nothing if there was none.
    pub fn uses_after_end_text(&self) -> Option<String> {
        let first = self.first_use_after_end.as_ref()?;
        let uses = if self.uses_after_end == 1 {
            "1 use,".to_owned()
        } else {
            format!("{} uses, the first", self.uses_after_end)
        };
        Some(format!(
            "{uses} in call {}: {}, gone since call {}",
            first.seq, first.object, first.gone_since
        ))
    }
}
