//! The committed parser is what LALRPOP makes of the grammar, driven by `src/driver.rs`.

use std::fmt::Write;
use std::path::Path;

/// Whether the action of that number gives back the one symbol it gets.
fn is_identity(parser: &str, action: &str) -> bool {
    let head = format!("\nfn __action{action}<");
    let Some((_, function)) = parser.split_once(&head) else { return false };
    let Some((function, _)) = function.split_once("\n}\n") else { return false };
    function.ends_with("\n{\n    __0") && function.matches("(_, __0, _)").count() == 1 && function.matches(", _): (").count() == 1
}

/// The generated parser with our driver, and the list of productions of one symbol that leave it as it is.
fn with_driver(parser: &str) -> String {
    let mut flags = Vec::new();
    for (number, function) in parser.split("\n    fn __reduce").skip(1).filter_map(|function| function.split_once('<')) {
        let Ok(number) = number.parse::<usize>() else { continue };
        let body = function.split_once("\n    }\n").map_or(function, |(body, _)| body);
        let action = body.split_once("super::__action").and_then(|(_, action)| action.split_once("::<>(p, __sym0)"));
        let pops_one = body.matches("__pop_Variant").count() == 1;
        // In and out under the same variant: the symbol may stay where it is.
        let variants: Vec<&str> = body.split("Variant").skip(1).map(|rest| rest.split(['(', ')']).next().unwrap_or_default()).collect();
        let stays = variants.len() == 2 && variants[0] == variants[1];
        flags.resize(flags.len().max(number + 1), false);
        flags[number] = pops_one && stays && action.is_some_and(|(action, _)| is_identity(parser, action));
    }
    let driven = parser.replace("__state_machine::Parser::drive(", "crate::driver::drive(");
    assert!(driven != parser, "LALRPOP calls its driver in another way now");
    let mut out = driven;
    out.push_str("\n/// The productions of one symbol that leave it as it is, by their numbers.\npub(crate) static IDENTITY: &[bool] = &[");
    // One more for the production that ends the parse, which has no function.
    flags.push(false);
    for (number, flag) in flags.iter().enumerate() {
        out.push_str(if number % 16 == 0 { "\n    " } else { " " });
        write!(out, "{flag},").expect("a string grows");
    }
    out.push_str("\n];\n");
    out
}

#[test]
fn generated_parser_is_current() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = std::env::temp_dir().join(format!("scrip-grammar-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("the folder for temporary files can be written");
    lalrpop::Configuration::new()
        .force_build(true)
        .log_quiet()
        .set_in_dir(package)
        .set_out_dir(&folder)
        .process()
        .expect("the grammar has no conflict");
    let new = std::fs::read_to_string(folder.join("scrip.rs")).expect("LALRPOP wrote the parser");
    let new = with_driver(&new);
    std::fs::remove_dir_all(&folder).expect("the folder is ours");
    let committed = package.join("src/parser.rs");
    if std::env::var_os("SCRIP_BLESS").is_some() {
        std::fs::write(&committed, &new).expect("the source folder can be written");
    }
    let old = std::fs::read_to_string(&committed).unwrap_or_default();
    assert!(old == new, "src/parser.rs is stale: run this test with SCRIP_BLESS=1");
}
