//! Running a function whose response is passed on as it is produced.

use std::sync::Arc;

use base::task;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use host::{Piece, ResponseReader};
use kit::functions::{Invoke, Invoked, Part, Streamed};
use tokio::sync::oneshot;

use crate::data::Target;
use crate::error::Error;
use crate::functions::Lambda;
use crate::run;

/// What a function answers in one piece.
const WHOLE_TYPE: &str = "application/json";

/// Runs a function, and waits until its response begins or it has ended. It runs to its end whether
/// anybody reads or not.
pub(crate) async fn start(
    lambda: &Lambda,
    target: &Target,
    call: Invoke,
) -> Result<Streamed, Error> {
    let loaded = lambda.load(target).await?;
    let (writer, mut reader) = host::response();
    let mut invocation = lambda.invocation(&loaded, call)?;
    invocation.response = Some(writer);
    let request_id = invocation.request_id.clone();
    let version = loaded.spec.version.clone();
    let place = lambda.enter(&loaded)?;
    let (done, mut outcome) = oneshot::channel();
    let (runner, id) = (Arc::clone(&lambda.runner), request_id.clone());
    task::spawn("lambda.stream", async move {
        let invoked = runner.invoke(&loaded.spec, invocation).await;
        drop(place);
        let invoked = invoked.map(|invoked| loaded.invoked(id, invoked)).map_err(run::refusal);
        let _reader_gone = done.send(invoked);
    });
    let ended = tokio::select! {
        biased;
        _content_type = reader.begun() => None,
        ended = &mut outcome => Some(lost(ended)?),
    };
    let (content_type, parts) = match (reader.content_type(), ended) {
        (Some(content_type), Some(invoked)) => {
            (content_type, parts(reader, State::Ended(Ok(invoked))))
        }
        (Some(content_type), None) => (content_type, parts(reader, State::Runs(outcome))),
        (None, ended) => (WHOLE_TYPE.to_owned(), whole(ended.expect("it has begun or ended"))),
    };
    Ok(Streamed { content_type, version, request_id, parts })
}

/// An answer that came in one piece.
fn whole(mut invoked: Invoked) -> BoxStream<'static, Part> {
    let mut parts = Vec::new();
    if invoked.error.is_none() {
        let payload = std::mem::take(&mut invoked.payload);
        parts.extend([Part::Chunk(payload), Part::Complete]);
    }
    parts.push(Part::Ended(Ok(invoked)));
    stream::iter(parts).boxed()
}

type Outcome = Result<Invoked, kit::Error>;

enum State {
    Runs(oneshot::Receiver<Outcome>),
    /// The response is complete.
    Finishes(oneshot::Receiver<Outcome>),
    /// What is left to read comes first.
    Ended(Outcome),
    Told,
}

fn parts(reader: ResponseReader, state: State) -> BoxStream<'static, Part> {
    stream::unfold((reader, state), |(mut reader, state)| async move {
        let (part, state) = match state {
            State::Runs(mut outcome) => {
                tokio::select! {
                    biased;
                    piece = reader.next() => match piece {
                        Piece::Bytes(bytes) => (Part::Chunk(bytes), State::Runs(outcome)),
                        Piece::End => (Part::Complete, State::Finishes(outcome)),
                    },
                    ended = &mut outcome => last(&mut reader, lost(ended)),
                }
            }
            State::Finishes(outcome) => (Part::Ended(lost(outcome.await)), State::Told),
            State::Ended(outcome) => last(&mut reader, outcome),
            State::Told => return None,
        };
        Some((part, (reader, state)))
    })
    .boxed()
}

fn last(reader: &mut ResponseReader, outcome: Outcome) -> (Part, State) {
    match reader.take() {
        Some(Piece::Bytes(bytes)) => (Part::Chunk(bytes), State::Ended(outcome)),
        Some(Piece::End) | None => (Part::Ended(outcome), State::Told),
    }
}

/// The outcome; a task that is gone without one has panicked.
fn lost(outcome: Result<Outcome, oneshot::error::RecvError>) -> Outcome {
    outcome.unwrap_or_else(|gone| Err(kit::Error::internal(gone)))
}
