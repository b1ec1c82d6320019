//! CUDA_VISIBLE_DEVICES: which GPUs the program sees, and in which order. The list ends at the first entry that names no GPU, as
//! NVIDIA's documentation of the variable says; a GPU named twice leaves none visible.

/// What a driver makes of the variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// What NVIDIA's documentation says.
    AsDocumented,
    /// It knows numbers only, so that a UUID ends the list.
    NumbersOnly,
    /// All GPUs are visible whatever it says.
    Ignored,
}

/// Places of the visible GPUs. `list` is the variable's value; unset means all.
pub fn visible(list: Option<&str>, uuids: &[[u8; 16]], reading: Reading) -> Vec<usize> {
    let Some(list) = list.filter(|_| reading != Reading::Ignored) else {
        return (0..uuids.len()).collect();
    };
    let mut places = Vec::new();
    for entry in list.split(',') {
        let entry = entry.trim();
        let is_number = entry.starts_with(|letter: char| letter.is_ascii_digit());
        let known = is_number || reading == Reading::AsDocumented;
        match place(entry, uuids).filter(|_| known) {
            Some(place) if places.contains(&place) => return Vec::new(),
            Some(place) => places.push(place),
            None => break,
        }
    }
    places
}

/// The GPU that an entry names: by its number, by its UUID, or by a beginning of the UUID that fits no other GPU.
fn place(entry: &str, uuids: &[[u8; 16]]) -> Option<usize> {
    if let Some(beginning) = entry.strip_prefix("GPU-") {
        let beginning = beginning.to_lowercase();
        let mut fitting =
            (0..uuids.len()).filter(|&place| uuid_digits(&uuids[place]).starts_with(&beginning));
        return fitting
            .next()
            .filter(|_| !beginning.is_empty() && fitting.next().is_none());
    }
    // The driver reads a number the way `atoi` does: what follows the digits is ignored.
    let digits = entry
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(entry.len());
    entry[..digits]
        .parse::<usize>()
        .ok()
        .filter(|&place| place < uuids.len())
}

/// A UUID as text: 8-4-4-4-12 hexadecimal digits.
pub fn uuid_digits(uuid: &[u8; 16]) -> String {
    let digits: String = uuid.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "{}-{}-{}-{}-{}",
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUIDS: [[u8; 16]; 3] = [[0x10; 16], [0x11; 16], [0xab; 16]];

    fn see(list: &str) -> Vec<usize> {
        visible(Some(list), &UUIDS, Reading::AsDocumented)
    }

    #[test]
    fn numbers_choose_and_order_and_the_first_wrong_one_ends_the_list() {
        assert_eq!(visible(None, &UUIDS, Reading::AsDocumented), [0, 1, 2]);
        assert_eq!(see("2,0"), [2, 0]);
        assert_eq!(see(" 1 , 2 "), [1, 2]);
        assert_eq!(see("0,7,1"), [0]);
        assert_eq!(see("-1"), [] as [usize; 0]);
        assert_eq!(see(""), [] as [usize; 0]);
        assert_eq!(see("NoDevFiles"), [] as [usize; 0]);
        assert_eq!(see("1,1"), [] as [usize; 0]);
    }

    #[test]
    fn uuids_may_be_shortened_as_long_as_they_name_one_gpu() {
        assert_eq!(see("GPU-abababab-abab-abab-abab-abababababab"), [2]);
        assert_eq!(see("GPU-AB"), [2]);
        assert_eq!(see("GPU-11,GPU-10"), [1, 0]);
        assert_eq!(see("GPU-1"), [] as [usize; 0]);
        assert_eq!(see("GPU-"), [] as [usize; 0]);
        assert_eq!(see("GPU-ff"), [] as [usize; 0]);
    }

    #[test]
    fn the_documentation_s_examples_give_what_it_says() {
        let four = [[1; 16], [2; 16], [3; 16], [4; 16]];
        let see = |list| visible(Some(list), &four, Reading::AsDocumented);
        assert_eq!(see("2,1"), [2, 1]);
        assert_eq!(see("0,2,-1,1"), [0, 2]);
        // None of these GPUs is divided, so the name of an instance, in its old and its new form, names nothing.
        assert_eq!(
            see("MIG-GPU-01010101-0101-0101-0101-010101010101/1/2"),
            [] as [usize; 0]
        );
        assert_eq!(
            see("MIG-01010101-0101-0101-0101-010101010101"),
            [] as [usize; 0]
        );
        assert_eq!(see("1,MIG-GPU-01010101/1/0,2"), [1]);
    }

    #[test]
    fn drivers_that_misread_the_variable() {
        let see = |list, reading| visible(Some(list), &UUIDS, reading);
        assert_eq!(see("GPU-11", Reading::NumbersOnly), [] as [usize; 0]);
        assert_eq!(see("2,GPU-11", Reading::NumbersOnly), [2]);
        assert_eq!(see("2", Reading::Ignored), [0, 1, 2]);
        assert_eq!(see("", Reading::Ignored), [0, 1, 2]);
    }
}
