//! Byte offsets as lines and columns.

/// Where the lines of a source start. A line ends at `\n`, `\r\n` or `\r`, as for CPython.
#[derive(Debug, Clone)]
pub struct LineIndex {
    starts: Vec<u32>,
}

impl LineIndex {
    /// Finds the lines.
    pub fn new(source: &str) -> Self {
        let bytes = source.as_bytes();
        let mut starts = vec![0];
        for (index, &byte) in bytes.iter().enumerate() {
            if byte == b'\n' || byte == b'\r' && bytes.get(index + 1) != Some(&b'\n') {
                starts.push(index as u32 + 1);
            }
        }
        Self { starts }
    }

    /// The line of a byte, counted from 1.
    pub fn line(&self, offset: u32) -> u32 {
        self.starts.partition_point(|&start| start <= offset) as u32
    }

    /// The line of a byte, counted from 1, and the bytes before it on that line (`col_offset`).
    pub fn position(&self, offset: u32) -> (u32, u32) {
        let line = self.line(offset);
        (line, offset - self.starts[line as usize - 1])
    }

    /// As [`Self::position`], but the column counts code points.
    pub fn char_position(&self, source: &str, offset: u32) -> (u32, u32) {
        let (line, column) = self.position(offset);
        let before = &source.as_bytes()[(offset - column) as usize..offset as usize];
        (line, before.iter().filter(|&&byte| byte & 0xC0 != 0x80).count() as u32)
    }

    /// The byte at which a line (counted from 1) starts; the end of the last line past it.
    pub fn start(&self, line: u32) -> Option<u32> {
        self.starts.get((line as usize).checked_sub(1)?).copied()
    }

    /// The number of lines; text after the last line break is one, even if empty.
    pub fn n_lines(&self) -> u32 {
        self.starts.len() as u32
    }

    /// The text of a line (counted from 1) without its line break; empty where there is none.
    pub fn text<'a>(&self, source: &'a str, line: u32) -> &'a str {
        let Some(start) = self.start(line) else { return "" };
        let end = self.start(line + 1).map_or(source.len(), |end| end as usize);
        source[start as usize..end].trim_end_matches(['\n', '\r'])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_line_break_counts_once() {
        let source = "a\r\nbé\rc\n";
        let lines = LineIndex::new(source);
        assert_eq!(lines.n_lines(), 4);
        assert_eq!(lines.position(0), (1, 0));
        assert_eq!(lines.position(6), (2, 3));
        assert_eq!(lines.char_position(source, 6), (2, 2));
        assert_eq!(lines.text(source, 2), "bé");
        assert_eq!(lines.text(source, 4), "");
    }
}
