// Reads how late a play page shows a stream whose pictures hold the time at which they were made: 18 bars from the left,
// each of an eighteenth of the width, light for 1, a Gray code of hundredths of a second modulo 1,000 s.
//
//   node clock.mjs --url PAGE --seconds 60
//
// Prints one line of JSON: delays in seconds (least, median, of 95 in 100, most), and how often the page stood still.

import { readArguments, sleep, withPage } from './lib.mjs';

const BARS = 18;
const PERIOD = 1_000;
/** It begins wherever it does; where it stays counts (ms). */
const SETTLE = 15_000;

/** Runs in the page: the time in the picture, in seconds. */
function readClock(bars) {
  const video = document.querySelector('video');
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  const context = canvas.getContext('2d');
  context.drawImage(video, 0, 0);
  const row = context.getImageData(0, canvas.height / 2, canvas.width, 1).data;
  const width = canvas.width / bars;
  let hundredths = 0;
  let bit = 0;
  for (let bar = bars - 1; bar >= 0; bar -= 1) {
    bit ^= Number(row[4 * Math.floor((bar + 0.5) * width)] > 128);
    hundredths = 2 * hundredths + bit;
  }
  return { made: hundredths / 100, now: Date.now() / 1_000 };
}

async function main() {
  const options = readArguments(process.argv.slice(2), { url: '', seconds: 60 });
  const facts = await withPage({}, async (page) => {
    await page.goto(options.url);
    await page.waitForFunction(() => document.documentElement.dataset.state === 'playing');
    await sleep(SETTLE);
    const stalls = () => page.evaluate(() => Number(document.documentElement.dataset.stalls));
    const before = await stalls();
    const delays = [];
    for (const until = Date.now() + options.seconds * 1_000; Date.now() < until; await sleep(250)) {
      const { made, now } = await page.evaluate(readClock, BARS);
      delays.push((((now - made) % PERIOD) + PERIOD) % PERIOD);
    }
    delays.sort((one, other) => one - other);
    const at = (part) => Number(delays[Math.floor(part * (delays.length - 1))].toFixed(2));
    return { least: at(0), median: at(0.5), nearly: at(0.95), most: at(1), stalls: (await stalls()) - before };
  });
  console.log(JSON.stringify(facts));
}

await main();
