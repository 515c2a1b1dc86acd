// Walks the panel as people do, in a real browser against a real server.
//
//   node panel.mjs --url URL --task TASK [--source URL] [--onvif ADDRESS] [--target URL] [--host NAME] [--token TOKEN] [--password PASSWORD]
//     [--shots FOLDER]
//
// Tasks: sources, cameras, recordings, hostile, sign-in, accounts, folder, looks. Each ends with status 0 when all that it looks for
// was there and the page has logged no error; the pages it passes are checked by axe. With --shots pictures of them are kept.

import { createServer, request } from 'node:http';
import { readFile } from 'node:fs/promises';
import axe from 'axe-core';
import { meansHere, readArguments, sleep, withPage } from './lib.mjs';

const LIMIT = 40_000;
/** What axe says is fatal here. */
const SERIOUS = ['serious', 'critical'];

const options = readArguments(process.argv.slice(2), { url: '', task: '', source: '', onvif: '', target: '', host: '', token: '', password: '', shots: '' });
const at = (section) => new URL(`#/${section}`, options.url).href;

/** Waits for a text in an element. */
async function see(page, selector, text) {
  try {
    await page.locator(selector).filter({ hasText: text }).first().waitFor({ timeout: LIMIT });
  } catch (error) {
    const shown = await page.locator('body').innerText();
    throw new Error(`“${text}” is not in ${selector}; the page says:\n${shown}\n${error}`);
  }
}

const press = (scope, name) => scope.getByRole('button', { name, exact: true }).first().click({ timeout: LIMIT });
const fill = (scope, label, value) => scope.getByLabel(label, { exact: true }).first().fill(value, { timeout: LIMIT });
const expect = (condition, words) => { if (!condition) throw new Error(words); };

async function visit(page, section, heading) {
  await page.goto(at(section));
  await see(page, 'main h1', heading);
}

/** What axe finds on the page as it is, beyond what is a matter of taste. */
async function accessible(page, where) {
  await page.evaluate(axe.source);
  // Frames are pages of their own, which are not the panel.
  const found = await page.evaluate(() => window.axe.run(document, { iframes: false, resultTypes: ['violations'] }));
  const bad = found.violations.filter((one) => SERIOUS.includes(one.impact));
  const words = bad.map((one) => `${one.id}: ${one.help}: ${one.nodes.map((node) => `${node.html} (${node.failureSummary})`).join(' | ')}`);
  expect(bad.length === 0, `${where}: ${words.join('\n')}`);
}

async function shoot(page, name) {
  if (options.shots) await page.screenshot({ path: `${options.shots}/${name}.png`, fullPage: true });
}

/** A stream source, what is in it, its picture, and a restream that comes, pauses, and goes. */
async function sources(page) {
  await visit(page, 'new/source', 'New live stream');
  await fill(page, 'Name', 'Front door');
  expect(await page.getByLabel('Stream ID').inputValue() === 'front-door', 'the ID follows the name');
  await fill(page, 'URL', 'not a url');
  await see(page, '.field.bad', 'A URL begins with a scheme');
  await fill(page, 'URL', options.source);
  await press(page, 'Check the source');
  await see(page, '.found', 'That works');
  await see(page, '.found', 'H264');
  await see(page, '.found', 'Goes to');
  await accessible(page, 'a source');
  await shoot(page, 'source');
  await press(page, 'Add and start');
  await see(page, 'main h1', 'Front door');
  await see(page, '.stream-line .badge', 'Live');
  await see(page, '.facts', 'B-frames');
  await see(page, '.copy-line', 'LiveApp/streams/front-door.m3u8');
  await press(page, 'Show the picture');
  const player = page.frameLocator('iframe.picture').locator('html[data-state="playing"]');
  await player.waitFor({ state: 'attached', timeout: LIMIT });
  await see(page, '.bars', '1');
  await accessible(page, 'a stream');
  await shoot(page, 'stream');
  await press(page, 'Hide the picture');

  // On to another server.
  await visit(page, 'restreams', 'Restreams');
  await press(page, 'Add a restream');
  const dialog = page.locator('dialog');
  await accessible(page, 'the dialog');
  await dialog.getByLabel('Service').selectOption('twitch');
  expect(/^rtmps?:\/\/live\.twitch\.tv\/app$/.test(await dialog.getByLabel('Server').inputValue()), 'the service is known');
  await dialog.getByLabel('Service').selectOption('custom');
  await fill(dialog, 'URL', options.target);
  await press(dialog, 'Add');
  await see(page, '.target .badge', 'Live');
  await see(page, '.target', 'sent');
  await press(page.locator('.target'), 'Pause');
  await see(page, '.target .badge', 'Paused');
  await press(page.locator('.target'), 'Go on');
  await see(page, '.target .badge', 'Live');
  await accessible(page, 'restreams');
  await shoot(page, 'restreams');

  // Elsewhere from now on.
  await page.locator('.target').getByRole('button', { name: /^Change where it goes/ }).click();
  await see(page, 'dialog h2', 'Change where it goes');
  await accessible(page, 'another place for a restream');
  await fill(page.locator('dialog'), 'URL', `${options.target}-moved`);
  await press(page.locator('dialog'), 'Save');
  await see(page, '.toast', 'goes there now');
  await see(page, '.target .badge', 'Live');
  await page.locator('.target').getByRole('button', { name: /^Remove/ }).click();
  await press(page.locator('dialog'), 'Remove');
  await see(page, '.empty', 'Nothing is pushed on yet');

  // Another name, stopped, started, and gone.
  await visit(page, 'stream/LiveApp/front-door', 'Front door');
  await press(page, 'Edit');
  await fill(page.locator('dialog'), 'Name', 'Back door');
  await press(page.locator('dialog'), 'Save');
  await see(page, 'main h1', 'Back door');
  await press(page, 'Stop');
  await see(page, '.stream-line .badge', 'Stopped');
  await press(page, 'Start');
  await see(page, '.stream-line .badge', 'Live');
  await visit(page, 'streams', 'Streams');
  await page.getByLabel('Search').fill('back door');
  await page.getByLabel('Select Back door').check();
  await press(page.locator('.bulk'), 'Delete');
  await press(page.locator('dialog'), 'Delete');
  await see(page, '.empty', 'No');
}

/** A camera that is found, added, and moved by buttons and keys. */
async function cameras(page) {
  await visit(page, 'new/camera', 'New live stream');
  await press(page, 'Auto Discover');
  await see(page, '.devices', 'Simulated');
  await accessible(page, 'cameras');
  await shoot(page, 'camera');
  await page.locator('.devices li').filter({ hasText: 'Simulated' }).first().getByRole('button').click();
  const found = await page.getByLabel('Camera address').inputValue();
  expect(/:\d+$/.test(found), `the address is taken over: ${found}`);
  // It names an address where nobody is.
  await fill(page, 'Camera address', options.onvif);
  await fill(page, 'Name', 'Yard');
  await fill(page, 'Stream ID', 'yard');
  await fill(page, 'User', 'admin');
  await fill(page, 'Password', 'wrong');
  await press(page, 'Add the camera');
  await see(page, '.toast.bad', 'user name and password');
  await fill(page, 'Password', 'pass#1');
  await press(page, 'Add the camera');
  await see(page, 'main', 'Which of its profiles?');
  await see(page, '.profiles', '640×');
  await page.locator('.profiles').getByRole('button').first().click();
  await see(page, 'main h1', 'Yard');
  await see(page, '.stream-line .badge', 'Live');
  const pad = page.getByRole('group', { name: 'Move the camera' });
  const left = pad.getByRole('button', { name: 'Left' });
  const stopped = () => page.waitForRequest((asked) => asked.url().endsWith('/stop-move'), { timeout: LIMIT });
  await left.hover();
  await page.mouse.down();
  await page.waitForTimeout(300);
  await Promise.all([stopped(), page.mouse.up()]);
  await pad.getByRole('button', { name: 'Home position' }).focus();
  await page.keyboard.down('ArrowUp');
  await page.waitForTimeout(300);
  await Promise.all([stopped(), page.keyboard.up('ArrowUp')]);
  // Who turns to something else, on this page or beside it, is not told when a key or a button is let go.
  await page.keyboard.down('ArrowRight');
  await Promise.all([stopped(), page.getByLabel('Name of the position').focus()]);
  await page.keyboard.up('ArrowRight');
  await left.hover();
  await page.mouse.down();
  await Promise.all([stopped(), page.evaluate(() => window.dispatchEvent(new Event('blur')))]);
  await page.mouse.up();
  await fill(page, 'Name of the position', 'Gate');
  await press(page, 'Keep this position');
  await see(page, '.presets', 'Gate');
  await page.locator('.presets li').filter({ hasText: 'Gate' }).getByRole('button', { name: /^Go there/ }).click();
  await accessible(page, 'a camera');
  await shoot(page, 'camera-page');

  // A profile is chosen in place of one that the address names in another way; what else it says stays.
  const path = new URL('LiveApp/rest/v2/broadcasts/yard', options.url).href;
  const named = await page.request.put(path, { data: { ipAddr: `${options.onvif}?a=b#profile=best&transport=tcp` } });
  expect(named.ok(), `another address: ${await named.text()}`);
  await page.reload();
  const others = page.locator('.profiles').getByRole('button');
  await others.nth(1).waitFor({ timeout: LIMIT });
  expect(await page.locator('.profiles .chip').count() === 0, 'a profile is said to be in use that may not be');
  await others.nth(1).click();
  await see(page, '.profiles li:nth-child(2) .chip', 'in use');
  const { ipAddr } = await (await page.request.get(path)).json();
  expect(ipAddr === `${options.onvif}?a=b&profileIndex=1#transport=tcp`, `the address is ${ipAddr}`);
}

/** Recorded, played, exported, deleted. */
async function recordings(page) {
  await visit(page, 'streams', 'Streams');
  const row = page.locator('[data-stream="LiveApp/demo"]');
  await row.waitFor({ timeout: LIMIT });
  await row.getByRole('button', { name: 'Record: demo' }).click();
  await see(page, '[data-stream="LiveApp/demo"] .rec', 'REC');
  await visit(page, 'recordings', 'Recordings');
  await see(page, '[data-recording="LiveApp/demo"]', 'is being recorded');
  await page.locator('.empty').waitFor({ state: 'detached', timeout: LIMIT });
  await accessible(page, 'what is being recorded');
  await page.waitForTimeout(4_000);
  await visit(page, 'streams', 'Streams');
  await row.getByRole('button', { name: 'Stop recording: demo' }).click();
  await row.locator('.rec').waitFor({ state: 'detached', timeout: LIMIT });
  await visit(page, 'recordings/LiveApp/demo', 'Recordings');
  const vod = page.locator('.vod').first();
  await vod.waitFor({ timeout: LIMIT });
  await accessible(page, 'recordings');
  await shoot(page, 'recordings');
  await vod.getByRole('button', { name: /^Play/ }).click();
  await page.waitForFunction(() => document.querySelector('dialog video')?.currentTime > 0.5, undefined, { timeout: LIMIT });
  await page.keyboard.press('Escape');
  await page.locator('.timeline [role="button"]').first().waitFor({ timeout: LIMIT });
  await page.request.post(new URL('LiveApp/rest/v2/broadcasts/create', options.url).href, { data: { streamId: 'door' } });
  await visit(page, 'stream/LiveApp/door', 'door');
  const slate = async () => (await page.request.get(new URL('api/v1/streams/LiveApp/door/slate', options.url).href)).json();
  const chosen = await page.getByLabel('File').locator('option').nth(1).evaluate((option) => option.value);
  await page.getByLabel('File').selectOption(chosen);
  await see(page, 'body', 'The slate is changed.');
  expect((await slate()).file === chosen, `the slate is ${JSON.stringify(await slate())}, not ${chosen}`);
  await accessible(page, 'slate');
  await page.getByLabel('File').selectOption('');
  for (const until = Date.now() + LIMIT; (await slate()).file !== null; await page.waitForTimeout(200)) expect(Date.now() < until, 'the slate stays');
  await visit(page, 'recordings/LiveApp/demo', 'Recordings');
  await vod.waitFor({ timeout: LIMIT });
  const link = await page.getByRole('link', { name: 'Export as MP4' }).getAttribute('href');
  const exported = await page.request.get(link);
  expect(exported.status() === 200, `export: ${exported.status()} ${await exported.text().catch(() => '')}`);
  const bytes = await exported.body();
  expect(bytes.subarray(4, 8).toString() === 'ftyp' && bytes.length > 20_000, `the export is no MP4: ${bytes.length} bytes`);
  const waiting = page.waitForEvent('download', { timeout: LIMIT });
  await page.getByRole('link', { name: /^Download/ }).first().click();
  expect((await waiting).suggestedFilename().endsWith('.mp4'), 'a recording is downloaded');
  await vod.getByRole('button', { name: /^Delete/ }).click();
  await press(page.locator('dialog'), 'Delete');
  await see(page, '.empty', 'Nothing');
}

/** Names and errors that are HTML, everywhere they are shown. */
async function hostile(page) {
  const evil = '<img src=x onerror="window.harmed=1"><script>window.harmed=1</script>';
  const create = new URL('LiveApp/rest/v2/broadcasts/create', options.url).href;
  const made = await page.request.post(create, { data: { streamId: 'evil', name: evil, type: 'streamSource', streamUrl: `rtsp://127.0.0.1:9/${encodeURIComponent(evil)}` } });
  expect(made.ok(), `not made: ${await made.text()}`);
  await page.request.post(new URL('LiveApp/rest/v2/broadcasts/evil/start', options.url).href);
  await page.request.post(new URL('LiveApp/rest/v2/broadcasts/evil/endpoint', options.url).href, { data: { endpointUrl: 'rtmp://127.0.0.1:9/<b>bold</b>/key' } });
  await visit(page, 'streams', 'Streams');
  await see(page, '.row-name', evil);
  await see(page, '[data-stream="LiveApp/evil"] .why', '127.0.0.1:9');
  await visit(page, 'stream/LiveApp/evil', evil);
  await see(page, '.sources', 'rtsp://127.0.0.1:9/');
  await press(page, 'Edit');
  await see(page, 'dialog h2', evil);
  await press(page.locator('dialog'), 'Cancel');
  await visit(page, 'restreams', 'Restreams');
  await see(page, 'main', evil);
  // The key of a target is shown to nobody.
  expect(!(await page.content()).includes('/key'), 'a key is shown');
  await visit(page, `stream/LiveApp/${encodeURIComponent(evil)}`, evil);
  await visit(page, 'health', 'Log and health');
  await page.getByLabel('Contains').fill('evil');
  await see(page, '.log', 'LiveApp/evil');
  expect(await page.evaluate(() => window.harmed === undefined && document.querySelectorAll('main img, main script, main b b').length === 0), 'a name was taken for HTML');
}

/** Who is not on the server's machine needs a token. */
async function signIn(page) {
  await page.goto(at('streams'));
  await see(page, 'main h1', 'Sign in');
  const enter = async (token) => {
    const other = page.getByRole('button', { name: 'Use a token instead' });
    if (await other.count() > 0) await other.click();
    await fill(page, 'Token', token);
    await press(page, 'Sign in');
  };
  await accessible(page, 'sign in');
  await shoot(page, 'sign-in');
  await enter('wrong-wrong-wrong');
  await see(page, '[role="alert"]', 'not valid');
  await enter(options.token);
  await see(page, 'main h1', 'Streams');
  await see(page, '[data-stream="LiveApp/demo"] .badge', 'Live');

  // A link cannot send what was typed in: what is exported comes all the same.
  const row = page.locator('[data-stream="LiveApp/demo"]');
  await row.getByRole('button', { name: 'Record: demo' }).click();
  await see(page, '[data-stream="LiveApp/demo"] .rec', 'REC');
  await page.waitForTimeout(3_000);
  await row.getByRole('button', { name: 'Stop recording: demo' }).click();
  await row.locator('.rec').waitFor({ state: 'detached', timeout: LIMIT });
  await visit(page, 'recordings/LiveApp/demo', 'Recordings');
  await page.locator('.timeline [role="button"]').first().waitFor({ timeout: LIMIT });
  const waiting = page.waitForEvent('download', { timeout: LIMIT });
  await press(page, 'Export as MP4');
  const exported = await readFile(await (await waiting).path());
  expect(exported.subarray(4, 8).toString() === 'ftyp' && exported.length > 20_000, `the export is no MP4: ${exported.length} bytes`);

  // One that ends while somebody is at work.
  const short = await page.evaluate(async (secret) => {
    const answer = await fetch('api/v1/tokens', {
      method: 'POST', headers: { Authorization: `Bearer ${secret}` },
      body: JSON.stringify({ name: 'short', role: 'operator', expires: Date.now() + 6_000 }),
    });
    return (await answer.json()).token;
  }, options.token);
  await press(page, 'Sign out');
  await see(page, 'main h1', 'Sign in');
  await enter(short);
  await see(page, '.who', 'operator');
  await visit(page, 'streams', 'Streams');
  const isOver = () => page.evaluate(async (secret) => {
    const answer = await fetch('api/v1/session', { headers: { Authorization: `Bearer ${secret}` } });
    return answer.status === 401;
  }, short);
  for (let tries = 0; tries < 80 && !(await isOver()); tries += 1) await page.waitForTimeout(500);
  await row.getByRole('button', { name: 'Record: demo' }).click();
  await see(page, 'main h1', 'Sign in');
  await enter(short);
  await see(page, '[role="alert"]', 'not valid');
}

/** Accounts: signed in and out, wrong passwords, another account with less rights, a token, and who did what. */
async function accounts(page) {
  const enter = async (name, password) => {
    await fill(page, 'Name', name);
    await fill(page, 'Password', password);
    await press(page, 'Sign in');
  };
  await page.goto(at('streams'));
  await see(page, 'main h1', 'Sign in');
  await accessible(page, 'sign in');
  await enter('admin', 'not the password');
  await see(page, '[role="alert"]', 'wrong');
  await enter('admin', options.password);
  await see(page, 'main h1', 'Streams');
  await visit(page, 'accounts', 'Accounts');
  await see(page, '[data-account="admin"]', 'you');
  await press(page, 'Add an account');
  const dialog = page.locator('dialog');
  await fill(dialog, 'Name', 'guest');
  await fill(dialog, 'Password', 'short');
  await press(dialog, 'Add');
  await see(page, '.toast.bad', 'did not work');
  await fill(dialog, 'Password', 'long-enough-for-a-guest');
  await press(dialog, 'Add');
  await see(page, '[data-account="guest"]', 'guest');
  await press(page, 'Add an account');
  await fill(dialog, 'Name', 'crew');
  await fill(dialog, 'Password', 'long-enough-for-a-crew');
  await dialog.getByLabel('Role').selectOption('operator');
  await press(dialog, 'Add');
  await see(page, '[data-account="crew"]', 'crew');
  const tokens = page.getByRole('region', { name: 'Tokens' });
  await fill(tokens, 'Name', 'a script');
  await press(tokens, 'Make a token');
  await see(page, '[role="status"]', 'shown this once');
  const token = await tokens.locator('.copy-line code').innerText();
  const asked = await page.evaluate(async (secret) => {
    const answer = await fetch('api/v1/version', { credentials: 'omit', headers: { Authorization: `Bearer ${secret}` } });
    return answer.status;
  }, token);
  expect(asked === 200, `the token is of no use: ${asked}`);
  await accessible(page, 'accounts');
  await shoot(page, 'accounts');
  await page.reload();
  await see(page, '.audit', 'POST /api/v1/accounts');
  await press(page, 'Sign out');
  await see(page, 'main h1', 'Sign in');

  // An operator makes and stops, and is shown nothing of accounts and settings.
  await enter('crew', 'long-enough-for-a-crew');
  await see(page, '.who', 'crew (operator)');
  expect(await page.getByRole('link', { name: /^(Accounts|Settings)$/ }).count() === 0, 'an operator is shown what is for admins');
  const answers = await page.evaluate(async () => {
    const asked = (method, path, body) => fetch(path, { method, body, headers: { 'X-Requested-With': 'millstream' } });
    const all = [
      await asked('POST', 'LiveApp/rest/v2/broadcasts/create', '{"streamId":"by-crew"}'), await asked('GET', 'api/v1/accounts'),
      await asked('POST', 'api/v1/tokens', '{"name":"x","role":"admin"}'), await asked('GET', 'rest/v2/applications/settings/LiveApp'),
      await asked('PATCH', 'api/v1/accounts/admin', '{"password":"taken over by crew"}'),
    ];
    return all.map((answer) => answer.status).join(' ');
  });
  expect(answers === '200 403 403 403 403', `an operator is answered ${answers}`);
  await see(page, '[data-stream="LiveApp/by-crew"]', 'by-crew');
  await visit(page, 'health', 'Log and health');
  await see(page, '.log', 'listening');
  await page.getByRole('button', { name: /^Sign out/ }).first().click();
  await see(page, 'main h1', 'Sign in');

  // Who may only look is shown nothing else, and told no by the server too.
  await enter('guest', 'long-enough-for-a-guest');
  await see(page, 'main h1', 'Streams');
  await see(page, '.who', 'guest (viewer)');
  expect(await page.getByRole('link', { name: /^(Accounts|Settings)$/ }).count() === 0, 'a viewer is shown what is for admins');
  await visit(page, 'health', 'Log and health');
  await see(page, '[data-check="disk"]', 'free');
  expect(await page.locator('.log').count() === 0, 'a viewer is shown the log');
  expect(await page.getByRole('button', { name: /^(Delete|Stop|Record)/ }).count() === 0, 'a viewer is shown what it may not do');
  const refused = await page.evaluate(async () => {
    const answer = await fetch('LiveApp/rest/v2/broadcasts/create', { method: 'POST', body: '{}', headers: { 'X-Requested-With': 'millstream' } });
    return answer.status;
  });
  expect(refused === 403, `a viewer makes streams: ${refused}`);
  await press(page, 'Password');
  await fill(dialog, 'Present password', 'long-enough-for-a-guest');
  await fill(dialog, 'New password', 'another-long-password');
  await press(dialog, 'Save');
  await see(page, '.toast', 'Saved');
  await press(page, 'Sign out');
  await enter('guest', 'another-long-password');
  await see(page, '.who', 'guest (viewer)');
}

/** Below a folder of a proxy. */
async function folder(page) {
  const to = new URL(options.url);
  let isSilent = false;
  const proxy = createServer((asked, answer) => {
    if (isSilent) return;
    if (!asked.url.startsWith('/video/')) {
      answer.writeHead(404).end();
      return;
    }
    const passed = request({ host: to.hostname, port: to.port, path: asked.url.slice(6), method: asked.method, headers: asked.headers }, (got) => {
      answer.writeHead(got.statusCode, got.headers);
      got.on('data', (chunk) => isSilent || answer.write(chunk));
      got.on('end', () => isSilent || answer.end());
    });
    passed.on('error', () => answer.destroy());
    answer.on('close', () => passed.destroy());
    asked.pipe(passed);
  });
  await new Promise((ready) => proxy.listen(0, '127.0.0.1', ready));
  options.url = `http://127.0.0.1:${proxy.address().port}/video/`;
  try {
    await visit(page, 'streams', 'Streams');
    await see(page, '[data-stream="LiveApp/demo"] .badge', 'Live');
    await page.locator('[data-stream="LiveApp/demo"]').getByRole('button', { name: 'Play: demo' }).click();
    await page.frameLocator('iframe.picture').locator('html[data-state="playing"]').waitFor({ state: 'attached', timeout: LIMIT });

    // A server that is gone without a word: nothing comes, and no connection ends.
    await page.clock.install();
    await page.reload();
    await see(page, '[data-stream="LiveApp/demo"] .badge', 'Live');
    expect(await page.locator('.banner').count() === 0, 'the server answers, and is said not to');
    isSilent = true;
    for (const until = Date.now() + LIMIT; await page.locator('.banner').count() === 0; await sleep(200)) {
      expect(Date.now() < until, 'nobody notices that the server is gone');
      await page.clock.fastForward(45_000);
    }
    await see(page, '.banner', 'does not answer');
  } finally {
    proxy.closeAllConnections();
    proxy.close();
  }
}

/** Every section, in three widths and both colours, by keyboard too. */
async function looks(page) {
  await visit(page, 'streams', 'Streams');
  await see(page, '[data-stream="LiveApp/demo"] .badge', 'Live');
  const sections = [['streams', 'Streams'], ['stream/LiveApp/demo', 'demo'], ['new', 'New live stream'], ['new/source', 'New live stream'], ['new/camera', 'New live stream'],
    ['new/browser', 'New live stream'], ['restreams', 'Restreams'], ['recordings', 'Recordings'], ['settings', 'Settings'], ['health', 'Log and health']];
  for (const [width, colour] of [[1280, 'light'], [800, 'dark'], [390, 'light']]) {
    await page.setViewportSize({ width, height: width === 390 ? 844 : 800 });
    await page.emulateMedia({ colorScheme: colour });
    for (const [section, heading] of sections) {
      await visit(page, section, heading);
      await page.waitForTimeout(200);
      await accessible(page, `${section} at ${width}, ${colour}`);
      const beyond = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      expect(beyond <= 0, `${section} at ${width} is ${beyond} px too wide`);
      await shoot(page, `${section.replaceAll('/', '-')}-${width}-${colour}`);
    }
  }
  await visit(page, 'health', 'Log and health');
  await see(page, '[data-check="certificate"]', 'made itself');
  await see(page, '[data-check="ports"]', 'rtmp');
  await see(page, '.log', 'listening');
  await page.getByLabel('Contains').fill('no such words');
  await see(page, '.log', 'Nothing that matches');
  await visit(page, 'settings', 'Settings');
  const card = page.locator('.card').first();
  await fill(card, 'Connect every source anew after', '-1');
  await see(page, '.field.bad', 'A whole number');
  await fill(card, 'Connect every source anew after', '3600');
  await press(card, 'Save');
  await see(page, '.toast', 'Saved');
  await page.reload();
  await page.waitForFunction(() => document.querySelector('main input[type=number]')?.value === '3600', undefined, { timeout: LIMIT });
  // The switch of colours, by the keyboard.
  await page.getByRole('button', { name: /^Colours/ }).focus();
  await page.keyboard.press('Enter');
  await page.keyboard.press('Enter');
  expect(await page.evaluate(() => document.documentElement.dataset.theme === 'dark'), 'colours can be chosen');
  await visit(page, 'streams', 'Streams');
  await page.keyboard.press('Tab');
  const first = await page.evaluate(() => document.activeElement?.tagName);
  expect(['A', 'INPUT', 'BUTTON'].includes(first), `the keyboard goes on in the page: ${first}`);
}

const TASKS = { sources, cameras, recordings, hostile, 'sign-in': signIn, accounts, folder, looks };

const task = TASKS[options.task];
if (!task) throw new Error(`--task is one of ${Object.keys(TASKS).join(', ')}`);
await withPage({ args: options.host ? [meansHere(options.host)] : [] }, async (page, consoleErrors) => {
  await task(page);
  if (consoleErrors.length > 0) throw new Error(`the page logged an error: ${consoleErrors[0]}`);
});
console.log('done');
