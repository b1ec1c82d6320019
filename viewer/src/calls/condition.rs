//! The value under the cursor as a condition of a filter.

use super::layout::Column;
use super::row::CallRow;
use super::tree::TreeLine;

/// The value of a line in a column. Numbers and times are conditions on what follows: from this call on, at least this long.
pub fn of_row(row: &CallRow, column: Column) -> Option<String> {
    Some(match column {
        Column::Number => format!("seq >= {}", row.seq),
        Column::Time => format!("t >= {}s", row.time),
        Column::Duration => format!("dur >= {}ns", row.duration_ns?),
        Column::Gap => return None,
        Column::Process => format!("pid == {}", row.pid),
        Column::Thread => format!("tid == {}", row.tid),
        Column::Call => format!("api == {}", row.function),
        Column::Result => match &row.code {
            Some(code) => format!("ret == {code}"),
            None => "not ret".to_owned(),
        },
        Column::Caller => {
            let file = row.caller.file();
            format!("caller == \"{file}\"")
        }
    })
}

/// The value of a line of the tree.
pub fn of_line(line: &TreeLine) -> Option<String> {
    if line.depth == 0 {
        return Some(format!("api == {}", line.name));
    }
    let value = line.literal.as_ref()?;
    Some(match line.path.as_str() {
        "ret" => format!("ret == {value}"),
        path => format!("arg.{path} == {value}"),
    })
}
