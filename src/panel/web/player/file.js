// A recording (`id=streams/FILE.mp4`): the browser's own player, with seeking.

import { withQuery } from './params.js';

export const file = {
  supported: () => true,

  start(video, context) {
    const { target } = context;
    const stopping = new AbortController();
    video.addEventListener(
      'error',
      () => context.fail(video.error?.code === MediaError.MEDIA_ERR_SRC_NOT_SUPPORTED
        ? { kind: 'file_missing' }
        : { kind: 'failed', detail: video.error?.message }),
      { signal: stopping.signal },
    );
    video.src = withQuery(new URL(target.id, target.base), target.query).href;
    return {
      stop() {
        stopping.abort();
        video.removeAttribute('src');
        video.load();
      },
      latency: () => undefined,
      behind: () => false,
      over: () => false,
      starved: () => true,
      goLive: () => undefined,
    };
  },
};
