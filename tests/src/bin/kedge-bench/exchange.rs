//! A connection, a question and its answer, as many times as wanted from one address.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

/// Less than a SYN waits before it is sent again: one that was lost is a failure.
const PATIENCE: Duration = Duration::from_millis(900);

/// Connects, asks and is answered. Without waiting for the answer a backend that is short of CPU would lose
/// connections in its own queue. The connection ends by a reset, so that its port is free at once.
pub fn exchange(to: SocketAddr) -> Result<()> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    socket.set_linger(Some(Duration::ZERO))?;
    socket.connect_timeout(&to.into(), PATIENCE)?;
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: service\r\n\r\n")?;
    match stream.read(&mut [0; 512])? {
        0 => Err(Error::from(ErrorKind::UnexpectedEof)),
        _ => Ok(()),
    }
}
