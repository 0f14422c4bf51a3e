//! Sends a transaction and reads what became of it.

use std::io;

use crate::batch::Batch;
use crate::connection::{Answer, Connection};
use crate::error::Error;
use crate::operation::{Failure, Operation, element_at};
use crate::wire::Messages;

/// Sends the batch, with its end or without, and reads the answers.
///
/// The last operation alone asks for an acknowledgement: answers come when the whole is done, the
/// failed ones in any case, so that this one stands for all. (The messages of beginning and end are
/// acknowledged from kernel 6.10 on only.)
pub(crate) fn run(
    connection: &mut Connection,
    batch: &Batch,
    carry_out: bool,
) -> Result<(), Error> {
    batch.ensure_sendable()?;
    let (begin, end) = (batch.begin(), batch.end());
    let end: &[u8] = if carry_out { &end } else { &[] };
    connection.send(&[&begin, batch.messages(), end])?;

    let last = batch.last_sequence();
    let (mut done, mut refusals) = (false, Vec::new());
    let mut whole = None;
    let lost = connection.answers(|message| {
        if message.is_error() {
            let answer = Answer::decode(message);
            match answer.sequence {
                0 if answer.errno != 0 => whole = Some(answer),
                _ if answer.errno != 0 => refusals.push(answer),
                sequence if sequence == last => done = true,
                _ => {}
            }
        }
        Ok(())
    })?;

    if let Some(answer) = whole {
        return Err(match (answer.errno, batch.generation()) {
            (libc::ERESTART, Some(generation)) => Error::GenerationChanged(generation),
            (errno, _) => Error::Transaction {
                source: io::Error::from_raw_os_error(errno),
                message: answer.message,
            },
        });
    }
    if !refusals.is_empty() {
        return Err(Error::Rejected(failures(batch, refusals)?));
    }
    if !done || lost {
        return Err(Error::AnswerLost);
    }
    Ok(())
}

/// Joins refusals with the operations that they are about, in one walk over the batch.
fn failures(batch: &Batch, mut refusals: Vec<Answer>) -> Result<Vec<Failure>, Error> {
    refusals.sort_by_key(|answer| answer.sequence);
    let mut refusals = refusals.into_iter().peekable();
    let mut out = Vec::new();
    for (index, message) in Messages::new(batch.messages()).enumerate() {
        let message = message?;
        while let Some(answer) = refusals.next_if(|a| a.sequence == message.header.sequence) {
            let operation = Operation::of(&message)?.ok_or(Error::Missing("operation"))?;
            let element = answer
                .offset
                .and_then(|offset| element_at(&message, offset));
            out.push(Failure {
                operation,
                index,
                errno: answer.errno,
                message: answer.message,
                element,
            });
        }
    }
    Ok(out)
}
