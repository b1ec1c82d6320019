//! Reads the list of export tables.

use cutape_api_model::ExportTable;

/// Lines `GUID NAME`; a test proves that every line of the committed list is read.
pub(crate) fn parse_export_tables(text: &str) -> Vec<ExportTable> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(parse_line)
        .collect()
}

fn parse_line(line: &str) -> Option<ExportTable> {
    let (guid, name) = line.split_once(' ')?;
    Some(ExportTable {
        guid: parse_guid(guid)?,
        name: name.to_owned(),
    })
}

/// `6BD5FB6C-5BF4-...`: two digits a byte, in the order of memory; the dashes are for the eye.
fn parse_guid(text: &str) -> Option<[u8; 16]> {
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b'-').collect();
    let mut guid = [0; 16];
    if digits.len() != 32 {
        return None;
    }
    for (byte, pair) in guid.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(guid)
}
