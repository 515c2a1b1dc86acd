// Publishes from the publish page with a browser's fake camera and microphone, until it is told to stop.
//
//   node publish.mjs --url URL [--watch URL] [--seconds 8] [--expect-state KIND] [--tcp] [--lost]
//
// Prints "live" once the page says so, and after that many seconds stops by the page's own button and prints a line of
// JSON: the page's last figures, what it says, and with --watch what a play page in the same browser saw meanwhile. With
// --expect-state it waits for that state of the page instead of the live one, and ends there. With --tcp no datagrams of WebRTC pass.
// With --lost the camera is pulled out once, and what is chosen goes live again.

import { installMeter } from './meter.mjs';
import { meansHere, readArguments, sleep, withPage } from './lib.mjs';
import { onlyTcp } from './relay.mjs';

const LIMIT = 40_000;

async function main() {
  const options = readArguments(process.argv.slice(2), { url: '', watch: '', seconds: 8, 'expect-state': '', here: '', tcp: false, lost: false });
  const args = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'];
  if (options.here) args.push(meansHere(options.here));
  // Who is asked for a login has none.
  const login = { username: 'nobody', password: 'nothing' };
  const facts = await withPage({ args, login }, async (page, consoleErrors) => {
    if (options.tcp) await onlyTcp(page.context());
    await page.goto(options.url, { waitUntil: 'domcontentloaded' });
    await untilState(page, 'idle');
    await page.click('#go');
    const wanted = options['expect-state'] || 'live';
    await untilState(page, wanted);
    const said = () => page.innerText('#status');
    if (wanted !== 'live') return { said: await said(), consoleErrors };
    if (options.lost) await lose(page);
    console.log('live');
    const watched = options.watch ? await watch(page.context(), options) : await sleep(options.seconds * 1000);
    const sent = JSON.parse(await page.evaluate(() => document.documentElement.dataset.facts ?? 'null'));
    await page.click('#go');
    await untilState(page, 'stopped');
    return { sent, watched: watched ?? null, said: await said(), consoleErrors };
  });
  console.log(JSON.stringify(facts));
  if (facts.consoleErrors.length > 0) throw new Error(`the page logged an error: ${facts.consoleErrors[0]}`);
}

async function untilState(page, kind) {
  const reached = await page
    .waitForFunction((wanted) => document.documentElement.dataset.state === wanted, kind, { timeout: LIMIT, polling: 50 })
    .then(() => true, () => false);
  if (!reached) throw new Error(`no ${kind} within ${LIMIT / 1000} s; the page says: ${await page.innerText('#status')}`);
}

/** The camera is pulled out: the page stops, and sends what is there when it is told to go on. */
async function lose(page) {
  // The name is free once the server has been told.
  const left = page.waitForResponse((response) => response.request().method() === 'DELETE', { timeout: LIMIT });
  await page.evaluate(() => {
    const [track] = document.getElementById('video').srcObject.getVideoTracks();
    track.stop();
    // Told by the browser where the device ends it.
    track.dispatchEvent(new Event('ended'));
  });
  await untilState(page, 'lost');
  await left;
  await page.click('#go');
  await untilState(page, 'live');
  const states = await page.evaluate(() => document.getElementById('video').srcObject.getTracks().map((track) => track.readyState));
  if (states.length !== 2 || states.some((state) => state !== 'live')) throw new Error(`live with tracks that are ${states}`);
}

/** A play page beside the publisher's, for so long. */
async function watch(context, { watch: url, seconds }) {
  const page = await context.newPage();
  await page.addInitScript(installMeter);
  await page.goto(url, { waitUntil: 'domcontentloaded' });
  await page.evaluate(() => window.millstreamMeter.watch());
  const sample = () => page.evaluate(() => window.millstreamMeter.sample());
  const limit = Date.now() + LIMIT;
  while (!((await sample())?.decodedFrames > 0)) {
    if (Date.now() > limit) throw new Error(`nothing played; the page says: ${await page.innerText('body')}`);
    await sleep(100);
  }
  const first = await sample();
  let last = first;
  for (const until = Date.now() + seconds * 1000; Date.now() < until; await sleep(200)) last = await sample();
  const { player, width, height, distinctPictures, audioRms } = last;
  await page.close();
  return { player, width, height, distinctPictures, audioRms, decodedFrames: last.decodedFrames - first.decodedFrames };
}

try {
  await main();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
