//! Reads Rust source as text: as much of the language as the rules need, and no more.

use std::fs;
use std::path::{Path, PathBuf};

/// One file of the project.
#[derive(Debug)]
pub(crate) struct File {
    /// From the project's root, with slashes.
    pub(crate) path: String,
    pub(crate) text: String,
    /// The text with comments and the insides of literals blanked; lines and columns stay.
    pub(crate) code: String,
}

impl File {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let code = if Path::new(path).extension().is_some_and(|extension| extension == "rs") {
            blank(text)
        } else {
            String::new()
        };
        Self { path: path.to_owned(), text: text.to_owned(), code }
    }

    /// The code above the inline test module, which stands at the end.
    pub(crate) fn product_code(&self) -> &str {
        let tests = self.code.match_indices("#[cfg(test)]").find(|(at, mark)| {
            let next = self.code[at + mark.len()..].trim_start();
            let module = next.strip_prefix("pub ").unwrap_or(next).strip_prefix("mod ");
            module.is_some_and(|rest| rest.find('{').is_some_and(|open| rest.find(';').is_none_or(|end| open < end)))
        });
        tests.map_or(self.code.as_str(), |(at, _)| &self.code[..at])
    }

    /// The module that this file is: `src/store/redis/mod.rs` → `store`, `redis`; empty for the crate's root.
    pub(crate) fn module(&self) -> Vec<&str> {
        let inside = self.path.strip_prefix("src/").unwrap_or_default().trim_end_matches(".rs");
        let inside = inside.strip_suffix("/mod").unwrap_or(inside);
        if matches!(inside, "lib" | "main" | "") { Vec::new() } else { inside.split('/').collect() }
    }
}

/// All files below `folders` and the given single ones, of which the endings are in `endings`.
pub(crate) fn files(places: &[&str], endings: &[&str]) -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found: Vec<PathBuf> = Vec::new();
    let mut open: Vec<PathBuf> = places.iter().map(|place| root.join(place)).filter(|place| place.exists()).collect();
    while let Some(place) = open.pop() {
        if place.is_dir() {
            let entries = fs::read_dir(&place).expect("a folder of the project can be read");
            open.extend(entries.map(|entry| entry.expect("an entry can be read").path()));
        } else if endings.iter().any(|ending| place.to_string_lossy().ends_with(ending)) {
            found.push(place);
        }
    }
    found.sort();
    let read = |path: PathBuf| {
        let bytes = fs::read(&path).expect("a file of the project can be read");
        // Only an input of the fuzz targets may be anything.
        let text = if path.starts_with(root.join("tests/data/fuzz")) {
            String::from_utf8_lossy(&bytes).into_owned()
        } else {
            String::from_utf8(bytes).expect("a file of the project is UTF-8")
        };
        let name = path.strip_prefix(root).expect("it is below the root").to_string_lossy().replace('\\', "/");
        File::new(&name, &text)
    };
    found.into_iter().map(read).collect()
}

/// Blanks comments and the insides of string and character literals.
pub(crate) fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = literal_or_comment(bytes, at);
        if end > at {
            code.extend(bytes[at..end].iter().map(|byte| if *byte == b'\n' { '\n' } else { ' ' }));
            at = end;
        } else {
            code.push(if bytes[at].is_ascii() { char::from(bytes[at]) } else { ' ' });
            at += 1;
        }
    }
    code
}

/// The end of the comment or literal that begins at `at`, or `at` when none does.
fn literal_or_comment(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    let begins_word = at == 0 || !is_word(bytes[at - 1]);
    if rest.starts_with(b"//") {
        return at + rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    }
    if rest.starts_with(b"/*") {
        return at + nested_comment(rest);
    }
    let raw = rest.iter().take_while(|byte| matches!(byte, b'b' | b'c')).take(1).count();
    if begins_word && rest.get(raw) == Some(&b'r') {
        let hashes = rest[raw + 1..].iter().take_while(|byte| **byte == b'#').count();
        if rest.get(raw + 1 + hashes) == Some(&b'"') {
            let close: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
            let body = raw + 2 + hashes;
            let length = rest[body..].windows(close.len()).position(|window| window == close);
            return at + length.map_or(rest.len(), |length| body + length + close.len());
        }
    }
    match rest[0] {
        b'"' => at + quoted(rest, b'"'),
        // A lifetime has no closing quote right after its first character.
        b'\'' if rest.get(1) == Some(&b'\\') => at + quoted(rest, b'\''),
        b'\'' => {
            let width = rest.get(1).map_or(1, |first| match first {
                0xF0.. => 4,
                0xE0.. => 3,
                0xC0.. => 2,
                _ => 1,
            });
            if rest.get(1 + width) == Some(&b'\'') { at + width + 2 } else { at }
        }
        _ => at,
    }
}

fn nested_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// A word, `::`, or one other character, with its line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token<'a> {
    pub(crate) text: &'a str,
    pub(crate) line: usize,
}

/// The tokens of blanked code.
pub(crate) fn tokens(code: &str) -> Vec<Token<'_>> {
    let bytes = code.as_bytes();
    let (mut tokens, mut at, mut line) = (Vec::new(), 0, 1);
    while at < bytes.len() {
        let length = match bytes[at] {
            b':' if bytes.get(at + 1) == Some(&b':') => 2,
            byte if is_word(byte) => bytes[at..].iter().take_while(|byte| is_word(**byte)).count(),
            _ => 1,
        };
        if bytes[at] == b'\n' {
            line += 1;
        } else if !bytes[at].is_ascii_whitespace() {
            tokens.push(Token { text: &code[at..at + length], line });
        }
        at += length;
    }
    tokens
}

/// A path such as `crate::store::Store`, with the line on which it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) segments: Vec<String>,
    pub(crate) line: usize,
}

/// Every path of two or more segments, and what `use` names; braces are multiplied out.
pub(crate) fn paths(code: &str) -> Vec<Named> {
    let tokens = tokens(code);
    let (mut found, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        let used = at > 0 && tokens[at - 1].text == "use";
        let leading = usize::from(tokens[at].text == "::");
        let first = at + leading;
        if (used || tokens.get(first + 1).is_some_and(|next| next.text == "::"))
            && tokens.get(first).is_some_and(|token| is_word(token.text.as_bytes()[0]))
        {
            at = tree(&tokens, first, &[], &mut found).max(at + 1);
        } else {
            at += 1;
        }
    }
    found
}

/// Reads one branch from `at`; returns where it ends.
fn tree(tokens: &[Token<'_>], at: usize, prefix: &[String], found: &mut Vec<Named>) -> usize {
    let (mut at, mut segments) = (at, prefix.to_vec());
    while let Some(token) = tokens.get(at).filter(|token| is_word(token.text.as_bytes()[0])) {
        segments.push(token.text.to_owned());
        at += 1;
        if tokens.get(at).is_none_or(|next| next.text != "::") {
            break;
        }
        at += 1;
    }
    if segments.len() > prefix.len()
        && tokens.get(at).is_some_and(|next| next.text == "{")
        && tokens[at - 1].text == "::"
    {
        at += 1;
        while tokens.get(at).is_some_and(|token| token.text != "}") {
            let end = tree(tokens, at, &segments, found);
            // Over a comma, a star, `as name`.
            at = if end == at { at + 1 } else { end };
        }
        return at + 1;
    }
    if segments.len() > prefix.len() {
        found.push(Named { segments, line: tokens[at - 1].line });
    }
    at
}

/// A function: its name, its first line and how many lines it has.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) lines: usize,
}

/// Every function with a body.
pub(crate) fn functions(code: &str) -> Vec<Function> {
    let tokens = tokens(code);
    let starts = tokens.windows(2).enumerate().filter(|(_, pair)| pair[0].text == "fn" && pair[1].text != "(");
    let body = |(at, pair): (usize, &[Token<'_>])| {
        let (mut depth, mut inside) = (0_usize, false);
        for token in &tokens[at..] {
            match token.text {
                "(" | "[" => depth += 1,
                "{" => (inside, depth) = (true, depth + 1),
                ")" | "]" | "}" => depth = depth.checked_sub(1)?,
                ";" if !inside && depth == 0 => return None,
                _ => continue,
            }
            if inside && depth == 0 {
                let (name, line) = (pair[1].text.to_owned(), pair[0].line);
                return Some(Function { name, line, lines: token.line - line + 1 });
            }
        }
        None
    };
    starts.filter_map(body).collect()
}
