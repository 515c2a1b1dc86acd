// HLS: with hls.js where the browser has Media Source Extensions (or Safari's managed kind), else with the
// browser's own HLS. Low latency, kept near the live edge by playing slightly faster when it falls behind.

import { goesBack, library, starting } from './begin.js';
import { DRY, ahead, mediaSource } from './element.js';
import { withQuery } from './params.js';
import { networkProblem, playlistUrl, probe } from './playlist.js';

const NATIVE_TYPE = 'application/vnd.apple.mpegurl';
const hasNative = () => document.createElement('video').canPlayType(NATIVE_TYPE) !== '';

/** More than this behind the intended distance is "behind" (seconds). */
const BEHIND = 3;
/** More than this behind it jumps by itself instead of catching up (seconds). */
const FAR_BEHIND = 8;
/** While there is something left to play, a lost connection is tried again this often (ms). */
const RESUME = 500;

export const hls = {
  supported: () => Boolean(mediaSource()) || hasNative(),

  start: starting((...all) => (mediaSource() ? startMediaSource : startNative)(...all)),
};

async function startMediaSource(video, context, signal) {
  const url = playlistUrl(context.target);
  const loaded = await library(import('../hls.mjs'), url, context, signal);
  return loaded && attach(loaded.default, url, video, context, signal);
}

function attach(Hls, url, video, context, signal) {
  const { Events, ErrorTypes } = Hls;
  const player = new Hls(settings(context.target));
  let lastEnd = -1;
  let others;
  let over = false;
  let recovered = -Infinity;
  let done = false;
  let resume;
  // hls.js must not be destroyed from inside one of its own events.
  const fail = (problem) => {
    if (done) return;
    done = true;
    queueMicrotask(() => context.fail(problem));
  };

  const latency = () => (player.latency > 0 ? player.latency : undefined);
  const excess = () => (latency() ?? 0) - (player.targetLatency ?? 0);
  const wentBack = goesBack(video, FAR_BEHIND, excess, signal);
  const goLive = () => {
    if (player.liveSyncPosition) video.currentTime = player.liveSyncPosition;
  };

  player.on(Events.LEVEL_LOADED, (_, { details }) => {
    if (!details.live && details.type !== 'VOD' && lastEnd < 0) fail({ kind: 'ended' });
    // Numbers that run backwards: the stream began anew under the same address.
    else if (details.endSN < lastEnd) fail({ kind: 'restarted' });
    // Sound has come or gone: hls.js reads what there is once.
    const reported = details.renditionReports?.length ?? 0;
    if (details.live && reported !== (others ?? reported)) fail({ kind: 'restarted' });
    others = reported;
    lastEnd = details.endSN;
    over = !details.live;
    // hls.js can do this too, but only with a distance of its own in place of the playlist's.
    if (details.live && !video.paused && excess() > FAR_BEHIND && !wentBack()) goLive();
  });
  player.on(Events.ERROR, (_, error) => {
    if (!error.fatal) return;
    if (error.type === ErrorTypes.NETWORK_ERROR && lastEnd >= 0 && ahead(video) > DRY && !video.paused) {
      // The viewer sees what has arrived, and a short interruption not at all.
      clearTimeout(resume);
      resume = setTimeout(() => player.startLoad(), RESUME);
    } else if (error.type === ErrorTypes.NETWORK_ERROR) {
      fail(networkProblem(error.response?.code ?? 0));
    } else if (error.type === ErrorTypes.MEDIA_ERROR && performance.now() - recovered > 10_000) {
      recovered = performance.now();
      player.recoverMediaError();
    } else {
      fail({ kind: 'failed', detail: error.details });
    }
  });
  player.loadSource(url.href);
  player.attachMedia(video);
  return {
    stop() {
      done = true;
      clearTimeout(resume);
      player.destroy();
    },
    latency,
    behind: () => excess() > BEHIND,
    wentBack,
    over: () => over,
    goLive,
  };
}

function settings(target) {
  const policy = (maxNumRetry, firstByte, whole) => ({
    default: {
      maxTimeToFirstByteMs: firstByte,
      maxLoadTimeMs: whole,
      timeoutRetry: { maxNumRetry, retryDelayMs: 0, maxRetryDelayMs: 0 },
      errorRetry: { maxNumRetry, retryDelayMs: 300, maxRetryDelayMs: 2000 },
    },
  });
  return {
    lowLatencyMode: true,
    maxLiveSyncPlaybackRate: 1.2,
    liveDurationInfinity: true,
    backBufferLength: 20,
    // The media is fMP4 that is handed on almost untouched: a worker would cost more than it saves.
    enableWorker: false,
    // The session asks again by itself, and knows what to say meanwhile. A request may be held 10 s for a start.
    manifestLoadPolicy: policy(0, 15_000, 20_000),
    playlistLoadPolicy: policy(2, 15_000, 20_000),
    fragLoadPolicy: policy(3, 10_000, 30_000),
    xhrSetup: (xhr, address) => xhr.open('GET', withQuery(new URL(address, location.href), target.query), true),
  };
}

/** For browsers without Media Source Extensions. They send the playlist's own query, so the server passes it on. */
async function startNative(video, context, signal) {
  const url = playlistUrl(context.target);
  const problem = await probe(url, signal, (type) => video.canPlayType(type) !== '');
  if (signal.aborted) return undefined;
  if (problem) {
    context.fail(problem);
    return undefined;
  }
  video.addEventListener(
    'error',
    () => context.fail(video.error?.code === MediaError.MEDIA_ERR_NETWORK
      ? { kind: 'network' }
      : { kind: 'failed', detail: video.error?.message }),
    { signal },
  );
  video.src = url.href;
  const edge = () => (video.seekable.length > 0 ? video.seekable.end(video.seekable.length - 1) : undefined);
  const latency = () => (edge() === undefined ? undefined : Math.max(0, edge() - video.currentTime));
  return {
    stop() {
      video.removeAttribute('src');
      video.load();
    },
    latency,
    behind: () => (latency() ?? 0) > 6 + BEHIND,
    over: () => video.ended,
    goLive() {
      if (edge() !== undefined) video.currentTime = Math.max(0, edge() - 1);
    },
  };
}
