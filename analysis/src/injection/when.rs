//! Which calls a rule is for: `3`, `3+`, `3+2`, `2..5`, `every 4`, `after 2s`, and lists of these.

use cutape_call_choice::calls::{Calls, EXPECTED};

use super::RuleError;
use super::piece::Piece;

/// A list of them.
///
/// # Errors
/// What was expected.
pub(super) fn list(value: &Piece<'_>) -> Result<Vec<Calls>, RuleError> {
    let item = |piece: &Piece<'_>| Calls::read(piece.text()).ok_or_else(|| piece.error(EXPECTED));
    value.split(&[',', ':']).iter().map(item).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_have_commas_or_colons_between_their_items() {
        let two = [Calls::read("1"), Calls::read("3+")].map(Option::unwrap);
        assert_eq!(list(&Piece::whole("1, 3+")).unwrap(), two);
        assert_eq!(list(&Piece::whole("1:3+")).unwrap(), two);
        for wrong in ["", "1,,2", "x"] {
            assert!(list(&Piece::whole(wrong)).is_err(), "{wrong}");
        }
        let error = list(&Piece::whole("1,soon")).unwrap_err();
        assert!(error.message().contains("every 4"), "{error}");
    }
}
