//! The caller's handshake (section 4.3.1): induction, then conclusion, each repeated until it is answered.

use super::agree;
use super::connection::Agreed;
use crate::crypto::Crypto;
use crate::handshake::{Handshake, Kind, MAGIC};
use crate::options::Options;
use crate::reject::Reject;
use crate::sequence::Sequence;
use rand::rngs::StdRng;
use std::time::Instant;

/// Where a caller stands.
pub(super) enum Calling {
    /// The listener's cookie is awaited.
    Induction,
    /// Its answer is.
    Conclusion {
        request: Box<Handshake>,
        crypto: Option<Box<Crypto>>,
    },
}

/// What a handshake led to.
pub(super) enum Step {
    /// Nothing.
    Nothing,
    /// Say what is to be said now.
    Send,
    /// Both ends agree.
    Done(Box<Agreed>),
    /// There will be no connection.
    Failed(Reject),
}

impl Calling {
    /// What is to be sent, again and again.
    pub(super) fn request(&self, options: &Options, socket: u32, initial: Sequence) -> Handshake {
        match self {
            // Of version 4, so that it is the same for all listeners.
            Self::Induction => Handshake {
                version: 4,
                encryption: 0,
                extension: 2,
                ..agree::hello(options, Kind::Induction, socket, 0, initial)
            },
            Self::Conclusion { request, .. } => request.as_ref().clone(),
        }
    }

    pub(super) fn handle(
        &mut self,
        response: &Handshake,
        options: &Options,
        random: &mut StdRng,
        (socket, initial): (u32, Sequence),
        at: (Instant, u32),
    ) -> Step {
        match (self, response.kind) {
            (_, Kind::Reject(reason)) => Step::Failed(reason),
            (this @ Self::Induction, Kind::Induction) => {
                if response.version < 5 {
                    return Step::Failed(Reject::VERSION);
                }
                if response.version > 5 || response.extension != MAGIC {
                    return Step::Failed(Reject::ROGUE);
                }
                let (extensions, crypto) = agree::offer(options, response.encryption, random);
                let length = crypto.as_ref().map(Crypto::length);
                let mut request =
                    agree::hello(options, Kind::Conclusion, socket, response.cookie, initial);
                request.encryption = length.map_or(0, crate::KeyLength::field);
                request.extension = extensions.field();
                request.extensions = extensions;
                *this = Self::Conclusion {
                    request: Box::new(request),
                    crypto: crypto.map(Box::new),
                };
                Step::Send
            }
            (Self::Conclusion { crypto, .. }, Kind::Conclusion) => {
                let crypto = crypto.take().map(|crypto| *crypto);
                match agree::accept(response, crypto, options, at) {
                    Ok(agreed) => Step::Done(Box::new(agreed)),
                    Err(reason) => Step::Failed(reason),
                }
            }
            _ => Step::Nothing,
        }
    }
}
