// DASH, with dash.js: by the description for low latency where there is one. It is kept as near to the live edge as the
// description says, by playing slightly faster or slower.

import { goesBack, library, starting } from './begin.js';
import { mediaSource } from './element.js';
import { withQuery } from './params.js';
import { counts, descriptionUrl, lowDescriptionUrl, networkProblem } from './playlist.js';

/** More than this behind the intended distance is "behind" (seconds). */
const BEHIND = 3;
/** More than this behind it jumps by itself, unless the viewer has gone back (seconds). */
const FAR_BEHIND = 8;

export const dash = {
  supported: () => Boolean(mediaSource()),

  start: starting(async (video, context, signal) => {
    const low = lowDescriptionUrl(context.target);
    const isLow = await counts(low, signal);
    if (signal.aborted) return undefined;
    const url = isLow ? low : descriptionUrl(context.target);
    const loaded = await library(import('../dash.mjs'), url, context, signal);
    return loaded && attach(loaded.MediaPlayer, url, isLow, video, context, signal);
  }),
};

function attach(MediaPlayer, url, isLow, video, context, signal) {
  const player = MediaPlayer().create();
  const { events } = MediaPlayer;
  let over = false;
  let period;
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
      liveCatchup: { enabled: true, maxDrift: FAR_BEHIND },
      buffer: { bufferToKeep: 20 },
    },
  });
  player.addRequestInterceptor(async (request) => {
    request.url = withQuery(new URL(request.url, location.href), context.target.query).href;
    return request;
  });
  player.on(events.MANIFEST_LOADED, ({ data }) => {
    if (!data) return;
    over = data.type === 'static' || data.minimumUpdatePeriod === undefined;
    // Segments are no longer of the length by which they were counted; dash.js would count on.
    const id = data.Period?.[0]?.id;
    if (isLow && !over && id !== (period ?? id)) fail({ kind: 'restarted' });
    period = id;
  });
  player.on(events.ERROR, ({ error }) => {
    const status = error.data?.response?.status;
    if (status !== undefined) fail(networkProblem(status));
    else fail({ kind: 'failed', detail: error.message });
  });
  const excess = () => (latency() ?? 0) - player.getTargetLiveDelay();
  const wentBack = goesBack(video, FAR_BEHIND, excess, signal);
  // Behind `goesBack`, which hears of these first.
  for (const event of ['seeked', 'play']) {
    video.addEventListener(
      event,
      () => player.updateSettings({ streaming: { liveCatchup: { enabled: !wentBack() } } }),
      { signal },
    );
  }
  player.initialize(video, url.href, true);
  return {
    stop() {
      done = true;
      // What waits for this would find the element gone.
      video.dispatchEvent(new Event('canplay'));
      player.destroy();
    },
    latency,
    behind: () => excess() > BEHIND,
    wentBack,
    over: () => over,
    goLive: () => player.seekToOriginalLive(),
  };
}
