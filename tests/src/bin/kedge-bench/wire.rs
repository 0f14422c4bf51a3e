//! HTTP/1.1 as a generator of load has it: requests are bytes before the clock starts, and an answer is its status and
//! its length. What a client's library does for each request would be taken from the server's cores.

use bytes::{Buf, BytesMut};
use httparse::{EMPTY_HEADER, Status};
use kedge_tests::connection::{Ask, Endpoint, Version};
use kedge_tests::tool::ToolError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::other;

/// Headers of an answer at most.
const HEADERS: usize = 32;
/// More than an answer to most requests.
const ROOM: usize = 8 << 10;

/// A connection, and what it has brought that nobody has read.
pub struct Wire {
    stream: TlsStream<TcpStream>,
    arrived: BytesMut,
}

/// The beginning of an answer.
struct Head {
    code: u16,
    /// Bytes until its body.
    length: usize,
    /// Bytes of its body; `None` for one that comes in chunks.
    body: Option<usize>,
}

/// A request as it is sent.
pub fn request(endpoint: &Endpoint, ask: &Ask) -> Vec<u8> {
    let Ask {
        method,
        path,
        content_type,
        accept,
        body,
    } = ask;
    let mut head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {}\r\naccept: {accept}\r\n",
        endpoint.authority()
    );
    if !body.is_empty() {
        head += &format!("content-type: {content_type}\r\n");
    }
    head += &format!("content-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

impl Wire {
    pub async fn connect(endpoint: &Endpoint) -> Result<Self, ToolError> {
        Ok(Self {
            stream: endpoint.stream(Version::Http1).await?,
            arrived: BytesMut::with_capacity(ROOM),
        })
    }

    /// Sends a request and takes the whole answer. One of 400 and more is an error.
    pub async fn exchange(&mut self, request: &[u8]) -> Result<(), ToolError> {
        let head = self.ask(request).await?;
        let length = head
            .body
            .ok_or_else(|| other("an answer in chunks, where one of a known length belongs"))?;
        let whole = head.length + length;
        while self.arrived.len() < whole {
            self.receive().await?;
        }
        if head.code >= 400 {
            let body = String::from_utf8_lossy(&self.arrived[head.length..whole]);
            return Err(other(format!("{}: {body}", head.code)));
        }
        self.arrived.advance(whole);
        Ok(())
    }

    /// Sends a request for a stream without end, whose bytes [`Self::next`] brings.
    pub async fn open(&mut self, request: &[u8]) -> Result<(), ToolError> {
        let head = self.ask(request).await?;
        if head.code >= 400 || head.body.is_some() {
            return Err(other(format!("{} instead of a stream", head.code)));
        }
        self.arrived.advance(head.length);
        Ok(())
    }

    /// Bytes as they arrive, chunks' lengths among them; waits for one at least.
    pub async fn next(&mut self) -> Result<BytesMut, ToolError> {
        if self.arrived.is_empty() {
            self.receive().await?;
        }
        Ok(self.arrived.split())
    }

    async fn ask(&mut self, request: &[u8]) -> Result<Head, ToolError> {
        self.stream.write_all(request).await.map_err(other)?;
        self.stream.flush().await.map_err(other)?;
        loop {
            self.receive().await?;
            if let Some(head) = Head::read(&self.arrived)? {
                return Ok(head);
            }
        }
    }

    async fn receive(&mut self) -> Result<(), ToolError> {
        self.arrived.reserve(ROOM);
        match self
            .stream
            .read_buf(&mut self.arrived)
            .await
            .map_err(other)?
        {
            0 => Err(other("the server ended the connection")),
            _ => Ok(()),
        }
    }
}

impl Head {
    /// `None` while it is not whole.
    fn read(bytes: &[u8]) -> Result<Option<Self>, ToolError> {
        let mut headers = [EMPTY_HEADER; HEADERS];
        let mut answer = httparse::Response::new(&mut headers);
        let Status::Complete(length) = answer.parse(bytes).map_err(other)? else {
            return Ok(None);
        };
        let body = answer
            .headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case("content-length"))
            .map(|header| String::from_utf8_lossy(header.value).parse().map_err(other))
            .transpose()?;
        Ok(Some(Self {
            code: answer.code.unwrap_or_default(),
            length,
            body,
        }))
    }
}
