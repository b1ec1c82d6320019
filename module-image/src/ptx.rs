//! PTX: text. What is read: version, target, kernels with their parameters and bounds, global variables. Bodies are not looked into.

use crate::image::{GlobalImage, Image, ImageError, KernelImage, Target};

/// Reads PTX text. What is no text at all is no image; text that breaks off or that lacks its head is bad PTX.
pub fn read(bytes: &[u8], target: Target) -> Result<Image, ImageError> {
    let text = std::str::from_utf8(bytes).map_err(|_| ImageError::Unrecognized)?;
    let text = without_comments(text);
    let tokens = tokens(&text);
    let mut head = tokens.iter().copied();
    if head.next() != Some(".version") {
        return Err(ImageError::Unrecognized);
    }
    let version = head
        .next()
        .and_then(version_number)
        .ok_or(ImageError::InvalidPtx)?;
    if version > target.newest_ptx {
        return Err(ImageError::PtxTooNew);
    }
    let architecture = tokens
        .iter()
        .position(|token| *token == ".target")
        .and_then(|place| architecture(tokens.get(place + 1)?))
        .ok_or(ImageError::InvalidPtx)?;
    if !target.compiles_ptx(architecture) {
        return Err(ImageError::WrongArchitecture);
    }
    let mut image = Image::default();
    let mut reader = Reader {
        tokens: &tokens,
        at: 0,
    };
    while let Some(token) = reader.next() {
        match token {
            ".entry" => image.kernels.push(
                reader
                    .kernel(architecture, target)
                    .ok_or(ImageError::InvalidPtx)?,
            ),
            ".func" => reader.skip_function().ok_or(ImageError::InvalidPtx)?,
            ".global" | ".const" => image
                .globals
                .push(reader.variable().ok_or(ImageError::InvalidPtx)?),
            "{" => reader.skip_body().ok_or(ImageError::InvalidPtx)?,
            _ => {}
        }
    }
    Ok(image)
}

/// `8.0` as 80.
fn version_number(text: &str) -> Option<u32> {
    let (major, minor) = text.split_once('.')?;
    Some(
        10 * major.parse::<u32>().ok().filter(|&major| major < 100)?
            + minor.parse::<u32>().ok().filter(|&minor| minor < 10)?,
    )
}

/// `sm_90a` as 90.
fn architecture(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("sm_")?;
    digits
        .trim_end_matches(|letter: char| letter.is_ascii_lowercase())
        .parse()
        .ok()
}

/// The text with comments made into blanks.
fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.trim_end_matches('\0');
    while let Some(begin) = rest.find("//").into_iter().chain(rest.find("/*")).min() {
        out.push_str(&rest[..begin]);
        out.push(' ');
        let comment = &rest[begin..];
        let (ending, kept) = if comment.starts_with("//") {
            ("\n", 0)
        } else {
            ("*/", 2)
        };
        rest = comment[2..]
            .find(ending)
            .map_or("", |end| &comment[2 + end + kept..]);
    }
    out.push_str(rest);
    out
}

/// Words, and punctuation one by one. A dot begins a word.
fn tokens(text: &str) -> Vec<&str> {
    let is_word = |letter: char| letter.is_alphanumeric() || "._$%-".contains(letter);
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '"' => rest[1..].find('"').map_or(rest.len(), |end| end + 2),
            first if is_word(first) => rest
                .find(|letter: char| !is_word(letter))
                .unwrap_or(rest.len()),
            first => first.len_utf8(),
        };
        tokens.push(&rest[..end]);
        rest = rest[end..].trim_start();
    }
    tokens
}

struct Reader<'a> {
    tokens: &'a [&'a str],
    at: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let token = self.tokens.get(self.at).copied();
        self.at += 1;
        token
    }

    /// From behind `.entry` to the end of the body.
    fn kernel(&mut self, architecture: u32, target: Target) -> Option<KernelImage> {
        /// A plausible number: nothing is compiled, so nobody knows how many registers it would take.
        const REGISTERS: u32 = 32;
        let mut kernel = KernelImage {
            name: self.next()?.to_owned(),
            registers: REGISTERS,
            ptx_version: architecture,
            binary_version: target.capability,
            ..KernelImage::default()
        };
        loop {
            match self.next()? {
                "(" => kernel.params = self.params()?,
                ".maxntid" => kernel.max_threads = self.product()?,
                ".reqntid" => kernel.max_threads = self.product()?,
                "{" => {
                    kernel.shared_bytes = self.body_shared_bytes()?;
                    return Some(kernel);
                }
                ";" => return Some(kernel),
                _ => {}
            }
        }
    }

    /// `128, 1, 1` multiplied.
    fn product(&mut self) -> Option<u32> {
        let mut product = 1u32;
        loop {
            product = product.checked_mul(self.next()?.parse().ok()?)?;
            if self.tokens.get(self.at) != Some(&",") {
                return Some(product);
            }
            self.at += 1;
        }
    }

    /// Parameters up to the closing parenthesis: offset and bytes of each.
    fn params(&mut self) -> Option<Vec<(u32, u32)>> {
        let mut params = Vec::new();
        let mut end = 0u32;
        let mut declaration = Declaration::default();
        loop {
            let token = self.next()?;
            if matches!(token, "," | ")") {
                if declaration.element_bytes > 0 {
                    let align = declaration.align();
                    let offset = end.checked_next_multiple_of(align)?;
                    params.push((offset, declaration.bytes()?));
                    end = offset.checked_add(declaration.bytes()?)?;
                }
                if token == ")" {
                    return Some(params);
                }
                declaration = Declaration::default();
            } else {
                self.declare(&mut declaration, token)?;
            }
        }
    }

    /// From behind `.global` to the semicolon. Initial values are not worked out: they are zeros.
    fn variable(&mut self) -> Option<GlobalImage> {
        let mut declaration = Declaration::default();
        loop {
            match self.next()? {
                ";" => break,
                "=" => while self.next()? != ";" {},
                token => {
                    self.declare(&mut declaration, token)?;
                    continue;
                }
            }
            break;
        }
        Some(GlobalImage {
            name: declaration.name.to_owned(),
            bytes: u64::from(declaration.bytes()?),
            initial: Vec::new(),
        })
    }

    /// One more token of a declaration such as `.align 8 .b8 name[64]`.
    fn declare(&mut self, declaration: &mut Declaration<'a>, token: &'a str) -> Option<()> {
        match token {
            ".align" => {
                declaration.align = self
                    .next()?
                    .parse()
                    .ok()
                    .filter(|align: &u32| align.is_power_of_two())?
            }
            "[" => {
                let count = self.next()?;
                declaration.count = if count == "]" {
                    Some(0)
                } else {
                    Some(
                        declaration
                            .count
                            .unwrap_or(1)
                            .checked_mul(count.parse().ok()?)?,
                    )
                };
                if count != "]" && self.next()? != "]" {
                    return None;
                }
            }
            ".v2" => declaration.vector = 2,
            ".v4" => declaration.vector = 4,
            _ => match element_bytes(token) {
                Some(bytes) => declaration.element_bytes = bytes,
                None if !token.starts_with('.') => declaration.name = token,
                None => {}
            },
        }
        Some(())
    }

    /// Over the body behind `{`: how much shared memory it declares.
    fn body_shared_bytes(&mut self) -> Option<u32> {
        let mut depth = 1;
        let mut shared_bytes = 0u32;
        while depth > 0 {
            match self.next()? {
                "{" => depth += 1,
                "}" => depth -= 1,
                ".shared" => {
                    shared_bytes = shared_bytes.checked_add(self.variable()?.bytes as u32)?
                }
                _ => {}
            }
        }
        Some(shared_bytes)
    }

    fn skip_body(&mut self) -> Option<()> {
        self.body_shared_bytes().map(|_| ())
    }

    /// From behind `.func` to the end of its body, or of its declaration.
    fn skip_function(&mut self) -> Option<()> {
        loop {
            match self.next()? {
                "{" => return self.skip_body(),
                ";" => return Some(()),
                _ => {}
            }
        }
    }
}

/// A parameter or variable.
#[derive(Default)]
struct Declaration<'a> {
    name: &'a str,
    align: u32,
    element_bytes: u32,
    vector: u32,
    /// Elements of an array.
    count: Option<u32>,
}

impl Declaration<'_> {
    fn bytes(&self) -> Option<u32> {
        self.element_bytes
            .checked_mul(self.vector.max(1))?
            .checked_mul(self.count.unwrap_or(1))
    }

    fn align(&self) -> u32 {
        self.align
            .max(self.element_bytes * self.vector.max(1))
            .max(1)
    }
}

/// Bytes of a fundamental type.
fn element_bytes(token: &str) -> Option<u32> {
    Some(match token {
        ".b8" | ".u8" | ".s8" => 1,
        ".b16" | ".u16" | ".s16" | ".f16" | ".bf16" => 2,
        ".b32" | ".u32" | ".s32" | ".f32" | ".f16x2" | ".bf16x2" => 4,
        ".b64" | ".u64" | ".s64" | ".f64" => 8,
        ".b128" => 16,
        ".texref" | ".samplerref" | ".surfref" => 8,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const H100: Target = Target {
        capability: 90,
        newest_ptx: 95,
    };

    const TEXT: &str = "
        // a comment with .entry in it
        .version 8.3
        .target sm_80, debug /* .target sm_100 */
        .address_size 64
        .visible .global .align 4 .f32 weights[256];
        .const .u32 limit = 7;
        .func (.reg .b32 r) helper(.reg .b32 a) { ret; }
        .visible .entry scale(
            .param .u64 .ptr .global .align 16 scale_param_0,
            .param .f32 scale_param_1,
            .param .align 8 .b8 scale_param_2[24]
        )
        .maxntid 128, 2, 1
        {
            .shared .align 4 .b8 tile[1024];
            { .shared .f32 more[4]; }
            ret;
        }
        .entry empty() { ret; }";

    #[test]
    fn kernels_parameters_bounds_and_globals_are_found() {
        let image = read(TEXT.as_bytes(), H100).unwrap();
        let names: Vec<_> = image
            .kernels
            .iter()
            .map(|kernel| kernel.name.as_str())
            .collect();
        assert_eq!(names, ["scale", "empty"]);
        let scale = &image.kernels[0];
        assert_eq!(scale.params, [(0, 8), (8, 4), (16, 24)]);
        assert_eq!((scale.max_threads, scale.shared_bytes), (256, 1040));
        let globals: Vec<_> = image
            .globals
            .iter()
            .map(|global| (global.name.as_str(), global.bytes))
            .collect();
        assert_eq!(globals, [("weights", 1024), ("limit", 4)]);
    }

    #[test]
    fn what_cannot_be_used_is_told_apart() {
        assert_eq!(read(b"hello", H100), Err(ImageError::Unrecognized));
        assert_eq!(read(&[0x80, 0xff, 1], H100), Err(ImageError::Unrecognized));
        assert_eq!(
            read(b".version 99.0\n.target sm_50\n", H100),
            Err(ImageError::PtxTooNew)
        );
        assert_eq!(
            read(b".version 8.0\n.target sm_100\n", H100),
            Err(ImageError::WrongArchitecture)
        );
        assert_eq!(read(b".version 8.0\n", H100), Err(ImageError::InvalidPtx));
        assert_eq!(
            read(b".version 8.0\n.target sm_80\n.entry f() { ret;", H100),
            Err(ImageError::InvalidPtx)
        );
        assert_eq!(
            read(b".version 8.0\n.target sm_80\n.entry f(.param .u32", H100),
            Err(ImageError::InvalidPtx)
        );
    }
}
