//! What stands in front of the declarators, alike for declarations, parameters and fields.

use lang_c::ast::{
    DeclarationSpecifier, Extension, SpecifierQualifier, TypeQualifier, TypeSpecifier,
};
use lang_c::span::Node;

/// What declarations and fields have in common in front of their declarators.
pub enum Specifier<'a> {
    /// A keyword, a tagged type or a typedef name.
    Type(&'a TypeSpecifier),
    /// `const`, `volatile`.
    Qualifier(&'a TypeQualifier),
    /// GNU attributes.
    Extensions(&'a [Node<Extension>]),
}

/// Those of a declaration or parameter; storage classes are passed over.
pub fn specifiers_of_declaration(specifiers: &[Node<DeclarationSpecifier>]) -> Vec<Specifier<'_>> {
    specifiers
        .iter()
        .filter_map(|specifier| match &specifier.node {
            DeclarationSpecifier::TypeSpecifier(ty) => Some(Specifier::Type(&ty.node)),
            DeclarationSpecifier::TypeQualifier(qualifier) => {
                Some(Specifier::Qualifier(&qualifier.node))
            }
            DeclarationSpecifier::Extension(extensions) => Some(Specifier::Extensions(extensions)),
            _ => None,
        })
        .collect()
}

/// Those of a structure's field.
pub fn specifiers_of_field(specifiers: &[Node<SpecifierQualifier>]) -> Vec<Specifier<'_>> {
    specifiers
        .iter()
        .map(|specifier| match &specifier.node {
            SpecifierQualifier::TypeSpecifier(ty) => Specifier::Type(&ty.node),
            SpecifierQualifier::TypeQualifier(qualifier) => Specifier::Qualifier(&qualifier.node),
            SpecifierQualifier::Extension(extensions) => Specifier::Extensions(extensions),
        })
        .collect()
}
