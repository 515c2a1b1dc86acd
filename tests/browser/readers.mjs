// Follows a live stream as HLS and as DASH, without playing it: every playlist is read by two parsers and has to keep the
// rules of the RFC, every segment is read by mp4box and lasts what its playlist says.
//
//   node readers.mjs --url PLAYLIST --mpd DESCRIPTION --seconds 10
//
// Prints one line of JSON; exit status 0 when all checks passed, else 1 and the reason on stderr.

import { createFile } from 'mp4box';
import { parse } from 'mpd-parser';
import { readArguments, sleep } from './lib.mjs';
import { checkAlone, checkBehind, fail, media, multivariant } from './playlists.mjs';

/** What a segment lasts may differ so much from what its playlist says, in seconds. */
const ROUNDING = 0.001;

const facts = { playlists: 0, deltas: 0, segments: 0, samples: 0, descriptions: 0 };

async function fetched(url, type) {
  const response = await fetch(url);
  if (!response.ok) fail(`${response.status} for ${url}: ${await response.text()}`);
  const found = response.headers.get('content-type');
  if (found !== type) fail(`${url} is ${found} and not ${type}`);
  return response;
}

const text = async (url) => (await fetched(url, 'application/vnd.apple.mpegurl')).text();

/** Reads a playlist again and again: in turn at once, and waiting at the server for what comes next. */
async function follow(url, until) {
  let before;
  const known = new Map();
  for (let round = 0; Date.now() < until && !before?.ended; round += 1) {
    const address = new URL(url);
    if (before !== undefined && before.partTarget && round % 3 > 0) {
      const end = before.sequence + before.segments.length;
      address.searchParams.set('_HLS_msn', end);
      address.searchParams.set('_HLS_part', before.open.length);
    }
    const now = media(await text(address));
    facts.playlists += 1;
    checkAlone(now);
    if (before !== undefined) checkBehind(before, now);
    if (now.canSkipUntil !== undefined) {
      address.searchParams.set('_HLS_skip', 'YES');
      const delta = media(await text(address));
      checkDelta(now, delta);
    }
    for (const segment of now.segments) await check(segment, address, known);
    if (!now.partTarget) await sleep(250);
    before = now;
  }
  if (before === undefined || before.segments.length === 0) fail(`nothing came of ${url}`);
  const length = before.segments.reduce((sum, { duration }) => sum + duration, 0);
  return { segments: known.size, listed: before.segments.length, length };
}

/** A delta update, which came after the playlist, is that with more at its end and less at its beginning. */
function checkDelta(whole, delta) {
  if (delta.skipped === 0) return;
  facts.deltas += 1;
  const gone = delta.sequence - whole.sequence;
  if (gone < 0) fail('a delta update goes back', delta.text);
  const kept = whole.segments.slice(gone + delta.skipped);
  kept.forEach(({ uri, duration }, at) => {
    const { uri: other, duration: lasts } = delta.segments[at];
    if (uri !== other || duration !== lasts) fail(`${uri} is not what it was in a delta update`, delta.text);
  });
}

/** A segment is there, and is what its playlist says. */
async function check(segment, base, known) {
  if (known.has(segment.uri)) return;
  known.set(segment.uri, segment.duration);
  facts.segments += 1;
  if (segment.map === undefined) {
    const bytes = await (await fetched(new URL(segment.uri, base), 'video/mp2t')).bytes();
    const whole = bytes.length > 0 && bytes.length % 188 === 0;
    if (!whole || bytes.some((byte, at) => at % 188 === 0 && byte !== 0x47)) fail(`${segment.uri} is no transport stream`);
    return;
  }
  const type = `${segment.uri.split('_')[0]}/mp4`;
  const file = createFile();
  file.onError = (error) => fail(`${segment.uri}: ${error}`);
  let at = 0;
  for (const uri of [segment.map, segment.uri]) {
    const bytes = await (await fetched(new URL(uri, base), type)).arrayBuffer();
    bytes.fileStart = at;
    at += bytes.byteLength;
    file.appendBuffer(bytes);
  }
  file.flush();
  const tracks = file.getInfo().tracks;
  if (tracks.length !== 1) fail(`${segment.uri} has ${tracks.length} tracks`);
  const samples = file.getTrackSamplesInfo(tracks[0].id);
  facts.samples += samples.length;
  const ticks = samples.reduce((sum, { duration }) => sum + duration, 0);
  const lasts = ticks / tracks[0].timescale;
  if (Math.abs(lasts - segment.duration) > ROUNDING) fail(`${segment.uri} lasts ${lasts} s and not ${segment.duration} s`);
}

/** The description as mpd-parser reads it: what it names is there, and it never goes back. */
async function describe(url, until) {
  let newest = 0;
  while (Date.now() < until) {
    const description = await (await fetched(url, 'application/dash+xml')).text();
    facts.descriptions += 1;
    const problems = [];
    const read = parse(description, { manifestUri: url, eventHandler: ({ message }) => problems.push(message) });
    if (problems.length > 0) fail(problems.join('; '), description);
    if (read.playlists.length !== 1) fail(`${read.playlists.length} renditions of pictures`, description);
    const sound = Object.values(read.mediaGroups.AUDIO).flatMap((group) => Object.values(group));
    const playlists = [...read.playlists, ...sound.flatMap(({ playlists }) => playlists)];
    for (const { segments } of playlists) {
      const last = segments.at(-1);
      if (last === undefined) fail('there are no segments', description);
      for (const { resolvedUri } of [last, last.map]) {
        const response = await fetch(resolvedUri);
        await response.arrayBuffer();
        if (!response.ok) fail(`${response.status} for ${resolvedUri}`, description);
      }
    }
    const end = read.playlists[0].segments.at(-1).presentationTime;
    if (end < newest) fail('the end of the description goes back', description);
    newest = end;
    await sleep(1_000);
  }
}

async function main() {
  const options = readArguments(process.argv.slice(2), { url: '', mpd: '', seconds: 10 });
  if (!options.url) throw new Error('--url is needed');
  const until = Date.now() + options.seconds * 1_000;
  const renditions = multivariant(await text(options.url)).map((uri) => new URL(uri, options.url).href);
  const plain = options.url.replace(/\.m3u8$/, '/ts.m3u8');
  const followed = [...renditions, plain].map((url) => follow(url, until));
  const described = options.mpd ? [describe(options.mpd, until)] : [];
  const [results] = await Promise.all([Promise.all(followed), ...described]);
  console.log(JSON.stringify({ ok: true, ...facts, renditions: results }));
}

main().catch((error) => {
  console.log(JSON.stringify({ ok: false, ...facts, message: error.message }));
  console.error(error.stack);
  process.exit(1);
});
