// A media playlist as two parsers read it, and the rules that it has to keep, alone and beside the one before
// (RFC 8216 and its second edition, draft-pantos-hls-rfc8216bis).

import HLS from 'hls-parser';
import { Parser } from 'm3u8-parser';

/** hls-parser counts the segment that is being made as one of the three whose parts are listed, and it is not. */
const UNFOUNDED = 'Remove EXT-X-PART tags from the Playlist after they are greater than three target durations';

/** Durations are written with five decimals. */
const EXACT = 0.00002;
/** Distance of the dates of two segments from what the first lasts, in seconds: at first the date is a guess. */
const DATES = 0.5;
/** Every part but the last of its segment has this much of the target at least (second edition, section 4.4.4.9). */
const SHORTEST_PART = 0.85;
/** What a delta update leaves out is further from the end than so many targets (section 4.4.3.8). */
const SKIP_TARGETS = 6;

export function fail(what, text) {
  throw new Error(text === undefined ? what : `${what}\n${text}`);
}

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

/** What hls-parser reads, if it has no complaint: these it writes to the console. */
function parsed(text) {
  const write = console.error;
  const complaints = [];
  console.error = (words) => complaints.push(String(words));
  try {
    return HLS.parse(text);
  } finally {
    console.error = write;
    const founded = complaints.filter((words) => !words.includes(UNFOUNDED));
    if (founded.length > 0) fail(founded.join('; '), text);
  }
}

/** What both parsers say of a multivariant playlist, which has to be the same. */
export function multivariant(text) {
  const ours = parsed(text);
  if (!ours.isMasterPlaylist) fail('it is no multivariant playlist', text);
  const parser = new Parser();
  parser.push(text);
  parser.end();
  const theirs = parser.manifest;
  const one = ours.variants.map(({ uri, bandwidth, codecs, resolution, frameRate, audio }) => ({
    uri, bandwidth, codecs, width: resolution?.width, frameRate, audio: audio[0]?.groupId,
  }));
  const other = theirs.playlists.map(({ uri, attributes: of }) => ({
    uri, bandwidth: of.BANDWIDTH, codecs: of.CODECS, width: of.RESOLUTION?.width, frameRate: of['FRAME-RATE'], audio: of.AUDIO,
  }));
  if (!same(one, other)) fail(`the parsers differ: ${JSON.stringify([one, other])}`, text);
  const groups = Object.values(theirs.mediaGroups?.AUDIO ?? {}).flatMap((group) => Object.values(group));
  const sound = ours.variants.flatMap((variant) => variant.audio.map(({ uri }) => uri));
  if (!same([...new Set(sound)], groups.map(({ uri }) => uri))) fail('the parsers differ in sound', text);
  for (const { bandwidth, codecs } of one) {
    if (!(bandwidth > 0) || !codecs) fail('a variant says too little', text);
  }
  return [...new Set([...one.map(({ uri }) => uri), ...sound])];
}

/** What both parsers say of a media playlist. */
export function media(text) {
  const ours = parsed(text);
  if (ours.isMasterPlaylist) fail('it is no media playlist', text);
  const parser = new Parser();
  parser.push(text);
  parser.end();
  const theirs = parser.manifest;
  const complete = ours.segments.filter(({ uri }) => uri);
  const parts = (list) => (list ?? []).filter(({ hint }) => !hint)
    .map(({ uri, duration, independent }) => ({ uri, duration, independent: independent === true }));
  const one = {
    target: ours.targetDuration,
    sequence: ours.mediaSequenceBase ?? 0,
    discontinuitySequence: ours.discontinuitySequenceBase ?? 0,
    ended: ours.endlist,
    partTarget: ours.partTargetDuration,
    skipped: ours.skip ?? 0,
    segments: complete.map((segment) => ({
      uri: segment.uri,
      duration: segment.duration,
      discontinuity: segment.discontinuity === true,
      map: segment.map?.uri,
      date: segment.programDateTime?.getTime(),
      parts: parts(segment.parts),
    })),
    open: parts(ours.segments.find(({ uri }) => !uri)?.parts),
    hint: ours.segments.flatMap((segment) => segment.parts).find(({ hint }) => hint)?.uri,
  };
  const other = {
    target: theirs.targetDuration,
    sequence: theirs.mediaSequence,
    discontinuitySequence: theirs.discontinuitySequence,
    ended: theirs.endList === true,
    partTarget: theirs.partTargetDuration,
    skipped: theirs.skip?.skippedSegments ?? 0,
    segments: theirs.segments.map((segment) => ({
      uri: segment.uri,
      duration: segment.duration,
      discontinuity: segment.discontinuity === true,
      map: segment.map?.uri,
      date: segment.dateTimeObject?.getTime(),
      parts: parts(segment.parts),
    })),
    open: parts(theirs.preloadSegment?.parts),
    hint: theirs.preloadSegment?.preloadHints?.[0]?.uri,
  };
  if (!same(one, other)) fail(`the parsers differ: ${JSON.stringify([one, other])}`, text);
  const control = ours.lowLatencyCompatibility;
  return { ...one, text, partHoldBack: control?.partHoldBack, canSkipUntil: control?.canSkipUntil };
}

/** The rules of one playlist. */
export function checkAlone(now) {
  const wrong = (what) => fail(what, now.text);
  if (!Number.isInteger(now.target) || now.target < 1) wrong('the target duration is no whole number');
  for (const { uri, duration, parts } of now.segments) {
    if (Math.round(duration) > now.target) wrong(`${uri} is longer than the target duration`);
    const sum = parts.reduce((sum, part) => sum + part.duration, 0);
    if (parts.length > 0 && Math.abs(sum - duration) > EXACT * (parts.length + 1)) wrong(`${uri} lasts another time than its parts`);
  }
  for (const parts of [...now.segments.map(({ parts }) => parts), now.open]) {
    const isOpen = parts === now.open;
    parts.forEach(({ uri, duration }, at) => {
      if (duration > now.partTarget + EXACT) wrong(`${uri} is longer than the part target`);
      const isLast = at === parts.length - 1 && !isOpen;
      if (!isLast && duration < SHORTEST_PART * now.partTarget) wrong(`${uri} is shorter than a part may be`);
    });
  }
  if (now.partTarget && !(now.partHoldBack >= 3 * now.partTarget - EXACT)) wrong('players are held too near the end');
  if (now.canSkipUntil !== undefined && now.canSkipUntil < SKIP_TARGETS * now.target) wrong('too much may be left out');
  now.segments.slice(1).forEach((segment, at) => {
    const before = now.segments[at];
    if (segment.date === undefined || segment.discontinuity) return;
    const apart = (segment.date - before.date) / 1000 - before.duration;
    if (Math.abs(apart) > DATES) wrong(`the dates of ${before.uri} and the next are ${apart} s off`);
  });
  if (now.ended && (now.hint || now.open.length > 0)) wrong('more is announced behind the end');
}

/** The rules of a playlist beside the one that was read before it. */
export function checkBehind(before, now) {
  const wrong = (what) => fail(what, `${before.text}\nand then\n${now.text}`);
  const gone = now.sequence - before.sequence;
  if (gone < 0) wrong('the media sequence goes back');
  if (now.target !== before.target) wrong('the target duration changes');
  if (before.ended && now.text !== before.text) wrong('it changes behind its end');
  const end = (playlist) => playlist.sequence + playlist.skipped + playlist.segments.length;
  if (end(now) < end(before)) wrong('segments at the end are gone');
  if (now.skipped > 0 || before.skipped > 0) return;
  const left = before.segments.slice(0, gone).filter(({ discontinuity }) => discontinuity).length;
  if (gone <= before.segments.length && now.discontinuitySequence !== before.discontinuitySequence + left) {
    wrong('the discontinuity sequence is not that of what has gone');
  }
  before.segments.slice(gone).forEach((segment, at) => {
    const { uri, duration, discontinuity, map, date } = segment;
    const known = now.segments[at];
    const again = { uri: known.uri, duration: known.duration, discontinuity: known.discontinuity, map: known.map, date: known.date };
    if (!same({ uri, duration, discontinuity, map, date }, again)) wrong(`${uri} is not what it was`);
  });
  // What was open is the segment that follows, with the parts that it had.
  const next = end(now) > end(before) ? now.segments[end(before) - now.sequence]?.parts ?? [] : now.open;
  before.open.forEach((part, at) => {
    if (next.length > 0 && !same(part, next[at])) wrong(`${part.uri} is not what it was`);
  });
}
