// Ant Media's own client, unmodified, in a page of its own: publishes a browser's fake camera, and plays it.
//
//   node antmedia.mjs --server http://HOST:PORT --id cam [--seconds 5]
//
// Prints one line of JSON: what each of the two was told, in order, and what was seen.

import { installMeter } from './meter.mjs';
import { readArguments, sleep, withPage } from './lib.mjs';

const LIMIT = 40_000;

async function main() {
  const { server, id, seconds } = readArguments(process.argv.slice(2), { server: '', id: 'cam', seconds: 5 });
  const modules = new URL('node_modules/', import.meta.url);
  const scripts = ['@mediapipe/selfie_segmentation/selfie_segmentation.js', '@antmedia/webrtc_adaptor/dist/browser/webrtc_adaptor.js'];
  const args = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'];
  const facts = await withPage({ args }, async (page, consoleErrors) => {
    await page.addInitScript(installMeter);
    // A page of the server's own origin without a policy, as one of somebody's would be.
    await page.goto(`${server}/healthz`);
    await page.evaluate(() => {
      document.body.innerHTML = '<video id="remote" autoplay controls></video><video id="local" autoplay muted></video>';
    });
    for (const script of scripts) await page.addScriptTag({ path: new URL(script, modules).pathname });
    const websocket = `${server.replace('http', 'ws')}/LiveApp/websocket`;
    await page.evaluate(begin, { websocket, id });
    const told = (who, what) => page.waitForFunction(
      ([name, word]) => window.told[name].includes(word),
      [who, what],
      { timeout: LIMIT, polling: 50 },
    );
    try {
      // It asks too early, is told so, and told when it is there.
      await told('player', 'error:no_stream_exist');
      await page.evaluate(() => window.publish());
      await told('publisher', 'publish_started');
      await told('player', 'streaming_started');
      await told('player', 'play_started');
      await page.evaluate(() => window.millstreamMeter.watch());
      const sample = () => page.evaluate(() => window.millstreamMeter.sample());
      const first = await sample();
      let last = first;
      for (const until = Date.now() + seconds * 1000; Date.now() < until; await sleep(200)) last = await sample();
      await page.evaluate((stream) => window.player.stop(stream), id);
      await told('player', 'play_finished');
      await page.evaluate((stream) => window.publisher.stop(stream), id);
      await told('publisher', 'publish_finished');
      const decodedFrames = last.decodedFrames - (first?.decodedFrames ?? 0);
      const { distinctPictures, audioRms } = last;
      return { ...(await page.evaluate(() => window.told)), decodedFrames, distinctPictures, audioRms, consoleErrors };
    } catch (error) {
      throw new Error(`${error.message}; told: ${JSON.stringify(await page.evaluate(() => window.told))}`);
    }
  });
  console.log(JSON.stringify(facts));
}

/** In the page. */
function begin({ websocket, id }) {
  const { WebRTCAdaptor } = window.webrtc_adaptor;
  window.told = { publisher: [], player: [] };
  const listen = (name, act = () => undefined) => ({
    websocket_url: websocket,
    callback: (info) => { window.told[name].push(info); act(info); },
    callbackError: (error) => window.told[name].push(`error:${error}`),
  });
  window.player = new WebRTCAdaptor({
    ...listen('player', (info) => ['initialized', 'streaming_started'].includes(info) && window.player.play(id)),
    isPlayMode: true,
    remoteVideoId: 'remote',
    reconnectIfRequiredFlag: false,
  });
  window.publish = () => {
    window.publisher = new WebRTCAdaptor({
      ...listen('publisher', (info) => info === 'initialized' && window.publisher.publish(id)),
      localVideoId: 'local',
      mediaConstraints: { video: true, audio: true },
      reconnectIfRequiredFlag: false,
    });
  };
}

try {
  await main();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
