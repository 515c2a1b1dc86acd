// Opens a play page and checks that a viewer sees moving pictures and hears sound.
//
//   node play.mjs --url URL [--seconds 8] [--wait-playing 20] [--screenshot FILE] [--expect-text TEXT]
//                 [--no-audio] [--no-video] [--block-autoplay] [--dark] [--width 1280] [--height 720]
//                 [--loss 0.03] [--rate BITS] [--relayed] [--shaka DESCRIPTION] [--low] [--mpegts SOURCE] [--user NAME --password WORD]
//                 [--here NAME]
//
// Prints one line of JSON; exit status 0 when all checks passed, else 1 and the reason on stderr.
// With --expect-text it waits for that text to be visible instead, and checks no pictures. --loss is the part of
// the datagrams of WebRTC that is lost on the way, --rate what the way carries in a second; with --relayed the browser takes
// no way but through a TURN server. --shaka puts a page of another player, with that DASH description or
// playlist, in place of the one at the URL; --low gives players of DASH the description for low latency; --mpegts has mpegts.js play FLV from SOURCE in the place of what is on the
// page. With --user the viewer answers so when the browser asks for a login. --here is a name of this
// machine that the browser does not know to be one.

import { installMeter } from './meter.mjs';
import { meansHere, readArguments, sleep, withPage } from './lib.mjs';
import { addPlayer } from './mpegts.mjs';
import { relay } from './relay.mjs';

/** Quieter than this (full scale is 1) is silence: -60 dB. */
const SILENCE = 0.001;
const SAMPLE_MS = 200;

async function main() {
  const options = readArguments(process.argv.slice(2), {
    url: '',
    seconds: 8,
    'wait-playing': 20,
    screenshot: '',
    'expect-text': '',
    'no-audio': false,
    'no-video': false,
    'block-autoplay': false,
    dark: false,
    width: 1280,
    height: 720,
    loss: 0,
    rate: 0,
    relayed: false,
    shaka: '',
    low: false,
    mpegts: '',
    user: '',
    password: '',
    here: '',
  });
  if (!options.url) throw new Error('--url is needed');
  const result = await withPage(
    {
      autoplay: !options['block-autoplay'],
      dark: options.dark,
      width: options.width,
      height: options.height,
      args: options.here ? [meansHere(options.here)] : [],
      login: options.user ? { username: options.user, password: options.password } : undefined,
    },
    (page, consoleErrors) => (options['expect-text'] ? expectText : watch)(page, options, consoleErrors),
  );
  console.log(JSON.stringify({ ok: result.problem === undefined, ...result.facts, message: result.problem ?? '' }));
  if (result.problem !== undefined) {
    console.error(result.problem);
    process.exitCode = 1;
  }
}

async function expectText(page, options, consoleErrors) {
  const text = options['expect-text'];
  const began = Date.now();
  await page.goto(options.url, { waitUntil: 'domcontentloaded' });
  // innerText holds what is shown, and only that.
  const found = await page.waitForFunction(
    (wanted) => document.body?.innerText.includes(wanted),
    text,
    { timeout: options['wait-playing'] * 1000, polling: 50 },
  ).then(() => true, () => false);
  await screenshot(page, options);
  const facts = { startMs: Date.now() - began, text: await page.innerText('body'), consoleErrors };
  const problem = found
    ? complaints(consoleErrors)
    : `the text “${text}” did not appear within ${options['wait-playing']} s; the page says: ${facts.text.replaceAll('\n', ' ')}`;
  return { facts, problem };
}

async function watch(page, options, consoleErrors) {
  await page.addInitScript(installMeter);
  if (options.relayed) await page.addInitScript(relayed);
  if (options.loss > 0 || options.rate > 0) await relay(page, () => options.loss, options.rate || undefined);
  if (options.low) {
    const low = (route) => route.continue({ url: route.request().url().replace('.mpd', '_low.mpd') });
    await page.route((url) => url.pathname.endsWith('.mpd') && !url.pathname.endsWith('_low.mpd'), low);
  }
  if (options.shaka) await serveShaka(page, options);
  if (options.mpegts) await addPlayer(page, options.mpegts);
  const began = Date.now();
  await page.goto(options.url, { waitUntil: 'domcontentloaded' });
  await page.evaluate(() => window.millstreamMeter.watch());
  const startMs = await untilPlaying(page, began, options);
  if (startMs === undefined) {
    const said = (await page.innerText('body')).replaceAll('\n', ' ').trim();
    await screenshot(page, options);
    return {
      facts: { startMs: null, ...(await page.evaluate(() => window.millstreamMeter.sample())), consoleErrors },
      problem: `nothing played within ${options['wait-playing']} s; the page says: ${said}`,
    };
  }
  await page.evaluate(() => window.millstreamMeter.reset());
  const first = await page.evaluate(() => window.millstreamMeter.sample());
  const before = await page.evaluate(() => window.millstreamMeter.received());
  const until = Date.now() + options.seconds * 1000;
  let last = first;
  while (Date.now() < until) {
    await sleep(SAMPLE_MS);
    last = await page.evaluate(() => window.millstreamMeter.sample());
  }
  const after = await page.evaluate(() => window.millstreamMeter.received());
  await screenshot(page, options);
  const facts = {
    startMs,
    decodedFrames: last.decodedFrames - first.decodedFrames,
    droppedFrames: last.droppedFrames - first.droppedFrames,
    distinctPictures: last.distinctPictures,
    audioRms: round(last.audioRms),
    audioBytes: last.audioBytes === null ? null : last.audioBytes - first.audioBytes,
    played: round(last.time - first.time),
    latency: last.latency,
    stalls: last.stalls,
    player: last.player,
    passedOver: last.passedOver,
    webrtc: last.player === 'webrtc' ? grown(before, after) : null,
    muted: last.muted,
    width: last.width,
    height: last.height,
    consoleErrors,
  };
  return { facts, problem: judge(facts, options) };
}

/** Runs in the page. */
function relayed() {
  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(configuration) {
      super({ ...configuration, iceTransportPolicy: 'relay' });
    }
  };
}

/** A page with shaka-player under the URL. */
async function serveShaka(page, { url, shaka }) {
  const script = new URL('node_modules/shaka-player/dist/shaka-player.compiled-es2021.js', import.meta.url);
  await page.route(`${url}.js`, (route) => route.fulfill({ path: script.pathname, contentType: 'text/javascript' }));
  const body = `<!doctype html><link rel="icon" href="data:,"><video controls autoplay></video>
    <script src="${url}.js"></script>
    <script type="module">
      shaka.polyfill.installAll();
      const player = new shaka.Player();
      player.addEventListener('error', (event) => console.error(event.detail));
      await player.attach(document.querySelector('video'));
      await player.load(${JSON.stringify(shaka)});
    </script>`;
  await page.route(url, (route) => route.fulfill({ body, contentType: 'text/html' }));
}

/** Milliseconds until time moved and, unless there is none, a picture was decoded. */
async function untilPlaying(page, began, options) {
  const limit = began + options['wait-playing'] * 1000;
  let before;
  while (Date.now() < limit) {
    const now = await page.evaluate(() => window.millstreamMeter.sample());
    const picture = options['no-video'] || (now?.width > 0 && now.decodedFrames > 0);
    if (now && before && picture && !now.paused && now.time > before.time && before.time > 0) return Date.now() - began;
    before = now;
    await sleep(50);
  }
  return undefined;
}

/** By how much the counts of a WebRTC session have grown. */
function grown(before, after) {
  const count = (kind, name) => (after[kind]?.[name] ?? 0) - (before[kind]?.[name] ?? 0);
  return {
    framesDecoded: count('video', 'framesDecoded'),
    retransmitted: count('video', 'retransmittedPacketsReceived'),
    nacks: count('video', 'nackCount'),
    freezes: count('video', 'freezeCount'),
    frozen: round(count('video', 'totalFreezesDuration')),
    audioEnergy: count('audio', 'totalAudioEnergy'),
  };
}

/** The first thing that is wrong, in words; undefined when nothing is. */
function judge(facts, options) {
  const { seconds } = options;
  if (facts.played < seconds * 0.7) return `only ${facts.played} s were played in ${seconds} s`;
  if (!options['no-video']) {
    if (facts.decodedFrames < seconds * 4) return `only ${facts.decodedFrames} frames were decoded in ${seconds} s`;
    if (facts.distinctPictures < Math.max(2, seconds)) {
      return `the picture stands still: ${facts.distinctPictures} different pictures in ${seconds} s`;
    }
  }
  if (!options['no-audio']) {
    if (facts.audioBytes === 0) return 'no audio was decoded';
    if (facts.audioRms < SILENCE) return `the audio is silent (RMS ${facts.audioRms})`;
  }
  return complaints(facts.consoleErrors);
}

function complaints(consoleErrors) {
  return consoleErrors.length > 0 ? `the page logged an error: ${consoleErrors[0]}` : undefined;
}

async function screenshot(page, options) {
  if (options.screenshot) await page.screenshot({ path: options.screenshot });
}

const round = (value) => Math.round(value * 1000) / 1000;

try {
  await main();
} catch (error) {
  console.log(JSON.stringify({ ok: false, message: error.message }));
  console.error(error.message);
  process.exitCode = 1;
}
