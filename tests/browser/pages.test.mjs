// The parts of the pages that need no browser: `node --test`.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { unplayable } from '../../src/panel/web/player/codecs.js';
import { readTarget, withQuery } from '../../src/panel/web/player/params.js';
import { Session } from '../../src/panel/web/player/session.js';
import * as texts from '../../src/panel/web/texts.js';

const page = (query) => readTarget(new URL(`http://host:5080/LiveApp/play.html${query}`));
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

test('the link says which stream and how', () => {
  const target = page('?id=cam-1&playOrder=webrtc,%20ll-hls,hls&mute=true&autoplay=false&token=a%26b');
  assert.equal(target.app, 'LiveApp');
  assert.equal(target.base.href, 'http://host:5080/LiveApp/');
  assert.deepEqual(target.order, ['webrtc', 'hls']);
  assert.deepEqual([target.mute, target.autoplay], [true, false]);
  assert.equal(withQuery(new URL('a.m4s?x=1', target.base), target.query).search, '?x=1&token=a%26b');
  assert.equal(withQuery(new URL('a.m4s?token=own', target.base), target.query).search, '?token=own');
  assert.deepEqual([page('?name=old').id, page('?name=old').mute, page('?name=old').autoplay], ['old', undefined, true]);
});

test('names that the server refuses are refused here', () => {
  for (const id of ['a', 'A.b_c-9', 'x'.repeat(128)]) assert.equal(page(`?id=${id}`).problem, undefined, id);
  for (const id of ['.a', 'a..b', 'a/b', '<b>', 'x'.repeat(129), 'streams/../a.mp4']) {
    assert.equal(page(`?id=${encodeURIComponent(id)}`).problem, 'bad_id', id);
  }
  assert.equal(page('').problem, 'no_id');
});

test('a recording is played as a file', () => {
  const target = page('?id=streams/cam-1/today.mp4&playOrder=hls');
  assert.deepEqual([target.file, target.order, target.problem], [true, ['file'], undefined]);
});

test('a codec is named only when no variant can be played in full', () => {
  const master = (...codecs) => codecs.map((c) => `#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS="${c}",AUDIO="a"\nv.m3u8\n`).join('');
  const canPlay = (type) => /avc1|mp4a/.test(type);
  assert.deepEqual(unplayable(master('avc1.64001f,mp4a.40.2'), canPlay), []);
  assert.deepEqual(unplayable(master('hvc1.1.6.L93.B0,mp4a.40.2', 'avc1.64001f'), canPlay), []);
  assert.deepEqual(unplayable(master('hvc1.1.6.L93.B0,opus'), canPlay), ['H.265 (HEVC), hvc1.1.6.L93.B0', 'Opus, opus']);
  assert.deepEqual(unplayable('#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8\n', canPlay), []);
});

test('every text that the pages ask for exists', () => {
  const read = (name) => readFileSync(new URL(`../../src/panel/web/${name}`, import.meta.url), 'utf8');
  for (const [, key] of read('index.html').matchAll(/data-text="(\w+)"/g)) assert.equal(typeof texts.landing[key], 'string', key);
  for (const [, key] of read('index.js').matchAll(/texts\.(?!js\b)(\w+)/g)) assert.ok(texts.landing[key], key);
  for (const [, key] of read('play.js').matchAll(/texts\.(?!js\b)(\w+)/g)) assert.ok(texts.player[key], key);
  const sources = ['hls', 'file', 'playlist', 'params', 'session'].map((name) => read(`player/${name}.js`)).join('');
  for (const [, kind] of sources.matchAll(/kind: '(\w+)'/g)) {
    if (['connecting', 'playing', 'buffering', 'restarted', 'stalled'].includes(kind)) continue;
    const words = texts.notices[kind]?.({ id: 'x', app: 'y', codecs: ['z'] });
    assert.ok(words?.title && words.text, kind);
  }
});

test('a session tries the next player, waits as long as the server asks, and ignores a player it replaced', async () => {
  globalThis.addEventListener ??= () => undefined;
  const states = [];
  const started = [];
  const video = { addEventListener: () => undefined, currentTime: 0, readyState: 0, paused: true };
  const fake = (name, supported = true) => [name, {
    supported: () => supported,
    start(_, context) {
      started.push({ name, context, stopped: 0 });
      const mine = started.at(-1);
      return { stop: () => { mine.stopped += 1; }, latency: () => undefined, behind: () => false, over: () => mine.over ?? false, starved: () => false };
    },
  }];
  const session = new Session(video, { file: false }, [fake('none', false), fake('one'), fake('two')], (s) => states.push(s));
  session.start();
  assert.deepEqual(started.map((s) => s.name), ['one']);
  started[0].context.fail({ kind: 'failed' });
  assert.deepEqual(started.map((s) => s.name), ['one', 'two']);
  assert.equal(started[0].stopped, 1);
  started[0].context.fail({ kind: 'refused' });
  assert.equal(states.at(-1).kind, 'connecting');
  started[1].context.fail({ kind: 'not_live', retryAfter: 0.05 });
  assert.equal(states.at(-1).kind, 'not_live');
  await sleep(120);
  assert.deepEqual(started.map((s) => s.name), ['one', 'two', 'one']);
  session.stop();
});
