// The publish page: shows what will be sent, sends it when asked to, and says how that goes. No sentence here
// (texts.js), and no protocol (publisher/whip.js).
//
// Parameters: `id` (the stream), `picture` (`camera`, `screen`, `none`), `sound` (`none`), `quality`; all others are
// passed on to the server, as a token or a login. For tests, <html> carries data-state and data-facts.

import { withQuery } from './player/params.js';
import * as devices from './publisher/devices.js';
import { publish } from './publisher/whip.js';
import { publisher as texts } from './texts.js';

/** Between two attempts, while what is wrong may pass (ms). */
const AGAIN = 3_000;
/** Problems that pass by themselves. */
const PASSING = ['network', 'interrupted', 'no_way', 'busy', 'ended'];

const at = (id) => document.getElementById(id);
const parameters = new URL(location.href).searchParams;
const report = document.documentElement.dataset;

let stream;
let session;
let again;
/** What is opened last counts, whatever opens first. */
let opening = 0;

for (const element of document.querySelectorAll('[data-text]')) element.textContent = texts[element.dataset.text];
at('video').setAttribute('aria-label', texts.preview);
at('name').value = parameters.get('id') ?? '';
at('quality').replaceChildren(...Object.keys(devices.QUALITIES).map((key) => option(key, texts.qualities[key])));
at('quality').value = Object.hasOwn(devices.QUALITIES, parameters.get('quality')) ? parameters.get('quality') : 'medium';
setGo();

if (!devices.allowed()) {
  say('insecure');
  await showSecure();
} else {
  await showDevices();
  navigator.mediaDevices.addEventListener('devicechange', showDevices);
  for (const id of ['picture', 'sound', 'quality']) at(id).addEventListener('change', preview);
  at('form').addEventListener('submit', (event) => {
    event.preventDefault();
    if (wanted()) stop();
    else start();
  });
  at('go').disabled = false;
  if (at('picture').value === 'screen') say('idle');
  else await preview();
}

/** The lists of devices, with what was chosen before still chosen. */
async function showDevices() {
  const { cameras, microphones, screen } = await devices.list();
  const asked = parameters.get('picture') ?? '';
  const pictures = [
    ...cameras.map(({ deviceId, label }, n) => option(deviceId, label || texts.camera(n + 1))),
    ...(screen ? [option('screen', texts.screen)] : []),
    option('none', texts.noPicture),
  ];
  fill(at('picture'), pictures, asked === 'camera' ? '' : asked);
  const sounds = [
    ...microphones.map(({ deviceId, label }, n) => option(deviceId, label || texts.microphone(n + 1))),
    option('none', texts.noSound),
  ];
  fill(at('sound'), sounds, parameters.get('sound') ?? '');
}

function fill(select, options, first) {
  const before = select.options.length > 0 ? select.value : first;
  select.replaceChildren(...options);
  if (options.some((other) => other.value === before)) select.value = before;
}

function option(value, text) {
  return new Option(text, value);
}

/** Opens what is chosen. False when that cannot be had. */
async function preview() {
  const choice = { picture: at('picture').value, sound: at('sound').value, quality: at('quality').value };
  if (choice.picture === 'none' && choice.sound === 'none') {
    release();
    say('nothing');
    return false;
  }
  opening += 1;
  const turn = opening;
  say('asking');
  const before = stream;
  try {
    const opened = await devices.open(choice);
    if (turn !== opening) {
      devices.close(opened);
      return false;
    }
    stream = opened;
  } catch (error) {
    if (turn === opening) say(error.name === 'NotAllowedError' ? 'not_allowed' : 'no_device', error.message);
    return false;
  }
  at('video').srcObject = stream;
  // A screen that is no longer shared, a camera that was pulled out.
  for (const track of stream.getTracks()) {
    track.addEventListener('ended', () => stream.getTracks().includes(track) && wanted() && stop('lost'));
  }
  await showDevices();
  if (!wanted()) say('idle');
  else if (await session?.replace(stream)) say('live');
  else connect();
  devices.close(before);
  return true;
}

function release() {
  devices.close(stream);
  stream = undefined;
  at('video').srcObject = null;
}

/** Whether the stream is to be live. */
function wanted() {
  return document.body.classList.contains('wanted');
}

async function start() {
  // What has ended, by itself or by its device, is opened again.
  const opened = stream?.getTracks().every((track) => track.readyState === 'live');
  if (!opened && !await preview()) return;
  document.body.classList.add('wanted');
  at('name').readOnly = true;
  setGo();
  connect();
}

function stop(kind = 'stopped', detail = '') {
  document.body.classList.remove('wanted');
  at('name').readOnly = false;
  disconnect();
  setGo();
  say(kind, detail);
}

/** Completes when the server knows. */
async function disconnect() {
  const old = session;
  session = undefined;
  clearTimeout(again);
  at('badge').hidden = true;
  at('facts').hidden = true;
  at('watch').hidden = true;
  await old?.stop();
}

async function connect() {
  say('connecting');
  await disconnect();
  if (!wanted() || session) return;
  const id = at('name').value;
  const url = new URL(`whip/${encodeURIComponent(id)}`, location.href);
  const own = ['id', 'picture', 'sound', 'quality'];
  const query = [...parameters].filter(([name]) => !own.includes(name));
  const [, , limit] = devices.QUALITIES[at('quality').value];
  session = publish(withQuery(url, query), stream, limit, {
    live() {
      at('badge').hidden = false;
      at('watch').hidden = false;
      at('watch').firstElementChild.href = `play.html?id=${encodeURIComponent(id)}`;
      say('live');
    },
    measured(facts) {
      report.facts = JSON.stringify(facts);
      at('facts').hidden = false;
      at('facts').textContent = texts.facts(facts);
    },
    over({ kind, detail }) {
      if (!PASSING.includes(kind)) {
        stop(kind, detail);
        return;
      }
      disconnect();
      say(kind, detail);
      again = setTimeout(connect, AGAIN);
    },
  });
}

function setGo() {
  at('go').textContent = wanted() ? texts.stop : texts.start;
  at('go').classList.toggle('stop', wanted());
}

/** The way to the same page where browsers give devices, if the server has one. */
async function showSecure() {
  const response = await fetch(new URL('../server.json', location.href));
  const { listeners } = await response.json();
  const https = listeners.find(({ protocol }) => protocol === 'https');
  if (!https) return;
  const page = new URL(location.href);
  [page.protocol, page.port] = ['https:', https.port];
  at('secure').querySelector('a').href = page.href;
  at('secure').hidden = false;
}

function say(kind, detail = '') {
  report.state = kind;
  const text = texts.states[kind] ?? texts.states.failed;
  const words = text({ id: at('name').value, detail });
  if (at('status').textContent !== words) at('status').textContent = words;
}
