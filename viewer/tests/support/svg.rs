//! A picture of the screen as SVG, drawn from the same buffer as the screen.

use std::fmt::Write;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

/// Of a column and a line, in the units of the picture.
const WIDTH: f64 = 8.4;
const HEIGHT: f64 = 18.0;
/// Around the text.
const BORDER: f64 = 12.0;
const GROUND: &str = "#14181f";
const TEXT: &str = "#d1d7e0";

/// The picture.
pub fn svg(buffer: &Buffer) -> String {
    let area = buffer.area;
    let (width, height) = (
        f64::from(area.width) * WIDTH + 2.0 * BORDER,
        f64::from(area.height) * HEIGHT + 2.0 * BORDER,
    );
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"14\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{GROUND}\"/>\n"
    );
    for row in 0..area.height {
        let mut start = 0;
        while start < area.width {
            let first = &buffer[(start, row)];
            let same = |column: &u16| look(&buffer[(*column, row)]) == look(first);
            let end = (start..area.width).take_while(same).last().unwrap_or(start) + 1;
            push_run(&mut out, buffer, (row, start, end));
            start = end;
        }
    }
    out.push_str("</svg>\n");
    out
}

/// What a run of letters has in common: ink, ground, weight.
fn look(cell: &Cell) -> (String, Option<String>, bool) {
    let ink = colour(cell.fg).unwrap_or_else(|| TEXT.to_owned());
    let ground = colour(cell.bg);
    let bold = cell.modifier.contains(Modifier::BOLD);
    if cell.modifier.contains(Modifier::REVERSED) {
        return (ground.unwrap_or_else(|| GROUND.to_owned()), Some(ink), bold);
    }
    (ink, ground, bold)
}

fn colour(colour: Color) -> Option<String> {
    match colour {
        Color::Rgb(red, green, blue) => Some(format!("#{red:02x}{green:02x}{blue:02x}")),
        _ => None,
    }
}

fn push_run(out: &mut String, buffer: &Buffer, (row, start, end): (u16, u16, u16)) {
    let (ink, ground, bold) = look(&buffer[(start, row)]);
    let x = BORDER + f64::from(start) * WIDTH;
    let y = BORDER + f64::from(row) * HEIGHT;
    let width = f64::from(end - start) * WIDTH;
    // Writing to a string can't fail.
    if let Some(ground) = ground {
        let _ = writeln!(
            out,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{HEIGHT}\" fill=\"{ground}\"/>"
        );
    }
    let text: String = (start..end)
        .map(|column| buffer[(column, row)].symbol())
        .collect();
    if text.trim().is_empty() {
        return;
    }
    let text = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let weight = if bold { " font-weight=\"bold\"" } else { "" };
    let _ = writeln!(
        out,
        "<text x=\"{x:.1}\" y=\"{:.1}\" textLength=\"{width:.1}\" fill=\"{ink}\"{weight} xml:space=\"preserve\">{text}</text>",
        y + HEIGHT * 0.75
    );
}
