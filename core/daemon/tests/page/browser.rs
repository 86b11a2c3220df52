//! Chromium without a window, by its DevTools protocol.
//!
//! Messages are JSON texts that end with a zero byte, over two pipes which the browser expects as
//! its files 3 and 4: so no port is opened, and the browser ends with the test. Deliberately absent:
//! most of the protocol.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use serde_json::{Value, json};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// One at a time: each takes as much memory as all other tests together.
static TURN: Mutex<()> = Mutex::new(());

/// A running browser with one open page.
pub struct Browser {
    child: Child,
    commands: ChildStdin,
    messages: Receiver<Value>,
    session: Option<String>,
    last: u64,
    /// What went wrong in the page, in its own words.
    pub errors: Vec<String>,
    _profile: tempfile::TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Browser {
    /// Starts one. Without Chromium the test fails and says how to install it.
    pub fn start() -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let profile = tempfile::tempdir().unwrap();
        let program = chromium();
        let mut child = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null"])
            .arg(&program)
            .args([
                "--headless=new",
                "--remote-debugging-pipe",
                // The pages are our own, and as root there is no sandbox.
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
                "--no-first-run",
                "--lang=en",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let commands = child.stdin.take().unwrap();
        let messages = listen(child.stdout.take().unwrap());
        let mut browser = Self {
            child,
            commands,
            messages,
            session: None,
            last: 0,
            errors: Vec::new(),
            _profile: profile,
            _turn: turn,
        };
        browser.attach();
        browser
    }

    fn attach(&mut self) {
        let target = self.call("Target.createTarget", json!({"url": "about:blank"}));
        let attached = self.call(
            "Target.attachToTarget",
            json!({"targetId": target["targetId"], "flatten": true}),
        );
        self.session = attached["sessionId"].as_str().map(ToOwned::to_owned);
        for domain in ["Runtime", "Page", "Log", "Network"] {
            self.call(&format!("{domain}.enable"), json!({}));
        }
        self.size(1200, 800);
    }

    /// Gives a command and waits for its result.
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        let result = self.answer(method, params);
        result.unwrap_or_else(|refusal| panic!("{method}: {refusal}"))
    }

    fn answer(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        self.last += 1;
        let id = self.last;
        let mut command = json!({"id": id, "method": method, "params": params});
        if let Some(session) = &self.session {
            command["sessionId"] = session.clone().into();
        }
        let mut text = command.to_string().into_bytes();
        text.push(0);
        self.commands.write_all(&text).unwrap();
        self.commands.flush().unwrap();
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.messages.recv_timeout(left) {
                Ok(message) if message["id"] == id => {
                    return match &message["error"] {
                        Value::Null => Ok(message["result"].clone()),
                        refusal => Err(refusal.clone()),
                    };
                }
                Ok(message) => self.notice(&message),
                Err(RecvTimeoutError::Timeout) => panic!("{method} was not answered"),
                Err(RecvTimeoutError::Disconnected) => panic!("the browser ended at {method}"),
            }
        }
    }

    /// Keeps what went wrong.
    fn notice(&mut self, message: &Value) {
        let params = &message["params"];
        let wrong = match message["method"].as_str() {
            Some("Runtime.exceptionThrown") => Some(params["exceptionDetails"].to_string()),
            Some("Runtime.consoleAPICalled") if params["type"] == "error" => {
                Some(params["args"].to_string())
            }
            Some("Log.entryAdded") if params["entry"]["level"] == "error" => {
                Some(params["entry"].to_string())
            }
            _ => None,
        };
        self.errors.extend(wrong);
    }

    /// Opens an address and waits until all of it is there.
    pub fn open(&mut self, address: &str) {
        let opened = self.call("Page.navigate", json!({"url": address}));
        assert!(opened["errorText"].is_null(), "{address}: {opened}");
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'");
    }

    /// What an expression of JavaScript comes to.
    pub fn eval(&mut self, expression: &str) -> Value {
        let result = self.call(
            "Runtime.evaluate",
            json!({"expression": expression, "returnByValue": true, "awaitPromise": true}),
        );
        let failed = &result["exceptionDetails"];
        assert!(failed.is_null(), "{expression}: {failed}");
        result["result"]["value"].clone()
    }

    /// A text of the page.
    pub fn text(&mut self, selector: &str) -> String {
        let found = self.eval(&format!(
            "document.querySelector({})?.textContent",
            json!(selector)
        ));
        found
            .as_str()
            .unwrap_or_else(|| panic!("no {selector}"))
            .to_owned()
    }

    /// Waits until an expression is true. While a page goes and another comes, none is.
    pub fn wait(&mut self, expression: &str) {
        let asked = format!(
            "(() => {{ try {{ return Boolean({expression}); }} catch {{ return false; }} }})()"
        );
        let end = Instant::now() + PATIENCE;
        loop {
            let params = json!({"expression": asked, "returnByValue": true});
            let answer = self.answer("Runtime.evaluate", params);
            if answer.is_ok_and(|answer| answer["result"]["value"] == json!(true)) {
                return;
            }
            if Instant::now() >= end {
                let body = self.eval("document.body?.innerText ?? null");
                panic!("never came true: {expression}\non the page: {body}");
            }
            thread::sleep(LOOK_AGAIN);
        }
    }

    /// Presses what a selector finds.
    pub fn click(&mut self, selector: &str) {
        let selector = json!(selector);
        self.wait(&format!(
            "document.querySelector({selector})?.checkVisibility()"
        ));
        self.eval(&format!("document.querySelector({selector}).click()"));
    }

    /// Types into the field that has the focus.
    pub fn insert(&mut self, text: &str) {
        self.call("Input.insertText", json!({"text": text}));
    }

    /// The size of the window, in the page's pixels.
    pub fn size(&mut self, width: u32, height: u32) {
        let phone = width < 600;
        self.call(
            "Emulation.setDeviceMetricsOverride",
            json!({"width": width, "height": height, "mobile": phone,
                   "deviceScaleFactor": if phone { 2 } else { 1 }}),
        );
    }

    /// What the person's system prefers: `light` or `dark`. Nothing moves.
    pub fn prefer(&mut self, scheme: &str) {
        let features = json!([
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]);
        self.call("Emulation.setEmulatedMedia", json!({"features": features}));
    }

    /// Keeps a picture of the page as it is, down to `tallest` pixels.
    pub fn picture(&mut self, name: &str, tallest: u32) -> PathBuf {
        let metrics = self.call("Page.getLayoutMetrics", json!({}));
        let content = &metrics["cssContentSize"];
        let height = content["height"].as_f64().unwrap().min(f64::from(tallest));
        let shot = self.call(
            "Page.captureScreenshot",
            json!({"format": "png", "captureBeyondViewport": true,
                   "clip": {"x": 0, "y": 0, "width": content["width"], "height": height, "scale": 1}}),
        );
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(shot["data"].as_str().unwrap())
            .unwrap();
        let path = pictures().join(format!("{name}.png"));
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Fails if anything went wrong in the page so far.
    #[track_caller]
    pub fn expect_no_errors(&mut self) {
        // What the browser had to say comes before its answer.
        self.call("Page.getLayoutMetrics", json!({}));
        assert!(self.errors.is_empty(), "{}", self.errors.join("\n"));
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The profile can go once nobody writes to it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where pictures are kept.
pub fn pictures() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("status-page");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn listen(from: impl std::io::Read + Send + 'static) -> Receiver<Value> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for message in BufReader::new(from).split(0) {
            let Ok(message) = message else { return };
            let parsed = serde_json::from_slice(&message).unwrap();
            if sender.send(parsed).is_err() {
                return;
            }
        }
    });
    receiver
}

fn chromium() -> PathBuf {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&paths)
        .flat_map(|folder| {
            ["chromium", "chromium-browser", "google-chrome"].map(|name| folder.join(name))
        })
        .find(|path| path.is_file());
    found.expect(
        "the status page is looked at in Chromium, which is not installed. Install it with \
         `apt-get install --no-install-recommends chromium`, or run `make setup` as root",
    )
}
