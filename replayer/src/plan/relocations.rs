//! Which places of a type hold what only the recorded process understood: handles, device pointers, addresses.

use cutape_cuda_api::{Api, Field, Type, TypeDef, TypeKind};

use crate::plan::copy_fields::{copy_fields, counts_when};
use crate::plan::{Kind, Relocation, Target, When};

/// Types nest less deeply than this in any header.
const MAX_DEPTH: u32 = 16;

/// Whether the driver reads the value or answers it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The program passes it.
    Passed,
    /// The driver answers it.
    Answered,
}

/// Numbers of handle types, given as they are met.
#[derive(Debug, Default)]
pub struct Kinds(Vec<String>);

impl Kinds {
    /// The number of a handle type.
    pub fn number(&mut self, name: &str) -> Kind {
        let place = self.0.iter().position(|known| known == name);
        let place = place.unwrap_or_else(|| {
            self.0.push(name.to_owned());
            self.0.len() - 1
        });
        place as Kind
    }

    /// Their names, by number.
    pub fn names(&self) -> &[String] {
        &self.0
    }
}

/// Finds the relocations of types.
pub struct Finder<'a> {
    /// The table.
    pub api: &'a Api,
    /// Numbers of handle types.
    pub kinds: &'a mut Kinds,
    /// Which way values go.
    pub way: Way,
    found: Vec<Relocation>,
    /// When the field that is being walked counts.
    when: Vec<When>,
    /// The field that is being walked is a member of a union, or lies in one.
    in_union: bool,
}

impl<'a> Finder<'a> {
    /// For values that go that way.
    pub fn new(api: &'a Api, kinds: &'a mut Kinds, way: Way) -> Self {
        Self {
            api,
            kinds,
            way,
            found: Vec::new(),
            when: Vec::new(),
            in_union: false,
        }
    }

    /// The relocations of a value of the type.
    pub fn of(mut self, ty: &Type) -> Vec<Relocation> {
        self.walk(ty, 0, false, 0);
        self.found
    }

    fn add(&mut self, offset: u32, target: Target, is_ambiguous: bool) {
        let relocation = Relocation {
            offset,
            target,
            is_ambiguous,
            when: self.when.clone(),
            shares_place: self.in_union,
        };
        if !self.found.contains(&relocation) {
            self.found.push(relocation);
        }
    }

    fn walk(&mut self, ty: &Type, offset: u32, is_ambiguous: bool, depth: u32) {
        if depth > MAX_DEPTH {
            return;
        }
        match ty {
            Type::Pointer { .. } => {
                let target = match self.way {
                    Way::Passed => Target::OnlyNull,
                    Way::Answered => Target::DriverAddress,
                };
                self.add(offset, target, is_ambiguous);
            }
            Type::Array { of, len } => {
                let Some(size) = self.api.size_of(of) else {
                    return;
                };
                for item in 0..*len {
                    self.walk(of, offset + item * size, is_ambiguous, depth + 1);
                    if self.found.is_empty() && item == 0 {
                        // Items are alike: nothing in the first, nothing in the others.
                        return;
                    }
                }
            }
            Type::Named(_) => {
                let api = self.api;
                if let Some(definition) = api.definition(ty) {
                    self.named(definition, offset, is_ambiguous, depth);
                } else {
                    let plain = api.without_aliases(ty);
                    if !matches!(plain, Type::Named(_)) {
                        self.walk(plain, offset, is_ambiguous, depth + 1);
                    }
                }
            }
            Type::Void | Type::Int { .. } | Type::Float { .. } | Type::Char => {}
        }
    }

    fn named(&mut self, definition: &TypeDef, offset: u32, is_ambiguous: bool, depth: u32) {
        match &definition.kind {
            TypeKind::Handle => {
                let kind = self.kinds.number(&definition.name);
                self.add(offset, Target::Handle(kind), is_ambiguous);
            }
            // The 32-bit device pointers of CUDA 3 have no place in a 64-bit process.
            TypeKind::DevicePointer if definition.size == 8 => {
                self.add(offset, Target::DevicePointer, is_ambiguous);
            }
            TypeKind::Callback => {
                let target = match self.way {
                    Way::Passed => Target::Callback,
                    Way::Answered => Target::DriverAddress,
                };
                self.add(offset, target, is_ambiguous);
            }
            TypeKind::Struct(fields) => {
                for field in fields {
                    self.field(definition, field, offset, is_ambiguous, depth);
                }
            }
            TypeKind::Union(fields) => {
                for field in fields {
                    self.field(definition, field, offset, true, depth);
                }
            }
            TypeKind::DevicePointer
            | TypeKind::Alias(_)
            | TypeKind::Enum { .. }
            | TypeKind::Opaque => {}
        }
    }

    fn field(
        &mut self,
        owner: &TypeDef,
        field: &Field,
        offset: u32,
        is_ambiguous: bool,
        depth: u32,
    ) {
        let at = offset + field.offset;
        let conditions = self.when.len();
        self.when
            .extend(counts_when(owner, &field.name).map(|when| when.moved(offset)));
        match self.selector(owner, field, offset) {
            Some(selector) => self.selected_members(field, at, selector, depth),
            None => self.counting_field(owner, field, at, is_ambiguous, depth),
        }
        self.when.truncate(conditions);
    }

    /// Where the number stands that says which member of a union counts.
    fn selector(&self, owner: &TypeDef, field: &Field, offset: u32) -> Option<u32> {
        let TypeKind::Struct(fields) = &owner.kind else {
            return None;
        };
        let selector = fields.get(usize::from(field.selector?))?;
        Some(offset + selector.offset)
    }

    fn selected_members(&mut self, field: &Field, at: u32, selector: u32, depth: u32) {
        let api = self.api;
        let definition = api.definition(&field.ty);
        let Some(TypeDef {
            kind: TypeKind::Union(members),
            ..
        }) = definition
        else {
            return;
        };
        let outer = std::mem::replace(&mut self.in_union, true);
        for member in members {
            let conditions = self.when.len();
            self.when.extend(member.selected_by.map(|value| When {
                offset: selector,
                is_one_of: vec![value as u32],
            }));
            let is_ambiguous = member.selected_by.is_none();
            self.walk(&member.ty, at + member.offset, is_ambiguous, depth + 1);
            self.when.truncate(conditions);
        }
        self.in_union = outer;
    }

    /// What a pointer leads to whose number of items stands in another field.
    fn items(&mut self, owner: &TypeDef, field: &Field, at: u32, depth: u32) -> Option<Target> {
        let TypeKind::Struct(fields) = &owner.kind else {
            return None;
        };
        let count = fields.get(usize::from(field.count?))?;
        let Type::Pointer { to, .. } = self.api.without_aliases(&field.ty) else {
            return None;
        };
        let item = self.api.size_of(to).filter(|&bytes| bytes > 0)?;
        let count_bytes = self.api.size_of(&count.ty)?;
        let mut inner = Finder::new(self.api, self.kinds, self.way);
        inner.walk(to, 0, false, depth + 1);
        let relocations = inner.found;
        Some(Target::Items {
            item,
            count: (at - field.offset + count.offset, count_bytes),
            relocations,
        })
    }

    fn is_device_pointer(&self, ty: &Type) -> bool {
        let definition = self.api.definition(ty);
        definition.is_some_and(|found| found.kind == TypeKind::DevicePointer && found.size == 8)
    }

    fn counting_field(
        &mut self,
        owner: &TypeDef,
        field: &Field,
        at: u32,
        is_ambiguous: bool,
        depth: u32,
    ) {
        let is_pointer = matches!(self.api.without_aliases(&field.ty), Type::Pointer { .. });
        if self.way == Way::Passed
            && self.is_device_pointer(&field.ty)
            && let Some(fields) = copy_fields(owner, &field.name)
        {
            let fields = fields.moved(at - field.offset);
            self.add(at, Target::CopyDevice(fields), is_ambiguous);
            return;
        }
        if self.way == Way::Passed && is_pointer {
            if let Some(fields) = copy_fields(owner, &field.name) {
                let fields = fields.moved(at - field.offset);
                self.add(at, Target::CopyHost(fields), is_ambiguous);
                return;
            }
            let by_name = match field.name.as_str() {
                "userData" => Some(Target::UserData),
                // Conditional nodes: the graphs inside, which the driver has made.
                "phGraph_out" => Some(Target::AnsweredHandles(self.kinds.number("CUgraph"))),
                "kernelParams" => Some(Target::KernelParams),
                "extra" => Some(Target::KernelExtra),
                _ => None,
            };
            if let Some(target) = by_name.or_else(|| self.items(owner, field, at, depth)) {
                self.add(at, target, is_ambiguous);
                return;
            }
        }
        self.walk(&field.ty, at, is_ambiguous, depth + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relocations(name: &str, way: Way) -> (Vec<Relocation>, Vec<String>) {
        let mut kinds = Kinds::default();
        let found = Finder::new(Api::get(), &mut kinds, way).of(&Type::Named(name.to_owned()));
        (found, kinds.names().to_vec())
    }

    #[test]
    fn handles_and_pointers_of_a_structure_are_found() {
        let (found, kinds) = relocations("CUlaunchConfig", Way::Passed);
        assert!(kinds.contains(&"CUstream".to_owned()), "{kinds:?}");
        let stream = found
            .iter()
            .any(|one| one.target == Target::Handle(0) && !one.is_ambiguous);
        assert!(stream, "{found:?}");
        let attributes = found.iter().find_map(|one| match &one.target {
            Target::Items {
                item, relocations, ..
            } => Some((*item, relocations)),
            _ => None,
        });
        let (item, inside) = attributes.expect("its attributes are on record");
        assert!(item > 8);
        // Which of an attribute's handles counts is told by its number.
        assert!(inside.iter().all(|one| !one.when.is_empty()), "{inside:?}");
        // Where none of them counts, it is the cluster's dimensions or another number that stands there.
        assert!(inside.iter().all(|one| one.shares_place), "{inside:?}");
    }

    #[test]
    fn a_copy_has_two_host_sides_two_device_sides_and_two_arrays() {
        let (found, kinds) = relocations("CUDA_MEMCPY2D", Way::Passed);
        let count =
            |is: &dyn Fn(&Target) -> bool| found.iter().filter(|one| is(&one.target)).count();
        assert_eq!(count(&|target| matches!(target, Target::CopyHost(_))), 2);
        assert_eq!(count(&|target| matches!(target, Target::CopyDevice(_))), 2);
        assert_eq!(count(&|target| matches!(target, Target::Handle(_))), 2);
        assert_eq!(kinds, ["CUarray"]);
    }

    #[test]
    fn the_graphs_in_a_conditional_node_are_answered() {
        let (found, kinds) = relocations("CUDA_CONDITIONAL_NODE_PARAMS", Way::Passed);
        let graphs = kinds.iter().position(|kind| kind == "CUgraph");
        let target = Target::AnsweredHandles(graphs.expect("graphs") as Kind);
        let place = found.iter().find(|one| one.target == target);
        assert_eq!(place.map(|one| one.offset), Some(16), "{found:?}");
    }

    #[test]
    fn plain_structures_have_none() {
        assert!(relocations("CUuuid", Way::Answered).0.is_empty());
        assert!(relocations("CUmemLocation", Way::Passed).0.is_empty());
    }
}
