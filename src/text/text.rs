//! `Text`: the storage of a Python `str` in 24 bytes: code points of one width, short ones in place.
//!
//! Up to 23 ASCII characters (11 of two bytes, 5 of four) stand in the value itself; more are in a buffer that
//! grows in place.
//!
//! - **T1** Byte 23 is the tag and always initialised. A tag below [`HEAP`] says inline: its kind's base plus the
//!   number of units, and exactly that many units at the start are initialised.
//! - **T2** Any other tag says heap: pointer, length and capacity are the parts of a `Vec` of the kind's unit that
//!   this value owns alone.
//! - **T3** The kind is the narrowest that fits: ASCII holds only units below 0x80, so it is UTF-8, and equal texts
//!   have equal kinds. No unit is above 0x10FFFF.
#![allow(unsafe_code, reason = "one value is either inline units or a buffer; see T1 to T3")]

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::TryReserveError;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::mem::{ManuallyDrop, MaybeUninit, align_of, offset_of, size_of};
use std::ptr::NonNull;
use std::slice;

use super::builder::{Buffer, TextBuilder};
use super::pace;
use super::view::{Codes, TextView, Unit, with_units};

/// The storage of a Python `str`; see the file's head.
#[repr(transparent)]
pub(crate) struct Text(Storage);

/// The text asked for is longer than memory or the longest text allows; raised as `MemoryError`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("text too large")]
pub(crate) struct TextTooLarge;

impl From<TryReserveError> for TextTooLarge {
    fn from(_: TryReserveError) -> Self {
        Self
    }
}

/// Units of one text: more do not fit in the capacity field.
pub(crate) const MAX_LEN: usize = if usize::BITS > 47 { 1 << 47 } else { usize::MAX >> 3 };

#[repr(C)]
union Storage {
    inline: Inline,
    heap: Heap,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Inline {
    units: [MaybeUninit<u8>; INLINE_BYTES],
    tag: u8,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Heap {
    ptr: NonNull<u8>,
    len: u64,
    capacity_low: u32,
    capacity_high: u16,
    unused: u8,
    tag: u8,
}

const INLINE_BYTES: usize = 23;
/// Tags from here on say that the units are on the heap.
const HEAP: u8 = 0x80;

const _: () = assert!(size_of::<Text>() == 24 && align_of::<Text>() >= 4);
const _: () = assert!(offset_of!(Inline, tag) == 23 && offset_of!(Heap, tag) == 23);

/// How a unit type is marked in the tag.
trait Kind: Unit {
    /// Tag of the empty inline text of this kind.
    const INLINE: u8;
    const INLINE_MAX: usize = INLINE_BYTES / size_of::<Self>();
    const HEAP: u8;
}

impl Kind for u8 {
    const INLINE: u8 = 0;
    const HEAP: u8 = HEAP | 1;
}

impl Kind for u16 {
    const INLINE: u8 = 0x20;
    const HEAP: u8 = HEAP | 2;
}

impl Kind for u32 {
    const INLINE: u8 = 0x30;
    const HEAP: u8 = HEAP | 4;
}

// SAFETY: the buffer is owned alone (T2) and nothing is shared or changed behind `&self`.
unsafe impl Send for Text {}
// SAFETY: as above.
unsafe impl Sync for Text {}

impl Text {
    /// The empty text.
    #[inline]
    pub(crate) const fn new() -> Self {
        Self(Storage { inline: Inline { units: [MaybeUninit::uninit(); INLINE_BYTES], tag: 0 } })
    }

    /// From text that is known to be ASCII; anything else panics.
    #[inline]
    pub(crate) fn from_ascii(ascii: &(impl AsRef<[u8]> + ?Sized)) -> Self {
        let units = ascii.as_ref();
        assert!(units.is_ascii(), "the caller promised ASCII");
        Self::from_canonical(units)
    }

    /// The decimal digits of a number, with its sign.
    pub(crate) fn from_decimal(value: i64) -> Self {
        let mut digits = [0_u8; 20];
        let mut start = digits.len();
        let mut rest = value.unsigned_abs();
        loop {
            start -= 1;
            digits[start] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if value < 0 {
            start -= 1;
            digits[start] = b'-';
        }
        Self::from_canonical(&digits[start..])
    }

    /// Some texts one after another.
    pub(crate) fn concat_all<'a>(parts: impl Iterator<Item = &'a Text> + Clone) -> Result<Text, TextTooLarge> {
        let mut len = 0_usize;
        let mut width = 1;
        for part in parts.clone() {
            len = len.checked_add(part.len()).ok_or(TextTooLarge)?;
            width = width.max(part.width());
        }
        let mut text = match width {
            1 => Self::with_room::<u8>(len)?,
            2 => Self::with_room::<u16>(len)?,
            _ => Self::with_room::<u32>(len)?,
        };
        for part in parts {
            match (width, part.view()) {
                (1, TextView::Ascii(units)) => text.extend_ascii(units)?,
                (_, view) => text.try_push_view(view)?,
            }
        }
        Ok(text)
    }

    /// Appends to a text that is ASCII units that are ASCII too.
    #[inline]
    fn extend_ascii(&mut self, units: &[u8]) -> Result<(), TextTooLarge> {
        let tag = self.tag();
        assert!(tag < u16::INLINE || tag == <u8 as Kind>::HEAP, "the kind was looked at before");
        let len = self.len();
        if tag < HEAP {
            if units.len() <= u8::INLINE_MAX - len {
                // SAFETY: `len + units.len()` is at most `INLINE_MAX`, and the units are initialised up to the new length (T1).
                unsafe { (&raw mut self.0.inline.units).cast::<u8>().add(len).copy_from_nonoverlapping(units.as_ptr(), units.len()) };
                // The base of the tag of inline ASCII is 0.
                self.set_tag((len + units.len()) as u8);
                return Ok(());
            }
        } else {
            // SAFETY: a heap text (T2).
            let heap = unsafe { &mut self.0.heap };
            if units.len() <= heap.capacity() - len {
                // SAFETY: the buffer has room for them behind `len` (T2); they lie elsewhere, since `self` is borrowed exclusively.
                unsafe { heap.ptr.as_ptr().add(len).copy_from_nonoverlapping(units.as_ptr(), units.len()) };
                heap.len = (len + units.len()) as u64;
                return Ok(());
            }
        }
        let mut all = self.take_vec::<u8>(units.len())?;
        all.extend_from_slice(units);
        *self = Self::from_vec(all);
        Ok(())
    }

    /// From UTF-8; the buffer is kept when it is ASCII and too long to stand inline.
    pub(crate) fn from_string(string: String) -> Self {
        if !string.is_ascii() {
            Self::from_wide_str(&string)
        } else if string.len() <= u8::INLINE_MAX {
            Self::from_canonical(string.as_bytes())
        } else {
            Self::from_vec(string.into_bytes())
        }
    }

    fn from_wide_str(string: &str) -> Self {
        let mut builder = TextBuilder::new();
        builder.push_str(string);
        builder.finish()
    }

    /// One character.
    #[inline]
    pub(crate) fn from_char(char: char) -> Self {
        Self::from_code(u32::from(char))
    }

    /// One code point, surrogates included; above 0x10FFFF it panics.
    #[inline]
    pub(crate) fn from_code(code: u32) -> Self {
        if code <= <u8 as Unit>::MAX {
            Self::from_canonical(&[code as u8])
        } else if code <= <u16 as Unit>::MAX {
            Self::from_canonical(&[code as u16])
        } else {
            assert!(code <= <u32 as Unit>::MAX, "a code point is at most 0x10FFFF");
            Self::from_canonical(&[code])
        }
    }

    /// Code points, surrogates included; one above 0x10FFFF panics.
    pub(crate) fn from_code_points(codes: impl IntoIterator<Item = u32>) -> Self {
        let codes = codes.into_iter();
        let mut builder = TextBuilder::with_capacity(codes.size_hint().0);
        codes.for_each(|code| builder.push_code(code));
        builder.finish()
    }

    /// A copy of what a view shows, in the narrowest width.
    #[inline]
    pub(crate) fn from_view(view: TextView<'_>) -> Self {
        match view {
            TextView::Ascii(units) => Self::from_ascii(units),
            TextView::Ucs2(units) => Self::from_ucs2(units),
            TextView::Ucs4(units) => Self::from_ucs4(units),
        }
    }

    /// A copy of two-byte units, in the narrowest width.
    pub(crate) fn from_ucs2(units: &[u16]) -> Self {
        if units.iter().fold(0, |all, unit| all | unit) > 0x7F {
            return Self::from_canonical(units);
        }
        Self::narrowed(units, |unit| unit as u8)
    }

    /// A copy of code points, in the narrowest width; one above 0x10FFFF panics.
    pub(crate) fn from_ucs4(units: &[u32]) -> Self {
        let largest = units.iter().copied().max().unwrap_or(0);
        if largest > <u16 as Unit>::MAX {
            assert!(largest <= <u32 as Unit>::MAX, "a code point is at most 0x10FFFF");
            Self::from_canonical(units)
        } else if largest > <u8 as Unit>::MAX {
            Self::narrowed(units, |unit| unit as u16)
        } else {
            Self::narrowed(units, |unit| unit as u8)
        }
    }

    fn narrowed<U: Unit, N: Kind>(units: &[U], narrow: impl Fn(U) -> N) -> Self {
        let mut text = Self::with_room::<N>(units.len()).expect("memory for a copy");
        text.extend_same(units.len(), units.iter().map(|&unit| narrow(unit))).expect("room that was made before");
        text
    }

    /// From units that the builder knows to be in the narrowest width.
    pub(super) fn from_builder(buffer: Buffer) -> Self {
        match buffer {
            Buffer::Ascii(units) => Self::from_kept(units),
            Buffer::Ucs2(units) => Self::from_kept(units),
            Buffer::Ucs4(units) => Self::from_kept(units),
        }
    }

    fn from_kept<U: Kind>(mut units: Vec<U>) -> Self {
        if units.len() <= U::INLINE_MAX {
            return Self::from_canonical(&units);
        }
        if units.capacity() - units.len() > units.len() / 4 + 16 {
            units.shrink_to_fit();
        }
        Self::from_vec(units)
    }

    /// How many code points.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        let tag = self.tag();
        if tag < HEAP {
            // The bases of the wide kinds have their low four bits clear, but ASCII counts to 23.
            usize::from(if tag < u16::INLINE { tag } else { tag & 0x0F })
        } else {
            // SAFETY: the tag says heap (T2).
            unsafe { self.0.heap.len as usize }
        }
    }

    /// Whether there is nothing in it.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The units.
    #[inline]
    pub(crate) fn view(&self) -> TextView<'_> {
        let tag = self.tag();
        if tag < u16::INLINE {
            // SAFETY: the tag says inline ASCII (T1).
            TextView::Ascii(unsafe { self.inline_units(usize::from(tag)) })
        } else if tag == <u8 as Kind>::HEAP {
            // SAFETY: the tag says ASCII on the heap (T2).
            TextView::Ascii(unsafe { self.heap_units() })
        } else {
            self.wide_view(tag)
        }
    }

    fn wide_view(&self, tag: u8) -> TextView<'_> {
        let inline_len = usize::from(tag & 0x0F);
        match tag & 0xF0 {
            // SAFETY: the tag says inline, two bytes (T1).
            u16::INLINE => TextView::Ucs2(unsafe { self.inline_units(inline_len) }),
            // SAFETY: the tag says inline, four bytes (T1).
            u32::INLINE => TextView::Ucs4(unsafe { self.inline_units(inline_len) }),
            // SAFETY: the tag says heap, two bytes (T2).
            _ if tag == <u16 as Kind>::HEAP => TextView::Ucs2(unsafe { self.heap_units() }),
            // SAFETY: the only tag left says heap, four bytes (T2).
            _ => TextView::Ucs4(unsafe { self.heap_units() }),
        }
    }

    /// The text as a Rust string when all of it is ASCII.
    #[inline]
    pub(crate) fn as_ascii(&self) -> Option<&str> {
        match self.view() {
            // SAFETY: ASCII text holds only units below 0x80 (T3).
            TextView::Ascii(units) => Some(unsafe { str::from_utf8_unchecked(units) }),
            _ => None,
        }
    }

    /// Whether every character is ASCII.
    #[inline]
    pub(crate) fn is_ascii(&self) -> bool {
        self.width() == 1
    }

    /// The code point at `index`; panics past the end.
    #[inline]
    pub(crate) fn get(&self, index: usize) -> u32 {
        self.view().at(index)
    }

    /// The code points in order.
    #[inline]
    pub(crate) fn codes(&self) -> Codes<'_> {
        self.view().codes()
    }

    /// The code points `start..end`, both cut to the length.
    #[inline]
    pub(crate) fn slice(&self, start: usize, end: usize) -> Text {
        match self.view().slice(start, end) {
            // A part of ASCII text is ASCII.
            TextView::Ascii(units) => Self::from_canonical(units),
            wide => wide.to_text(),
        }
    }

    /// `count` code points from `start`, `step` apart (a negative step goes backwards); all must be inside.
    pub(crate) fn slice_step(&self, start: usize, step: isize, count: usize) -> Text {
        fn pick<U: Unit>(units: &[U], start: usize, step: isize, count: usize) -> Text {
            let at = |k: usize| units[start.wrapping_add_signed(step.wrapping_mul(k as isize))];
            Text::from_view(U::view(&(0..count).map(at).collect::<Vec<U>>()))
        }
        with_units!(self.view(), |units| pick(units, start, step, count))
    }

    /// The text as UTF-8, borrowed when ASCII; `Err` with the position of the first lone surrogate.
    pub(crate) fn to_utf8(&self) -> Result<Cow<'_, str>, usize> {
        if let Some(ascii) = self.as_ascii() {
            return Ok(Cow::Borrowed(ascii));
        }
        let mut string = String::with_capacity(self.len() * 2);
        for (position, code) in self.codes().enumerate() {
            string.push(char::from_u32(code).ok_or(position)?);
        }
        Ok(Cow::Owned(string))
    }

    /// The text as UTF-8 with U+FFFD for lone surrogates, borrowed when ASCII.
    pub(crate) fn to_utf8_lossy(&self) -> Cow<'_, str> {
        match self.as_ascii() {
            Some(ascii) => Cow::Borrowed(ascii),
            None => Cow::Owned(self.view().to_string()),
        }
    }

    /// The text as UTF-8 in which lone surrogates stand as the three bytes of their code points (WTF-8).
    #[cfg(test)]
    pub(crate) fn to_wtf8(&self) -> Cow<'_, [u8]> {
        if let Some(ascii) = self.as_ascii() {
            return Cow::Borrowed(ascii.as_bytes());
        }
        let mut bytes = Vec::with_capacity(self.len() * 2);
        self.codes().for_each(|code| push_wtf8(&mut bytes, code));
        Cow::Owned(bytes)
    }

    /// Bytes allocated beside the value itself.
    #[inline]
    pub(crate) fn heap_size(&self) -> usize {
        let tag = self.tag();
        if tag < HEAP {
            return 0;
        }
        // SAFETY: the tag says heap (T2).
        unsafe { self.0.heap.capacity() * usize::from(tag & 0x0F) }
    }

    /// Appends one character.
    #[inline]
    #[cfg(test)]
    pub(crate) fn push_char(&mut self, char: char) {
        self.push_code(u32::from(char));
    }

    /// Appends one code point; above 0x10FFFF it panics.
    #[cfg(test)]
    pub(crate) fn push_code(&mut self, code: u32) {
        self.push_text(&Text::from_code(code));
    }

    /// Appends a text, in place when the buffer has room; growing is amortised. Panics without memory.
    #[inline]
    pub(crate) fn push_text(&mut self, other: &Text) {
        self.try_push_view(other.view()).expect("memory for a text; callers that may fail use try_push_view");
    }

    /// Appends what a view shows, in place when the buffer has room; growing is amortised.
    pub(crate) fn try_push_view(&mut self, other: TextView<'_>) -> Result<(), TextTooLarge> {
        if let TextView::Ascii(units) = other {
            assert!(units.is_ascii(), "bytes are not text");
            return match self.width() {
                1 => self.extend_ascii(units),
                2 => self.extend_same(units.len(), units.iter().map(|&unit| u16::from(unit))),
                _ => self.extend_same(units.len(), units.iter().map(|&unit| u32::from(unit))),
            };
        }
        let needed = needed_width(other);
        if needed > self.width() {
            self.widen(needed, other.len())?;
        }
        match (self.width(), other) {
            (1, _) => self.extend_same(other.len(), other.codes().map(|code| code as u8)),
            (2, TextView::Ucs2(units)) => self.extend_same(units.len(), units.iter().copied()),
            (2, _) => self.extend_same(other.len(), other.codes().map(|code| code as u16)),
            (_, TextView::Ucs4(units)) => self.extend_same(units.len(), units.iter().copied()),
            _ => self.extend_same(other.len(), other.codes()),
        }
    }

    /// One text after another.
    pub(crate) fn concat(&self, other: &Text) -> Result<Text, TextTooLarge> {
        Self::concat_all([self, other].into_iter())
    }

    /// `count` copies one after another.
    pub(crate) fn repeat(&self, count: usize) -> Result<Text, TextTooLarge> {
        fn repeat<U: Kind>(units: &[U], count: usize) -> Result<Text, TextTooLarge> {
            let len = units.len().checked_mul(count).filter(|&len| len <= MAX_LEN).ok_or(TextTooLarge)?;
            if len == 0 {
                return Ok(Text::new());
            }
            let mut all: Vec<U> = Vec::new();
            all.try_reserve_exact(len)?;
            if let [unit] = units {
                all.resize(len, *unit);
            } else {
                all.extend_from_slice(units);
                while all.len() < len {
                    let more = all.len().min(len - all.len());
                    all.extend_from_within(..more);
                }
            }
            Ok(Text::from_kept(all))
        }
        with_units!(self.view(), |units| repeat(units, count))
    }

    /// Makes room for `more` units of the present width.
    #[cfg(test)]
    pub(crate) fn try_reserve(&mut self, more: usize) -> Result<(), TextTooLarge> {
        match self.width() {
            1 => self.reserve_kind::<u8>(more),
            2 => self.reserve_kind::<u16>(more),
            _ => self.reserve_kind::<u32>(more),
        }
    }

    /// The hash for a seed; never -1 (an error's mark); 0 (a cache's "not computed") only for the empty text.
    #[inline]
    pub(crate) fn hash(&self, seed: u64) -> i64 {
        with_units!(self.view(), |units| {
            // SAFETY: units are integers without padding, and any alignment is enough for bytes.
            let bytes = unsafe { slice::from_raw_parts(units.as_ptr().cast(), size_of_val(units)) };
            hash_bytes(bytes, seed)
        })
    }

    #[inline]
    fn tag(&self) -> u8 {
        // SAFETY: both variants have the tag at this byte, always initialised (T1).
        unsafe { self.0.inline.tag }
    }

    /// Bytes of a unit.
    #[inline]
    pub(crate) fn width(&self) -> usize {
        let tag = self.tag();
        if tag >= HEAP {
            usize::from(tag & 0x0F)
        } else if tag < u16::INLINE {
            1
        } else if tag < u32::INLINE {
            2
        } else {
            4
        }
    }

    /// # Safety
    /// The text is inline, of kind `U`, with at least `len` units.
    #[inline]
    unsafe fn inline_units<U: Kind>(&self, len: usize) -> &[U] {
        // SAFETY: initialised units (the caller, T1); the union is aligned for every unit.
        unsafe { slice::from_raw_parts((&raw const self.0.inline.units).cast::<U>(), len) }
    }

    /// # Safety
    /// The text is on the heap and of kind `U`.
    #[inline]
    unsafe fn heap_units<U: Kind>(&self) -> &[U] {
        // SAFETY: the parts of a vector of `U` (the caller, T2).
        unsafe { slice::from_raw_parts(self.0.heap.ptr.cast::<U>().as_ptr(), self.0.heap.len as usize) }
    }

    /// A copy of units that are known to be in the narrowest width (T3).
    #[inline]
    fn from_canonical<U: Kind>(units: &[U]) -> Self {
        if units.len() > U::INLINE_MAX {
            return Self::from_vec(units.to_vec());
        }
        let mut text = Self::new();
        // SAFETY: room for `INLINE_MAX` units, aligned for every unit.
        unsafe {
            let start = (&raw mut text.0.inline.units).cast::<U>();
            start.copy_from_nonoverlapping(units.as_ptr(), units.len());
        }
        if !units.is_empty() {
            text.set_tag(U::INLINE + units.len() as u8);
        }
        text
    }

    /// The caller has established what T1 asks of the new tag.
    #[inline]
    fn set_tag(&mut self, tag: u8) {
        self.0.inline.tag = tag;
    }

    /// Takes a buffer over; its units are known to be in the narrowest width (T3).
    fn from_vec<U: Kind>(units: Vec<U>) -> Self {
        let mut units = ManuallyDrop::new(units);
        let capacity = units.capacity() as u64;
        assert!(capacity < 1 << 48, "no machine has this much memory");
        let ptr = NonNull::new(units.as_mut_ptr()).expect("a vector's pointer is never null").cast();
        Self(Storage {
            heap: Heap {
                ptr,
                len: units.len() as u64,
                capacity_low: capacity as u32,
                capacity_high: (capacity >> 32) as u16,
                unused: 0,
                tag: U::HEAP,
            },
        })
    }

    /// Gives the units away as a vector with room for `more`, leaving the empty text. The text is of kind `U`.
    fn take_vec<U: Kind>(&mut self, more: usize) -> Result<Vec<U>, TextTooLarge> {
        let len = self.len();
        assert_eq!(self.width(), size_of::<U>(), "the kind was looked at before");
        if len.checked_add(more).is_none_or(|len| len > MAX_LEN) {
            return Err(TextTooLarge);
        }
        if self.tag() < HEAP {
            let mut units = Vec::new();
            units.try_reserve_exact((len + more).max(len * 2).max(U::INLINE_MAX + 1))?;
            // SAFETY: an inline text of kind `U` with `len` units (T1).
            units.extend_from_slice(unsafe { self.inline_units::<U>(len) });
            *self = Self::new();
            return Ok(units);
        }
        let taken = ManuallyDrop::new(std::mem::take(self));
        // SAFETY: a heap text of kind `U`; `taken` is never dropped, so the vector owns the parts alone (T2).
        let mut units = unsafe {
            let heap = taken.0.heap;
            Vec::from_raw_parts(heap.ptr.cast::<U>().as_ptr(), len, heap.capacity())
        };
        match units.try_reserve(more) {
            Ok(()) => Ok(units),
            Err(error) => {
                *self = Self::from_vec(units);
                Err(error.into())
            }
        }
    }

    /// An empty text of kind `U` with room; it must get a unit that needs the kind at once (T3).
    fn with_room<U: Kind>(len: usize) -> Result<Self, TextTooLarge> {
        if len > MAX_LEN {
            return Err(TextTooLarge);
        }
        if len > U::INLINE_MAX {
            let mut units: Vec<U> = Vec::new();
            units.try_reserve_exact(len)?;
            return Ok(Self::from_vec(units));
        }
        let mut text = Self::new();
        text.set_tag(U::INLINE);
        Ok(text)
    }

    /// Appends exactly `count` units to a text of the same kind.
    #[inline]
    fn extend_same<U: Kind>(&mut self, count: usize, units: impl Iterator<Item = U>) -> Result<(), TextTooLarge> {
        assert_eq!(self.width(), size_of::<U>(), "the kind was looked at before");
        let len = self.len();
        if self.tag() < HEAP {
            if count <= U::INLINE_MAX - len {
                let mut written = 0;
                for unit in units.take(count) {
                    // SAFETY: `len + written < INLINE_MAX`, so it is inside and aligned.
                    unsafe {
                        (&raw mut self.0.inline.units).cast::<U>().add(len + written).write(unit);
                    };
                    written += 1;
                }
                self.set_tag(U::INLINE + (len + written) as u8);
                return Ok(());
            }
        } else {
            // SAFETY: a heap text (T2).
            let heap = unsafe { &mut self.0.heap };
            if count <= heap.capacity() - len {
                let mut written = 0;
                for unit in units.take(count) {
                    // SAFETY: the buffer of kind `U` has room for `count` more after `len` (T2).
                    unsafe { heap.ptr.cast::<U>().add(len + written).write(unit) };
                    written += 1;
                }
                heap.len = (len + written) as u64;
                return Ok(());
            }
        }
        let mut all = self.take_vec::<U>(count)?;
        all.extend(units.take(count));
        *self = Self::from_vec(all);
        Ok(())
    }

    #[cfg(test)]
    fn reserve_kind<U: Kind>(&mut self, more: usize) -> Result<(), TextTooLarge> {
        if self.tag() < HEAP && more <= U::INLINE_MAX - self.len() {
            return Ok(());
        }
        let units = self.take_vec::<U>(more)?;
        *self = Self::from_vec(units);
        Ok(())
    }

    /// Makes every unit `width` bytes, with room for `more`; a unit that needs the width must follow (T3).
    fn widen(&mut self, width: usize, more: usize) -> Result<(), TextTooLarge> {
        let len = self.len().checked_add(more).ok_or(TextTooLarge)?;
        *self = if width == 2 {
            let mut wide = Self::with_room::<u16>(len)?;
            wide.extend_same(self.len(), self.codes().map(|code| code as u16))?;
            wide
        } else {
            let mut wide = Self::with_room::<u32>(len)?;
            wide.extend_same(self.len(), self.codes())?;
            wide
        };
        Ok(())
    }
}

impl Heap {
    #[inline]
    fn capacity(&self) -> usize {
        (u64::from(self.capacity_low) | u64::from(self.capacity_high) << 32) as usize
    }
}

/// The width that what a view shows needs; a slice may be wider than that.
fn needed_width(view: TextView<'_>) -> usize {
    let largest = match view {
        TextView::Ascii(_) => 0,
        TextView::Ucs2(units) => units.iter().fold(0, |all, &unit| all | u32::from(unit)),
        TextView::Ucs4(units) => units.iter().copied().max().unwrap_or(0),
    };
    match largest {
        0..=0x7F => 1,
        0x80..=0xFFFF => 2,
        _ => 4,
    }
}

/// Appends a code point as UTF-8, surrogates as if they were characters.
pub(crate) fn push_wtf8(bytes: &mut Vec<u8>, code: u32) {
    let tail = |shift: u32| 0x80 | (code >> shift & 0x3F) as u8;
    match code {
        0..0x80 => bytes.push(code as u8),
        0x80..0x800 => bytes.extend([0xC0 | (code >> 6) as u8, tail(0)]),
        0x800..0x10000 => bytes.extend([0xE0 | (code >> 12) as u8, tail(6), tail(0)]),
        _ => bytes.extend([0xF0 | (code >> 18) as u8, tail(12), tail(6), tail(0)]),
    }
}

/// The hash of bytes for a seed; an ASCII text and its bytes have the same. Never -1; 0 only for no bytes, and where a watch ([`super::pace`]) broke it off.
#[inline]
pub(crate) fn hash_bytes(bytes: &[u8], seed: u64) -> i64 {
    if bytes.is_empty() {
        return 0;
    }
    let mut hasher = foldhash::quality::FixedState::with_seed(seed).build_hasher();
    if bytes.len() <= pace::PIECE {
        hasher.write(bytes);
    } else {
        let mut n_hashed = 0;
        for piece in pace::pieces(bytes) {
            hasher.write(piece);
            n_hashed += piece.len();
        }
        if n_hashed < bytes.len() {
            return 0;
        }
    }
    match hasher.finish() as i64 {
        -1 => -2,
        0 => 1,
        hash => hash,
    }
}

impl Drop for Text {
    #[inline]
    fn drop(&mut self) {
        #[inline(never)]
        fn free(heap: &Heap) {
            /// # Safety
            /// The parts are those of a vector of `U` that is owned alone and not used again.
            unsafe fn free_units<U>(heap: &Heap) {
                let units = heap.ptr.cast::<U>().as_ptr();
                // SAFETY: the caller's promise.
                drop(unsafe { Vec::from_raw_parts(units, 0, heap.capacity()) });
            }
            match heap.tag {
                // SAFETY: the tag says bytes, and the text is being dropped (T2).
                <u8 as Kind>::HEAP => unsafe { free_units::<u8>(heap) },
                // SAFETY: as above, two-byte units.
                <u16 as Kind>::HEAP => unsafe { free_units::<u16>(heap) },
                // SAFETY: as above, four-byte units.
                _ => unsafe { free_units::<u32>(heap) },
            }
        }
        if self.tag() >= HEAP {
            // SAFETY: the tag says heap (T2).
            free(unsafe { &self.0.heap });
        }
    }
}

impl Clone for Text {
    #[inline]
    fn clone(&self) -> Self {
        if self.tag() < HEAP {
            // SAFETY: an inline text owns nothing, so its bytes may be copied.
            return Self(Storage { inline: unsafe { self.0.inline } });
        }
        with_units!(self.view(), |units| Self::from_canonical(units))
    }
}

impl Default for Text {
    #[inline]
    fn default() -> Self {
        Self::new()
    }
}

impl From<&str> for Text {
    #[inline]
    fn from(string: &str) -> Self {
        if string.is_ascii() { Self::from_canonical(string.as_bytes()) } else { Self::from_wide_str(string) }
    }
}

impl From<String> for Text {
    fn from(string: String) -> Self {
        Self::from_string(string)
    }
}

impl From<char> for Text {
    fn from(char: char) -> Self {
        Self::from_char(char)
    }
}

impl From<TextView<'_>> for Text {
    fn from(view: TextView<'_>) -> Self {
        Self::from_view(view)
    }
}

impl PartialEq for Text {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        match (self.view(), other.view()) {
            // Most texts that are compared differ in their lengths or first characters.
            (TextView::Ascii(left), TextView::Ascii(right)) => left.len() == right.len() && left.first() == right.first() && left == right,
            (TextView::Ucs2(left), TextView::Ucs2(right)) => left == right,
            (TextView::Ucs4(left), TextView::Ucs4(right)) => left == right,
            // Equal texts have equal kinds (T3).
            _ => false,
        }
    }
}

impl Eq for Text {}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.view().equals_str(other)
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.view().equals_str(other)
    }
}

/// By code points, as Python compares.
impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        self.view().cmp(&other.view())
    }
}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl std::hash::Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_i64(Text::hash(self, 0));
    }
}

/// Shows lone surrogates as U+FFFD.
impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.view(), f)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.view(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLES: &[&str] = &[
        "",
        "a",
        "exactly twenty-three by",
        "exactly twenty-four byte",
        "é",
        "elf Zeiché!",
        "zwölf Zeiche",
        "zwölf Zeichen und mehr",
        "😀",
        "😀😀😀😀😀",
        "😀😀😀😀😀😀",
        "mixed é and 😀 text that is long enough",
        "a long text of ASCII that never stands inline in the value",
    ];

    #[test]
    fn every_text_reads_back_what_it_was_made_of() {
        for sample in SAMPLES {
            let text = Text::from(*sample);
            assert_eq!(text.to_utf8().as_deref(), Ok(*sample));
            assert_eq!(text.len(), sample.chars().count());
            assert_eq!(text.clone(), text);
            assert_eq!(Text::from_string((*sample).to_owned()), text);
            assert_eq!(Text::from_code_points(sample.chars().map(u32::from)), text);
            assert_eq!(&*text.to_wtf8(), sample.as_bytes());
        }
    }

    #[test]
    fn concatenation_widens_and_slicing_narrows() {
        for left in SAMPLES {
            for right in SAMPLES {
                let both = Text::from(format!("{left}{right}"));
                let (left, right) = (Text::from(*left), Text::from(*right));
                assert_eq!(left.concat(&right), Ok(both.clone()));
                let mut grown = left.clone();
                grown.push_text(&right);
                assert_eq!(grown, both);
                assert_eq!(both.slice(0, left.len()), left);
                assert_eq!(both.slice(left.len(), both.len()), right);
                let mut from_slice = left.clone();
                from_slice.try_push_view(both.view().slice(left.len(), both.len())).unwrap();
                assert_eq!(from_slice, both);
                assert_eq!(left.cmp(&right), left.to_string().cmp(&right.to_string()));
            }
        }
    }

    #[test]
    fn growing_by_characters_keeps_every_character() {
        let mut text = Text::new();
        let mut expected = String::new();
        for step in 0..400_u32 {
            let char = match step {
                0..100 => 'x',
                100..200 => 'é',
                _ => '😀',
            };
            text.push_char(char);
            expected.push(char);
            assert_eq!(text.len(), expected.chars().count());
        }
        assert_eq!(text.to_string(), expected);
        text.try_reserve(1000).unwrap();
        assert!(text.heap_size() >= 4 * 1400);
    }

    #[test]
    fn repetition_of_absurd_size_fails_instead_of_aborting() {
        let text = Text::from("ab");
        assert_eq!(text.repeat(3).unwrap(), "ababab");
        assert_eq!(text.repeat(0).unwrap(), "");
        assert_eq!(text.repeat(usize::MAX), Err(TextTooLarge));
        assert_eq!(text.repeat(1 << 50), Err(TextTooLarge));
        assert_eq!(Text::from("é😀").repeat(30).unwrap(), "é😀".repeat(30).as_str());
    }

    #[test]
    fn steps_pick_characters_in_both_directions() {
        let text = Text::from("0123é5");
        assert_eq!(text.slice_step(0, 2, 2), "02");
        assert_eq!(text.slice_step(5, -1, 6), "5é3210");
        assert!(text.slice_step(0, 2, 2).is_ascii());
    }

    #[test]
    fn lone_surrogates_are_kept_and_strict_utf8_refuses_them() {
        let text = Text::from_code_points([0x61, 0xD800, 0x62]);
        assert_eq!(text.to_utf8(), Err(1));
        assert_eq!(text.to_utf8_lossy(), "a\u{FFFD}b");
        assert_eq!(&*text.to_wtf8(), b"a\xED\xA0\x80b");
    }

    #[test]
    fn hashes_depend_on_seed_and_content() {
        let text = Text::from("spam");
        assert_eq!(text.hash(1), Text::from_string("spam".to_owned()).hash(1));
        assert_eq!(text.hash(1), hash_bytes(b"spam", 1));
        assert_ne!(text.hash(1), text.hash(2));
        assert_ne!(text.hash(1), Text::from("spam\0").hash(1));
        assert_eq!(Text::new().hash(7), 0);
        assert!(![0, -1].contains(&Text::from("a").hash(0)));
    }
}
