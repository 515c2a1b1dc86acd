// What players have in common that need a library: they begin when the server has said what there is and the library is
// there, and may be stopped before.

import { DRY, ahead, mediaSource } from './element.js';
import { probe } from './playlist.js';

/**
 * The `start` of a player.
 *
 * @param {(video: HTMLVideoElement, context: object, signal: AbortSignal) => Promise<object | undefined>} begin gives
 *   what plays; nothing when it has told the context why it does not
 */
export const starting = (begin) => (video, context) => {
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
    wentBack: () => inner?.wentBack?.() ?? false,
    over: () => inner?.over() ?? false,
    starved: () => inner !== undefined && ahead(video) < DRY,
    goLive: () => inner?.goLive(),
  };
};

/** The library that plays what is at `url`; nothing when that cannot be played, which is told, or nobody waits any more. */
export async function library(importing, url, context, signal) {
  importing.catch(() => undefined);
  const problem = await probe(url, signal, (type) => mediaSource().isTypeSupported(type));
  if (signal.aborted) return undefined;
  if (problem) {
    context.fail(problem);
    return undefined;
  }
  try {
    const loaded = await importing;
    return signal.aborted ? undefined : loaded;
  } catch {
    context.fail({ kind: 'network' });
    return undefined;
  }
}

/**
 * Notes whether the viewer has gone back: further than this behind where the player wants to be, by a seek or a pause.
 *
 * @param {() => number | undefined} excess seconds behind where the player wants to be
 */
export function goesBack(video, far, excess, signal) {
  let back = false;
  let paused = false;
  const isFar = () => (excess() ?? 0) > far;
  video.addEventListener('seeking', () => { back = isFar(); }, { signal });
  video.addEventListener('pause', () => { paused = true; }, { signal });
  video.addEventListener('play', () => {
    if (paused) back ||= isFar();
    paused = false;
  }, { signal });
  return () => back;
}
