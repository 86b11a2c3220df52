//! The API, over HTTP written out by hand: what it costs must not hide what is measured.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ExitCode, Stdio};

use super::records;
use crate::child;

/// A server in a process of its own, which ends with this.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) port: u16,
    child: Child,
}

impl Server {
    pub(super) fn start(count: u64, dir: &Path) -> Self {
        let this = std::env::current_exe().expect("a process knows its own program");
        let mut command = child::command(this);
        let count = count.to_string();
        command.args(["api", "serve", &count]).current_dir(dir);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = child::spawn(command).expect("the server can be started");
        let stdout = child.stdout.take().expect("its output is a pipe");
        let mut line = String::new();
        let read = BufReader::new(stdout).read_line(&mut line);
        read.expect("the server tells its port");
        let port = line.trim().parse().expect("a port is a number");
        Self { port, child }
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        child::kill(&mut self.child);
    }
}

/// Serves until the process is ended; prints its port first.
pub(super) fn serve(count: u64) -> ExitCode {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    let port = listener
        .local_addr()
        .expect("a listener has an address")
        .port();
    if super::super::print(&port.to_string()) != ExitCode::SUCCESS {
        return ExitCode::FAILURE;
    }
    for stream in listener.incoming().flatten() {
        // A connection that breaks is its client's affair.
        std::thread::spawn(move || answer_all(&stream, count));
    }
    ExitCode::SUCCESS
}

fn answer_all(stream: &TcpStream, count: u64) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut target = String::new();
        if reader.read_line(&mut target)? == 0 {
            return Ok(());
        }
        let mut line = String::new();
        while reader.read_line(&mut line)? > 0 && line != "\r\n" {
            line.clear();
        }
        let body = answer(target.split(' ').nth(1).unwrap_or_default(), count);
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let mut stream = stream;
        stream.write_all(&[head.as_bytes(), &body].concat())?;
    }
}

fn answer(target: &str, count: u64) -> Vec<u8> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let after = url::form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == "starting_after")
        .and_then(|(_, id)| records::number_of(&id));
    match path {
        "/v1/charges" => records::page(count, after),
        _ => br#"{"object":"list","data":[],"has_more":false}"#.to_vec(),
    }
}

/// A client of one connection.
#[derive(Debug)]
pub(super) struct Client {
    reader: BufReader<TcpStream>,
}

impl Client {
    pub(super) fn connect(port: u16) -> std::io::Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            reader: BufReader::new(stream),
        })
    }

    /// Asks for `target`, and puts the answer's body into `body`.
    pub(super) fn get(&mut self, target: &str, body: &mut Vec<u8>) -> std::io::Result<()> {
        let request = format!("GET {target} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        self.reader.get_mut().write_all(request.as_bytes())?;
        let (mut length, mut line) = (0, String::new());
        while self.reader.read_line(&mut line)? > 0 && line != "\r\n" {
            if let Some(said) = line.strip_prefix("content-length: ") {
                length = said.trim().parse().map_err(std::io::Error::other)?;
            }
            line.clear();
        }
        body.resize(length, 0);
        self.reader.read_exact(body)
    }
}
