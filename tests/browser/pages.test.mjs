// The parts of the pages that need no browser: `node --test`.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { unplayable } from '../../src/panel/web/player/codecs.js';
import { iceServers } from '../../src/panel/web/player/ice.js';
import { readTarget, withQuery } from '../../src/panel/web/player/params.js';
import { Pad } from '../../src/panel/web/player/ptz.js';
import { Talk } from '../../src/panel/web/player/talk.js';
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

test('servers that the answer names are read', () => {
  const link = '<turn:t.example:3478?transport=tcp>; rel="ice-server"; username="u"; credential="p,w"; credential-type="password", '
    + '</next>; rel="next", <stun:s.example>; rel="ice-server"';
  assert.deepEqual(iceServers(link), [
    { urls: 'turn:t.example:3478?transport=tcp', username: 'u', credential: 'p,w' },
    { urls: 'stun:s.example' },
  ]);
  assert.deepEqual(iceServers(null), []);
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
  for (const [, key] of read('play.js').matchAll(/texts\.(?!js\b)(\w+)/g)) assert.ok(texts.player[key], key);
  for (const [, key] of read('publish.html').matchAll(/data-text="(\w+)"/g)) assert.equal(typeof texts.publisher[key], 'string', key);
  for (const [, key] of read('publish.js').matchAll(/texts\.(?!js\b)(\w+)/g)) assert.ok(texts.publisher[key], key);
  for (const [, kind] of read('publisher/whip.js').matchAll(/kind: '(\w+)'/g)) {
    assert.ok(texts.publisher.states[kind]?.({ id: 'x', detail: 'y' }), kind);
  }
  const sources = ['hls', 'dash', 'webrtc', 'file', 'element', 'playlist', 'params', 'session'].map((name) => read(`player/${name}.js`)).join('');
  for (const [, kind] of sources.matchAll(/kind: '(\w+)'/g)) {
    if (['connecting', 'playing', 'buffering', 'restarted', 'stalled'].includes(kind)) continue;
    const words = texts.notices[kind]?.({ id: 'x', app: 'y', codecs: ['z'] });
    assert.ok(words?.title && words.text, kind);
  }
});

const fake = (name, started, more = {}) => [name, {
  supported: () => true,
  start(video, context) {
    const mine = { name, video, context, stopped: 0, position: 0 };
    started.push(mine);
    return {
      stop: () => { mine.stopped += 1; },
      moveTo: (other) => { mine.video = other; },
      latency: () => undefined,
      behind: () => false,
      over: () => false,
      starved: () => false,
      position: () => mine.position,
    };
  },
  ...more,
}];
const element = (more = {}) => ({
  addEventListener: () => undefined,
  removeAttribute: () => undefined,
  cloneNode: () => element({ readyState: 4 }),
  currentTime: 0,
  readyState: 0,
  paused: false,
  ...more,
});

test('a session tries the next player, waits as long as the server asks, and ignores a player it replaced', async () => {
  globalThis.addEventListener ??= () => undefined;
  const states = [];
  const started = [];
  const players = [fake('none', started, { supported: () => false }), fake('one', started), fake('two', started)];
  const session = new Session(element(), { file: false }, players, (s) => states.push(s));
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

test('a player that was passed over takes over once it plays out of sight', async (t) => {
  globalThis.addEventListener ??= () => undefined;
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  const started = [];
  const states = [];
  const video = element({ readyState: 4 });
  const players = [fake('first', started, { movable: true }), fake('second', started)];
  const session = new Session(video, { file: false }, players, (s) => states.push(s.kind));
  session.start();
  started[0].context.fail({ kind: 'no_way' });
  assert.deepEqual([session.playerName, session.passedOver.kind], ['second', 'no_way']);
  started[1].position = 1;
  t.mock.timers.tick(250);
  assert.equal(states.at(-1), 'playing');
  t.mock.timers.tick(5_000);
  // Out of sight, and what happens to it there changes nothing.
  assert.equal(started.length, 3);
  assert.notEqual(started[2].video, video);
  started[2].context.fail({ kind: 'no_way' });
  assert.deepEqual([started[1].stopped, started[2].stopped, session.playerName], [0, 1, 'second']);
  t.mock.timers.tick(9_999);
  assert.equal(started.length, 3);
  t.mock.timers.tick(1);
  started[3].position = 1;
  t.mock.timers.tick(250);
  assert.equal(started[3].video, video);
  assert.deepEqual([started[1].stopped, started[3].stopped], [1, 0]);
  assert.deepEqual([session.playerName, session.passedOver], ['first', undefined]);
  session.stop();
  assert.equal(started[3].stopped, 1);
});

/** A pad with these buttons on a page that is nowhere; what it asked, and the window. */
async function pad(ways, { ok = true } = {}) {
  const calls = [];
  const window = new EventTarget();
  globalThis.addEventListener = window.addEventListener.bind(window);
  globalThis.HTMLVideoElement ??= class {};
  globalThis.fetch = async (url, { method = 'GET', headers = {} } = {}) => {
    // Who has signed in is let change something by this alone.
    assert.equal(headers['X-Requested-With'], method === 'GET' ? undefined : 'millstream');
    calls.push(`${method} ${url.pathname.split('/').at(-1)}${url.search}`);
    return { ok };
  };
  const buttons = Object.fromEntries(ways.map((way) => [way, Object.assign(new EventTarget(), { dataset: { way }, setPointerCapture() {} })]));
  const element = { hidden: true, querySelectorAll: () => Object.values(buttons) };
  await new Pad(element, page('?id=cam&ptz=1')).show();
  const send = async (to, type, more = {}) => {
    to.dispatchEvent(Object.assign(new Event(type, { cancelable: true }), more));
    await sleep(1);
  };
  return { calls, window, buttons, element, send };
}

test('a camera moves while a button or a key is pressed', async () => {
  const { calls, window, buttons, element, send } = await pad(['ArrowLeft', 'home']);
  assert.equal(element.hidden, false);
  await send(buttons.ArrowLeft, 'pointerdown', { pointerId: 1 });
  await send(buttons.ArrowLeft, 'pointerup');
  await send(buttons.ArrowLeft, 'click', { detail: 1 });
  await send(window, 'keydown', { key: '+' });
  await send(window, 'keydown', { key: '+', repeat: true });
  await send(window, 'keyup', { key: 'a' });
  await send(window, 'blur');
  await send(window, 'keyup', { key: '+' });
  await send(window, 'keydown', { key: 'ArrowUp', ctrlKey: true });
  await send(buttons.home, 'click', { detail: 1 });
  await send(buttons.ArrowLeft, 'click', { detail: 0 });
  const move = (x, z) => `POST move?movement=continuous&valueX=${x}&valueY=0&valueZ=${z}`;
  assert.deepEqual(calls, [
    'GET status', move(-0.5, 0), 'POST stop-move', move(0, 0.5), 'POST stop-move', 'POST home',
    'POST move?valueX=-0.1&valueY=0&valueZ=0',
  ]);
});

test('who may not move the camera is not shown how', async () => {
  const { calls, element } = await pad(['ArrowLeft'], { ok: false });
  assert.deepEqual([element.hidden, calls], [true, ['GET status']]);
});

/** A button to talk on a page that is nowhere, where the server and the microphone answer so; what the page was told. */
async function button({ ok = true, microphone }) {
  const told = [];
  const asked = [];
  globalThis.fetch = async (url) => {
    asked.push(url.pathname);
    return { ok, json: async () => ({}) };
  };
  const mediaDevices = microphone && { getUserMedia: microphone };
  Object.defineProperty(globalThis, 'navigator', { value: { mediaDevices }, configurable: true });
  const element = Object.assign(new EventTarget(), { hidden: true, attributes: {}, setAttribute(name, value) { this.attributes[name] = value; } });
  await new Talk(element, page('?id=cam&talk=1'), (state, problem) => told.push(problem ? `${state}: ${problem.kind}` : state)).show();
  const press = async () => {
    element.dispatchEvent(new Event('click'));
    await sleep(1);
  };
  return { element, told, asked, press };
}

test('who may not talk, or to whom, is not shown how', async () => {
  const { element, told, asked } = await button({ ok: false });
  assert.deepEqual([element.hidden, told, asked], [true, [], ['/api/v1/streams/LiveApp/cam/talk']]);
});

test('without a microphone the page says why', async () => {
  const insecure = await button({});
  await insecure.press();
  assert.deepEqual([insecure.element.hidden, insecure.told], [false, ['off', 'off: insecure']]);
  const no = (name) => async () => { throw Object.assign(new Error(name), { name }); };
  for (const [name, kind] of [['NotAllowedError', 'forbidden'], ['NotFoundError', 'no_microphone']]) {
    const { told, press, element } = await button({ microphone: no(name) });
    await press();
    assert.deepEqual([told, element.attributes], [['off', 'asking', `off: ${kind}`], { 'aria-pressed': 'false' }]);
  }
});

test('a microphone that comes after the button was let go is closed', async () => {
  let give;
  const stopped = [];
  const { told, press } = await button({ microphone: () => new Promise((resolve) => { give = resolve; }) });
  await press();
  await press();
  give({ getTracks: () => [{ stop: () => stopped.push('track') }] });
  await sleep(1);
  assert.deepEqual([told, stopped], [['off', 'asking', 'off'], ['track']]);
});
