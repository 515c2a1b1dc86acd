//! The port that publishers and players share: which connection a datagram is for, and who calls.

use super::connections::Connections;
use super::inbox::Inbox;
use super::link::{Input, Link, PAUSE};
use super::terms::Terms;
use super::{Settings, Srt};
use crate::adapters::Context;
use crate::hub::Current;
use crate::net::inflow::Inflow;
use crate::net::udp::{Arrivals, Batch, Socket};
use crate::transport::Packagings;
use srt::{Judged, Limits, Listener, ListenerOutput, Options, Reject, Request, RequestId, Route};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::task::coop::consume_budget;
use tokio_util::sync::CancellationToken;

/// System calls after which connections are told that they have datagrams, however many more are there.
const CALLS: u32 = 16;

/// Keys that are derived at a time, each for milliseconds on a core of its own: who calls with any passphrase takes no more.
const DERIVATIONS: usize = 2;

/// How often a port that takes no more callers looks whether it has connections.
const CLOSING: Duration = Duration::from_secs(1);

/// The port.
pub(super) struct Port {
    socket: Arc<Socket>,
    state: Mutex<State>,
    /// Keys that are derived at a time.
    derivations: Semaphore,
    pub(super) terms: Current<Terms>,
    pub(super) packagings: Arc<Packagings>,
    pub(super) connections: Arc<Connections>,
    pub(super) settings: Current<Settings>,
    pub(super) context: Arc<Context>,
    /// Another port takes callers now.
    pub(super) closing: CancellationToken,
}

struct State {
    listener: Listener,
    inboxes: HashMap<u32, Arc<Inbox>>,
}

/// Somebody who calls, and the address of this machine that was called.
pub(super) struct Call {
    pub(super) request: Request,
    local: IpAddr,
}

/// A connection's place at the port, which it leaves by dropping this.
pub(super) struct Place {
    port: Arc<Port>,
    id: u32,
}

impl Port {
    pub(super) fn new(
        srt: &Srt,
        socket: Socket,
        context: Arc<Context>,
        closing: CancellationToken,
    ) -> Arc<Self> {
        let limits = Limits {
            connections: srt.settings.get().max_connections,
            ..Limits::default()
        };
        Arc::new(Self {
            socket: Arc::new(socket),
            state: Mutex::new(State {
                listener: Listener::new(Instant::now(), limits, rand::random()),
                inboxes: HashMap::new(),
            }),
            derivations: Semaphore::new(DERIVATIONS),
            terms: srt.terms.clone(),
            packagings: srt.packagings.clone(),
            connections: srt.connections.clone(),
            settings: srt.settings.clone(),
            context,
            closing,
        })
    }

    /// Serves until another port takes callers, and the last connection of this one is over.
    pub(super) async fn serve(self: Arc<Self>) {
        let over = async {
            self.closing.cancelled().await;
            while !self.state().inboxes.is_empty() {
                tokio::time::sleep(CLOSING).await;
            }
        };
        tokio::select! {
            () = over => {}
            () = self.clone().receive() => {}
        }
    }

    async fn receive(self: Arc<Self>) {
        let mut inflow = Inflow::new(self.socket.clone(), Duration::ZERO);
        // Connections that have datagrams and have not been told: once is cheaper than for each.
        let (mut untold, mut calls) = (Vec::new(), 0);
        loop {
            // A flood leaves others their time.
            consume_budget().await;
            let received = inflow.receive_now().map(|arrivals| {
                let take = |arrivals| self.take(&arrivals, &mut untold);
                arrivals.map(|arrivals| arrivals.for_each(take))
            });
            calls += 1;
            let is_drained = !matches!(received, Ok(Some(())));
            // Whoever has datagrams is told before more are waited for.
            if is_drained || calls >= CALLS {
                calls = 0;
                untold.drain(..).for_each(|inbox: Arc<Inbox>| inbox.wake());
            }
            let next = match received {
                Ok(None) => inflow.wait().await,
                received => received.map(drop),
            };
            if let Err(error) = next {
                tracing::debug!(%error, "the SRT port cannot be read");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Datagrams that came together are from one address, and may be for several connections.
    fn take(self: &Arc<Self>, arrivals: &Arrivals<'_>, untold: &mut Vec<Arc<Inbox>>) {
        let now = Instant::now();
        let mut state = self.state();
        let mut run: Option<(u32, Vec<&[u8]>)> = None;
        for datagram in arrivals.iter() {
            let route = state.listener.handle_input(now, arrivals.source, datagram);
            match route {
                Route::Session(id) => match &mut run {
                    Some((same, datagrams)) if *same == id => datagrams.push(datagram),
                    _ => {
                        state.put(run.take(), untold);
                        run = Some((id, vec![datagram]));
                    }
                },
                Route::Done => self.answer(&mut state, arrivals.destination.ip()),
            }
        }
        state.put(run, untold);
    }

    /// Sends what the listener has to say, and has its requests decided.
    fn answer(self: &Arc<Self>, state: &mut State, local: IpAddr) {
        let mut out = Vec::new();
        loop {
            out.clear();
            match state.listener.poll_output(&mut out) {
                ListenerOutput::Transmit(peer) => send(&self.socket, local, peer, &out),
                ListenerOutput::Request(request) => {
                    let (port, call) = (self.clone(), Call { request, local });
                    tokio::spawn(async move { port.decide(call).await });
                }
                ListenerOutput::Idle => return,
            }
        }
    }

    /// Whether a caller may be let in on these terms; it has not been told.
    pub(super) async fn judge(&self, id: RequestId, options: Options) -> Result<Judged, Reject> {
        let asked = self.state().listener.asked(id).ok_or(Reject::TIMEOUT)?;
        if options.passphrase.is_none() {
            return asked.judge(options);
        }
        // It is never closed.
        let _permit = self.derivations.acquire().await;
        let judged = tokio::task::spawn_blocking(move || asked.judge(options));
        // A panic in it has been counted.
        judged.await.unwrap_or(Err(Reject::RESOURCE))
    }

    /// Turns a caller away.
    pub(super) fn reject(self: &Arc<Self>, call: &Call, reason: Reject) {
        let mut state = self.state();
        let id = call.request.id;
        state.listener.reject(Instant::now(), id, reason);
        self.answer(&mut state, call.local);
    }

    /// Lets a caller in that has been judged, unless it has given up.
    pub(super) fn accept(
        self: &Arc<Self>,
        call: &Call,
        judged: Judged,
    ) -> Result<(Link, Place), Reject> {
        let mut state = self.state();
        let now = Instant::now();
        let session = state.listener.admit(now, call.request.id, judged)?;
        let id = session.id();
        let inbox = Arc::new(Inbox::default());
        state.inboxes.insert(id, inbox.clone());
        drop(state);
        let place = Place {
            port: self.clone(),
            id,
        };
        let (socket, peer) = (self.socket.clone(), call.request.peer);
        let link = Link::new(session, socket, call.local, peer, Input::of(inbox));
        Ok((link, place))
    }
}

impl State {
    fn put(&self, run: Option<(u32, Vec<&[u8]>)>, untold: &mut Vec<Arc<Inbox>>) {
        if let Some((id, datagrams)) = run
            && let Some(inbox) = self.inboxes.get(&id)
        {
            inbox.put(datagrams.into_iter());
            if !untold.iter().any(|other| Arc::ptr_eq(other, inbox)) {
                untold.push(inbox.clone());
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.port.state();
        state.inboxes.remove(&self.id);
        state.listener.remove(self.id);
    }
}

/// Sends one datagram of a handshake. A full socket loses it, and the caller asks again.
pub(super) fn send(socket: &Socket, source: IpAddr, destination: SocketAddr, contents: &[u8]) {
    let batch = Batch {
        source,
        destination,
        contents,
        segment_size: None,
    };
    socket.send(&batch, 0);
}
