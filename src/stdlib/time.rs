//! `time`: clocks and the calendar; sleeping is a wait of the scheduler's.

use crate::object::native::{Args, NativeModule, getter, native};
use crate::object::type_object::{Slots, TypeSpec};
use crate::object::types::codec::decode_os;
use crate::object::types::numeric::{float_of, int_of};
use crate::object::types::str::Str;
use crate::object::types::str_methods::text;
use crate::object::types::structseq::{self, Fields, item};
use crate::object::types::tuple::Tuple;
use crate::object::value::Value;
use crate::os::clock::{self, BrokenTime, Clock};
use crate::text::TextBuilder;
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
    // The system's structure counts from 1900 in 32 bits.
    if numbers[0] < i64::from(i32::MIN) + 1900 {
        return Err(vm.overflow_error("year out of range"));
    }
    let mut time = BrokenTime {
        year: numbers[0],
        month: numbers[1] as i32,
        day: numbers[2] as i32,
        hour: numbers[3] as i32,
        minute: numbers[4] as i32,
        second: numbers[5] as i32,
        // Sunday comes first in that structure: one before Monday is a Sunday, what is before that is none.
        weekday: if numbers[6] < -1 { -1 } else { (numbers[6] as i32).rem_euclid(7) },
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
    check(time.weekday >= 0, "day of week out of range")?;
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
    let format: Vec<u32> = text(vm, &args[0]).codes().collect();
    if format.contains(&0) {
        return Err(vm.value_error("embedded null character"));
    }
    let time = argument_or_now(vm, args.given(1), "strftime")?;
    let mut out = TextBuilder::default();
    // Lone surrogates stay as they are; what is between them goes through the system's function.
    for part in format.chunk_by(|&left, &right| char::from_u32(left).is_some() == char::from_u32(right).is_some()) {
        match part.iter().map(|&code| char::from_u32(code)).collect::<Option<String>>() {
            Some(part) => out.push_text(&decode_os(&clock::format(part.as_bytes(), &time))),
            None => part.iter().for_each(|&code| out.push_code(code)),
        }
    }
    Ok(vm.new_str(out.finish()))
}

/// Formats are read in script, by what `datetime.strptime` uses too.
fn strptime(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let module = vm.import("_strptime")?;
    let given: Vec<Value> = args.iter().filter(|value| !value.is_unbound()).cloned().collect();
    vm.call_method(&module, "_strptime_time", &given)
}
