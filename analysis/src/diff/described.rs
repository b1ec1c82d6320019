//! Functions that two traces describe differently, because different versions of cutape recorded them. Each trace is read by its own words.

use cutape_cuda_api::{Direction, Function, Type};
use cutape_trace_format::schema::TraceSchema;

/// Names of the functions that both describe, and not alike: with other parameters, or another type that is returned. In A's order.
pub fn described_otherwise<'a>(a: &'a TraceSchema, b: &TraceSchema) -> Vec<&'a str> {
    let differs = |function: &&Function| {
        let other = b.find(&function.name).and_then(|id| b.function(id));
        other.is_some_and(|other| prototype(function) != prototype(other))
    };
    let functions = a.functions().iter().filter(differs);
    functions.map(|function| function.name.as_str()).collect()
}

/// What a call looks like: the type that is returned, the parameters. Nothing for a function known by its name only.
type Prototype<'a> = Option<(&'a Type, Vec<(&'a str, &'a Type, Direction)>)>;

fn prototype(function: &Function) -> Prototype<'_> {
    let signature = function.signature.as_ref()?;
    let params = signature.params.iter();
    let params = params.map(|param| (param.name.as_str(), &param.ty, param.direction));
    Some((&signature.returns, params.collect()))
}
