// What is found wrong with playlists: `node --test`.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkAlone, checkBehind, media, multivariant } from './playlists.mjs';

const segment = (number, duration = 2, parts = []) => [
  ...parts.map((part, at) => `#EXT-X-PART:DURATION=${part},URI="${number}.${at}.m4s"`),
  `#EXTINF:${duration},`,
  `${number}.m4s`,
];
const playlist = (first, ...lines) => [
  '#EXTM3U', '#EXT-X-VERSION:6', '#EXT-X-TARGETDURATION:2', '#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.5',
  '#EXT-X-PART-INF:PART-TARGET=0.5', `#EXT-X-MEDIA-SEQUENCE:${first}`, '#EXT-X-MAP:URI="0.mp4"', ...lines.flat(), '',
].join('\n');

test('a playlist is wrong by itself', () => {
  checkAlone(media(playlist(7, segment(7), segment(8, 1, [0.5, 0.5]))));
  const cases = [
    [playlist(7, segment(7, 2.6)), 'target'],
    [playlist(7, segment(7, 2, [0.5, 0.5])), 'lasts another time'],
    [playlist(7, segment(7, 1.3, [0.3, 0.5, 0.5])), '85%'],
    [playlist(7, segment(7, 0.6, [0.6])), 'PART-TARGET'],
    [playlist(7, segment(7)).replace('HOLD-BACK=1.5', 'HOLD-BACK=1'), 'too near'],
  ];
  for (const [text, words] of cases) assert.throws(() => checkAlone(media(text)), (error) => error.message.includes(words), words);
  assert.throws(() => multivariant(playlist(7, segment(7))), /no multivariant/);
});

test('a playlist is wrong beside the one before', () => {
  const before = media(playlist(7, segment(7), '#EXT-X-DISCONTINUITY', segment(8), segment(9)));
  const sequence = '#EXT-X-DISCONTINUITY-SEQUENCE:1';
  checkBehind(before, media(playlist(9, sequence, segment(9), segment(10))));
  const cases = [
    [playlist(6, segment(6)), 'goes back'],
    [playlist(7, segment(7)), 'at the end are gone'],
    [playlist(9, segment(9), segment(10)), 'discontinuity sequence'],
    [playlist(9, sequence, segment(9, 1.9)), 'is not what it was'],
    [playlist(7, segment(7), segment(8), segment(9)), 'is not what it was'],
  ];
  for (const [text, words] of cases) assert.throws(() => checkBehind(before, media(text)), (error) => error.message.includes(words), words);
});
