// Asks the server for a stream's multivariant playlist or description, and says in one word what is wrong if it has
// none.

import { ask } from './ask.js';
import { unplayable } from './codecs.js';
import { withQuery } from './params.js';

/** The stream's playlist with what the server wants to see in every request. */
export function playlistUrl(target) {
  return withQuery(new URL(`streams/${encodeURIComponent(target.id)}.m3u8`, target.base), target.query);
}

/** The stream's description for DASH, likewise. */
export function descriptionUrl(target) {
  const id = encodeURIComponent(target.id);
  return withQuery(new URL(`streams/${id}/${id}.mpd`, target.base), target.query);
}

/** The same for players that stay close; where segments are not of equal length, it is the one above. */
export function lowDescriptionUrl(target) {
  const url = descriptionUrl(target);
  url.pathname = url.pathname.replace(/\.mpd$/, '_low.mpd');
  return url;
}

/** Whether the description at `url` counts segments, so that they can be asked for while they are made. */
export async function counts(url, signal) {
  try {
    const response = await ask(url, { cache: 'no-store', signal });
    return response.ok && (await response.text()).includes('availabilityTimeComplete="false"');
  } catch {
    return false;
  }
}

/** The problem with a request of a library that has failed with that status; 0 for none. */
export function networkProblem(status) {
  if (status === 404 || status === 410) return { kind: 'not_live' };
  if (status === 401 || status === 403) return { kind: 'refused' };
  if (status === 503) return { kind: 'starting' };
  return status >= 500 ? { kind: 'server', status } : { kind: 'network' };
}

/**
 * @param {URL} url
 * @param {AbortSignal} signal
 * @param {(type: string) => boolean} canPlay asked with a MIME type that has one codec
 * @returns {Promise<import('./session.js').Problem | undefined>} undefined when the stream can be played
 */
export async function probe(url, signal, canPlay) {
  let response;
  let body;
  try {
    response = await ask(url, { cache: 'no-store', signal });
    body = await response.text();
  } catch {
    return { kind: 'network' };
  }
  if (!response.ok) return refusal(response, body);
  const codecs = unplayable(body, canPlay);
  return codecs.length > 0 ? { kind: 'unplayable', codecs } : undefined;
}

/** What an answer other than 200 means. */
function refusal(response, body) {
  const { status } = response;
  const retryAfter = Number(response.headers.get('Retry-After')) || undefined;
  if (status === 404) return { kind: reason(body) === 'no_such_stream' ? 'no_such_stream' : 'not_live', retryAfter };
  if (status === 410) return { kind: 'ended', retryAfter };
  if (status === 401 || status === 403) return { kind: 'refused', retryAfter };
  if (status === 503) return { kind: 'starting', retryAfter };
  return { kind: 'server', status, retryAfter };
}

function reason(body) {
  try {
    return JSON.parse(body).error;
  } catch {
    return undefined;
  }
}
