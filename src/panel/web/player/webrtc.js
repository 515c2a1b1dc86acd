// WebRTC by WHEP: an offer is posted, the answer comes back, and the picture follows within a second. What
// does not connect in time is left to the next player.

import { withQuery } from './params.js';

/** Whoever is not connected this long after the answer will not be: no way for UDP, as a rule (ms). */
const CONNECT = 5_000;
/** A connection that is interrupted for longer begins again (ms). */
const INTERRUPTED = 5_000;
const MEASURE = 1_000;

export const webrtc = {
  supported: () => typeof RTCPeerConnection === 'function',

  start(video, context) {
    const url = withQuery(new URL(`whep/${encodeURIComponent(context.target.id)}`, context.target.base), context.target.query);
    const stopping = new AbortController();
    const peer = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
    const stream = new MediaStream();
    let resource;
    let done = false;
    let delay;
    const fail = (problem) => {
      if (done) return;
      done = true;
      queueMicrotask(() => context.fail(problem));
    };
    let limit;
    const measure = setInterval(async () => { delay = (await latency(peer)) ?? delay; }, MEASURE);

    peer.addEventListener('track', ({ track }) => {
      stream.addTrack(track);
      if (video.srcObject !== stream) video.srcObject = stream;
    });
    peer.addEventListener('connectionstatechange', () => {
      const state = peer.connectionState;
      if (state === 'connected') clearTimeout(limit);
      else if (state === 'disconnected') {
        clearTimeout(limit);
        limit = setTimeout(() => fail({ kind: 'restarted' }), INTERRUPTED);
      } else if (state === 'failed' || state === 'closed') fail({ kind: 'restarted' });
    });
    negotiate(peer, url, stopping.signal).then(
      ({ problem, location }) => {
        resource = location;
        if (stopping.signal.aborted) leave(resource);
        else if (problem) fail(problem);
        else if (peer.connectionState !== 'connected') {
          limit = setTimeout(() => fail({ kind: 'failed', detail: 'no WebRTC connection' }), CONNECT);
        }
      },
      (error) => !stopping.signal.aborted && fail({ kind: 'failed', detail: error.message }),
    );

    addEventListener('pagehide', () => leave(resource), { signal: stopping.signal });

    return {
      stop() {
        done = true;
        stopping.abort();
        clearTimeout(limit);
        clearInterval(measure);
        peer.close();
        leave(resource);
        video.srcObject = null;
      },
      latency: () => delay,
      // There is nothing to jump over: what has come is shown.
      behind: () => false,
      over: () => false,
      starved: () => false,
      goLive() {},
    };
  },
};

/** Offers to receive, and takes the answer. */
async function negotiate(peer, url, signal) {
  peer.addTransceiver('video', { direction: 'recvonly' });
  peer.addTransceiver('audio', { direction: 'recvonly' });
  const offer = await peer.createOffer();
  // Browsers offer mono unless told otherwise.
  const sdp = offer.sdp.replace(/(a=fmtp:\d+ (?=.*useinbandfec)[^\r\n]*)/g, '$1;stereo=1');
  await peer.setLocalDescription({ type: 'offer', sdp });
  let response;
  let body;
  try {
    response = await fetch(url, { method: 'POST', headers: { 'Content-Type': 'application/sdp' }, body: sdp, signal });
    body = await response.text();
  } catch {
    return { problem: { kind: 'network' } };
  }
  if (response.status !== 201) return { problem: refusal(response, body) };
  const location = new URL(response.headers.get('Location'), response.url);
  if (!signal.aborted) await peer.setRemoteDescription({ type: 'answer', sdp: body });
  return { location };
}

/** Tells the server at once that nobody watches any more; it would notice by itself, later. */
function leave(resource) {
  if (resource) fetch(resource, { method: 'DELETE', keepalive: true }).catch(() => undefined);
}

function refusal(response, body) {
  const retryAfter = Number(response.headers.get('Retry-After')) || undefined;
  if (response.status === 404 && body.includes('"no_such_stream"')) return { kind: 'no_such_stream', retryAfter };
  if (response.status === 404 && body.includes('"not_live"')) return { kind: 'not_live', retryAfter };
  if (response.status === 503 && body.includes('"starting"')) return { kind: 'starting', retryAfter };
  if (response.status === 401 || response.status === 403) return { kind: 'refused', retryAfter };
  return { kind: 'failed', detail: body.trim(), retryAfter };
}

/** Seconds from the server to the screen: half the way there and back, and what waits here. */
async function latency(peer) {
  let way;
  let waiting;
  for (const report of (await peer.getStats()).values()) {
    if (report.type === 'candidate-pair' && report.nominated) way = report.currentRoundTripTime / 2;
    if (report.type === 'inbound-rtp' && report.kind === 'video' && report.jitterBufferEmittedCount > 0) {
      waiting = report.jitterBufferDelay / report.jitterBufferEmittedCount;
    }
  }
  return waiting === undefined ? undefined : waiting + (way || 0);
}
