//! Names for the handles and addresses of single calls, in any order.

use std::sync::Arc;

use cutape_analysis::objects::{CallNames, Objects, Reference, ReferenceFinder};
use cutape_trace_format::call::Call;
use cutape_trace_format::schema::TraceSchema;

/// Names what calls refer to, once the objects of the trace are known.
#[derive(Debug)]
pub struct Naming {
    objects: Option<Arc<Objects>>,
    finder: ReferenceFinder,
}

impl Naming {
    /// Names by these objects.
    pub fn new(objects: Option<Arc<Objects>>) -> Self {
        Self {
            objects,
            finder: ReferenceFinder::default(),
        }
    }

    /// The objects, if they are known.
    pub fn objects(&self) -> Option<&Objects> {
        self.objects.as_deref()
    }

    /// What a call refers to.
    pub fn references(&mut self, schema: &TraceSchema, call: &Call) -> Vec<Reference> {
        match &self.objects {
            Some(objects) => self.finder.find(objects, schema, call),
            None => Vec::new(),
        }
    }

    /// The names in a call; none are looked for before the objects are known.
    pub fn names(&mut self, schema: &TraceSchema, call: &Call) -> CallNames {
        let references = self.references(schema, call);
        match &self.objects {
            Some(objects) => CallNames::in_objects(objects, schema, (call, &references)),
            None => CallNames::default(),
        }
    }
}
