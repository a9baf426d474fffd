//! A Rust program that calls a script, and is called by it.

#![expect(clippy::print_stdout, reason = "a program that shows its results")]

use std::convert::Infallible;

fn main() -> Result<(), scrip::Error> {
    let interpreter = scrip::Interpreter::new()?;

    // Rust functions that scripts may call.
    interpreter.register("price_of", |item: String| match item.as_str() {
        "tea" => Ok(3.5),
        "cake" => Ok(4.25),
        other => Err(format!("there is no {other} on the menu")),
    })?;
    interpreter.register("shout", |text: String| Ok::<_, Infallible>(text.to_uppercase()))?;

    // A script that calls them.
    interpreter.exec(
        "
class Bill:
    def __init__(self, guest):
        self.guest, self.items = guest, []

    def add(self, item, count=1):
        self.items += [item] * count

    @property
    def total(self):
        return sum(price_of(item) for item in self.items)

def bill_for(guest, order):
    bill = Bill(guest)
    for item in order:
        bill.add(item)
    return f'{shout(guest)} pays {bill.total:.2f}'
",
    )?;

    // Rust calls the script's function, and gets a Rust value back.
    let text: String = interpreter.call("bill_for", ("Ann", vec!["tea", "cake", "tea"]))?;
    println!("{text}");

    // What a Rust function refuses is an exception in the script, and comes back as an error with its traceback.
    let refused = interpreter.call::<String>("bill_for", ("Ben", vec!["soup"]));
    if let Err(error) = refused {
        println!("refused: {error}");
        println!("is it a RuntimeError? {}", error.is("RuntimeError"));
    }

    // The interpreter goes on; other threads may use it, too.
    let clone = interpreter.clone();
    let answer = std::thread::spawn(move || clone.eval::<i64>("len('still here')")).join().expect("the thread does not panic")?;
    println!("{answer}");
    Ok(())
}
