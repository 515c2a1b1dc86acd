// DASH, with dash.js. It is kept as near to the live edge as the description says, by playing slightly faster or slower.

import { DRY, ahead, mediaSource } from './element.js';
import { withQuery } from './params.js';
import { descriptionUrl, networkProblem, probe } from './playlist.js';

/** More than this behind the intended distance is "behind" (seconds). */
const BEHIND = 3;

export const dash = {
  supported: () => Boolean(mediaSource()),

  start(video, context) {
    const stopping = new AbortController();
    const { signal } = stopping;
    let inner;
    begin(video, context, signal).then(
      (handle) => {
        if (signal.aborted) handle?.stop();
        else inner = handle;
      },
      (error) => !signal.aborted && context.fail({ kind: 'failed', detail: error.message }),
    );
    return {
      stop() {
        stopping.abort();
        inner?.stop();
      },
      latency: () => inner?.latency(),
      behind: () => inner?.behind() ?? false,
      over: () => inner?.over() ?? false,
      starved: () => inner !== undefined && ahead(video) < DRY,
      goLive: () => inner?.goLive(),
    };
  },
};

async function begin(video, context, signal) {
  const url = descriptionUrl(context.target);
  const library = import('../dash.mjs');
  library.catch(() => undefined);
  const problem = await probe(url, signal, (type) => mediaSource().isTypeSupported(type));
  if (signal.aborted) return undefined;
  if (problem) {
    context.fail(problem);
    return undefined;
  }
  let MediaPlayer;
  try {
    ({ MediaPlayer } = await library);
  } catch {
    context.fail({ kind: 'network' });
    return undefined;
  }
  return signal.aborted ? undefined : attach(MediaPlayer, url, video, context);
}

function attach(MediaPlayer, url, video, context) {
  const player = MediaPlayer().create();
  const { events } = MediaPlayer;
  let over = false;
  let done = false;
  // dash.js must not be destroyed from inside one of its own events.
  const fail = (problem) => {
    if (done) return;
    done = true;
    queueMicrotask(() => context.fail(problem));
  };
  const latency = () => {
    const seconds = player.getCurrentLiveLatency();
    return seconds > 0 ? seconds : undefined;
  };

  player.updateSettings({
    debug: { logLevel: 0 },
    streaming: {
      liveCatchup: { enabled: true, maxDrift: 8 },
      buffer: { bufferToKeep: 20 },
    },
  });
  player.addRequestInterceptor(async (request) => {
    request.url = withQuery(new URL(request.url, location.href), context.target.query).href;
    return request;
  });
  player.on(events.MANIFEST_LOADED, ({ data }) => {
    if (data) over = data.type === 'static' || data.minimumUpdatePeriod === undefined;
  });
  player.on(events.ERROR, ({ error }) => {
    const status = error.data?.response?.status;
    if (status !== undefined) fail(networkProblem(status));
    else fail({ kind: 'failed', detail: error.message });
  });
  player.initialize(video, url.href, true);
  return {
    stop() {
      done = true;
      // What waits for this would find the element gone.
      video.dispatchEvent(new Event('canplay'));
      player.destroy();
    },
    latency,
    behind: () => (latency() ?? 0) > player.getTargetLiveDelay() + BEHIND,
    over: () => over,
    goLive: () => player.seekToOriginalLive(),
  };
}
