//! `time`: clocks and the calendar; sleeping is a wait of the scheduler's.

use crate::object::native::{Args, NativeModule, getter, native};
use crate::object::type_object::{Slots, TypeSpec};
use crate::object::types::codec::{decode_os, encode_os};
use crate::object::types::numeric::{float_of, int_of};
use crate::object::types::str::Str;
use crate::object::types::str_methods::text;
use crate::object::types::structseq::{self, Fields, item};
use crate::object::types::tuple::Tuple;
use crate::object::value::Value;
use crate::os::clock::{self, BrokenTime, Clock};
use crate::vm::{Result, Vm};

pub(crate) const MODULE: NativeModule = NativeModule {
    name: "time",
    doc: "Clocks, and conversions between moments and calendars.",
    functions: &[
        native("sleep(object, /)", |vm, args| crate::thread::timeout::sleep(vm, &args[0])),
        native("time()", |vm, _| Ok(seconds(vm, Clock::Real))),
        native("time_ns()", |vm, _| Ok(vm.new_int(Clock::Real.now()))),
        native("monotonic()", |vm, _| Ok(seconds(vm, Clock::Monotonic))),
        native("monotonic_ns()", |vm, _| Ok(vm.new_int(Clock::Monotonic.now()))),
        native("perf_counter()", |vm, _| Ok(seconds(vm, Clock::Monotonic))),
        native("perf_counter_ns()", |vm, _| Ok(vm.new_int(Clock::Monotonic.now()))),
        native("process_time()", |vm, _| Ok(seconds(vm, Clock::Process))),
        native("process_time_ns()", |vm, _| Ok(vm.new_int(Clock::Process.now()))),
        native("thread_time()", |vm, _| Ok(seconds(vm, Clock::Thread))),
        native("thread_time_ns()", |vm, _| Ok(vm.new_int(Clock::Thread.now()))),
        native("clock_gettime(clk_id, /)", |vm, args| {
            let time = clock_time(vm, &args[0], clock::gettime)?;
            Ok(vm.new_float(time as f64 / 1e9))
        }),
        native("clock_gettime_ns(clk_id, /)", |vm, args| {
            let time = clock_time(vm, &args[0], clock::gettime)?;
            Ok(vm.new_int(time))
        }),
        native("clock_getres(clk_id, /)", |vm, args| {
            vm.parsed_int(&args[0])?;
            let time = clock_time(vm, &args[0], clock::getres)?;
            Ok(vm.new_float(time as f64 / 1e9))
        })
        .parsed(),
        native("clock_settime(clk_id, time, /)", |vm, args| {
            let id = clock_id(vm, &args[0])?;
            let seconds = vm.float(&args[1])?;
            set_clock(vm, id, (seconds * 1e9) as i64)
        })
        .parsed(),
        native("clock_settime_ns(clk_id, time, /)", |vm, args| {
            let id = clock_id(vm, &args[0])?;
            let time = vm.index_i64(&args[1])?;
            set_clock(vm, id, time)
        })
        .parsed(),
        native("pthread_getcpuclockid(thread_id, /)", |vm, args| {
            let thread = vm.index_i64(&args[0])? as u64;
            // A number that is no running thread's would be used as an address by the system's library.
            let known = vm.import("threading")?;
            let threads = vm.call_method(&known, "enumerate", &[])?;
            let mut is_known = false;
            for running in vm.collect(&threads)? {
                let ident = vm.get_attr_str(&running, "ident")?;
                is_known |= vm.equal(&ident, &args[0])?;
            }
            let id = if is_known { clock::of_thread(thread) } else { Err(std::io::Error::from_raw_os_error(crate::os::errno::INVALID_ARGUMENT)) };
            match id {
                Ok(id) => Ok(Value::small(id.into())),
                Err(error) => Err(super::os_error::raise(vm, error, None)),
            }
        })
        .parsed(),
        native("get_clock_info(name, /)", clock_info).parsed(),
        native("gmtime(seconds=None, /)", |vm, args| broken(vm, args.given_some(0), clock::utc)).parsed(),
        native("localtime(seconds=None, /)", |vm, args| broken(vm, args.given_some(0), clock::local)).parsed(),
        native("mktime(object, /)", mktime),
        native("asctime(tuple=None, /)", asctime).unpacked(),
        native("ctime(seconds=None, /)", |vm, args| {
            let time = moment(vm, args.given_some(0), clock::local)?;
            Ok(vm.new_str(calendar_text(&time)))
        })
        .parsed(),
        native("strftime(format, tuple=None, /)", strftime).parsed(),
        native("strptime(string, format='%a %b %d %H:%M:%S %Y', /)", strptime).unpacked(),
        native("tzset()", |vm, _| {
            clock::reset_zone();
            let module = vm.import("time")?;
            set_zone(vm, &module)?;
            Ok(Value::NONE)
        }),
    ],
    types: &[&STRUCT_TIME],
    init: Some(init),
};

const FIELDS: Fields = Fields {
    items: &["tm_year", "tm_mon", "tm_mday", "tm_hour", "tm_min", "tm_sec", "tm_wday", "tm_yday", "tm_isdst"],
    hidden: &["tm_zone", "tm_gmtoff"],
};

static STRUCT_TIME: TypeSpec = structseq::spec(
    "time.struct_time",
    "A time in its parts, from the year to the second, as gmtime(), localtime() and strptime() give it.",
    Some(
        native("struct_time(sequence, dict=None)", |vm, args| structseq::construct(vm, args, &FIELDS, "time.struct_time")).shown("(iterable=(), /)"),
    ),
    &FIELDS,
    &[
        item::<0>("tm_year"),
        item::<1>("tm_mon"),
        item::<2>("tm_mday"),
        item::<3>("tm_hour"),
        item::<4>("tm_min"),
        item::<5>("tm_sec"),
        item::<6>("tm_wday"),
        item::<7>("tm_yday"),
        item::<8>("tm_isdst"),
        getter("tm_zone", |vm, value| structseq::hidden(vm, value, "tm_zone")),
        getter("tm_gmtoff", |vm, value| structseq::hidden(vm, value, "tm_gmtoff")),
    ],
    Slots { repr: Some(|vm, value| structseq::show(vm, value, "time.struct_time", &FIELDS)), ..Slots::NONE },
);

const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const MONTHS: [&str; 12] = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];

fn init(vm: &mut Vm, module: &Value) -> Result<()> {
    for (name, value) in [
        ("CLOCK_REALTIME", 0),
        ("CLOCK_MONOTONIC", 1),
        ("CLOCK_PROCESS_CPUTIME_ID", 2),
        ("CLOCK_THREAD_CPUTIME_ID", 3),
        ("CLOCK_MONOTONIC_RAW", 4),
        ("CLOCK_BOOTTIME", 7),
        ("CLOCK_TAI", 11),
        ("_STRUCT_TM_ITEMS", 11),
    ] {
        vm.set_attr_str(module, name, &Value::small(value))?;
    }
    set_zone(vm, module)
}

/// `timezone`, `altzone`, `daylight` and `tzname`: of January and July of this year.
fn set_zone(vm: &mut Vm, module: &Value) -> Result<()> {
    const YEAR: i64 = 365 * 24 * 3600 + 6 * 3600;
    let now = Clock::Real.now() / 1_000_000_000;
    let january = now / YEAR * YEAR;
    let first = clock::local(january).unwrap_or_default();
    let second = clock::local(january + YEAR / 2).unwrap_or_default();
    let (winter, summer) = if first.offset <= second.offset { (&first, &second) } else { (&second, &first) };
    let daylight = i64::from(first.offset != second.offset);
    for (name, value) in [("timezone", -winter.offset), ("altzone", -summer.offset), ("daylight", daylight)] {
        vm.set_attr_str(module, name, &Value::small(value))?;
    }
    let names = vec![vm.new_str(winter.zone.as_str()), vm.new_str(summer.zone.as_str())];
    let names = vm.new_tuple(names);
    vm.set_attr_str(module, "tzname", &names)
}

fn seconds(vm: &Vm, clock: Clock) -> Value {
    vm.new_float(clock.now() as f64 / 1e9)
}

fn clock_id(vm: &mut Vm, id: &Value) -> Result<i32> {
    let number = vm.index(id);
    if number.is_err() {
        vm.take_raised();
    }
    let Some(id) = number.ok().and_then(|number| number.as_ref().to_i64()).and_then(|number| i32::try_from(number).ok()) else {
        let message = format!("clk_id should be integer, not {}", vm.type_name(id));
        return Err(vm.type_error(message));
    };
    Ok(id)
}

fn set_clock(vm: &mut Vm, id: i32, nanoseconds: i64) -> Result<Value> {
    match clock::settime(id, nanoseconds) {
        Ok(()) => Ok(Value::NONE),
        Err(error) => Err(super::os_error::raise(vm, error, None)),
    }
}

fn clock_time(vm: &mut Vm, id: &Value, get: fn(i32) -> std::io::Result<i64>) -> Result<i64> {
    let id = clock_id(vm, id)?;
    get(id).map_err(|error| super::os_error::raise(vm, error, None))
}

fn clock_info(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let name = vm.expect_string(&args[0], "get_clock_info() argument 1")?;
    let (clock, adjustable, call) = match name.as_str() {
        "time" => (Clock::Real, true, "clock_gettime(CLOCK_REALTIME)"),
        "monotonic" | "perf_counter" => (Clock::Monotonic, false, "clock_gettime(CLOCK_MONOTONIC)"),
        "process_time" => (Clock::Process, false, "clock_gettime(CLOCK_PROCESS_CPUTIME_ID)"),
        "thread_time" => (Clock::Thread, false, "clock_gettime(CLOCK_THREAD_CPUTIME_ID)"),
        _ => return Err(vm.value_error("unknown clock")),
    };
    let sys = vm.import("sys")?;
    let implementation = vm.get_attr_str(&sys, "implementation")?;
    let class = vm.type_of(&implementation).into_value();
    let resolution = vm.new_float(clock.resolution() as f64 / 1e9);
    let call = vm.new_str(call);
    vm.call_named(
        &class,
        &[],
        &[
            ("implementation", call),
            ("monotonic", Value::from_bool(!adjustable)),
            ("adjustable", Value::from_bool(adjustable)),
            ("resolution", resolution),
        ],
    )
}

/// A moment given in seconds (now when absent), taken apart.
fn moment(vm: &mut Vm, value: Option<&Value>, take: fn(i64) -> std::io::Result<BrokenTime>) -> Result<BrokenTime> {
    let seconds = match value {
        None => Clock::Real.now().div_euclid(1_000_000_000),
        Some(value) => match float_of(vm, value) {
            Some(float) if float.is_nan() => return Err(vm.value_error("Invalid value NaN (not a number)")),
            Some(float) if float.abs() >= 9.2e18 => return Err(vm.overflow_error("timestamp out of range for platform time_t")),
            Some(float) => float.floor() as i64,
            None => {
                let int = match int_of(vm, value) {
                    Some(int) => int,
                    None => vm.index(value)?,
                };
                match int.as_ref().to_i64() {
                    Some(seconds) => seconds,
                    None => return Err(vm.overflow_error("timestamp out of range for platform time_t")),
                }
            }
        },
    };
    take(seconds).map_err(|error| super::os_error::raise(vm, error, None))
}

fn broken(vm: &mut Vm, value: Option<&Value>, take: fn(i64) -> std::io::Result<BrokenTime>) -> Result<Value> {
    let time = moment(vm, value, take)?;
    struct_time(vm, &time)
}

fn struct_time(vm: &mut Vm, time: &BrokenTime) -> Result<Value> {
    let mut values = vec![vm.new_int(time.year)];
    values.extend(
        [time.month, time.day, time.hour, time.minute, time.second, time.weekday, time.yearday, time.dst]
            .map(|number| Value::small(i64::from(number))),
    );
    values.push(vm.new_str(time.zone.as_str()));
    values.push(Value::small(time.offset));
    structseq::make(vm, &STRUCT_TIME, &FIELDS, values)
}

/// The time in a tuple of nine numbers, as it stands there.
fn from_tuple(vm: &mut Vm, value: &Value, function: &str) -> Result<BrokenTime> {
    let Some(tuple) = value.downcast::<Tuple>() else {
        return Err(vm.type_error("Tuple or struct_time argument required"));
    };
    let items = tuple.get(vm).items().to_vec();
    if items.len() != 9 {
        return Err(vm.type_error(format!("{function}(): illegal time tuple argument")));
    }
    let mut numbers = [0_i64; 9];
    for (number, item) in numbers.iter_mut().zip(&items) {
        *number = vm.parsed_int(item)?.into();
    }
    let mut time = BrokenTime {
        year: numbers[0],
        month: numbers[1] as i32,
        day: numbers[2] as i32,
        hour: numbers[3] as i32,
        minute: numbers[4] as i32,
        second: numbers[5] as i32,
        weekday: (numbers[6] as i32).rem_euclid(7),
        yearday: numbers[7] as i32,
        dst: numbers[8] as i32,
        ..BrokenTime::default()
    };
    if let Some(dict) = vm.existing_dict(value) {
        if let Some(zone) = vm.dict_get_str(&dict, "tm_zone")?
            && zone.holds::<Str>()
        {
            time.zone = text(vm, &zone).to_utf8_lossy().into_owned();
        }
        if let Some(offset) = vm.dict_get_str(&dict, "tm_gmtoff")?.and_then(|offset| offset.as_small()) {
            time.offset = offset;
        }
    }
    if time.zone.is_empty() {
        let now = clock::local(Clock::Real.now() / 1_000_000_000).unwrap_or_default();
        (time.zone, time.offset) = (now.zone, now.offset);
    }
    Ok(time)
}

/// Refuses what no calendar has, and takes zeros for the least values, as `asctime` and `strftime` do.
fn checked_calendar(vm: &mut Vm, mut time: BrokenTime) -> Result<BrokenTime> {
    let mut check = |ok: bool, message: &str| if ok { Ok(()) } else { Err(vm.value_error(message)) };
    if time.month == 0 {
        time.month = 1;
    }
    if time.day == 0 {
        time.day = 1;
    }
    if time.yearday == 0 {
        time.yearday = 1;
    }
    check((1..=12).contains(&time.month), "month out of range")?;
    check((1..=31).contains(&time.day), "day of month out of range")?;
    check((0..24).contains(&time.hour), "hour out of range")?;
    check((0..60).contains(&time.minute), "minute out of range")?;
    check((0..=61).contains(&time.second), "seconds out of range")?;
    check((1..=366).contains(&time.yearday), "day of year out of range")?;
    Ok(time)
}

fn mktime(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let time = from_tuple(vm, &args[0], "mktime")?;
    match clock::make(&time) {
        Some(seconds) => Ok(vm.new_float(seconds as f64)),
        None => Err(vm.overflow_error("mktime argument out of range")),
    }
}

fn calendar_text(time: &BrokenTime) -> String {
    format!(
        "{} {}{:3} {:02}:{:02}:{:02} {}",
        &DAYS[time.weekday as usize % 7][..3],
        &MONTHS[(time.month - 1) as usize % 12][..3],
        time.day,
        time.hour,
        time.minute,
        time.second,
        time.year
    )
}

fn argument_or_now(vm: &mut Vm, value: Option<&Value>, function: &str) -> Result<BrokenTime> {
    match value {
        None => moment(vm, None, clock::local),
        Some(value) => {
            let time = from_tuple(vm, value, function)?;
            checked_calendar(vm, time)
        }
    }
}

fn asctime(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let time = argument_or_now(vm, args.given(0), "asctime")?;
    Ok(vm.new_str(calendar_text(&time)))
}

fn strftime(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    if !args[0].holds::<Str>() {
        let name = vm.type_name(&args[0]);
        return Err(vm.type_error(format!("strftime() argument 1 must be str, not {name}")));
    }
    let format = encode_os(text(vm, &args[0])).unwrap_or_default();
    let time = argument_or_now(vm, args.given(1), "strftime")?;
    let mut out = Vec::new();
    for (place, part) in format.split(|&byte| byte == 0).enumerate() {
        if place > 0 {
            out.push(0);
        }
        if !part.is_empty() {
            out.extend(clock::format(part, &time));
        }
    }
    Ok(vm.new_str(decode_os(&out)))
}

/// What a format asks of a text, as far as it was read.
#[derive(Default)]
struct Parsed {
    year: Option<i64>,
    month: Option<i32>,
    day: Option<i32>,
    hour: i32,
    minute: i32,
    second: i32,
    afternoon: Option<bool>,
    weekday: Option<i32>,
    yearday: Option<i32>,
    week: Option<(i32, bool)>,
    zone: Option<(String, i32)>,
    offset: Option<i64>,
}

fn strptime(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    for (place, value) in args.iter().take(2).enumerate() {
        if !value.is_unbound() && !value.holds::<Str>() {
            let shown = vm.type_of(value);
            let shown = vm.repr_text(&shown)?;
            return Err(vm.type_error(format!("strptime() argument {place} must be str, not {shown}")));
        }
    }
    let source = text(vm, &args[0]).to_utf8_lossy().into_owned();
    let format = match args.given(1) {
        Some(format) => text(vm, format).to_utf8_lossy().into_owned(),
        None => "%a %b %d %H:%M:%S %Y".to_owned(),
    };
    let chars: Vec<char> = source.chars().collect();
    let mut parsed = Parsed::default();
    match parse(&chars, &expanded(&format), &mut parsed) {
        Ok(end) if end == chars.len() => {}
        Ok(end) => {
            let rest: String = chars[end..].iter().collect();
            return Err(vm.value_error(format!("unconverted data remains: {rest}")));
        }
        Err(Mismatch::Data) => {
            let shown = vm.repr_text(&args[0])?;
            let wanted = vm.new_str(format);
            let wanted = vm.repr_text(&wanted)?;
            return Err(vm.value_error(format!("time data {shown} does not match format {wanted}")));
        }
        Err(Mismatch::Directive(letter)) => {
            let wanted = vm.new_str(format.as_str());
            let wanted = vm.repr_text(&wanted)?;
            return Err(vm.value_error(format!("'{letter}' is a bad directive in format {wanted}")));
        }
        Err(Mismatch::StrayPercent) => return Err(vm.value_error(format!("stray %% in format '{format}'"))),
    }
    let time = finish(parsed);
    // A leap day without a year is taken for one of 1904.
    let is_leap = time.year % 4 == 0 && (time.year % 100 != 0 || time.year % 400 == 0) || time.year == 1900;
    let days = match time.month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if time.day > days {
        return Err(vm.value_error("day is out of range for month"));
    }
    struct_time(vm, &time)
}

enum Mismatch {
    Data,
    Directive(char),
    StrayPercent,
}

/// The format with its shorthands written out.
fn expanded(format: &str) -> Vec<char> {
    let mut out = Vec::new();
    let mut chars = format.chars();
    while let Some(char) = chars.next() {
        if char != '%' {
            out.push(char);
            continue;
        }
        let whole = match chars.clone().next() {
            Some('c') => "%a %b %d %H:%M:%S %Y",
            Some('x') => "%m/%d/%y",
            Some('X' | 'T') => "%H:%M:%S",
            Some('D') => "%m/%d/%y",
            Some('R') => "%H:%M",
            _ => {
                out.push('%');
                out.extend(chars.next());
                continue;
            }
        };
        chars.next();
        out.extend(whole.chars());
    }
    out
}

fn digits(source: &[char], at: &mut usize, most: usize) -> std::result::Result<i64, Mismatch> {
    let start = *at;
    let mut value = 0;
    while *at - start < most
        && let Some(digit) = source.get(*at).and_then(|char| char.to_digit(10))
    {
        value = value * 10 + i64::from(digit);
        *at += 1;
    }
    if *at == start { Err(Mismatch::Data) } else { Ok(value) }
}

fn ranged(source: &[char], at: &mut usize, most: usize, range: std::ops::RangeInclusive<i64>) -> std::result::Result<i32, Mismatch> {
    let start = *at;
    // The longest number that is in range, as a pattern with alternatives finds it.
    for length in (1..=most).rev() {
        let mut end = start;
        if let Ok(value) = digits(source, &mut end, length)
            && range.contains(&value)
        {
            *at = end;
            return Ok(value as i32);
        }
    }
    Err(Mismatch::Data)
}

fn named(source: &[char], at: &mut usize, names: &[&str], short: bool) -> std::result::Result<i32, Mismatch> {
    let rest: String = source[*at..].iter().collect::<String>().to_lowercase();
    let mut best: Option<(usize, usize)> = None;
    for (place, name) in names.iter().enumerate() {
        let name = if short { &name[..3] } else { name }.to_lowercase();
        if rest.starts_with(&name) && best.is_none_or(|(length, _)| length < name.len()) {
            best = Some((name.len(), place));
        }
    }
    let (length, place) = best.ok_or(Mismatch::Data)?;
    *at += length;
    Ok(place as i32)
}

fn parse(source: &[char], format: &[char], parsed: &mut Parsed) -> std::result::Result<usize, Mismatch> {
    let (mut at, mut place) = (0, 0);
    while place < format.len() {
        let char = format[place];
        place += 1;
        if char.is_whitespace() {
            while format.get(place).is_some_and(|char| char.is_whitespace()) {
                place += 1;
            }
            let start = at;
            while source.get(at).is_some_and(|char| char.is_whitespace()) {
                at += 1;
            }
            if at == start {
                return Err(Mismatch::Data);
            }
            continue;
        }
        if char != '%' {
            let same = source.get(at).is_some_and(|&found| found == char || found.to_lowercase().eq(char.to_lowercase()));
            if !same {
                return Err(Mismatch::Data);
            }
            at += 1;
            continue;
        }
        let Some(&letter) = format.get(place) else { return Err(Mismatch::StrayPercent) };
        place += 1;
        match letter {
            'Y' => {
                let start = at;
                parsed.year = Some(digits(source, &mut at, 4)?);
                if at - start != 4 {
                    return Err(Mismatch::Data);
                }
            }
            'y' => {
                let start = at;
                let year = digits(source, &mut at, 2)?;
                if at - start != 2 {
                    return Err(Mismatch::Data);
                }
                parsed.year = Some(if year <= 68 { 2000 + year } else { 1900 + year });
            }
            'm' => parsed.month = Some(ranged(source, &mut at, 2, 1..=12)?),
            'd' | 'e' => {
                if source.get(at) == Some(&' ') {
                    at += 1;
                }
                parsed.day = Some(ranged(source, &mut at, 2, 1..=31)?);
            }
            'H' => parsed.hour = ranged(source, &mut at, 2, 0..=23)?,
            'I' => parsed.hour = ranged(source, &mut at, 2, 1..=12)?,
            'M' => parsed.minute = ranged(source, &mut at, 2, 0..=59)?,
            'S' => parsed.second = ranged(source, &mut at, 2, 0..=61)?,
            'f' => {
                digits(source, &mut at, 6)?;
            }
            'j' => parsed.yearday = Some(ranged(source, &mut at, 3, 1..=366)?),
            'w' => parsed.weekday = Some((ranged(source, &mut at, 1, 0..=6)? + 6) % 7),
            'u' => parsed.weekday = Some(ranged(source, &mut at, 1, 1..=7)? - 1),
            'U' => parsed.week = Some((ranged(source, &mut at, 2, 0..=53)?, true)),
            'W' => parsed.week = Some((ranged(source, &mut at, 2, 0..=53)?, false)),
            'a' => parsed.weekday = Some(named(source, &mut at, &DAYS, true)?),
            'A' => parsed.weekday = Some(named(source, &mut at, &DAYS, false)?),
            'b' | 'h' => parsed.month = Some(named(source, &mut at, &MONTHS, true)? + 1),
            'B' => parsed.month = Some(named(source, &mut at, &MONTHS, false)? + 1),
            'p' => parsed.afternoon = Some(named(source, &mut at, &["am ", "pm "].map(|name| name.trim()), false)? == 1),
            'z' => parsed.offset = Some(zone_offset(source, &mut at)?),
            'Z' => {
                let local = clock::local(Clock::Real.now() / 1_000_000_000).unwrap_or_default();
                let names = ["UTC", "GMT", local.zone.as_str()];
                let found = named(source, &mut at, &names, false)?;
                parsed.zone = Some((names[found as usize].to_owned(), 0));
            }
            '%' => {
                if source.get(at) != Some(&'%') {
                    return Err(Mismatch::Data);
                }
                at += 1;
            }
            other => return Err(Mismatch::Directive(other)),
        }
    }
    Ok(at)
}

fn zone_offset(source: &[char], at: &mut usize) -> std::result::Result<i64, Mismatch> {
    if source.get(*at) == Some(&'Z') {
        *at += 1;
        return Ok(0);
    }
    let sign = match source.get(*at) {
        Some('+') => 1,
        Some('-') => -1,
        _ => return Err(Mismatch::Data),
    };
    *at += 1;
    let hours = ranged(source, at, 2, 0..=23)?;
    if source.get(*at) == Some(&':') {
        *at += 1;
    }
    let minutes = ranged(source, at, 2, 0..=59)?;
    Ok(sign * (i64::from(hours) * 3600 + i64::from(minutes) * 60))
}

/// Days from 1970-01-01 to a day of the proleptic Gregorian calendar.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn month_and_day(year: i64, yearday: i32) -> (i32, i32) {
    let mut month = 1;
    while month < 12 && days_from_civil(year, month + 1, 1) - days_from_civil(year, 1, 1) < i64::from(yearday) {
        month += 1;
    }
    let before = days_from_civil(year, month, 1) - days_from_civil(year, 1, 1);
    (month as i32, yearday - before as i32)
}

fn finish(parsed: Parsed) -> BrokenTime {
    let leap_day = parsed.year.is_none() && parsed.month == Some(2) && parsed.day == Some(29);
    let year = parsed.year.unwrap_or(if leap_day { 1904 } else { 1900 });
    let mut yearday = parsed.yearday;
    if let (None, Some((week, from_sunday)), Some(weekday)) = (yearday, parsed.week, parsed.weekday) {
        let first = (days_from_civil(year, 1, 1) + 3).rem_euclid(7) as i32;
        let (first, weekday) = if from_sunday { ((first + 1) % 7, (weekday + 1) % 7) } else { (first, weekday) };
        let week_zero = (7 - first) % 7;
        yearday = Some(if week == 0 { 1 + weekday - first } else { 1 + week_zero + 7 * (week - 1) + weekday });
    }
    let (month, day) = match (parsed.month, parsed.day, yearday) {
        (None, None, Some(yearday)) => month_and_day(year, yearday),
        (month, day, _) => (month.unwrap_or(1), day.unwrap_or(1)),
    };
    let start = days_from_civil(year, 1, 1);
    let days = days_from_civil(year, i64::from(month), i64::from(day));
    let hour = match parsed.afternoon {
        Some(afternoon) => parsed.hour % 12 + if afternoon { 12 } else { 0 },
        None => parsed.hour,
    };
    BrokenTime {
        year: if leap_day { 1900 } else { year },
        month,
        day,
        hour,
        minute: parsed.minute,
        second: parsed.second,
        weekday: parsed.weekday.unwrap_or((days + 3).rem_euclid(7) as i32),
        yearday: yearday.unwrap_or((days - start + 1) as i32),
        dst: parsed.zone.as_ref().map_or(-1, |zone| zone.1),
        zone: parsed.zone.map(|zone| zone.0).unwrap_or_default(),
        offset: parsed.offset.unwrap_or(0),
    }
}
