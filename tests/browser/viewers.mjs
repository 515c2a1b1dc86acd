// Many WebRTC viewers of one stream in one page, by WHEP and nothing else.
//
//   node viewers.mjs --url URL-OF-WHEP --count 8
//
// Prints "watching" once each has decoded pictures and heard sound, then waits for the signal USR2, ends the
// sessions by DELETE and prints one line of JSON with their statuses.

import { readArguments, withPage } from './lib.mjs';

const options = readArguments(process.argv.slice(2), { url: '', count: 8 });
const signal = new Promise((resolve) => process.once('SIGUSR2', resolve));
await withPage({}, async (page) => {
  await page.goto(new URL('/', options.url).href);
  await page.evaluate(watch, [options.url, options.count]);
  console.log('watching');
  await signal;
  console.log(JSON.stringify(await page.evaluate(() => window.leave())));
});

async function watch([url, count]) {
  async function join() {
    const peer = new RTCPeerConnection();
    peer.addTransceiver('video', { direction: 'recvonly' });
    peer.addTransceiver('audio', { direction: 'recvonly' });
    await peer.setLocalDescription();
    const headers = { 'Content-Type': 'application/sdp' };
    const answer = await fetch(url, { method: 'POST', headers, body: peer.localDescription.sdp });
    if (answer.status !== 201) throw new Error(`${answer.status} ${await answer.text()}`);
    await peer.setRemoteDescription({ type: 'answer', sdp: await answer.text() });
    // What nothing listens to is not decoded.
    for (const { receiver } of peer.getTransceivers()) {
      const element = document.createElement(receiver.track.kind);
      element.srcObject = new MediaStream([receiver.track]);
      element.play();
    }
    return { peer, location: new URL(answer.headers.get('Location'), url) };
  }
  async function plays({ peer }) {
    const reports = [...(await peer.getStats()).values()].filter((report) => report.type === 'inbound-rtp');
    const of = (kind) => reports.find((report) => report.kind === kind) ?? {};
    return of('video').framesDecoded >= 20 && of('audio').totalAudioEnergy > 0;
  }
  const viewers = await Promise.all(Array.from({ length: count }, join));
  const until = Date.now() + 20_000;
  while (!(await Promise.all(viewers.map(plays))).every(Boolean)) {
    if (Date.now() > until) throw new Error('not all viewers see and hear the stream');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  window.leave = () => Promise.all(viewers.map(async ({ location }) => (await fetch(location, { method: 'DELETE' })).status));
}
