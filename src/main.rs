//! The `scrip` program.

fn main() -> std::process::ExitCode {
    scrip::cli::main()
}
