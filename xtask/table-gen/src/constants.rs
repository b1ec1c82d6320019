//! Evaluates the constant expressions that enumerators, array lengths and bit widths are written with.

use crate::builtin_types::{BuiltinWords, typedef_type};
use crate::layout::size_and_align;
use cutape_api_model::TypeDef;
use lang_c::ast::{
    BinaryOperator, Constant, DerivedDeclarator, Expression, Integer, IntegerBase,
    SpecifierQualifier, TypeName, TypeSpecifier, UnaryOperator,
};
use std::collections::{BTreeMap, HashMap};

/// What an expression may refer to.
pub struct Scope<'a> {
    /// Enumerators seen so far.
    pub constants: &'a HashMap<String, i64>,
    /// Types seen so far, for `sizeof`.
    pub types: &'a BTreeMap<String, TypeDef>,
}

/// The value of an expression. `None` for anything that isn't integer arithmetic.
pub fn evaluate(expression: &Expression, known: &Scope<'_>) -> Option<i64> {
    match expression {
        Expression::Identifier(name) => known.constants.get(&name.node.name).copied(),
        Expression::SizeOfTy(operand) => size_of(&operand.node.0.node, known),
        Expression::Constant(constant) => match &constant.node {
            Constant::Integer(integer) => parse_integer(integer),
            Constant::Float(_) | Constant::Character(_) => None,
        },
        Expression::UnaryOperator(unary) => {
            let operand = evaluate(&unary.node.operand.node, known)?;
            match unary.node.operator.node {
                UnaryOperator::Plus => Some(operand),
                UnaryOperator::Minus => Some(operand.wrapping_neg()),
                UnaryOperator::Complement => Some(!operand),
                UnaryOperator::Negate => Some(i64::from(operand == 0)),
                _ => None,
            }
        }
        Expression::Cast(cast) => evaluate(&cast.node.expression.node, known),
        Expression::BinaryOperator(binary) => {
            let left = evaluate(&binary.node.lhs.node, known)?;
            let right = evaluate(&binary.node.rhs.node, known)?;
            combine(&binary.node.operator.node, left, right)
        }
        _ => None,
    }
}

/// `sizeof` of a named type, a builtin one, or a pointer to anything.
fn size_of(operand: &TypeName, known: &Scope<'_>) -> Option<i64> {
    if let Some(declarator) = &operand.declarator {
        let is_pointer = declarator
            .node
            .derived
            .iter()
            .all(|part| matches!(part.node, DerivedDeclarator::Pointer(_)));
        return is_pointer.then_some(8);
    }
    let mut words = BuiltinWords::default();
    let mut named = None;
    for specifier in &operand.specifiers {
        match &specifier.node {
            SpecifierQualifier::TypeSpecifier(word) => match &word.node {
                TypeSpecifier::TypedefName(name) => named = Some(typedef_type(&name.node.name)),
                word => words.add(word)?,
            },
            SpecifierQualifier::TypeQualifier(_) => {}
            SpecifierQualifier::Extension(_) => return None,
        }
    }
    let layout = size_and_align(&named.unwrap_or_else(|| words.ty()), known.types)?;
    Some(i64::from(layout.size))
}

fn combine(operator: &BinaryOperator, left: i64, right: i64) -> Option<i64> {
    Some(match operator {
        BinaryOperator::Plus => left.wrapping_add(right),
        BinaryOperator::Minus => left.wrapping_sub(right),
        BinaryOperator::Multiply => left.wrapping_mul(right),
        BinaryOperator::Divide => left.checked_div(right)?,
        BinaryOperator::ShiftLeft => left.checked_shl(u32::try_from(right).ok()?)?,
        BinaryOperator::ShiftRight => left.checked_shr(u32::try_from(right).ok()?)?,
        BinaryOperator::BitwiseOr => left | right,
        BinaryOperator::BitwiseAnd => left & right,
        BinaryOperator::BitwiseXor => left ^ right,
        _ => return None,
    })
}

fn parse_integer(integer: &Integer) -> Option<i64> {
    let radix = match integer.base {
        IntegerBase::Decimal => 10,
        IntegerBase::Octal => 8,
        IntegerBase::Hexadecimal => 16,
        IntegerBase::Binary => 2,
    };
    if integer.number.is_empty() {
        return Some(0);
    }
    // An unsigned 64-bit constant keeps its bits.
    u64::from_str_radix(&integer.number, radix)
        .ok()
        .map(u64::cast_signed)
}
