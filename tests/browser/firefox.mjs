// As play.mjs, in Firefox, by WebDriver BiDi: plays a page of the server for some seconds, and tells what was seen and heard.
//
//   node firefox.mjs --url PAGE [--seconds 8] [--wait-playing 30]
//
// Prints one line of JSON.

import puppeteer from 'puppeteer-core';
import { readArguments, sleep } from './lib.mjs';
import { installMeter } from './meter.mjs';

const FIREFOX = '/usr/bin/firefox-esr';
const SAMPLE_MS = 200;

async function main() {
  const options = readArguments(process.argv.slice(2), { url: '', seconds: 8, 'wait-playing': 30 });
  const browser = await puppeteer.launch({
    browser: 'firefox',
    executablePath: FIREFOX,
    headless: true,
    acceptInsecureCerts: true,
    extraPrefsFirefox: { 'media.autoplay.default': 0, 'media.autoplay.blocking_policy': 0 },
  });
  try {
    const page = await browser.newPage();
    await page.evaluateOnNewDocument(installMeter);
    await page.goto(options.url, { waitUntil: 'domcontentloaded' });
    const received = () => page.evaluate(() => window.millstreamMeter.received());
    // Firefox counts no pictures of what comes by WebRTC at the element.
    const sample = async () => {
      const seen = await page.evaluate(() => window.millstreamMeter.sample());
      return seen && { ...seen, decodedFrames: seen.decodedFrames || ((await received()).video?.framesDecoded ?? 0) };
    };
    const until = Date.now() + options['wait-playing'] * 1_000;
    let first = await sample();
    while (!(first?.decodedFrames > 0)) {
      if (Date.now() > until) throw new Error(`nothing plays; the page says: ${await page.evaluate(() => document.body.innerText)}`);
      await sleep(SAMPLE_MS);
      first = await sample();
    }
    await page.evaluate(() => window.millstreamMeter.reset());
    let last;
    for (const end = Date.now() + options.seconds * 1_000; Date.now() < end; await sleep(SAMPLE_MS)) last = await sample();
    const { audio, video } = await received();
    // Nothing can be heard where there is nothing to play sound on.
    const hasAudio = await page.evaluate(() => document.querySelector('video').mozHasAudio);
    console.log(JSON.stringify({
      ...last,
      hasAudio,
      audioEnergy: audio?.totalAudioEnergy ?? null,
      decodedFrames: last.decodedFrames - first.decodedFrames,
      lost: video?.packetsLost ?? 0,
    }));
  } finally {
    await browser.close();
  }
}

await main();
