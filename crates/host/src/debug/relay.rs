//! The way between a debugger and the program that it debugs.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use base::task;
use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use super::pauses::View;
use super::{Debuggee, Language, Up, adapter, inspector};

/// Connections to one function's debugger at the same time; one more is closed at once. Some
/// debuggers ask again and again what there is to debug.
const CONNECTIONS_MAX: usize = 64;
const CHUNK_BYTES: usize = 64 * 1024;

/// Serves debuggers, until the host is gone or closes.
pub(super) async fn serve(
    listener: TcpListener,
    mut up: watch::Receiver<Up>,
    mut closing: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = closing.wait_for(|closing| *closing) => return,
        };
        let debugger = match accepted {
            Ok((debugger, _)) => debugger,
            Err(error) => {
                tracing::warn!(%error, "a debugger could not be accepted");
                // Mostly there are too many open files: ask again when something has changed.
                tokio::select! {
                    _gone = up.changed() => continue,
                    _ = closing.wait_for(|closing| *closing) => return,
                }
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let (up, mut closing) = (up.clone(), closing.clone());
        task::spawn("host.relay", async move {
            tokio::select! {
                outcome = connect(debugger, up) => {
                    if let Err(error) = outcome {
                        tracing::debug!(%error, "a debugger's connection ended");
                    }
                }
                _ = closing.wait_for(|closing| *closing) => {}
            }
            drop(place);
        });
    }
}

/// Leads a debugger to the environment that is up, or to the next one.
async fn connect(mut debugger: TcpStream, mut up: watch::Receiver<Up>) -> io::Result<()> {
    // It may speak before there is anybody to listen.
    let mut early = BytesMut::new();
    let debuggee = loop {
        let has_room = early.len() < CHUNK_BYTES;
        tokio::select! {
            found = up.wait_for(Option::is_some) => break found.ok().and_then(|up| up.clone()),
            read = debugger.read_buf(&mut early), if has_room => if read? == 0 { return Ok(()) },
        }
    };
    let Some(debuggee) = debuggee else { return Ok(()) };
    let program = (debuggee.dial)(debuggee.port).await?;
    program.set_nonblocking(true)?;
    let program = TcpStream::from_std(program)?;
    program.set_nodelay(true)?;
    debugger.set_nodelay(true)?;
    relay(debugger, &early, program, &debuggee).await
}

/// What is listened to in both directions.
pub(super) trait Listen: Send {
    /// The debugger says this.
    fn debugger(&mut self, bytes: &[u8]);
    /// The program says this.
    fn program(&mut self, bytes: &[u8]);
    /// Whether the program is stopped now.
    fn stopped(&self) -> bool;
}

struct Heard {
    talk: Box<dyn Listen>,
    view: View,
}

async fn relay(
    debugger: TcpStream,
    early: &[u8],
    program: TcpStream,
    of: &Debuggee,
) -> io::Result<()> {
    let talk: Box<dyn Listen> = match of.language {
        Language::Inspector => Box::<inspector::Talk>::default(),
        Language::Adapter => Box::<adapter::Talk>::default(),
    };
    let heard = Mutex::new(Heard { talk, view: View::new(Arc::clone(&of.pauses)) });
    let hear = |say: &dyn Fn(&mut dyn Listen)| {
        let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
        let Heard { talk, view } = &mut *heard;
        say(&mut **talk);
        view.set(talk.stopped());
    };
    let (from_debugger, to_debugger) = debugger.into_split();
    let (from_program, mut to_program) = program.into_split();
    hear(&|talk| talk.debugger(early));
    to_program.write_all(early).await?;
    // Whoever leaves first ends it for both: neither protocol has connections that are half open.
    tokio::select! {
        done = pass(from_debugger, to_program, |bytes| hear(&|talk| talk.debugger(bytes))) => done,
        done = pass(from_program, to_debugger, |bytes| hear(&|talk| talk.program(bytes))) => done,
    }
}

async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    hear: impl Fn(&[u8]),
) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let count = from.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        // Listened to first: who is told that the program has stopped finds that time has, too.
        hear(&buffer[..count]);
        to.write_all(&buffer[..count]).await?;
    }
}
