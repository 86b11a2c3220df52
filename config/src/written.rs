//! Values that people write as text in a form of its own: `5m`, `22:00-06:00`, `Europe/Berlin`.

/// Lets a type be read from such a text, and tells the schema the name of the form, with examples.
macro_rules! written {
    ($type:ident, $format:expr, $read:expr $(, [$($example:literal),+ $(,)?])?) => {
        impl<'de> ::serde::Deserialize<'de> for $type {
            fn deserialize<D: ::serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <String as ::serde::Deserialize>::deserialize(from)?;
                $read(&text).map_err(::serde::de::Error::custom)
            }
        }

        impl ::schemars::JsonSchema for $type {
            fn schema_name() -> ::std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut ::schemars::SchemaGenerator) -> ::schemars::Schema {
                ::schemars::json_schema!({
                    "type": "string",
                    "format": $format
                    $(, "examples": [$($example),+])?
                })
            }
        }
    };
}

pub(crate) use written;
