#![allow(clippy::unwrap_used)]

use std::io::{Seek, SeekFrom, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use serde_json::{Value, json};
use zip::write::SimpleFileOptions;

use super::pieces::Piece;
use super::*;
use crate::manifest::stream::Decode;
use crate::path::Path;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = GzEncoder::new(Vec::new(), Compression::best());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        let options = SimpleFileOptions::default();
        match name.ends_with('/') {
            true => writer.add_directory(*name, options).unwrap(),
            false => writer.start_file(*name, options).unwrap(),
        }
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// The pages of an answer, read to its end.
fn pages(body: impl Into<Body>, decode: &[Decode], cut: Cut) -> Result<Vec<Piece>, Unfit> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut pieces = Pieces::open(body.into(), decode, cut).await?;
        let mut found = Vec::new();
        while let Some(piece) = pieces.next().await? {
            found.push(piece);
        }
        Ok(found)
    })
}

fn at(path: &str) -> Cut {
    Cut::At(Path::parse(path))
}

/// The values of the lists that pages are.
fn listed(pages: &[Piece]) -> Vec<Value> {
    let lists = pages
        .iter()
        .map(|page| serde_json::from_str::<Vec<Value>>(&page.text).unwrap());
    lists.flatten().collect()
}

fn rows(count: usize) -> Vec<Value> {
    (0..count)
        .map(|row| json!({"id": row, "note": format!("é {row} \"\n")}))
        .collect()
}

fn ndjson(rows: &[Value]) -> Vec<u8> {
    let lines: Vec<String> = rows.iter().map(Value::to_string).collect();
    lines.join("\n").into_bytes()
}

#[test]
fn lines_and_tables_become_lists_and_large_ones_several() {
    let rows = rows(300);
    let lines = ndjson(&rows);
    let packed = [gzip(&lines[..5000]), gzip(&lines[5000..])].concat();
    for (body, decode) in [
        (lines.clone(), &[Decode::Ndjson][..]),
        (packed, &[Decode::Gzip, Decode::Ndjson]),
        // What was packed on the way only has been unpacked already.
        (lines, &[Decode::Gzip, Decode::Ndjson]),
    ] {
        let pages = pages(body, decode, at("")).unwrap();
        assert!(pages.len() > 3 && pages.iter().all(|page| page.is_proved));
        assert!(
            pages
                .iter()
                .rev()
                .skip(1)
                .all(|page| !page.is_last && page.text.len() < 2 * HELD)
        );
        assert!(pages.last().unwrap().is_last);
        assert_eq!(listed(&pages), rows);
    }
    let heading = "\u{feff}\"id\",name,name,\n";
    let table: String = (0..400)
        .map(|row| format!("{row},\"x, \"\"{row}\"\"\",é,\n"))
        .collect();
    let pages = pages(
        (heading.to_owned() + &table).into_bytes(),
        &[Decode::Csv],
        at(""),
    )
    .unwrap();
    assert!(pages.len() > 3);
    let found = listed(&pages);
    assert_eq!(found.len(), 400);
    assert_eq!(
        found[7],
        json!({"id": "7", "name": "x, \"7\"", "name_2": "é", "column_4": ""})
    );
}

#[test]
fn an_archive_is_its_files_one_after_the_other() {
    let all = rows(90);
    let (first, second) = (ndjson(&all[..50]), ndjson(&all[50..]));
    let files = [
        ("data/", &b""[..]),
        ("data/1.json.gz", &gzip(&first)),
        ("__MACOSX/data/._1", b"nothing of ours"),
        ("data/2.json.gz", &gzip(&second)),
    ];
    let decode = [Decode::Zip, Decode::Gzip, Decode::Ndjson];
    for cut in [at(""), Cut::Never] {
        assert_eq!(listed(&pages(zip(&files), &decode, cut).unwrap()), all);
    }
    let one = zip(&[("a.csv", b"a,b\n1,2\n")]);
    let found = pages(one, &[Decode::Zip, Decode::Csv], at("")).unwrap();
    assert_eq!(listed(&found), [json!({"a": "1", "b": "2"})]);
    let documents = zip(&[("a.json", b"{\"data\":[1]}"), ("b.json", b"{\"data\":[2]}")]);
    let found = pages(documents.clone(), &[Decode::Zip], at("data")).unwrap();
    assert_eq!(found.len(), 2);
    assert!(matches!(
        pages(documents, &[Decode::Zip], Cut::Never),
        Err(Unfit::Refused(_))
    ));
    let none = zip(&[("data/", b"")]);
    let found = pages(none, &[Decode::Zip, Decode::Csv], at("data")).unwrap();
    assert_eq!((found.len(), listed(&found).len()), (1, 0));
}

#[test]
fn what_is_not_whole_is_broken() {
    let lines = ndjson(&rows(200));
    let packed = gzip(&lines);
    let archive = zip(&[("a.json", &lines)]);
    let mut garbled = archive.clone();
    garbled[200] ^= 0x55;
    for (body, decode) in [
        (lines[..lines.len() - 1].to_vec(), &[Decode::Ndjson][..]),
        (
            packed[..packed.len() - 9].to_vec(),
            &[Decode::Gzip, Decode::Ndjson],
        ),
        (
            packed[..packed.len() - 4].to_vec(),
            &[Decode::Gzip, Decode::Ndjson],
        ),
        (
            archive[..archive.len() - 9].to_vec(),
            &[Decode::Zip, Decode::Ndjson],
        ),
        (garbled, &[Decode::Zip, Decode::Ndjson]),
        (lines.clone(), &[Decode::Zip, Decode::Ndjson]),
        (b"a,b\n1\n".to_vec(), &[Decode::Csv]),
        (b"a,b\n1,\xff\n".to_vec(), &[Decode::Csv]),
        (vec![0xff, 0xfe], &[]),
        (vec![b'x'; 3 * HELD], &[]),
    ] {
        let found = pages(body, decode, at(""));
        assert!(
            matches!(found, Err(Unfit::Broken(_))),
            "{decode:?}: {found:?}"
        );
    }
    for empty in [&[Decode::Ndjson][..], &[Decode::Csv]] {
        assert_eq!(listed(&pages(Vec::new(), empty, at("")).unwrap()).len(), 0);
    }
}

#[test]
fn what_unpacks_to_too_much_is_refused() {
    let line = [&b"{\"a\":\""[..], &[b'x'; 2000], b"\"}\n"].concat();
    let bomb = gzip(&line.repeat(700));
    let table = gzip(&[&b"a\n"[..], &b"xxxxxxxxx\n".repeat(140_000)].concat());
    let quote = gzip(&[&b"a\n\""[..], &vec![b'x'; 200_000]].concat());
    let record = gzip(&[&b"{\"a\":\""[..], &vec![b'x'; 200_000], b"\"}"].concat());
    let archived = zip(&[("a", &line.repeat(300)), ("b", &line.repeat(300))]);
    for (body, decode) in [
        (bomb, &[Decode::Gzip, Decode::Ndjson][..]),
        (table, &[Decode::Gzip, Decode::Csv]),
        (quote, &[Decode::Gzip, Decode::Csv]),
        (record.clone(), &[Decode::Gzip, Decode::Ndjson]),
        (record, &[Decode::Gzip]),
        (archived, &[Decode::Zip, Decode::Ndjson]),
    ] {
        let found = pages(body, decode, at(""));
        assert!(
            matches!(found, Err(Unfit::Refused(_))),
            "{decode:?}: {found:?}"
        );
    }
}

#[tokio::test]
async fn a_large_answer_goes_through_a_file() {
    let all = rows(500);
    let text = json!({"data": all, "more": false}).to_string();
    let mut spool = Spool::expecting(None);
    for chunk in text.as_bytes().chunks(700) {
        spool.add(chunk).await.unwrap();
    }
    assert_eq!(spool.len(), text.len() as u64);
    let body = spool.finish().await.unwrap();
    let Body::Spilled(file) = &body else {
        panic!("it is in memory");
    };
    let mut file = file.try_clone().unwrap();
    assert_eq!(file.seek(SeekFrom::End(0)).unwrap(), text.len() as u64);
    let mut pieces = Pieces::open(body, &[], at("data")).await.unwrap();
    let mut found = Vec::new();
    while let Some(piece) = pieces.next().await.unwrap() {
        assert!(piece.text.len() < 2 * HELD);
        let page: Value = serde_json::from_str(&piece.text).unwrap();
        assert_eq!(page.get("more").is_some(), piece.is_last);
        found.extend(page["data"].as_array().unwrap().clone());
    }
    assert_eq!(found, all);
}

/// Fields around a list, some before it and some after it.
fn documents() -> impl Strategy<Value = (String, Vec<Value>, Value)> {
    let text = ".{0,60}";
    let record = (any::<i64>(), text, any::<Option<f64>>())
        .prop_map(|(a, b, c)| json!([a, {"b": b, "c": [c, {}]}]));
    let records = prop::collection::vec(record, 0..120);
    (records, text, text, any::<bool>()).prop_map(|(records, before, after, pretty)| {
        let document = json!({"a": before, "m": {"data": records, "n": [1]}, "z": {"data": after}});
        let written = match pretty {
            true => serde_json::to_string_pretty(&document),
            false => serde_json::to_string(&document),
        };
        let mut around: Value = serde_json::from_str(&written.as_ref().unwrap().clone()).unwrap();
        let records = around["m"]["data"].take();
        (
            written.unwrap(),
            records.as_array().unwrap().clone(),
            around,
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_document_and_its_pages_hold_the_same((text, records, around) in documents()) {
        let pages = pages(text.into_bytes(), &[Decode::Gzip, Decode::Json], at("m.data")).unwrap();
        let mut found = Vec::new();
        for page in &pages {
            let mut page_value: Value = serde_json::from_str(&page.text).unwrap();
            let some = page_value["m"]["data"].take();
            found.extend(some.as_array().unwrap().clone());
            if page.is_last {
                prop_assert_eq!(&page_value, &around);
            }
        }
        prop_assert_eq!(found, records);
    }

    #[test]
    fn a_document_that_breaks_off_has_no_pages((text, _, _) in documents(), cut in any::<prop::sample::Index>()) {
        let bytes = text.as_bytes();
        let cut = cut.index(bytes.len());
        let found = pages(bytes[..cut].to_vec(), &[Decode::Gzip, Decode::Json], at("m.data"));
        prop_assert!(found.is_err());
    }
}
