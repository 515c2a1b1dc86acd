// WebRTC by WHEP: an offer is posted, the answer comes back, and the picture follows within a second. What
// does not connect in time is left to the next player.

import { ask } from './ask.js';
import { begin } from './ice.js';
import { withQuery } from './params.js';

/** Whoever is not connected this long after the answer will not be: no way for UDP, as a rule (ms). */
const CONNECT = 10_000;
/** The same when there is another player to go on with. */
const CONNECT_HURRIED = 2_000;
/** A connection that is interrupted for longer begins again (ms). */
const INTERRUPTED = 5_000;
/** After this long without a packet the server is asked whether it still has the session (ms). */
const QUIET = 2_000;
const MEASURE = 250;
/** The server leaves out pictures where so much of the packets is lost; looked at over so many measurements. */
const NARROW = 0.1;
const LOOKED_AT = 12;

export const webrtc = {
  supported: () => typeof RTCPeerConnection === 'function',
  movable: true,

  start(video, context) {
    const url = withQuery(new URL(`whep/${encodeURIComponent(context.target.id)}`, context.target.base), context.target.query);
    const stopping = new AbortController();
    const { signal } = stopping;
    const peer = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
    const stream = new MediaStream();
    const meter = new Meter(peer);
    let element = video;
    let resource;
    let limit;
    let done = false;
    const fail = (problem) => {
      if (done) return;
      done = true;
      queueMicrotask(() => context.fail(problem));
    };
    const noWay = () => fail({ kind: 'no_way' });
    const anew = () => fail({ kind: 'restarted' });
    const ended = () => {
      resource = undefined;
      anew();
    };

    const measuring = setInterval(async () => {
      if (resource && await meter.isQuiet() && !await isThere(resource, signal)) ended();
    }, MEASURE);
    peer.addEventListener('track', ({ track, receiver }) => {
      stream.addTrack(track);
      if (element.srcObject !== stream) element.srcObject = stream;
      // The end of the session is seen here alone: the connection as a whole goes on being called connected.
      receiver.transport?.addEventListener('statechange', () => receiver.transport.state === 'closed' && ended());
    });
    peer.addEventListener('connectionstatechange', () => {
      const state = peer.connectionState;
      if (state === 'connecting') return;
      clearTimeout(limit);
      if (state === 'disconnected') limit = setTimeout(anew, INTERRUPTED);
      else if (state === 'failed') (meter.packets > 0 ? anew : noWay)();
    });
    negotiate(peer, url, signal).then(
      ({ problem, location }) => {
        resource = location;
        if (signal.aborted) leave(resource);
        else if (problem) fail(problem);
        else if (peer.connectionState !== 'connected') limit = setTimeout(noWay, context.hurried ? CONNECT_HURRIED : CONNECT);
      },
      (error) => !signal.aborted && fail({ kind: 'failed', detail: error.message }),
    );

    addEventListener('pagehide', () => leave(resource), { signal });

    return {
      stop() {
        done = true;
        stopping.abort();
        clearTimeout(limit);
        clearInterval(measuring);
        peer.close();
        leave(resource);
        element.srcObject = null;
      },
      moveTo(other) {
        element.srcObject = null;
        element = other;
        element.srcObject = stream;
      },
      position: () => meter.position,
      latency: () => meter.latency,
      narrow: () => meter.isNarrow,
      // There is nothing to jump over: what has come is shown.
      behind: () => false,
      over: () => false,
      // Where packets come and no pictures, it needs a picture to start from, which a new session is sent.
      starved: () => meter.quiet >= MEASURE,
      goLive() {},
    };
  },
};

/** What has come, by the browser's own count; the element's time runs on whether anything comes or not. */
class Meter {
  /** Pictures decoded, or packets of sound where there are no pictures. */
  position = 0;
  packets = 0;
  /** Seconds from the server to the screen, as far as known. */
  latency = undefined;

  #peer;
  #since = performance.now();
  #asked = 0;
  #decoded = { frames: 0, delay: 0 };
  /** Packets of pictures that have come and that have not, the newest last. */
  #counts = [];

  constructor(peer) {
    this.#peer = peer;
  }

  /** Time since the last packet, as far as was looked (ms). */
  get quiet() {
    return performance.now() - this.#since;
  }

  /** Whether a good part of the packets is lost on the way. */
  get isNarrow() {
    if (this.#counts.length < 2) return false;
    const [first, last] = [this.#counts[0], this.#counts.at(-1)];
    const lost = last.lost - first.lost;
    return lost > NARROW * (lost + last.received - first.received);
  }

  /** Looks anew. True when nothing has come for long, told once for each such time. */
  async isQuiet() {
    let packets = 0;
    let way = 0;
    let picture;
    for (const report of (await this.#peer.getStats()).values()) {
      if (report.type === 'candidate-pair' && report.nominated) way = report.currentRoundTripTime / 2 || 0;
      if (report.type !== 'inbound-rtp') continue;
      packets += report.packetsReceived;
      if (report.kind !== 'video') continue;
      if (report.framesDecoded > 0) picture = report;
      this.#counts.push({ received: report.packetsReceived, lost: report.packetsLost });
      if (this.#counts.length > LOOKED_AT) this.#counts.shift();
    }
    if (packets !== this.packets) {
      this.packets = packets;
      this.#since = performance.now();
      this.#asked = 0;
    }
    this.position = picture?.framesDecoded ?? packets;
    if (picture) this.#measure(picture, way);
    const asks = Math.floor(this.quiet / QUIET) > this.#asked;
    if (asks) this.#asked += 1;
    return asks;
  }

  /** Half the way there and back, and from a picture's first packet until it is decoded. */
  #measure({ framesDecoded: frames, totalProcessingDelay: delay }, way) {
    const before = this.#decoded;
    if (delay === undefined || frames <= before.frames) return;
    this.latency = way + (delay - before.delay) / (frames - before.frames);
    this.#decoded = { frames, delay };
  }
}

/** Offers to receive, and takes the answer. */
async function negotiate(peer, url, signal) {
  peer.addTransceiver('video', { direction: 'recvonly' });
  peer.addTransceiver('audio', { direction: 'recvonly' });
  const offer = await peer.createOffer();
  // Browsers offer mono unless told otherwise.
  const sdp = offer.sdp.replace(/(a=fmtp:\d+ (?=.*useinbandfec)[^\r\n]*)/g, '$1;stereo=1');
  let response;
  let body;
  try {
    response = await ask(url, { method: 'POST', headers: { 'Content-Type': 'application/sdp' }, body: sdp, signal });
    body = await response.text();
  } catch {
    return { problem: { kind: 'network' } };
  }
  if (response.status !== 201) return { problem: refusal(response, body) };
  const location = new URL(response.headers.get('Location'), response.url);
  if (!signal.aborted) await begin(peer, sdp, response, body);
  return { location };
}

/** Whether the server still has the session; one that cannot be asked has not. */
async function isThere(resource, signal) {
  try {
    return (await fetch(resource, { cache: 'no-store', signal })).ok;
  } catch {
    return false;
  }
}

/** Tells the server at once that nobody watches any more; it would notice by itself, later. */
function leave(resource) {
  if (resource) fetch(resource, { method: 'DELETE', keepalive: true }).catch(() => undefined);
}

function refusal(response, body) {
  const { status } = response;
  const retryAfter = Number(response.headers.get('Retry-After')) || undefined;
  const says = (word) => body.includes(`"${word}"`);
  if (status === 404 && says('no_such_stream')) return { kind: 'no_such_stream', retryAfter };
  if (status === 404 && says('not_live')) return { kind: 'not_live', retryAfter };
  if (status === 503 && says('starting')) return { kind: 'starting', retryAfter };
  if (status === 401 || status === 403) return { kind: 'refused', retryAfter };
  const inWords = response.headers.get('Content-Type')?.startsWith('text/plain');
  return { kind: 'unsuitable', detail: inWords ? body.trim() : `status ${status}`, retryAfter };
}
