// A UDP relay between a page and the server that loses datagrams, as bad networks do, and carries no more than narrow
// ones. A page is sent there by the ports in the answer to its WHEP offer, which are changed on their way to it.

import dgram from 'node:dgram';

const LOCALHOST = '127.0.0.1';

/**
 * @param {import('playwright-core').Page} page
 * @param {() => number} loss the part of the datagrams that is lost now, from 0 to 1, in each direction
 * @param {number} rate bits per second towards the page, of which a quarter of a second fits the queue
 */
export async function relay(page, loss, rate = Infinity) {
  const ports = new Map();
  await page.route('**/whep/*', async (route) => {
    const response = await route.fetch();
    let body = await response.text();
    for (const [line, head, port, tail] of body.matchAll(/^(a=candidate:\S+ 1 udp \d+ \S+ )(\d+)( .*)$/gim)) {
      if (!ports.has(port)) ports.set(port, await open(Number(port), loss, new Queue(rate)));
      body = body.replace(line, `${head}${ports.get(port)}${tail}`);
    }
    // What loses datagrams here passes no connection either.
    body = without(body, 'tcp');
    await route.fulfill({ response, body });
  });
}

/**
 * Pages play and publish over connections alone, as where no datagrams pass.
 *
 * @param {import('playwright-core').BrowserContext} context
 */
export async function onlyTcp(context) {
  await context.route(/\/(whep|whip)\/[^/]*$/, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: without(await response.text(), 'udp') });
  });
}

/** An answer without the candidates of a transport. */
const without = (answer, transport) => answer.replace(new RegExp(`^a=candidate:\\S+ 1 ${transport} .*\r\n`, 'gim'), '');

/** A port that stands for one of the server's. */
async function open(server, loss, queue) {
  const front = await bind();
  const behind = new Map();
  front.on('message', async (datagram, { port }) => {
    if (!behind.has(port)) {
      const pass = (answer) => {
        if (!isLost(loss())) queue.pass(answer.length, () => front.send(answer, port, LOCALHOST));
      };
      behind.set(port, bind().then((socket) => socket.on('message', pass)));
    }
    const socket = await behind.get(port);
    if (!isLost(loss())) socket.send(datagram, server, LOCALHOST);
  });
  return front.address().port;
}

async function bind() {
  const socket = dgram.createSocket('udp4').unref();
  await new Promise((resolve) => socket.bind(0, LOCALHOST, resolve));
  return socket;
}

/** The way into a narrow network: what finds no room is lost. */
class Queue {
  #rate;
  #free = 0;

  constructor(rate) {
    this.#rate = rate;
  }

  pass(bytes, send) {
    const now = performance.now();
    const wait = Math.max(this.#free - now, 0);
    if (wait > 250) return;
    this.#free = now + wait + (bytes * 8_000) / this.#rate;
    if (wait < 1) send();
    else setTimeout(send, wait);
  }
}

let state = 1;

/** The same in every run (xorshift). */
function isLost(part) {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) / 2 ** 32 < part;
}
