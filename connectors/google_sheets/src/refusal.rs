//! What Google's refusals mean, and what helps: who must share what with whom, switch what on.

use serde_json::Value;
use tributary_model::{Error, ErrorKind};

use crate::config::Account;

/// A refusal.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// Google's word for it, such as `PERMISSION_DENIED`.
    word: String,
    message: String,
    /// Why, such as `SERVICE_DISABLED`.
    reasons: Vec<String>,
    /// Where something can be switched on.
    address: Option<String>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Spreadsheet,
    File,
}

impl Refusal {
    pub(crate) fn read(status: u16, body: &Value) -> Self {
        let text = |path: &str| {
            body.pointer(path)
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        let list = |path: &str| body.pointer(path).and_then(Value::as_array).cloned();
        let details = list("/error/details").unwrap_or_default();
        let older = list("/error/errors").unwrap_or_default();
        let reasons = details
            .iter()
            .chain(&older)
            .filter_map(|one| one.get("reason"));
        let message = text("/error/message")
            .or_else(|| text("/error_description"))
            .or_else(|| body.as_str().map(str::to_owned))
            .unwrap_or_else(|| format!("status {status}"));
        let activation = details
            .iter()
            .find_map(|one| one.pointer("/metadata/activationUrl")?.as_str());
        let mut words = message.split_whitespace();
        let address = activation.or_else(|| words.find(|word| word.starts_with("https://console")));
        Self {
            status,
            word: text("/error/status").unwrap_or_default(),
            reasons: reasons
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            address: address.map(str::to_owned),
            message,
        }
    }

    fn is_because(&self, reason: &str) -> bool {
        self.reasons.iter().any(|known| known == reason)
    }

    /// Whether the tab has been renamed, removed or made smaller since it was looked at.
    pub(crate) fn is_moved(&self) -> bool {
        self.status == 400
            && [
                "Unable to parse range",
                "exceeds grid limits",
                "No grid with id",
            ]
            .iter()
            .any(|part| self.message.contains(part))
    }

    /// The error that it is.
    pub(crate) fn error(&self, asked: Asked, account: &Account) -> Error {
        let what = match asked {
            Asked::Spreadsheet => "the spreadsheet can't be read",
            Asked::File => "Drive does not tell when the spreadsheet changed",
        };
        let (kind, fix) = self.diagnosis(asked, account);
        let error = Error::new(kind, what).because(self.message.clone());
        match fix {
            Some(fix) => error.fix(fix),
            None => error,
        }
    }

    fn diagnosis(&self, asked: Asked, account: &Account) -> (ErrorKind, Option<String>) {
        let api = match asked {
            Asked::Spreadsheet => "Google Sheets API",
            Asked::File => "Google Drive API",
        };
        let share = match account {
            Account::Service(email) => format!("Share the spreadsheet with {email} as Viewer."),
            Account::User => {
                "Share the spreadsheet with the user who gave the `refresh_token`, or \
                              authorize as one who may read it."
                    .to_owned()
            }
        };
        let is_off = self.is_because("SERVICE_DISABLED")
            || self.is_because("accessNotConfigured")
            || self.message.contains("has not been used in project");
        let lacks_scope = self.is_because("ACCESS_TOKEN_SCOPE_INSUFFICIENT")
            || self.is_because("insufficientPermissions")
            || self.message.contains("insufficient authentication scopes");
        match self.status {
            403 if is_off => {
                let at = self
                    .address
                    .as_deref()
                    .unwrap_or("https://console.cloud.google.com/apis");
                let fix = format!("Enable the {api} at {at} and wait a minute.");
                (ErrorKind::Access, Some(fix))
            }
            403 if lacks_scope => {
                let scope = match asked {
                    Asked::Spreadsheet => "spreadsheets.readonly",
                    Asked::File => "drive.metadata.readonly",
                };
                let fix = format!(
                    "Authorize again with the scope https://www.googleapis.com/auth/{scope}."
                );
                (ErrorKind::Access, Some(fix))
            }
            403 => (ErrorKind::Access, Some(share)),
            404 => {
                let fix = format!("Check `spreadsheet_id`. If it is right: {share}");
                (ErrorKind::Access, Some(fix))
            }
            400 if self.word == "FAILED_PRECONDITION" => {
                let fix = "It is an Office file. Open it and choose File, Save as Google Sheets, then \
                           use the new file's id.";
                (ErrorKind::Incompatible, Some(fix.to_owned()))
            }
            _ => (ErrorKind::Incompatible, None),
        }
    }
}

/// The login was refused.
pub(crate) fn login(error: Error, account: &Account) -> Error {
    if error.kind() != ErrorKind::Access {
        return error;
    }
    let (what, fix) = match account {
        Account::Service(email) => (
            format!("Google refuses the key of {email}"),
            "It was deleted or disabled, or this machine's clock is wrong: create a new key (JSON) \
             for the service account and set `credentials_file` to it.",
        ),
        Account::User => (
            "Google refuses the `refresh_token`".to_owned(),
            "Access was revoked or has expired: authorize again and set the new `refresh_token`. Of an \
             application that is still in testing it lasts seven days.",
        ),
    };
    let why = error.why().unwrap_or_else(|| error.what());
    Error::new(ErrorKind::Access, what).because(why).fix(fix)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(status: u16, body: &Value, asked: Asked) -> String {
        let account = Account::Service("me@acme".to_owned());
        Refusal::read(status, body)
            .error(asked, &account)
            .to_string()
    }

    fn body(word: &str, message: &str, reason: Option<&str>) -> Value {
        let details: Vec<_> = reason
            .iter()
            .map(|reason| json!({"reason": reason}))
            .collect();
        json!({"error": {"status": word, "message": message, "details": details}})
    }

    #[test]
    fn each_refusal_says_what_helps() {
        let denied = body(
            "PERMISSION_DENIED",
            "The caller does not have permission",
            None,
        );
        let text = told(403, &denied, Asked::Spreadsheet);
        assert!(
            text.contains("Share the spreadsheet with me@acme as Viewer"),
            "{text}"
        );
        let off = body(
            "PERMISSION_DENIED",
            "Google Sheets API has not been used in project 1 before or it is disabled. Enable it by \
             visiting https://console.developers.google.com/x then retry.",
            Some("SERVICE_DISABLED"),
        );
        let text = told(403, &off, Asked::Spreadsheet);
        assert!(
            text.contains(
                "Enable the Google Sheets API at https://console.developers.google.com/x"
            ),
            "{text}"
        );
        let scope = body(
            "PERMISSION_DENIED",
            "no",
            Some("ACCESS_TOKEN_SCOPE_INSUFFICIENT"),
        );
        let text = told(403, &scope, Asked::File);
        assert!(text.contains("auth/drive.metadata.readonly"), "{text}");
        let office = body(
            "FAILED_PRECONDITION",
            "not supported for this document",
            None,
        );
        assert!(told(400, &office, Asked::Spreadsheet).contains("Save as Google Sheets"));
        let nothing = body("NOT_FOUND", "Requested entity was not found.", None);
        assert!(told(404, &nothing, Asked::Spreadsheet).contains("Check `spreadsheet_id`"));
        let page = told(418, &json!("<html>teapot</html>"), Asked::Spreadsheet);
        assert!(page.contains("teapot"), "{page}");
    }

    #[test]
    fn a_range_that_moved_is_told_from_other_mistakes() {
        let is_moved =
            |message: &str| Refusal::read(400, &body("INVALID_ARGUMENT", message, None)).is_moved();
        assert!(is_moved("Unable to parse range: 'Orders'!A1:B2"));
        assert!(is_moved(
            "Range ('X'!A1001) exceeds grid limits. Max rows: 1000"
        ));
        assert!(!is_moved("Invalid value at 'value_render_option'"));
    }
}
