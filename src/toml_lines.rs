//! TOML as an operator wrote it: every name and value with the line it stands on.
//!
//! Always true: whatever is wrong is a [`Fault`] with its line, and a remedy that says what to write instead.
//! Values are not repeated in faults, since one of them may be a secret pasted into the wrong place.
//!
//! Read first: `operator_error.rs`. The two files read with it are `access/keyfile.rs` and `settings/file.rs`.

use std::fmt;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::operator_error::OperatorError;

/// What is wrong with a TOML file, on which line, and what to write there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub remedy: String,
}

impl Fault {
    /// The same, naming the file.
    pub fn in_file(self, path: &Path) -> OperatorError {
        OperatorError::new(format!("{}, line {}: {}", path.display(), self.line, self.message), self.remedy)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}; {}", self.line, self.message, self.remedy)
    }
}

impl std::error::Error for Fault {}

/// A parsed file, and its text to count lines in.
pub struct Document<'t> {
    text: &'t str,
    root: Spanned<DeTable<'t>>,
}

/// One table of a document.
#[derive(Clone, Copy)]
pub struct Table<'d> {
    text: &'d str,
    table: &'d DeTable<'d>,
    line: usize,
}

/// One `name = value` of a table.
#[derive(Clone, Copy)]
pub struct Field<'d> {
    text: &'d str,
    /// The name left of `=`.
    pub name: &'d str,
    /// The line of the name, counted from 1.
    pub line: usize,
    value: &'d Spanned<DeValue<'d>>,
}

impl<'t> Document<'t> {
    /// Parses TOML 1.0.
    ///
    /// # Errors
    /// A fault on the first line that is no TOML.
    pub fn parse(text: &'t str) -> Result<Document<'t>, Fault> {
        let root = DeTable::parse(text).map_err(|error| Fault {
            line: line_of(text, error.span().map_or(0, |span| span.start)),
            message: format!("this is not TOML ({})", error.message().replace('\n', ", ")),
            remedy: "write one `name = value` a line, with text in \"quotes\" and tables under [name]"
                .to_owned(),
        })?;
        Ok(Document { text, root })
    }

    /// The table at the top.
    pub fn root(&self) -> Table<'_> {
        Table { text: self.text, table: self.root.get_ref(), line: 1 }
    }
}

impl<'d> Table<'d> {
    /// Every field, in the order in which they stand in the file.
    pub fn fields(self) -> Vec<Field<'d>> {
        let mut fields: Vec<(usize, Field<'d>)> =
            self.table.iter().map(|(name, value)| (name.span().start, self.field(name, value))).collect();
        fields.sort_by_key(|(start, _)| *start);
        fields.into_iter().map(|(_, field)| field).collect()
    }

    /// A fault on the line on which the table begins.
    pub fn fault(&self, message: impl Into<String>, remedy: impl Into<String>) -> Fault {
        Fault { line: self.line, message: message.into(), remedy: remedy.into() }
    }

    /// The line on which the table begins, counted from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    fn field(
        self,
        name: &'d Spanned<std::borrow::Cow<'d, str>>,
        value: &'d Spanned<DeValue<'d>>,
    ) -> Field<'d> {
        let line = line_of(self.text, name.span().start);
        Field { text: self.text, name: name.get_ref(), line, value }
    }
}

impl<'d> Field<'d> {
    /// A fault about this field's value.
    pub fn fault(&self, message: impl Into<String>, remedy: impl Into<String>) -> Fault {
        let line = line_of(self.text, self.value.span().start);
        Fault { line, message: message.into(), remedy: remedy.into() }
    }

    /// A fault about this field's name, which nobody knows.
    pub fn unknown(&self, known: &[&str]) -> Fault {
        let remedy = match nearest(self.name, known) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("the names are {}", known.join(", ")),
        };
        Fault { line: self.line, message: format!("there is no setting `{}`", self.name), remedy }
    }

    /// The value as text.
    ///
    /// # Errors
    /// A fault if it is of another kind; so for the others.
    pub fn text(&self) -> Result<&'d str, Fault> {
        self.value.get_ref().as_str().ok_or_else(|| self.wrong_kind("text in \"quotes\""))
    }

    /// The value as text, whether it was written as text, as a number, as a date, or as true or false.
    pub fn text_or_plain(&self) -> Result<String, Fault> {
        match self.value.get_ref() {
            DeValue::String(text) => Ok(text.to_string()),
            DeValue::Integer(_) | DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Boolean(_) => {
                Ok(self.text[self.value.span()].trim().replace('_', ""))
            }
            DeValue::Array(_) | DeValue::Table(_) => Err(self.wrong_kind("a number, or text in \"quotes\"")),
        }
    }

    /// The value as a list of texts; one text alone is a list of one.
    pub fn texts(&self) -> Result<Vec<&'d str>, Fault> {
        if let Some(text) = self.value.get_ref().as_str() {
            return Ok(vec![text]);
        }
        let wrong = || self.wrong_kind("a list as [\"one\", \"two\"]");
        let list = self.value.get_ref().as_array().ok_or_else(wrong)?;
        list.iter().map(|item| item.get_ref().as_str().ok_or_else(wrong)).collect()
    }

    /// The value as a table.
    pub fn table(&self) -> Result<Table<'d>, Fault> {
        let wrong = || self.wrong_kind(&format!("a table under [{}]", self.name));
        let table = self.value.get_ref().as_table().ok_or_else(wrong)?;
        Ok(Table { text: self.text, table, line: self.line })
    }

    /// The value as an array of tables.
    pub fn tables(&self) -> Result<Vec<Table<'d>>, Fault> {
        let wrong = || self.wrong_kind(&format!("tables, each under [[{}]]", self.name));
        let list = self.value.get_ref().as_array().ok_or_else(wrong)?;
        let table = |item: &'d Spanned<DeValue<'d>>| {
            let table = item.get_ref().as_table().ok_or_else(wrong)?;
            Ok(Table { text: self.text, table, line: line_of(self.text, item.span().start) })
        };
        list.iter().map(table).collect()
    }

    fn wrong_kind(&self, wanted: &str) -> Fault {
        let found = self.value.get_ref().type_str();
        let article = if found.starts_with(['a', 'i']) { "an" } else { "a" };
        self.fault(format!("`{}` is {article} {found}", self.name), format!("write {wanted}"))
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// The known name that differs least, if it is close enough to be a slip of the pen.
pub fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let close = known.iter().map(|candidate| (distance(name, candidate), *candidate));
    close.min().filter(|(steps, candidate)| *steps <= 1 + candidate.len() / 4).map(|(_, candidate)| candidate)
}

/// Levenshtein's: how many characters to add, drop or change.
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (at, a) in left.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (column, b) in right.bytes().enumerate() {
            let change = diagonal + usize::from(a != b);
            diagonal = row[column + 1];
            row[column + 1] = change.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_in_file_order_with_their_lines() {
        let document =
            Document::parse("# a remark\nzeta = \"z\"\n\nalpha = [\"a\", \"b\"]\n[tab]\nn = 1_000\n")
                .unwrap();
        let fields = document.root().fields();
        let seen: Vec<_> = fields.iter().map(|field| (field.name, field.line)).collect();
        assert_eq!(seen, [("zeta", 2), ("alpha", 4), ("tab", 5)]);
        assert_eq!(fields[0].text(), Ok("z"));
        assert_eq!(fields[1].texts(), Ok(vec!["a", "b"]));
        assert_eq!(fields[2].table().unwrap().fields()[0].text_or_plain(), Ok("1000".to_owned()));
    }

    #[test]
    fn a_wrong_kind_names_its_line_and_what_to_write() {
        let document = Document::parse("a = 1\nb =\ttrue\n").unwrap();
        let fields = document.root().fields();
        assert_eq!(
            fields[0].text().unwrap_err().to_string(),
            "line 1: `a` is an integer; write text in \"quotes\""
        );
        assert_eq!(fields[1].text().unwrap_err().line, 2);
    }

    #[test]
    fn what_is_no_toml_names_its_line() {
        let fault = Document::parse("a = 1\nb = = 2\n").err().unwrap();
        assert_eq!(fault.line, 2);
    }

    #[test]
    fn a_slip_of_the_pen_is_recognised() {
        assert_eq!(nearest("lisen", &["listen", "cores"]), Some("listen"));
        assert_eq!(nearest("core", &["listen", "cores"]), Some("cores"));
        assert_eq!(nearest("tls_certificate", &["listen", "cores"]), None);
    }
}
