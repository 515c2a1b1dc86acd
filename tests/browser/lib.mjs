// What the browser checks share: a browser with fixed flags, the console's complaints, and arguments.
// Checks themselves are the other files of this folder.

import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

const BROWSERS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const FLAGS = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
/** What a page logs about a request that was answered with an error; the pages expect these and speak of them. */
const FAILED_REQUEST = /^Failed to load resource:/;

/** The browser to drive: MILLSTREAM_CHROMIUM, or where distributions put it. */
export function browserPath() {
  const found = process.env.MILLSTREAM_CHROMIUM ?? BROWSERS.find((path) => existsSync(path));
  if (!found) throw new Error('no Chromium found: install the package "chromium" or set MILLSTREAM_CHROMIUM to its path');
  return found;
}

/**
 * Runs `body(page, consoleErrors)` in a fresh browser and closes it whatever happens.
 *
 * @param {{ autoplay?: boolean, width?: number, height?: number, dark?: boolean, args?: string[],
 *   login?: { username: string, password: string } }} options
 *   `autoplay` (default true) lets pages play sound without a click; `login` is what the viewer says who is asked
 */
export async function withPage(options, body) {
  const browser = await chromium.launch({
    executablePath: browserPath(),
    headless: true,
    chromiumSandbox: false,
    args: [
      ...FLAGS,
      ...(options.autoplay === false ? [] : ['--autoplay-policy=no-user-gesture-required']),
      ...(options.args ?? []),
    ],
    // Playwright mutes by default, and a muted audio sink may not be drained at the right speed.
    ignoreDefaultArgs: ['--mute-audio'],
  });
  try {
    const context = await browser.newContext({
      viewport: { width: options.width ?? 1280, height: options.height ?? 720 },
      colorScheme: options.dark ? 'dark' : 'light',
      ignoreHTTPSErrors: true,
      httpCredentials: options.login,
    });
    const page = await context.newPage();
    const consoleErrors = [];
    page.on('pageerror', (error) => consoleErrors.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error' && !FAILED_REQUEST.test(message.text())) consoleErrors.push(message.text());
    });
    const result = await body(page, consoleErrors);
    // A viewer who leaves the page says so; one whose browser is ended cannot.
    await page.goto('about:blank');
    return result;
  } finally {
    await browser.close();
  }
}

/** A browser's argument that lets `name` be this machine, which browsers trust only where they know it. */
export const meansHere = (name) => `--host-resolver-rules=MAP ${name} 127.0.0.1`;

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** `--key value` and `--flag` as an object; an argument that is not in `known` is an error. */
export function readArguments(argv, known) {
  const result = { ...known };
  for (let i = 0; i < argv.length; i += 1) {
    const key = argv[i].replace(/^--/, '');
    if (!argv[i].startsWith('--') || !(key in known)) {
      throw new Error(`unknown argument ${argv[i]}; known: ${Object.keys(known).map((name) => `--${name}`).join(' ')}`);
    }
    if (known[key] === false) {
      result[key] = true;
    } else {
      i += 1;
      if (argv[i] === undefined) throw new Error(`--${key} needs a value`);
      result[key] = typeof known[key] === 'number' ? Number(argv[i]) : argv[i];
      if (Number.isNaN(result[key])) throw new Error(`--${key} needs a number, not ${argv[i]}`);
    }
  }
  return result;
}
