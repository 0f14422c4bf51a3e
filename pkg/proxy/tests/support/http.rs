//! Pages asked for over plain HTTP.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::host::Host;
use super::talk::PATIENCE;

/// An answer: code, headers with their names in lower case, body.
pub struct Page {
    pub code: u16,
    pub headers: HashMap<String, String>,
    pub body: String,
}

/// Asks for `/` from a host; `None` if nobody listens there.
pub fn page(from: &Host, at: &str) -> Option<Page> {
    let to: SocketAddr = at.parse().unwrap();
    let text = from.run(|| {
        let mut stream = TcpStream::connect_timeout(&to, PATIENCE).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = "GET / HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        Some(text)
    })?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let code = lines.next()?.split(' ').nth(1)?.parse().unwrap();
    let headers = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    Some(Page {
        code,
        headers: headers.collect(),
        body: body.to_owned(),
    })
}
