//! The page `docs/INSTRUCTIONS.md`: the table of instructions for readers, made of the table itself.

use std::fmt::Write;

use super::instruction::{Instruction, N_OPCODES, OperandKind, ROWS, Word};

/// The page's text.
pub(crate) fn reference() -> String {
    let mut page = String::from(
        "# Instructions\n\nGenerated from the table in `src/code/instruction.rs`, whose head states the rules for registers; \
         `SCRIP_BLESS=1 cargo test --lib code::` writes it anew. `scrip --dis FILE` shows a program's.\n\n\
         Operands: `→r` is written, `r` is read (and consumed when it is a temporary), `=r` is read and kept, `±r` is read and written, \
         `r…` is the first of several temporaries; `n` is a count or small number, `kind` one of several forms, `-> to` a jump.\n\n\
         | instruction | operands | meaning |\n|---|---|---|\n",
    );
    for (number, (name, meaning)) in ROWS.iter().enumerate() {
        let operands = Instruction::decode(Word(number as u64)).map(|instruction| instruction.parts().1).unwrap_or_default();
        let operands: Vec<String> = operands.iter().map(|(field, kind, _)| operand(field, *kind)).collect();
        let meaning = meaning.lines().map(str::trim).collect::<Vec<_>>().join(" ");
        let _ = writeln!(page, "| `{name}` | {} | {} |", operands.join(", "), meaning.replace('|', "\\|").trim());
    }
    let _ = writeln!(page, "\n{N_OPCODES} instructions.");
    page
}

fn operand(field: &str, kind: OperandKind) -> String {
    match kind {
        OperandKind::Dst => format!("→{field}"),
        OperandKind::Src => field.to_owned(),
        OperandKind::Keep => format!("={field}"),
        OperandKind::InOut => format!("±{field}"),
        OperandKind::Base => format!("{field}…"),
        OperandKind::Count | OperandKind::Imm => format!("n {field}"),
        OperandKind::Free => format!("closure's {field}"),
        OperandKind::Kind => format!("kind {field}"),
        OperandKind::Const => format!("constant {field}"),
        OperandKind::Site => format!("name {field}"),
        OperandKind::Function => field.to_owned(),
        OperandKind::Jump => format!("-> {field}"),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_page_of_instructions_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/INSTRUCTIONS.md");
        let page = super::reference();
        if std::env::var_os("SCRIP_BLESS").is_some() {
            std::fs::write(path, &page).expect("the page can be written");
        }
        let kept = std::fs::read_to_string(path).expect("the page is there");
        assert!(kept == page, "docs/INSTRUCTIONS.md is not what the table says: SCRIP_BLESS=1 writes it anew");
    }
}
