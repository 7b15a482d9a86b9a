//! Strict parser of StatsD lines, by the rules of README.md.

/// Parsed line of the form `name:value|code`.
#[derive(Debug, PartialEq, Eq)]
pub struct Line<'a> {
    pub name: &'a str,
    pub value: &'a str,
    pub code: &'a str,
}

impl<'a> Line<'a> {
    /// Parses each line of a text. The text must end with a newline.
    ///
    /// # Panics
    /// If a line is malformed.
    pub fn read_all(bytes: &'a [u8]) -> Vec<Self> {
        let lines = bytes.split_inclusive(|&byte| byte == b'\n');
        lines.map(|line| Self::read(line).unwrap_or_else(|| malformed(line))).collect()
    }

    fn read(line: &'a [u8]) -> Option<Self> {
        let text = str::from_utf8(line).ok()?.strip_suffix('\n')?;
        let (name, rest) = text.split_once(':')?;
        let (value, code) = rest.split_once('|')?;
        let is_field = |field: &str| !field.is_empty() && !field.contains([':', '|']);
        let is_line = !text.contains(char::is_control)
            && is_field(name)
            && is_field(value)
            && !code.is_empty();
        is_line.then_some(Self { name, value, code })
    }

    /// Returns true if every StatsD server reads the line as a counter, a gauge or a timer.
    pub fn is_basic(&self) -> bool {
        let signs: &[char] = match self.code {
            "c" => &['-'],
            "g" => &['-', '+'],
            "ms" => &[],
            _ => return false,
        };
        let magnitude = self.value.strip_prefix(signs).unwrap_or(self.value);
        is_plain_decimal(magnitude)
    }
}

fn malformed(line: &[u8]) -> ! {
    panic!("malformed line: {:?}", crate::lossy(line))
}

/// Returns true if `text` is digits, optionally followed by a point and more digits, without
/// redundant zeros.
fn is_plain_decimal(text: &str) -> bool {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let is_whole = is_digits(whole) && (whole == "0" || !whole.starts_with('0'));
    is_whole && fraction.is_none_or(|part| is_digits(part) && !part.ends_with('0'))
}
