//! The committed parser is what LALRPOP makes of the grammar.

use std::path::Path;

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
    std::fs::remove_dir_all(&folder).expect("the folder is ours");
    let committed = package.join("src/parser.rs");
    if std::env::var_os("SCRIP_BLESS").is_some() {
        std::fs::write(&committed, &new).expect("the source folder can be written");
    }
    let old = std::fs::read_to_string(&committed).unwrap_or_default();
    assert!(old == new, "src/parser.rs is stale: run this test with SCRIP_BLESS=1");
}
