// Talks to a camera from the play page, with a browser's fake microphone, until it is told to stop.
//
//   node talk.mjs --url URL [--until FILE] [--expect WORDS] [--until-ended] [--absent]
//
// Presses the page's button by the keyboard, as who sees nothing does, prints "talking" once the page says that one is heard,
// and presses it again once there is that file. With --expect it waits for those words in place of being heard, and
// with --until-ended for the end that comes from elsewhere. A line of JSON says what the page said. With --absent it prints
// whether there is a button once the page plays.

import { existsSync } from 'node:fs';
import { readArguments, sleep, withPage } from './lib.mjs';

const LIMIT = 40_000;

async function main() {
  const options = readArguments(process.argv.slice(2), { url: '', until: '', expect: '', 'until-ended': false, absent: false });
  const args = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'];
  const facts = await withPage({ args }, async (page, consoleErrors) => {
    let asked;
    if (options.absent) asked = page.waitForResponse((response) => response.url().endsWith('/talk'), { timeout: LIMIT });
    await page.goto(options.url, { waitUntil: 'domcontentloaded' });
    const said = () => page.innerText('#talk-note');
    const until = async (what, condition, argument) => {
      const reached = await page.waitForFunction(condition, argument, { timeout: LIMIT, polling: 50 }).then(() => true, () => false);
      if (!reached) throw new Error(`not ${what} within ${LIMIT / 1000} s; the page says: ${await said()}`);
    };
    if (options.absent) {
      const status = (await asked).status();
      await sleep(300);
      return { status, hidden: await page.isHidden('#talk'), consoleErrors };
    }
    await page.waitForSelector('#talk:not([hidden])', { timeout: LIMIT });
    const offered = await page.innerText('#talk');
    await page.focus('#talk');
    await page.keyboard.press('Enter');
    if (options.expect) {
      await until('told', (words) => document.getElementById('talk-note').textContent.includes(words), options.expect);
      return { offered, said: await said(), state: await page.evaluate(() => document.documentElement.dataset.talk), consoleErrors };
    }
    await until('heard', () => document.documentElement.dataset.talk === 'on');
    const pressed = await page.getAttribute('#talk', 'aria-pressed');
    const meanwhile = { said: await said(), button: await page.innerText('#talk') };
    console.log('talking');
    if (options['until-ended']) {
      await until('over', () => document.documentElement.dataset.talk === 'off' && document.getElementById('talk-note').textContent !== '');
      // What the camera says is asked for after that.
      await until('told why', () => document.getElementById('talk-note').textContent.includes('cannot be talked to'));
      return { offered, pressed, meanwhile, said: await said(), consoleErrors };
    }
    for (const limit = Date.now() + 3 * LIMIT; !existsSync(options.until) && Date.now() < limit; ) await sleep(100);
    await page.keyboard.press('Enter');
    await until('over', () => document.documentElement.dataset.talk === 'off');
    const released = await page.getAttribute('#talk', 'aria-pressed');
    const state = await page.evaluate(() => document.documentElement.dataset.state);
    return { offered, pressed, meanwhile, released, state, consoleErrors };
  });
  console.log(JSON.stringify(facts));
  if (facts.consoleErrors.length > 0) throw new Error(`the page logged an error: ${facts.consoleErrors[0]}`);
}

try {
  await main();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
