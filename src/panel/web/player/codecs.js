// Which codecs of a multivariant playlist or a DASH description this browser cannot play, by the names people know them.

const NAMES = [
  [/^avc[13]/i, 'H.264'],
  [/^(hvc1|hev1)/i, 'H.265 (HEVC)'],
  [/^(dvh1|dvhe|dva1|dvav)/i, 'Dolby Vision'],
  [/^av01/i, 'AV1'],
  [/^(vp09|vp9)/i, 'VP9'],
  [/^(vp08|vp8)/i, 'VP8'],
  [/^mp4a\.40\.34|^mp4a\.6b|^mp4a\.69|^mp3/i, 'MP3'],
  [/^mp4a/i, 'AAC'],
  [/^opus/i, 'Opus'],
  [/^ac-3/i, 'Dolby Digital (AC-3)'],
  [/^ec-3/i, 'Dolby Digital Plus (E-AC-3)'],
  [/^flac/i, 'FLAC'],
];
const SOUND = /^(mp4a|mp3|opus|ac-3|ec-3|flac|alac)/i;

/** The name of an RFC 6381 codec string, for example `H.264 (avc1.64001f)`. */
export function codecName(codec) {
  const name = NAMES.find(([pattern]) => pattern.test(codec))?.[1];
  return name ? `${name}, ${codec}` : codec;
}

/**
 * @param {string} text a multivariant playlist or a description
 * @param {(type: string) => boolean} canPlay
 * @returns {string[]} names of what cannot be played; empty when one variant can be played in full
 */
export function unplayable(text, canPlay) {
  const missing = new Set();
  for (const codecs of variants(text)) {
    const bad = codecs.map((codec) => codec.trim()).filter((codec) => codec && !canPlay(mime(codec)));
    if (bad.length === 0) return [];
    bad.forEach((codec) => missing.add(codecName(codec)));
  }
  return [...missing];
}

function mime(codec) {
  return `${SOUND.test(codec) ? 'audio' : 'video'}/mp4; codecs="${codec}"`;
}

/** The codecs of each variant. Of a description: those of all its tracks, or of the pictures alone. */
function variants(text) {
  if (text.startsWith('<')) {
    const all = [...text.matchAll(/ codecs="([^"]*)"/g)].map(([, codec]) => codec);
    const pictures = all.filter((codec) => !SOUND.test(codec));
    return pictures.length > 0 ? [all, pictures] : [all];
  }
  const lines = text.split('\n').filter((line) => line.startsWith('#EXT-X-STREAM-INF:'));
  return lines.map((line) => /[:,]CODECS="([^"]*)"/.exec(line)?.[1].split(',') ?? []);
}
