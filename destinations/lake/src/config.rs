//! The settings of a lake.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tributary_model::{Error, ErrorKind, Fault, Result, Secret, TableName};
use tributary_store::{Access, Encryption, bucket_of};
use url::Url;

use crate::iceberg::{self, CatalogSettings};
use crate::partition::Term;

/// A lake: a folder or a bucket of files, made readable for anything that reads Parquet.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the files are: `./folder`, `file:///folder` or `s3://bucket/prefix`.
    pub(crate) url: String,
    /// For S3: the region; by default the environment's.
    #[serde(default)]
    pub(crate) region: Option<String>,
    /// For S3: the address of a store that is not AWS's, such as `http://localhost:9000`.
    #[serde(default)]
    pub(crate) endpoint: Option<String>,
    /// For S3: whether the bucket stands in the path instead of the host name, as most stores
    /// other than AWS need; by default where `endpoint` is given.
    #[serde(default)]
    pub(crate) path_style: Option<bool>,
    /// For S3: the access key; by default AWS's standard chain is asked (environment, profile,
    /// role).
    #[serde(default)]
    pub(crate) access_key_id: Option<String>,
    /// For S3: the secret of the access key.
    #[serde(default)]
    pub(crate) secret_access_key: Option<Secret>,
    /// For S3: the token of a temporary access key.
    #[serde(default)]
    pub(crate) session_token: Option<Secret>,
    /// For S3: a role to take on, as its ARN.
    #[serde(default)]
    pub(crate) role_arn: Option<String>,
    /// For S3: what the role asks others to know.
    #[serde(default)]
    pub(crate) external_id: Option<String>,
    /// For S3: how objects are encrypted where they are stored; by default as the bucket says.
    #[serde(default)]
    pub(crate) encryption: Option<Encryption>,
    /// For S3: the key of `encryption: kms`, as its ARN; by default AWS's own.
    #[serde(default)]
    pub(crate) kms_key: Option<String>,
    /// How tables are kept.
    #[serde(default)]
    pub(crate) format: Format,
    /// For `format: iceberg`: who knows the tables; by default a file of SQLite in the lake's folder.
    #[serde(default)]
    pub(crate) catalog: Option<CatalogSettings>,
    /// For `format: iceberg`: how many days `tributary maintain` keeps snapshots that queries may
    /// go back to; 5 by default.
    #[serde(default)]
    pub(crate) keep_snapshots_days: Option<u32>,
    /// By what tables are divided into folders: `tributary_date` (the day of the load, the
    /// default for Parquet; Iceberg's is none), a column, or `year(c)`, `month(c)`, `day(c)`, `hour(c)`, `truncate(n, c)`,
    /// `bucket(n, c)` of one. A table that lacks a column is not divided by it; `[]` divides none.
    #[serde(default)]
    pub(crate) partition_by: Option<Vec<String>>,
    /// How tables in the modes `merge` and `replace` are changed.
    #[serde(default)]
    pub(crate) merge: MergeBy,
    /// Settings for single tables, by `schema.table`.
    #[serde(default)]
    pub(crate) tables: BTreeMap<String, TableSettings>,
}

/// Settings for one table.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TableSettings {
    /// By what the table is divided into folders, instead of the lake's `partition_by`.
    #[serde(default)]
    pub(crate) partition_by: Option<Vec<String>>,
    /// How the table is changed, instead of the lake's `merge`.
    #[serde(default)]
    pub(crate) merge: Option<MergeBy>,
}

/// How a table of current rows is changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MergeBy {
    /// Files that hold changed rows are written anew without them: the files are the table.
    #[default]
    CopyOnWrite,
    /// Changes are added as they come, and a view tells what the rows are: for tables so large that
    /// changes all over them cost too much. Of Parquet only.
    ChangeLog,
    /// Files stay as they are, and files beside them name the rows that are no more, by their
    /// places. Of Iceberg only.
    PositionDeletes,
    /// Files stay as they are, and files beside them name the keys of rows that are no more: nothing is
    /// looked up, and readers pay for it. Of Iceberg only.
    EqualityDeletes,
}

/// How tables are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Format {
    /// A folder of Parquet files for each table.
    #[default]
    Parquet,
    /// Tables of Apache Iceberg, version 2.
    Iceberg,
}

/// Where a lake is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    /// A local folder.
    Folder(PathBuf),
    /// A bucket, and what all keys in it begin with: empty, or ending in a slash.
    Bucket {
        /// Its name.
        bucket: String,
        /// The beginning of all keys.
        prefix: String,
    },
}

impl Config {
    /// A lake at `url` with the usual settings.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            region: None,
            endpoint: None,
            path_style: None,
            access_key_id: None,
            secret_access_key: None,
            session_token: None,
            role_arn: None,
            external_id: None,
            encryption: None,
            kms_key: None,
            format: Format::default(),
            catalog: None,
            keep_snapshots_days: None,
            partition_by: None,
            merge: MergeBy::default(),
            tables: BTreeMap::new(),
        }
    }

    /// Where it is.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] where `url` names no place that a lake can be in.
    pub(crate) fn location(&self) -> Result<Location> {
        let unmeant = |why: &str| {
            Error::new(ErrorKind::Config, format!("`url: {}` {why}", self.url))
                .fix("Write `./folder`, `file:///folder` or `s3://bucket/prefix`.")
        };
        if self.url.trim().is_empty() {
            return Err(unmeant("names no place"));
        }
        let Some((scheme, _)) = self.url.split_once("://") else {
            return Ok(Location::Folder(PathBuf::from(&self.url)));
        };
        match scheme {
            "file" => {
                let url =
                    Url::parse(&self.url).map_err(|cause| unmeant("is no URL").because(cause))?;
                let path = url.to_file_path();
                path.map(Location::Folder)
                    .map_err(|()| unmeant("names no local folder"))
            }
            "s3" | "s3a" => {
                let named = bucket_of(&self.url);
                let (bucket, prefix) = named.ok_or_else(|| unmeant("names no bucket"))?;
                Ok(Location::Bucket { bucket, prefix })
            }
            _ => Err(unmeant("is neither a folder nor a bucket of S3")),
        }
    }

    /// The bucket that it is in, and as whom it is used.
    pub(crate) fn access(&self) -> Access {
        Access {
            url: self.url.clone(),
            region: self.region.clone(),
            endpoint: self.endpoint.clone(),
            path_style: self.path_style,
            access_key_id: self.access_key_id.clone(),
            secret_access_key: self.secret_access_key.clone(),
            session_token: self.session_token.clone(),
            role_arn: self.role_arn.clone(),
            external_id: self.external_id.clone(),
            encryption: self.encryption,
            kms_key: self.kms_key.clone(),
        }
    }

    /// By what `table` is divided, as written.
    pub(crate) fn partition_by(&self, table: &TableName) -> Result<Vec<Term>> {
        let own = self
            .own(table)
            .and_then(|settings| settings.partition_by.as_deref());
        match own.or(self.partition_by.as_deref()) {
            None if self.format == Format::Iceberg => Ok(Vec::new()),
            None => Ok(vec![Term::LoadDate]),
            Some(terms) => terms.iter().map(|term| term.parse()).collect(),
        }
    }

    /// How `table` is changed where it holds current rows.
    pub(crate) fn merge_by(&self, table: &TableName) -> MergeBy {
        self.own(table)
            .and_then(|settings| settings.merge)
            .unwrap_or(self.merge)
    }

    fn own(&self, table: &TableName) -> Option<&TableSettings> {
        self.tables.get(&table.to_string())
    }

    /// How long snapshots of Iceberg are kept.
    pub(crate) fn keep_snapshots(&self) -> Duration {
        Duration::from_hours(24 * u64::from(self.keep_snapshots_days.unwrap_or(5)))
    }

    /// Ways to change tables that the format does not have.
    fn merge_faults(&self) -> Vec<Fault> {
        let unfit = |merge: MergeBy| match (self.format, merge) {
            (Format::Iceberg, MergeBy::ChangeLog) => Some((
                "`merge: change_log` is about files of Parquet",
                "Write `merge: position_deletes`, which does for Iceberg what a change log does \
                 for Parquet, or `format: parquet`.",
            )),
            (Format::Parquet, MergeBy::PositionDeletes) => Some((
                "`merge: position_deletes` is about tables of Iceberg",
                "Write `merge: change_log`, which does for Parquet what position deletes do for \
                 Iceberg, or `format: iceberg`.",
            )),
            (Format::Parquet, MergeBy::EqualityDeletes) => Some((
                "`merge: equality_deletes` is about tables of Iceberg",
                "Write `merge: change_log`, which does for Parquet what equality deletes do for \
                 Iceberg, or `format: iceberg`.",
            )),
            (Format::Parquet, MergeBy::CopyOnWrite | MergeBy::ChangeLog)
            | (
                Format::Iceberg,
                MergeBy::CopyOnWrite | MergeBy::PositionDeletes | MergeBy::EqualityDeletes,
            ) => None,
        };
        let fault = |(message, fix): (&str, &str), at: &'static [&'static str]| {
            Fault::mistake(at, Error::new(ErrorKind::Config, message).fix(fix))
        };
        let of_lake = unfit(self.merge).map(|why| fault(why, &["merge"]));
        let of_tables = self.tables.values().filter_map(|table| table.merge);
        let of_tables = of_tables
            .filter_map(unfit)
            .map(|why| fault(why, &["tables"]));
        of_lake.into_iter().chain(of_tables).collect()
    }

    /// What can't be meant.
    pub(crate) fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let location = self.location();
        let in_folder = matches!(location, Ok(Location::Folder(_)));
        faults.extend(location.err().map(|error| Fault::mistake(&["url"], error)));
        let parse = |terms: &Option<Vec<String>>| -> Option<Error> {
            let terms = terms.iter().flatten();
            terms.map(|term| term.parse::<Term>()).find_map(Result::err)
        };
        faults.extend(
            parse(&self.partition_by).map(|error| Fault::mistake(&["partition_by"], error)),
        );
        let of_tables = self
            .tables
            .values()
            .filter_map(|table| parse(&table.partition_by));
        faults.extend(of_tables.map(|error| Fault::mistake(&["tables"], error)));
        if self.catalog.is_some() && self.format != Format::Iceberg {
            let error = Error::new(ErrorKind::Config, "`catalog` is about tables of Iceberg")
                .fix("Leave it out, or write `format: iceberg`.");
            faults.push(Fault::mistake(&["catalog"], error));
        }
        if self.format == Format::Iceberg {
            let at: &'static [&'static str] = match self.catalog {
                Some(_) => &["catalog"],
                None => &[],
            };
            faults.extend(iceberg::fault(self).map(|error| Fault::mistake(at, error)));
        }
        faults.extend(self.merge_faults());
        if self.access_key_id.is_some() != self.secret_access_key.is_some() {
            let error = Error::new(
                ErrorKind::Config,
                "`access_key_id` and `secret_access_key` belong together, and one is missing",
            )
            .fix("Give both, or none to use AWS's standard chain.");
            faults.push(Fault::mistake(&[], error));
        }
        let given: [(&'static [&'static str], bool); 10] = [
            (&["region"], self.region.is_some()),
            (&["endpoint"], self.endpoint.is_some()),
            (&["path_style"], self.path_style.is_some()),
            (&["access_key_id"], self.access_key_id.is_some()),
            (&["secret_access_key"], self.secret_access_key.is_some()),
            (&["session_token"], self.session_token.is_some()),
            (&["role_arn"], self.role_arn.is_some()),
            (&["external_id"], self.external_id.is_some()),
            (&["encryption"], self.encryption.is_some()),
            (&["kms_key"], self.kms_key.is_some()),
        ];
        for (keys, _) in given.into_iter().filter(|(_, given)| *given && in_folder) {
            let error = Error::new(
                ErrorKind::Config,
                format!("`{}` is about S3, and `url` names a local folder", keys[0]),
            )
            .fix("Leave it out, or write `url: s3://bucket/prefix`.");
            faults.push(Fault::mistake(keys, error));
        }
        faults
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn location(url: &str) -> Option<Location> {
        Config::new(url).location().ok()
    }

    #[test]
    fn an_address_is_a_folder_or_a_bucket() {
        let folder = |path: &str| Some(Location::Folder(PathBuf::from(path)));
        let bucket = |bucket: &str, prefix: &str| {
            let (bucket, prefix) = (bucket.to_owned(), prefix.to_owned());
            Some(Location::Bucket { bucket, prefix })
        };
        assert_eq!(location("./lake"), folder("./lake"));
        assert_eq!(location("lake"), folder("lake"));
        assert_eq!(location("file:///data/my%20lake"), folder("/data/my lake"));
        assert_eq!(location("s3://acme"), bucket("acme", ""));
        assert_eq!(location("s3://acme/raw/x/"), bucket("acme", "raw/x/"));
        for wrong in [
            "",
            " ",
            "s3://",
            "gs://acme",
            "https://acme.s3.amazonaws.com",
            "file://host/x",
        ] {
            assert_eq!(location(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_found_at_once() {
        let parse = |text: &str| serde_json::from_str::<Config>(text);
        assert!(parse(r#"{"url": "./lake", "formt": "parquet"}"#).is_err());
        let config = parse(
            r#"{"url": "./lake", "region": "eu-west-1", "access_key_id": "a",
                "partition_by": ["week(day)"]}"#,
        );
        let keys: Vec<_> = config
            .unwrap()
            .faults()
            .iter()
            .map(|fault| fault.keys.concat())
            .collect();
        assert_eq!(keys, ["partition_by", "", "region", "access_key_id"]);
        assert!(Config::new("s3://acme/raw").faults().is_empty());
    }
}
