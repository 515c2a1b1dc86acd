// The play page's address, read once: which stream, how to play it, and what to pass on to the server.
//
// Known parameters: id (or name), playOrder, autoplay, mute, user, pass, token, subscriberId, subscriberCode, ptz, talk.
// Others are ignored, so links written for other players keep working.

const ID = /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}$/;
const FILE = /^streams\/[A-Za-z0-9_-][A-Za-z0-9_./-]*\.(mp4|webm)$/;
const PASSED_ON = ['user', 'pass', 'token', 'subscriberId', 'subscriberCode'];
const DEFAULT_ORDER = 'webrtc,hls,dash';

/**
 * @typedef {object} Target
 * @property {string} app application, the first part of the page's path
 * @property {string} id stream name, or `streams/FILE.mp4`
 * @property {boolean} file true when `id` is a recording
 * @property {URL} base folder of the application, ends with a slash
 * @property {string[]} order names of players in the order to try them
 * @property {boolean} autoplay
 * @property {boolean | undefined} mute true: begin muted; false: insist on sound; undefined: sound if allowed
 * @property {boolean} ptz whether the camera is to be moved from the page
 * @property {boolean} talk whether the camera is to be talked to from the page
 * @property {[string, string][]} query what every media request carries
 * @property {string | undefined} problem `no_id` or `bad_id`
 */

/** @param {URL} page @returns {Target} */
export function readTarget(page) {
  const query = page.searchParams;
  const base = new URL('.', page);
  const id = (query.get('id') ?? query.get('name') ?? '').trim();
  const file = FILE.test(id) && !id.includes('..');
  return {
    app: decodeURIComponent(base.pathname.split('/').at(-2) ?? ''),
    id,
    file,
    base: new URL(base.origin + base.pathname),
    order: file ? ['file'] : names(query.get('playOrder') || DEFAULT_ORDER),
    autoplay: flag(query.get('autoplay')) ?? true,
    mute: flag(query.get('mute')),
    ptz: flag(query.get('ptz')) ?? false,
    talk: flag(query.get('talk')) ?? false,
    query: PASSED_ON.flatMap((key) => (query.get(key) ? [[key, query.get(key)]] : [])),
    problem: id === '' ? 'no_id' : file || (ID.test(id) && !id.includes('..')) ? undefined : 'bad_id',
  };
}

/** `url` with the parameters of `query` that it does not carry yet. */
export function withQuery(url, query) {
  const result = new URL(url);
  for (const [key, value] of query) {
    if (!result.searchParams.has(key)) result.searchParams.set(key, value);
  }
  // A space of a form, which the server would take for a plus.
  result.search = result.search.replaceAll('+', '%20');
  return result;
}

function names(text) {
  const list = text.split(',').map((name) => name.trim().toLowerCase()).filter(Boolean);
  return [...new Set(list.map((name) => (name === 'll-hls' ? 'hls' : name)))];
}

function flag(text) {
  if (text === 'true' || text === '1') return true;
  if (text === 'false' || text === '0') return false;
  return undefined;
}
