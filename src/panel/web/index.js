// The landing page: what is live with links to watch it, and how to publish. No sentence here (texts.js).

import { copyButton } from './copy.js';
import { landing as texts } from './texts.js';

const REFRESH = 5000;
const SHOWN = 50;

const at = (id) => document.getElementById(id);
const here = (path) => new URL(path, new URL('.', location.href)).href;
const playPage = (app, id) => here(`${app}/play.html?id=${encodeURIComponent(id)}`);

// What the server says of itself; these are its defaults.
const server = { applications: ['LiveApp', 'live'], listeners: [{ protocol: 'rtmp', port: 1935 }] };

for (const element of document.querySelectorAll('[data-text]')) element.textContent = texts[element.dataset.text];
document.querySelector('#open input').placeholder = texts.openPlaceholder;
at('streams-note').textContent = texts.loading;
at('name').addEventListener('input', showRecipes);
document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && refresh());
await learn();
showRecipes();
refresh();
setInterval(() => document.visibilityState === 'visible' && refresh(), REFRESH);

async function learn() {
  try {
    const response = await fetch(here('server.json'));
    if (response.ok) Object.assign(server, await response.json());
  } catch {
    // The defaults are most likely right.
  }
}

// ---- what is live ----

async function refresh() {
  const answers = await Promise.all(server.applications.map(listOf));
  const known = answers.filter((answer) => answer.streams);
  const refused = answers.some((answer) => answer.refused);
  const streams = known.flatMap((answer) => answer.streams).sort((a, b) => Number(b.live) - Number(a.live));
  note(known.length === 0 ? (refused ? texts.refused : texts.unreachable) : streams.length === 0 ? texts.none : '');
  at('open').hidden = !refused || known.length > 0;
  showStreams(streams);
}

async function listOf(app) {
  try {
    const response = await fetch(here(`${app}/rest/v2/broadcasts/list/0/${SHOWN}`), { cache: 'no-store' });
    if (response.status === 401 || response.status === 403) return { refused: true };
    if (!response.ok) return {};
    const list = await response.json();
    return { streams: list.map((item) => ({ ...item, app, live: item.status === 'broadcasting' })) };
  } catch {
    return {};
  }
}

function note(text) {
  if (at('streams-note').textContent !== text) at('streams-note').textContent = text;
  at('streams-note').hidden = text === '';
}

/** Rows are kept when a stream stays, so that the keyboard's place in the list survives a refresh. */
function showStreams(streams) {
  const list = at('streams');
  const old = new Map([...list.children].map((row) => [row.dataset.key, row]));
  const rows = streams.map((stream) => {
    const key = `${stream.app}/${stream.streamId}`;
    const row = old.get(key) ?? newRow(key);
    fillRow(row, stream);
    return row;
  });
  const same = rows.length === list.children.length && rows.every((row, i) => row === list.children[i]);
  if (!same) list.replaceChildren(...rows);
}

function newRow(key) {
  const row = make('li');
  row.dataset.key = key;
  const words = make('div', 'words');
  words.append(make('strong'), make('span', 'small'));
  row.append(make('span', 'badge'), words, make('a', 'button'));
  return row;
}

function fillRow(row, stream) {
  const [badge, words, link] = row.children;
  const [name, facts] = words.children;
  row.classList.toggle('live', stream.live);
  put(badge, stream.live ? texts.live : texts.offline);
  put(name, stream.name || stream.streamId);
  put(facts, describe(stream).join(' · '));
  put(link, texts.watch);
  link.href = playPage(stream.app, stream.streamId);
  link.setAttribute('aria-label', `${texts.watch}: ${stream.name || stream.streamId}`);
}

function describe(stream) {
  const facts = [`${stream.app}/${stream.streamId}`];
  if (!stream.live) return facts;
  if (stream.width > 0 && stream.height > 0) facts.push(`${stream.width}×${stream.height}`);
  if (stream.bitrate > 0) facts.push(`${(stream.bitrate / 1e6).toFixed(1)} Mbit/s`);
  if (stream.startTime > 0) facts.push(texts.since(duration(Date.now() - stream.startTime)));
  const counts = [stream.hlsViewerCount, stream.webRTCViewerCount, stream.dashViewerCount, stream.rtmpViewerCount];
  facts.push(texts.viewers(counts.reduce((sum, count) => sum + Math.max(0, count ?? 0), 0)));
  return facts;
}

function duration(ms) {
  const minutes = Math.max(0, Math.floor(ms / 60_000));
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

// ---- how to publish ----

function showRecipes() {
  if (!at('name').checkValidity()) return;
  const id = at('name').value;
  const [app] = server.applications;
  const rtmp = server.listeners.find((listener) => listener.protocol === 'rtmp')?.port ?? 1935;
  const target = `rtmp://${location.hostname}${rtmp === 1935 ? '' : `:${rtmp}`}/${app}`;
  const encode = '-c:v libx264 -preset veryfast -tune zerolatency -pix_fmt yuv420p -b:v 2500k -g 60 -c:a aac -b:a 128k';
  const test = '-f lavfi -i testsrc2=size=1280x720:rate=30 -f lavfi -i sine=frequency=440:sample_rate=48000';
  at('recipes').replaceChildren(
    recipe(texts.obs, texts.obsHow, [[texts.obsServer, target], [texts.obsKey, id]]),
    recipe(texts.browser, texts.browserHow, [['', here(`${app}/publish.html?id=${encodeURIComponent(id)}`), true]]),
    recipe(texts.ffmpegTest, texts.ffmpegTestHow, [['', `ffmpeg -re ${test} ${encode} -f flv ${target}/${id}`]]),
    recipe(texts.ffmpegFile, texts.ffmpegFileHow, [['', `ffmpeg -re -stream_loop -1 -i video.mp4 ${encode} -f flv ${target}/${id}`]]),
    recipe(texts.watchAt, texts.watchHow, [['', playPage(app, id), true], [texts.hls, here(`${app}/streams/${id}.m3u8`)]]),
  );
}

/** @param {[label: string, value: string, link?: boolean][]} lines */
function recipe(title, how, lines) {
  const box = make('article');
  const heading = make('h3');
  heading.textContent = title;
  const words = make('p', 'small');
  words.textContent = how;
  box.append(heading, words);
  for (const [label, value, link] of lines) {
    if (label) {
      const caption = make('span', 'caption');
      caption.textContent = label;
      box.append(caption);
    }
    const line = make('div', 'copy');
    const code = make('code');
    if (link) {
      const anchor = make('a');
      anchor.href = value;
      anchor.textContent = value;
      code.append(anchor);
    } else {
      code.append(...value.split(/(?<= )/).map(word));
    }
    line.append(code, copyButton(value, label || title));
    box.append(line);
  }
  return box;
}

function word(text) {
  const span = make('span');
  span.textContent = text;
  return span;
}

function make(tag, className) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  return element;
}

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
