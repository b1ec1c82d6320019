//! Walks the syntax tree of preprocessed headers and collects what they declare: types with their layout, prototypes, and the
//! function-pointer types of cudaTypedefs.h.

use crate::builtin_types::{BuiltinWords, is_standard_name, typedef_type};
use crate::constants::{Scope, evaluate};
use crate::error::GenError;
use crate::layout::{Layout, StructLayout, size_and_align};
use crate::preprocess::MACRO_PREFIX;
use crate::specifiers::{Specifier, specifiers_of_declaration, specifiers_of_field};
use cutape_api_model::{
    Direction, Extent, Field, Param, Signature, Type, TypeDef, TypeKind, Validity,
};
use lang_c::ast::{
    ArraySize, Declaration, DeclarationSpecifier, Declarator, DeclaratorKind, DerivedDeclarator,
    EnumType, Extension, ExternalDeclaration, ParameterDeclaration, PointerQualifier,
    StorageClassSpecifier, StructDeclaration, StructField, StructKind, StructType, TranslationUnit,
    TypeQualifier, TypeSpecifier,
};
use lang_c::span::Node;
use std::collections::{BTreeMap, HashMap};

/// What a set of headers declares.
#[derive(Debug, Default)]
pub struct Declarations {
    /// Types by name.
    pub types: BTreeMap<String, TypeDef>,
    /// Prototypes by exported name.
    pub functions: BTreeMap<String, Signature>,
    /// Function-pointer types named `PFN_...`, by name.
    pub pointers: BTreeMap<String, Signature>,
    /// Enumerators seen so far.
    constants: HashMap<String, i64>,
    /// The name that a `struct`, `union` or `enum` tag goes by in the table.
    tags: HashMap<String, String>,
}

/// A C type while it is being put together: functions are no values, so the model has no type for them.
#[derive(Clone, Debug)]
enum Shape {
    Value(Type),
    Function(Signature),
    FunctionPointer(Signature),
}

/// Base type of a declaration.
struct Base {
    ty: Type,
    constant: bool,
    /// From an `aligned` attribute.
    align: Option<u32>,
}

impl Declarations {
    /// Collects the declarations of a parsed source. Those of C's own headers are passed over where they aren't understood.
    ///
    /// # Errors
    /// A declaration of the API in C that the generator doesn't know.
    pub fn collect(unit: &TranslationUnit) -> Result<Self, GenError> {
        let mut declarations = Self::default();
        for node in &unit.0 {
            if let ExternalDeclaration::Declaration(declaration) = &node.node
                && let Err(error) = declarations.declaration(&declaration.node)
                && declares_api(&declaration.node)
            {
                return Err(error);
            }
        }
        declarations.turn_private_pointers_into_handles();
        declarations.size_forward_aliases();
        Ok(declarations)
    }

    fn declaration(&mut self, declaration: &Declaration) -> Result<(), GenError> {
        let is_typedef = declaration.specifiers.iter().any(|specifier| {
            matches!(&specifier.node, DeclarationSpecifier::StorageClass(class) if class.node == StorageClassSpecifier::Typedef)
        });
        // `typedef struct X_st {...} X;` names the structure X, not X_st.
        let plain_name = declaration
            .declarators
            .iter()
            .find(|init| is_typedef && init.node.declarator.node.derived.is_empty())
            .and_then(|init| declared_name(&init.node.declarator.node));
        let base = self.base(
            &specifiers_of_declaration(&declaration.specifiers),
            plain_name.as_deref().unwrap_or(""),
        )?;
        for init in &declaration.declarators {
            let declarator = &init.node.declarator.node;
            let Some(name) = declared_name(declarator) else {
                continue;
            };
            let shape = self.shape(
                declarator,
                Shape::Value(base.ty.clone()),
                base.constant,
                &name,
            )?;
            if is_typedef {
                self.type_name(&name, shape)?;
            } else if let Shape::Function(signature) = shape {
                self.functions.insert(name, signature);
            }
        }
        Ok(())
    }

    fn type_name(&mut self, name: &str, shape: Shape) -> Result<(), GenError> {
        let type_def = match shape {
            Shape::Value(Type::Named(same)) if same == name => return Ok(()),
            Shape::FunctionPointer(signature) if name.starts_with("PFN_") => {
                self.pointers.insert(name.to_owned(), signature);
                return Ok(());
            }
            Shape::FunctionPointer(_) | Shape::Function(_) => TypeDef {
                name: name.to_owned(),
                size: 8,
                align: 8,
                kind: TypeKind::Callback,
            },
            Shape::Value(ty) => {
                let Layout { size, align } =
                    size_and_align(&ty, &self.types).unwrap_or(Layout { size: 0, align: 1 });
                let is_device_pointer =
                    name.starts_with("CUdeviceptr_v") && matches!(ty, Type::Int { .. });
                let kind = if is_device_pointer {
                    TypeKind::DevicePointer
                } else {
                    TypeKind::Alias(ty)
                };
                TypeDef {
                    name: name.to_owned(),
                    size,
                    align,
                    kind,
                }
            }
        };
        if !is_standard_name(name) {
            self.types.insert(name.to_owned(), type_def);
        }
        Ok(())
    }

    /// `typedef struct X_st X;` before the structure itself: the alias gets its size once all is read.
    fn size_forward_aliases(&mut self) {
        loop {
            let sized = self
                .types
                .values()
                .filter(|type_def| type_def.size == 0)
                .find_map(|type_def| {
                    let TypeKind::Alias(target) = &type_def.kind else {
                        return None;
                    };
                    let layout =
                        size_and_align(target, &self.types).filter(|layout| layout.size != 0)?;
                    Some((type_def.name.clone(), layout))
                });
            let Some((name, layout)) = sized else { return };
            if let Some(type_def) = self.types.get_mut(&name) {
                (type_def.size, type_def.align) = (layout.size, layout.align);
            }
        }
    }

    /// A pointer to a structure that no header defines is a handle.
    fn turn_private_pointers_into_handles(&mut self) {
        let is_private = |ty: &Type| match ty {
            Type::Pointer { to, .. } => match to.as_ref() {
                Type::Named(name) => self
                    .types
                    .get(name)
                    .is_none_or(|target| target.kind == TypeKind::Opaque),
                _ => false,
            },
            _ => false,
        };
        let handles: Vec<String> = self
            .types
            .values()
            .filter(|type_def| matches!(&type_def.kind, TypeKind::Alias(ty) if is_private(ty)))
            .map(|type_def| type_def.name.clone())
            .collect();
        for name in handles {
            if let Some(type_def) = self.types.get_mut(&name) {
                type_def.kind = TypeKind::Handle;
            }
        }
    }

    /// The base type that specifiers name. A structure or enumeration defined here is called `name`, or by its tag.
    fn base(&mut self, specifiers: &[Specifier<'_>], name: &str) -> Result<Base, GenError> {
        let mut words = BuiltinWords::default();
        let mut named = None;
        let mut constant = false;
        let mut align = None;
        for specifier in specifiers {
            match specifier {
                Specifier::Qualifier(qualifier) => constant |= **qualifier == TypeQualifier::Const,
                Specifier::Extensions(extensions) => align = align.or_else(|| self.aligned(extensions)),
                Specifier::Type(TypeSpecifier::Struct(structure)) => named = Some(self.structure(&structure.node, name)?),
                Specifier::Type(TypeSpecifier::Enum(enumeration)) => named = Some(self.enumeration(&enumeration.node, name)?),
                Specifier::Type(TypeSpecifier::TypedefName(identifier)) => named = Some(typedef_type(&identifier.node.name)),
                Specifier::Type(other) => words.add(other).ok_or_else(|| GenError::Declaration {
                    declaration: name.to_owned(),
                    expected: "an integer, floating-point, structure, union, enumeration or named type",
                    found: format!("{other:?}"),
                })?,
            }
        }
        Ok(Base {
            ty: named.unwrap_or_else(|| words.ty()),
            constant,
            align,
        })
    }

    fn scope(&self) -> Scope<'_> {
        Scope {
            constants: &self.constants,
            types: &self.types,
        }
    }

    fn aligned(&self, extensions: &[Node<Extension>]) -> Option<u32> {
        extensions
            .iter()
            .find_map(|extension| match &extension.node {
                Extension::Attribute(attribute) if attribute.name.node == "aligned" => {
                    evaluate(&attribute.arguments.first()?.node, &self.scope())
                        .and_then(|align| u32::try_from(align).ok())
                }
                _ => None,
            })
    }

    /// Applies a declarator to a base type: pointers from left to right, then arrays and parameter lists from right to left, then
    /// whatever the parentheses hold.
    fn shape(
        &mut self,
        declarator: &Declarator,
        base: Shape,
        base_constant: bool,
        name: &str,
    ) -> Result<Shape, GenError> {
        let mut shape = base;
        let mut constant = base_constant;
        let (pointers, suffixes): (Vec<_>, Vec<_>) = declarator
            .derived
            .iter()
            .map(|node| &node.node)
            .partition(|derived| matches!(derived, DerivedDeclarator::Pointer(_)));
        for derived in pointers {
            if let DerivedDeclarator::Pointer(qualifiers) = derived {
                shape = pointer_to(shape, constant);
                constant = qualifiers
                    .iter()
                    .any(|qualifier| matches!(&qualifier.node, PointerQualifier::TypeQualifier(word) if word.node == TypeQualifier::Const));
            }
        }
        for derived in suffixes.into_iter().rev() {
            shape = match derived {
                DerivedDeclarator::Array(array) => self.array_of(shape, &array.node.size, name)?,
                DerivedDeclarator::Function(function) => {
                    let returns = value_type(shape);
                    let params = self.params(&function.node.parameters)?;
                    Shape::Function(Signature { returns, params })
                }
                other => {
                    return Err(GenError::Declaration {
                        declaration: name.to_owned(),
                        expected: "an array or a parameter list",
                        found: format!("{other:?}"),
                    });
                }
            };
        }
        match &declarator.kind.node {
            DeclaratorKind::Declarator(inner) => self.shape(&inner.node, shape, false, name),
            DeclaratorKind::Abstract | DeclaratorKind::Identifier(_) => Ok(shape),
        }
    }

    fn array_of(&self, element: Shape, size: &ArraySize, name: &str) -> Result<Shape, GenError> {
        let len = match size {
            ArraySize::VariableExpression(length) | ArraySize::StaticExpression(length) => {
                evaluate(&length.node, &self.scope())
                    .and_then(|length| u32::try_from(length).ok())
                    .ok_or_else(|| GenError::Declaration {
                        declaration: name.to_owned(),
                        expected: "a constant array length",
                        found: format!("{:?}", length.node),
                    })?
            }
            ArraySize::Unknown | ArraySize::VariableUnknown => 0,
        };
        Ok(Shape::Value(Type::Array {
            of: Box::new(value_type(element)),
            len,
        }))
    }

    fn params(&mut self, declared: &[Node<ParameterDeclaration>]) -> Result<Vec<Param>, GenError> {
        let mut params = Vec::new();
        for (place, node) in declared.iter().enumerate() {
            let base = self.base(&specifiers_of_declaration(&node.node.specifiers), "")?;
            let declarator = node
                .node
                .declarator
                .as_ref()
                .map(|declarator| &declarator.node);
            let name = declarator
                .and_then(declared_name)
                .unwrap_or_else(|| format!("arg{place}"));
            let ty = match declarator {
                None => base.ty,
                Some(declarator) => {
                    match self.shape(declarator, Shape::Value(base.ty), base.constant, &name)? {
                        // An array parameter is a pointer; whether its elements are const is said by the base type.
                        Shape::Value(Type::Array { of, .. }) => Type::Pointer {
                            to: of,
                            constant: base.constant,
                        },
                        shape => value_type(shape),
                    }
                }
            };
            if ty == Type::Void && declared.len() == 1 {
                break;
            }
            params.push(Param {
                name,
                ty,
                direction: Direction::Value,
                extent: Extent::One,
                valid: Validity::OnSuccess,
                unit: None,
            });
        }
        Ok(params)
    }

    fn enumeration(&mut self, enumeration: &EnumType, name: &str) -> Result<Type, GenError> {
        let tag = enumeration
            .identifier
            .as_ref()
            .map(|tag| format!("enum {}", tag.node.name));
        let name = self.name_of(tag, name);
        if enumeration.enumerators.is_empty() {
            return Ok(Type::Named(name));
        }
        let mut values = Vec::new();
        let mut next = 0;
        for enumerator in &enumeration.enumerators {
            let constant = &enumerator.node.identifier.node.name;
            if let Some(expression) = &enumerator.node.expression {
                next = evaluate(&expression.node, &self.scope()).ok_or_else(|| {
                    GenError::Declaration {
                        declaration: constant.clone(),
                        expected: "an integer constant expression",
                        found: format!("{:?}", expression.node),
                    }
                })?;
            }
            self.constants.insert(constant.clone(), next);
            values.push((constant.trim_start_matches(MACRO_PREFIX).to_owned(), next));
            next += 1;
        }
        let kind = TypeKind::Enum {
            values,
            flags: false,
        };
        self.types.insert(
            name.clone(),
            TypeDef {
                name: name.clone(),
                size: 4,
                align: 4,
                kind,
            },
        );
        Ok(Type::Named(name))
    }

    fn structure(&mut self, structure: &StructType, name: &str) -> Result<Type, GenError> {
        let is_union = structure.kind.node == StructKind::Union;
        let tag = structure
            .identifier
            .as_ref()
            .map(|tag| format!("struct {}", tag.node.name));
        let name = self.name_of(tag, name);
        let Some(declarations) = &structure.declarations else {
            self.types.entry(name.clone()).or_insert_with(|| TypeDef {
                name: name.clone(),
                size: 0,
                align: 1,
                kind: TypeKind::Opaque,
            });
            return Ok(Type::Named(name));
        };
        let mut layout = StructLayout::new(is_union);
        let mut unnamed = 0;
        for declaration in declarations {
            if let StructDeclaration::Field(field) = &declaration.node {
                self.field(&field.node, &name, &mut unnamed, &mut layout)?;
            }
        }
        let (fields, Layout { size, align }) = layout.finish();
        let kind = if is_union {
            TypeKind::Union(fields)
        } else {
            TypeKind::Struct(fields)
        };
        self.types.insert(
            name.clone(),
            TypeDef {
                name: name.clone(),
                size,
                align,
                kind,
            },
        );
        Ok(Type::Named(name))
    }

    /// A member without a name of its own type gets one from its place: `CUarrayMapInfo.resource`, `CUlaunchAttributeValue.union1`.
    fn field(
        &mut self,
        field: &StructField,
        owner: &str,
        unnamed: &mut u32,
        layout: &mut StructLayout,
    ) -> Result<(), GenError> {
        let first_name = field
            .declarators
            .first()
            .and_then(|node| node.node.declarator.as_ref())
            .and_then(|d| declared_name(&d.node));
        let own_name = match &first_name {
            Some(name) => format!("{owner}.{name}"),
            None => {
                *unnamed += 1;
                format!("{owner}.member{unnamed}")
            }
        };
        let base = self.base(&specifiers_of_field(&field.specifiers), &own_name)?;
        if field.declarators.is_empty() {
            return self.add_field(layout, String::new(), base.ty, base.align, owner);
        }
        for node in &field.declarators {
            let (name, ty) = match &node.node.declarator {
                None => (String::new(), base.ty.clone()),
                Some(declarator) => {
                    let name = declared_name(&declarator.node).unwrap_or_default();
                    let shape = self.shape(
                        &declarator.node,
                        Shape::Value(base.ty.clone()),
                        base.constant,
                        &own_name,
                    )?;
                    (name, value_type(shape))
                }
            };
            match &node.node.bit_width {
                None => self.add_field(layout, name, ty, base.align, owner)?,
                Some(width) => {
                    let width = evaluate(&width.node, &self.scope())
                        .and_then(|width| u8::try_from(width).ok());
                    let unit = size_and_align(&ty, &self.types);
                    let (Some(width), Some(unit)) = (width, unit) else {
                        return Err(unsized_field(owner, &name));
                    };
                    layout.add_bits(name, ty, unit, width);
                }
            }
        }
        Ok(())
    }

    fn add_field(
        &self,
        layout: &mut StructLayout,
        name: String,
        ty: Type,
        align: Option<u32>,
        owner: &str,
    ) -> Result<(), GenError> {
        let mut place =
            size_and_align(&ty, &self.types).ok_or_else(|| unsized_field(owner, &name))?;
        place.align = place.align.max(align.unwrap_or(1));
        layout.add(
            Field {
                name,
                offset: 0,
                ty,
                bits: None,
                count: None,
                selector: None,
                selected_by: None,
            },
            place,
        );
        Ok(())
    }

    /// The table's name for a tagged or untagged definition. The first `typedef` of a tag names it for good.
    fn name_of(&mut self, tag: Option<String>, name: &str) -> String {
        let Some(tag) = tag else {
            return name.to_owned();
        };
        if let Some(known) = self.tags.get(&tag) {
            return known.clone();
        }
        let bare = tag.split_once(' ').map_or(tag.as_str(), |(_, bare)| bare);
        // A member's structure with a tag (`Owner.member`) keeps the tag: it is a type of its own.
        let chosen = if name.is_empty() || name.contains('.') {
            bare.to_owned()
        } else {
            name.to_owned()
        };
        self.tags.insert(tag, chosen.clone());
        chosen
    }
}

fn unsized_field(owner: &str, field: &str) -> GenError {
    GenError::Declaration {
        declaration: format!("{owner}.{field}"),
        expected: "a type of known size",
        found: "none".to_owned(),
    }
}

/// Whether a declaration belongs to the API rather than to C's own headers.
fn declares_api(declaration: &Declaration) -> bool {
    declaration
        .declarators
        .iter()
        .filter_map(|init| declared_name(&init.node.declarator.node))
        .any(|name| {
            ["cu", "CU", "nvml", "PFN_cu"]
                .iter()
                .any(|prefix| name.starts_with(prefix))
        })
}

fn pointer_to(target: Shape, constant: bool) -> Shape {
    match target {
        Shape::Function(signature) => Shape::FunctionPointer(signature),
        other => Shape::Value(Type::Pointer {
            to: Box::new(value_type(other)),
            constant,
        }),
    }
}

/// A function or a pointer to one, as a value, is an address.
fn value_type(shape: Shape) -> Type {
    match shape {
        Shape::Value(ty) => ty,
        Shape::Function(_) | Shape::FunctionPointer(_) => Type::Pointer {
            to: Box::new(Type::Void),
            constant: false,
        },
    }
}

fn declared_name(declarator: &Declarator) -> Option<String> {
    match &declarator.kind.node {
        DeclaratorKind::Abstract => None,
        DeclaratorKind::Identifier(identifier) => Some(identifier.node.name.clone()),
        DeclaratorKind::Declarator(inner) => declared_name(&inner.node),
    }
}
