//! Metric paths, such as `users.17.loads`, which are joined from their parts on the stack.
#![allow(unnameable_types)]

use arrayvec::ArrayString;
use std::borrow::Cow;
use std::fmt::{self, Display, Write};

/// Metric path: a text, an integer, or several parts that are joined by dots.
///
/// Parts are the elements of a tuple of up to eight, of an array or of a slice. A part may be of any
/// type with `Display`, and may contain dots. Empty parts are omitted. Characters that a path cannot
/// contain are replaced by `_`, as in any name. Paths of up to 256 bytes are joined without an
/// allocation.
///
/// ```
/// # let statsd = freewheel::tower::Statsd::new(freewheel::Connector::disabled());
/// let user = 17;
/// statsd.increase_counter("logins", 1);                 // counters.logins
/// statsd.increase_counter(("logins", user, "web"), 1);  // counters.logins.17.web
/// statsd.increase_counter(["logins", "web"], 1);        // counters.logins.web
/// ```
///
/// A part whose `Display` returns an error makes the whole path empty, and the line is counted as
/// [invalid](crate::Drops::invalid).
///
/// This trait is sealed. A value of any other type with `Display` can be the only part: `(value,)`.
pub trait MetricPath: sealed::Sealed {}

pub(crate) mod sealed {
    pub trait Sealed {
        fn write(&self, path: &mut super::PathText) -> std::fmt::Result;
    }
}

/// Text of a metric path, which needs no allocation if it is short.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "most paths are short, and must not be allocated")]
pub enum PathText {
    Short(ArrayString<256>),
    Long(String),
}

impl PathText {
    /// Formats a metric path as text. The text is empty if a part of the path cannot be formatted.
    pub(crate) fn new(path: &(impl MetricPath + ?Sized)) -> Self {
        let mut text = Self::Short(ArrayString::new_const());
        if path.write(&mut text).is_err() {
            text.truncate(0);
        }
        text
    }

    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Short(text) => text,
            Self::Long(text) => text,
        }
    }

    pub(crate) fn push_str(&mut self, piece: &str) {
        match self {
            Self::Short(text) => {
                if text.try_push_str(piece).is_err() {
                    *self = Self::Long([text, piece].concat());
                }
            }
            Self::Long(text) => text.push_str(piece),
        }
    }

    fn truncate(&mut self, len: usize) {
        match self {
            Self::Short(text) => text.truncate(len),
            Self::Long(text) => text.truncate(len),
        }
    }

    /// Appends a part to the path, after a dot unless it is the first part. An empty part is
    /// omitted.
    pub(crate) fn push_part(&mut self, part: impl Display) -> fmt::Result {
        let before = self.as_str().len();
        if before > 0 {
            self.push_str(".");
        }
        let start = self.as_str().len();
        write!(self, "{part}")?;
        if self.as_str().len() == start {
            self.truncate(before);
        }
        Ok(())
    }
}

impl Write for PathText {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        self.push_str(piece);
        Ok(())
    }
}

impl<T: MetricPath + ?Sized> MetricPath for &T {}
impl<T: MetricPath + ?Sized> sealed::Sealed for &T {
    fn write(&self, path: &mut PathText) -> fmt::Result {
        (**self).write(path)
    }
}

macro_rules! texts {
    ($($type:ty)*) => {$(
        impl MetricPath for $type {}
        impl sealed::Sealed for $type {
            fn write(&self, path: &mut PathText) -> fmt::Result {
                path.push_str(self);
                Ok(())
            }
        }
    )*};
}

texts!(str String Box<str> std::sync::Arc<str> Cow<'_, str>);

impl MetricPath for PathText {}
impl sealed::Sealed for PathText {
    fn write(&self, path: &mut PathText) -> fmt::Result {
        path.push_str(self.as_str());
        Ok(())
    }
}

macro_rules! displayed {
    ($($type:ty)*) => {$(
        impl MetricPath for $type {}
        impl sealed::Sealed for $type {
            fn write(&self, path: &mut PathText) -> fmt::Result {
                write!(path, "{self}")
            }
        }
    )*};
}

displayed!(fmt::Arguments<'_> u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize char bool);

impl<T: Display> MetricPath for [T] {}
impl<T: Display> sealed::Sealed for [T] {
    fn write(&self, path: &mut PathText) -> fmt::Result {
        self.iter().try_for_each(|part| path.push_part(part))
    }
}

impl<T: Display, const N: usize> MetricPath for [T; N] {}
impl<T: Display, const N: usize> sealed::Sealed for [T; N] {
    fn write(&self, path: &mut PathText) -> fmt::Result {
        self[..].write(path)
    }
}

macro_rules! tuples {
    ($($($part:ident)+;)*) => {$(
        impl<$($part: Display),+> MetricPath for ($($part,)+) {}
        impl<$($part: Display),+> sealed::Sealed for ($($part,)+) {
            #[allow(non_snake_case)]
            fn write(&self, path: &mut PathText) -> fmt::Result {
                let ($($part,)+) = self;
                $(path.push_part($part)?;)+
                Ok(())
            }
        }
    )*};
}

tuples! {
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
    A B C D E F G;
    A B C D E F G H;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(path: impl MetricPath) -> String {
        PathText::new(&path).as_str().to_owned()
    }

    #[test]
    fn parts_of_any_displayable_kind_are_joined_by_dots() {
        assert_eq!(text("a"), "a");
        assert_eq!(text(17), "17");
        assert_eq!(text(("a", 17, 'c', 2.5, String::from("e"))), "a.17.c.2.5.e");
        assert_eq!(text((1, 2, 3, 4, 5, 6, 7, 8)), "1.2.3.4.5.6.7.8");
        assert_eq!(text(["a", "b"]), "a.b");
        assert_eq!(text(&["a", "b"][..]), "a.b");
        assert_eq!(text((std::net::Ipv4Addr::LOCALHOST,)), "127.0.0.1");
        assert_eq!(text(format_args!("{}-{}", 1, 2)), "1-2");
    }

    #[test]
    fn empty_parts_are_left_out() {
        assert_eq!(text(("", "a", "", "b", "")), "a.b");
        assert_eq!(text(("", "")), "");
        assert_eq!(text(""), "");
    }

    #[test]
    fn a_path_is_whole_however_long() {
        for len in 250..262 {
            let part = "é".repeat(len / 2);
            assert_eq!(text((&part, "end", &part)), format!("{part}.end.{part}"));
            assert!(matches!(PathText::new(&part), PathText::Short(_)) == (part.len() <= 256));
        }
    }

    #[test]
    fn failing_part_makes_the_path_empty() {
        struct FailingDisplay;
        impl Display for FailingDisplay {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("half")?;
                Err(fmt::Error)
            }
        }
        assert_eq!(text(("a", FailingDisplay, "b")), "");
    }
}
