//! CUDA_VISIBLE_DEVICES: which GPUs the program sees, and in which order. The list ends at the first entry that names no GPU, as
//! NVIDIA's documentation of the variable says; a GPU named twice leaves none visible.

/// Places of the visible GPUs. `list` is the variable's value; unset means all.
pub fn visible(list: Option<&str>, uuids: &[[u8; 16]]) -> Vec<usize> {
    let Some(list) = list else {
        return (0..uuids.len()).collect();
    };
    let mut places = Vec::new();
    for entry in list.split(',') {
        match place(entry.trim(), uuids) {
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
        visible(Some(list), &UUIDS)
    }

    #[test]
    fn numbers_choose_and_order_and_the_first_wrong_one_ends_the_list() {
        assert_eq!(visible(None, &UUIDS), [0, 1, 2]);
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
}
