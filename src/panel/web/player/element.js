// What players that feed a media element know of it.

/** Less than this buffered is nothing to play on with (seconds). */
export const DRY = 0.3;

/** Media Source Extensions, or Safari's managed kind. */
export const mediaSource = () => globalThis.ManagedMediaSource ?? globalThis.MediaSource;

/** Seconds of media that can be played without any request. */
export function ahead(video) {
  const { buffered, currentTime } = video;
  for (let i = 0; i < buffered.length; i += 1) {
    if (buffered.start(i) <= currentTime + DRY && buffered.end(i) > currentTime) return buffered.end(i) - currentTime;
  }
  return 0;
}

/** What comes next is no longer to be had: the window of a live stream has passed it. */
export function isPast(video) {
  const { seekable, currentTime } = video;
  return seekable.length > 0 && currentTime < seekable.start(0) && ahead(video) < DRY;
}
