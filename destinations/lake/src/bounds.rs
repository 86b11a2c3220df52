//! Between which values the first column of a key lies, so that most files need not be opened.
//!
//! Deliberately absent: types whose order is not worth a rule here. Rows of these have no bounds,
//! which means that they may be anywhere.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
    UInt64Type,
};
use arrow_array::{Array, ArrayRef, ArrowNativeTypeOp};
use arrow_schema::{DataType as Arrow, TimeUnit};
use serde::{Deserialize, Serialize};

/// Characters of a text that are kept.
const PREFIX: usize = 64;

/// The least and the greatest value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bounds {
    /// Of whole numbers, days and moments.
    Numbers {
        /// The least.
        min: i128,
        /// The greatest.
        max: i128,
    },
    /// Of texts, cut after some characters.
    Texts {
        /// The least, or what it begins with.
        from: String,
        /// What the greatest begins with.
        to: String,
    },
}

impl Bounds {
    /// The bounds of the values in `array`; `None` where they may be anything.
    pub(crate) fn of(array: &ArrayRef) -> Option<Self> {
        match array.data_type() {
            Arrow::Int16 => numbers::<Int16Type>(array),
            Arrow::Int32 => numbers::<Int32Type>(array),
            Arrow::Int64 => numbers::<Int64Type>(array),
            Arrow::UInt64 => numbers::<UInt64Type>(array),
            Arrow::Date32 => numbers::<Date32Type>(array),
            Arrow::Timestamp(TimeUnit::Microsecond, _) => {
                numbers::<TimestampMicrosecondType>(array)
            }
            Arrow::Utf8 => texts(array),
            _ => None,
        }
    }

    /// The bounds of both.
    pub(crate) fn join(self, other: Self) -> Option<Self> {
        match (self, other) {
            (
                Self::Numbers { min, max },
                Self::Numbers {
                    min: least,
                    max: greatest,
                },
            ) => Some(Self::Numbers {
                min: min.min(least),
                max: max.max(greatest),
            }),
            (
                Self::Texts { from, to },
                Self::Texts {
                    from: least,
                    to: greatest,
                },
            ) => Some(Self::Texts {
                from: from.min(least),
                to: to.max(greatest),
            }),
            (Self::Numbers { .. }, Self::Texts { .. })
            | (Self::Texts { .. }, Self::Numbers { .. }) => None,
        }
    }

    /// Whether one value may lie between both.
    pub(crate) fn may_meet(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Numbers { min, max },
                Self::Numbers {
                    min: least,
                    max: greatest,
                },
            ) => min <= greatest && least <= max,
            (
                Self::Texts { from, to },
                Self::Texts {
                    from: least,
                    to: greatest,
                },
            ) => begins_below(from, greatest) && begins_below(least, to),
            (Self::Numbers { .. }, Self::Texts { .. })
            | (Self::Texts { .. }, Self::Numbers { .. }) => true,
        }
    }
}

/// Whether some text that begins with `to` may be `from` or greater.
fn begins_below(from: &str, to: &str) -> bool {
    from <= to || from.starts_with(to)
}

/// The bounds of what is collected piece by piece; once anything may be in it, it stays so.
#[derive(Clone, Debug, Default)]
pub(crate) enum Reach {
    /// Nothing yet.
    #[default]
    Nothing,
    /// So far.
    Within(Bounds),
    /// Anything.
    Anywhere,
}

impl Reach {
    /// Takes the values of `array` in; `None` where the table has no key.
    pub(crate) fn extend(&mut self, array: Option<&ArrayRef>) {
        let Some(array) = array else {
            *self = Self::Anywhere;
            return;
        };
        if array.is_empty() {
            return;
        }
        *self = match (std::mem::take(self), Bounds::of(array)) {
            (Self::Nothing, Some(bounds)) => Self::Within(bounds),
            (Self::Within(so_far), Some(bounds)) => {
                so_far.join(bounds).map_or(Self::Anywhere, Self::Within)
            }
            (Self::Anywhere, _) | (_, None) => Self::Anywhere,
        };
    }

    /// The bounds, where there are any.
    pub(crate) fn bounds(&self) -> Option<&Bounds> {
        match self {
            Self::Within(bounds) => Some(bounds),
            Self::Nothing | Self::Anywhere => None,
        }
    }
}

fn numbers<T: ArrowPrimitiveType>(array: &ArrayRef) -> Option<Bounds>
where
    T::Native: Into<i128>,
{
    let array = array.as_primitive::<T>();
    if array.null_count() > 0 {
        return None;
    }
    let (first, rest) = array.values().split_first()?;
    let (mut min, mut max) = (*first, *first);
    for value in rest {
        min = if value.is_lt(min) { *value } else { min };
        max = if value.is_gt(max) { *value } else { max };
    }
    Some(Bounds::Numbers {
        min: min.into(),
        max: max.into(),
    })
}

fn texts(array: &ArrayRef) -> Option<Bounds> {
    let array = array.as_string::<i32>();
    if array.null_count() > 0 {
        return None;
    }
    let mut values = array.iter().flatten();
    let first = values.next()?;
    let (min, max) = values.fold((first, first), |(min, max), value| {
        (min.min(value), max.max(value))
    });
    Some(Bounds::Texts {
        from: cut(min),
        to: cut(max),
    })
}

fn cut(text: &str) -> String {
    text.chars().take(PREFIX).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Float64Array, Int64Array, StringArray, UInt64Array};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_has_no_order_here_may_be_anywhere() {
        let mut reach = Reach::default();
        let ints: ArrayRef = Arc::new(Int64Array::from(vec![3, -7]));
        reach.extend(Some(&ints));
        assert_eq!(reach.bounds(), Some(&Bounds::Numbers { min: -7, max: 3 }));
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![0.5]));
        reach.extend(Some(&floats));
        reach.extend(Some(&ints));
        assert_eq!(reach.bounds(), None);
        let nulls: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
        assert_eq!(Bounds::of(&nulls), None);
        let big: ArrayRef = Arc::new(UInt64Array::from(vec![u64::MAX]));
        let max = i128::from(u64::MAX);
        assert_eq!(Bounds::of(&big), Some(Bounds::Numbers { min: max, max }));
    }

    proptest! {
        #[test]
        fn sets_that_share_a_text_may_meet(
            shared in "[ab]{60,70}",
            one in prop::collection::vec("[ab]{60,70}", 0..4),
            other in prop::collection::vec("[ab]{60,70}", 0..4),
        ) {
            let of = |mut texts: Vec<String>| {
                texts.push(shared.clone());
                Bounds::of(&(Arc::new(StringArray::from(texts)) as ArrayRef)).unwrap()
            };
            prop_assert!(of(one).may_meet(&of(other)));
        }

        #[test]
        fn sets_that_share_a_number_may_meet(shared: i64, one: Vec<i64>, other: Vec<i64>) {
            let of = |mut values: Vec<i64>| {
                values.push(shared);
                Bounds::of(&(Arc::new(Int64Array::from(values)) as ArrayRef)).unwrap()
            };
            prop_assert!(of(one).may_meet(&of(other)));
        }
    }

    #[test]
    fn sets_apart_do_not_meet() {
        let of = |values: Vec<&str>| {
            Bounds::of(&(Arc::new(StringArray::from(values)) as ArrayRef)).unwrap()
        };
        assert!(!of(vec!["a", "b"]).may_meet(&of(vec!["c", "d"])));
        assert!(!of(vec!["c", "d"]).may_meet(&of(vec!["a", "b"])));
    }
}
