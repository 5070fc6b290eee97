//! Telegram's HTML, as strict as the real one: known tags only, all closed, in order.
//!
//! Tags and entities: core.telegram.org/bots/api#html-style (2026-11-21).

const TAGS: [&str; 14] =
    ["b", "strong", "i", "em", "u", "ins", "s", "strike", "del", "span", "tg-spoiler", "a", "code", "pre"];
const FURTHER_TAGS: [&str; 3] = ["blockquote", "tg-emoji", "tg-time"];

/// The text without its markup.
///
/// # Errors
/// The real one's words for what is wrong.
pub(super) fn plain(html: &str) -> Result<String, String> {
    let mut open: Vec<String> = Vec::new();
    let mut plain = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find(['<', '&']) {
        let (before, from) = rest.split_at(at);
        plain.push_str(before);
        let offset = html.len() - from.len();
        if let Some(tag) = from.strip_prefix('<') {
            let Some((tag, after)) = tag.split_once('>') else {
                return Err(format!("can't parse entities: Unclosed start tag at byte offset {offset}"));
            };
            turn(tag, offset, &mut open)?;
            rest = after;
        } else {
            let (letter, after) = entity(from);
            plain.push(letter);
            rest = after;
        }
    }
    plain.push_str(rest);
    match open.last() {
        Some(tag) => Err(format!("can't parse entities: Can't find end tag corresponding to start tag \"{tag}\"")),
        None => Ok(plain),
    }
}

fn turn(tag: &str, offset: usize, open: &mut Vec<String>) -> Result<(), String> {
    if let Some(name) = tag.strip_prefix('/') {
        let name = name.trim().to_ascii_lowercase();
        return match open.pop() {
            Some(expected) if expected == name => Ok(()),
            Some(expected) => Err(format!(
                "can't parse entities: Unmatched end tag at byte offset {offset}, expected \"</{expected}>\", found \"</{name}>\""
            )),
            None => Err(format!("can't parse entities: Unexpected end tag at byte offset {offset}")),
        };
    }
    let name = tag.split([' ', '\n', '\t']).next().unwrap_or_default().to_ascii_lowercase();
    if !TAGS.contains(&name.as_str()) && !FURTHER_TAGS.contains(&name.as_str()) {
        return Err(format!("can't parse entities: Unsupported start tag \"{name}\" at byte offset {offset}"));
    }
    open.push(name);
    Ok(())
}

/// A named or numbered entity at the beginning of `text`; a lone `&` stands for itself, as with the real one.
fn entity(text: &str) -> (char, &str) {
    for (name, letter) in [("&lt;", '<'), ("&gt;", '>'), ("&amp;", '&'), ("&quot;", '"')] {
        if let Some(rest) = text.strip_prefix(name) {
            return (letter, rest);
        }
    }
    let numbered = text.strip_prefix("&#").and_then(|number| number.split_once(';')).and_then(|(number, rest)| {
        let code = match number.strip_prefix('x') {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        Some((char::from_u32(code)?, rest))
    });
    numbered.unwrap_or(('&', text.strip_prefix('&').unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_markup_leaves_its_text() {
        let html =
            "<b>Entró</b> $\u{a0}1.500,00 de <i>Vázquez &amp; Hijos</i> &lt;ok&gt; &#39;<a href=\"https://x\">x</a>";
        assert_eq!(plain(html).unwrap(), "Entró $\u{a0}1.500,00 de Vázquez & Hijos <ok> 'x");
        assert_eq!(plain("a & b").unwrap(), "a & b");
    }

    #[test]
    fn bad_markup_is_refused_in_the_real_words() {
        for bad in ["<x>a</x>", "<b>a", "a</b>", "<b><i>a</b></i>", "1 < 2"] {
            assert!(plain(bad).unwrap_err().starts_with("can't parse entities: "), "{bad}");
        }
    }
}
