// Plays a recording in Chromium's own player, seeks in it, and checks that pictures and sound were decoded.
//
//   node file.mjs --url URL --duration SECONDS
//
// Prints one line of JSON; exit status 0 when all checks passed, else 1 and the reason on stderr.

import { readArguments, withPage } from './lib.mjs';

async function main() {
  const options = readArguments(process.argv.slice(2), { url: '', duration: 0 });
  if (!options.url) throw new Error('--url is needed');
  const { facts, problem } = await withPage({}, (page) => play(page, options));
  console.log(JSON.stringify({ ok: problem === undefined, ...facts, message: problem ?? '' }));
  if (problem !== undefined) {
    console.error(problem);
    process.exitCode = 1;
  }
}

async function play(page, options) {
  const statuses = [];
  page.on('response', (response) => statuses.push(response.status()));
  // A page of the same server, so that the file is of its origin.
  await page.goto(new URL('/', options.url).href, { waitUntil: 'domcontentloaded' });
  const facts = await page.evaluate(async (url) => {
    const video = document.createElement('video');
    document.body.replaceChildren(video);
    const event = (name) => new Promise((resolve, reject) => {
      video.addEventListener(name, resolve, { once: true });
      video.addEventListener('error', () => reject(new Error(video.error.message)), { once: true });
      setTimeout(() => reject(new Error(`no ${name} within 15 s`)), 15_000);
    });
    const loaded = event('loadedmetadata');
    video.src = url;
    await loaded;
    const began = video.currentTime;
    await video.play();
    // However slow the machine is.
    const until = Date.now() + 15_000;
    while (video.currentTime - began < 1 && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 50));
    const played = video.currentTime - began;
    const seeked = event('seeked');
    video.currentTime = video.duration - 1.5;
    await seeked;
    const ended = event('ended');
    await video.play();
    await ended;
    return {
      duration: video.duration,
      played,
      ended: video.currentTime,
      frames: video.getVideoPlaybackQuality().totalVideoFrames,
      soundBytes: video.webkitAudioDecodedByteCount,
      width: video.videoWidth,
    };
  }, options.url);
  facts.ranges = statuses.filter((status) => status === 206).length;
  const wrong = (what) => `${what}: ${JSON.stringify(facts)}`;
  if (Math.abs(facts.duration - options.duration) > 0.3) return { facts, problem: wrong('the duration is wrong') };
  if (facts.played < 1) return { facts, problem: wrong('it does not play on') };
  if (Math.abs(facts.ended - facts.duration) > 0.1) return { facts, problem: wrong('it does not end at its end') };
  if (facts.frames < 45 || facts.soundBytes < 1_000) return { facts, problem: wrong('too little was decoded') };
  if (facts.ranges === 0) return { facts, problem: wrong('no range was asked for') };
  return { facts, problem: undefined };
}

await main();
