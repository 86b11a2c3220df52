//! Geometries as GeoJSON (RFC 7946), on request.
//!
//! The server stores four bytes of a reference system and well-known binary. Coordinates are written
//! as they are stored, which for geographic systems is longitude before latitude, as GeoJSON has them.

use tributary_model::Result;

use super::reader::{Reader, malformed};

/// Geometries within one another at most.
const DEPTH: u32 = 32;

const POINT: u32 = 1;
const LINE: u32 = 2;
const POLYGON: u32 = 3;
const POINTS: u32 = 4;
const LINES: u32 = 5;
const POLYGONS: u32 = 6;
const COLLECTION: u32 = 7;

/// Appends a stored geometry.
///
/// # Errors
/// Fails on what is no geometry.
pub(super) fn write_geojson(stored: &[u8], to: &mut Vec<u8>) -> Result<()> {
    let mut reader = Reader::new(stored);
    reader.take(4)?;
    geometry(&mut reader, DEPTH, to)?;
    match reader.is_empty() {
        true => Ok(()),
        false => Err(malformed("a geometry goes on behind its end")),
    }
}

/// Numbers of one byte order.
#[derive(Clone, Copy)]
struct Order {
    big: bool,
}

impl Order {
    fn number(self, reader: &mut Reader<'_>) -> Result<u32> {
        let bytes = [
            reader.byte()?,
            reader.byte()?,
            reader.byte()?,
            reader.byte()?,
        ];
        Ok(match self.big {
            true => u32::from_be_bytes(bytes),
            false => u32::from_le_bytes(bytes),
        })
    }

    fn double(self, reader: &mut Reader<'_>) -> Result<f64> {
        let bytes: [u8; 8] = reader
            .take(8)?
            .try_into()
            .map_err(|_| malformed("a coordinate has not 8 bytes"))?;
        Ok(match self.big {
            true => f64::from_be_bytes(bytes),
            false => f64::from_le_bytes(bytes),
        })
    }
}

/// What stands before a geometry: its byte order and its type.
fn head(reader: &mut Reader<'_>) -> Result<(Order, u32)> {
    let order = Order {
        big: match reader.byte()? {
            0 => true,
            1 => false,
            other => return Err(malformed(format!("a geometry has the byte order {other}"))),
        },
    };
    Ok((order, order.number(reader)?))
}

fn geometry(reader: &mut Reader<'_>, depth: u32, to: &mut Vec<u8>) -> Result<()> {
    let (order, kind) = head(reader)?;
    let (name, field) = match kind {
        POINT => ("Point", "coordinates"),
        LINE => ("LineString", "coordinates"),
        POLYGON => ("Polygon", "coordinates"),
        POINTS => ("MultiPoint", "coordinates"),
        LINES => ("MultiLineString", "coordinates"),
        POLYGONS => ("MultiPolygon", "coordinates"),
        COLLECTION => ("GeometryCollection", "geometries"),
        other => return Err(malformed(format!("a geometry has the type {other}"))),
    };
    to.extend_from_slice(format!("{{\"type\": \"{name}\", \"{field}\": ").as_bytes());
    if kind == COLLECTION {
        let deeper = depth
            .checked_sub(1)
            .ok_or_else(|| malformed("a geometry is nested too deep"))?;
        list(reader, order, to, |reader, to| geometry(reader, deeper, to))?;
    } else {
        coordinates(reader, order, kind, to)?;
    }
    to.push(b'}');
    Ok(())
}

fn coordinates(reader: &mut Reader<'_>, order: Order, kind: u32, to: &mut Vec<u8>) -> Result<()> {
    match kind {
        POINT => {
            let (x, y) = (order.double(reader)?, order.double(reader)?);
            if !x.is_finite() || !y.is_finite() {
                return Err(malformed("a coordinate is no number"));
            }
            to.extend_from_slice(format!("[{x}, {y}]").as_bytes());
            Ok(())
        }
        LINE => list(reader, order, to, |reader, to| {
            coordinates(reader, order, POINT, to)
        }),
        POLYGON => list(reader, order, to, |reader, to| {
            coordinates(reader, order, LINE, to)
        }),
        // Their parts are geometries of their own.
        POINTS | LINES | POLYGONS => list(reader, order, to, |reader, to| {
            let (order, part) = head(reader)?;
            match part == kind - 3 {
                true => coordinates(reader, order, part, to),
                false => Err(malformed("a geometry has parts of another type")),
            }
        }),
        other => Err(malformed(format!("a geometry has the type {other}"))),
    }
}

/// So many parts, each of which takes bytes: a count that lies ends at the end of the value. // G6
fn list<'a>(
    reader: &mut Reader<'a>,
    order: Order,
    to: &mut Vec<u8>,
    mut part: impl FnMut(&mut Reader<'a>, &mut Vec<u8>) -> Result<()>,
) -> Result<()> {
    to.push(b'[');
    for index in 0..order.number(reader)? {
        if index > 0 {
            to.extend_from_slice(b", ");
        }
        part(reader, to)?;
    }
    to.push(b']');
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(number: u32) -> Vec<u8> {
        number.to_le_bytes().to_vec()
    }

    fn point(x: f64, y: f64) -> Vec<u8> {
        [x.to_le_bytes(), y.to_le_bytes()].concat()
    }

    fn whole(kind: u32, body: &[u8]) -> Vec<u8> {
        [&[1][..], &number(kind), body].concat()
    }

    fn shown(binary: &[u8]) -> Result<String> {
        let mut to = Vec::new();
        write_geojson(&[&[0; 4], binary].concat(), &mut to)?;
        Ok(String::from_utf8(to).unwrap())
    }

    #[test]
    fn geometries_as_geojson() {
        let one = whole(POINT, &point(1.5, -2.0));
        assert_eq!(
            shown(&one).unwrap(),
            r#"{"type": "Point", "coordinates": [1.5, -2]}"#
        );
        let big = [
            &[0, 0, 0, 0, 1][..],
            &1.5_f64.to_be_bytes(),
            &0.1_f64.to_be_bytes(),
        ]
        .concat();
        assert_eq!(
            shown(&big).unwrap(),
            r#"{"type": "Point", "coordinates": [1.5, 0.1]}"#
        );
        let ring = [number(2), point(0.0, 0.0), point(4.0, 1e20)].concat();
        let polygon = whole(POLYGON, &[number(1), ring.clone()].concat());
        let told = r#"{"type": "Polygon", "coordinates": [[[0, 0], [4, 100000000000000000000]]]}"#;
        assert_eq!(shown(&polygon).unwrap(), told);
        let several = whole(LINES, &[number(1), whole(LINE, &ring)].concat());
        assert!(
            shown(&several)
                .unwrap()
                .starts_with(r#"{"type": "MultiLineString", "coordinates": [[[0, 0]"#)
        );
        let mixed = whole(
            COLLECTION,
            &[number(2), one.clone(), whole(COLLECTION, &number(0))].concat(),
        );
        assert_eq!(
            shown(&mixed).unwrap(),
            r#"{"type": "GeometryCollection", "geometries": [{"type": "Point", "coordinates": [1.5, -2]}, {"type": "GeometryCollection", "geometries": []}]}"#
        );
        assert!(serde_json::from_str::<serde_json::Value>(&shown(&several).unwrap()).is_ok());
    }

    #[test]
    fn nonsense_is_an_error() {
        assert!(
            shown(&whole(
                POINTS,
                &[number(1), whole(LINE, &number(0))].concat()
            ))
            .is_err()
        );
        assert!(shown(&whole(LINE, &number(u32::MAX))).is_err());
        assert!(shown(&whole(9, &[])).is_err());
        let deep = (0..100).fold(whole(COLLECTION, &number(0)), |inner, _| {
            whole(COLLECTION, &[number(1), inner].concat())
        });
        assert!(shown(&deep).is_err());
    }

    proptest! {
        #[test]
        fn garbage_never_panics(binary in proptest::collection::vec(0_u8..9, 0..100)) {
            let _ = shown(&binary);
        }
    }
}
