// One session by WHIP, with a stream or with a camera that is talked to (player/talk.js): an offer is posted, the answer comes back, and what the stream has is sent until somebody stops.

import { ask } from '../player/ask.js';
import { begin } from '../player/ice.js';

/** Whoever is not connected this long after the answer will not be (ms). */
const CONNECT = 10_000;
/** A connection that is interrupted for longer is given up (ms). */
const INTERRUPTED = 6_000;
const MEASURE = 1_000;

/**
 * @param {URL} url the endpoint
 * @param {MediaStream} stream what is sent
 * @param {number} limit most bits per second of pictures
 * @param {{ live(): void, measured(facts: object): void, over(problem: object): void }} told
 * @param {Record<string, string>} headers of the requests that change something
 * @returns {{ stop(): Promise<void>, replace(stream: MediaStream): Promise<boolean> }} `replace` sends other tracks from
 *   now on, and is false where that takes another session
 */
export function publish(url, stream, limit, told, headers = {}) {
  const stopping = new AbortController();
  const { signal } = stopping;
  const peer = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
  const meter = new Meter(peer);
  let resource;
  let timer;
  let done = false;
  let gone = Promise.resolve();

  const end = (problem) => {
    if (done) return;
    done = true;
    stopping.abort();
    clearTimeout(timer);
    clearInterval(measuring);
    peer.close();
    gone = leave(resource, headers);
    if (problem) queueMicrotask(() => told.over(problem));
  };
  const measuring = setInterval(async () => {
    const facts = peer.connectionState === 'connected' ? await meter.measure() : undefined;
    if (facts && !done) told.measured(facts);
  }, MEASURE);

  peer.addEventListener('connectionstatechange', () => {
    const state = peer.connectionState;
    if (state === 'connecting' || done) return;
    clearTimeout(timer);
    if (state === 'connected') told.live();
    else if (state === 'disconnected') timer = setTimeout(() => end({ kind: 'interrupted' }), INTERRUPTED);
    else if (state === 'failed' || state === 'closed') end({ kind: 'interrupted' });
  });
  addEventListener('pagehide', () => leave(resource, headers), { signal });

  negotiate(peer, url, stream, limit, headers, signal).then(
    ({ problem, location }) => {
      resource = location;
      if (done) leave(resource, headers);
      else if (problem) end(problem);
      else {
        watchForEnd(peer, () => end({ kind: 'ended' }));
        if (peer.connectionState !== 'connected') timer = setTimeout(() => end({ kind: 'no_way' }), CONNECT);
      }
    },
    (error) => end({ kind: 'failed', detail: error.message }),
  );

  return {
    stop() {
      end();
      return gone;
    },
    async replace(other) {
      const senders = peer.getSenders().filter((sender) => sender.track);
      const tracks = other.getTracks();
      const of = (sender) => tracks.find((track) => track.kind === sender.track.kind);
      if (done || senders.length !== tracks.length || !senders.every(of)) return false;
      await Promise.all(senders.map((sender) => sender.replaceTrack(of(sender))));
      return true;
    },
  };
}

/** The server's end of the session is seen at its transport alone. */
function watchForEnd(peer, over) {
  const transport = peer.getSenders()[0]?.transport;
  transport?.addEventListener('statechange', () => transport.state === 'closed' && over());
}

async function negotiate(peer, url, stream, limit, headers, signal) {
  for (const track of stream.getTracks()) {
    const isVideo = track.kind === 'video';
    peer.addTransceiver(track, {
      direction: 'sendonly',
      streams: [stream],
      sendEncodings: isVideo ? [{ maxBitrate: limit }] : [{ maxBitrate: 128_000 }],
    });
  }
  const { sdp } = await peer.createOffer();
  let response;
  let body;
  try {
    response = await ask(url, { method: 'POST', headers: { ...headers, 'Content-Type': 'application/sdp' }, body: sdp, signal });
    body = await response.text();
  } catch {
    return { problem: { kind: 'network' } };
  }
  if (response.status !== 201) return { problem: refusal(response, body) };
  const location = new URL(response.headers.get('Location'), response.url);
  if (!signal.aborted) await begin(peer, sdp, response, body);
  return { location };
}

function refusal({ status, headers }, body) {
  const detail = words(headers.get('Content-Type') ?? '', body) ?? `status ${status}`;
  if (status === 401 || status === 403) return { kind: 'refused' };
  if (status === 409) return { kind: 'taken' };
  if (status === 503) return { kind: 'busy', detail };
  return { kind: 'unsuitable', detail };
}

/** What the server says, as text or as `{"error": …}`. */
function words(type, body) {
  if (type.startsWith('text/plain')) return body.trim();
  if (!type.startsWith('application/json')) return undefined;
  try {
    return JSON.parse(body).error;
  } catch {
    return undefined;
  }
}

/** Tells the server at once that the stream is over. */
async function leave(resource, headers) {
  if (resource) await fetch(resource, { method: 'DELETE', headers, keepalive: true }).catch(() => undefined);
}

/** What is sent, by the browser's own count. */
class Meter {
  #peer;
  #before;

  constructor(peer) {
    this.#peer = peer;
  }

  async measure() {
    const reports = await this.#peer.getStats();
    const facts = { at: performance.now(), bytes: 0, lost: 0, codecs: [] };
    for (const report of reports.values()) {
      if (report.type === 'remote-inbound-rtp') facts.lost = Math.max(facts.lost, report.fractionLost ?? 0);
      if (report.type !== 'outbound-rtp') continue;
      facts.bytes += report.bytesSent;
      const codec = reports.get(report.codecId)?.mimeType.split('/')[1];
      if (codec) facts.codecs.push(codec);
      if (report.kind === 'video') {
        Object.assign(facts, { width: report.frameWidth, height: report.frameHeight, rate: report.framesPerSecond });
        facts.limitation = report.qualityLimitationReason;
      }
    }
    const before = this.#before;
    this.#before = facts;
    if (!before) return undefined;
    return { ...facts, bitrate: ((facts.bytes - before.bytes) * 8_000) / (facts.at - before.at) };
  }
}
