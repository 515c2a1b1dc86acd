// What is going on, kept up to date by the server: streams, the server itself, and who looks at it.

import { signal } from '@preact/signals';
import { Refusal, call, token } from './api';
import type { Now, Server, Session, Settled, Stream, Told } from './model';
import { listen } from './sse';

/** Points of a graph: one a second. */
export const REMEMBERED = 180;
const FIRST_WAIT = 1_000;
const LONGEST_WAIT = 10_000;
const IDLE: Now = { bitrate: 0, speed: 0, receivedBytes: 0, packetsLost: 0, gop: null, viewers: {}, timeRepairs: {}, targets: {} };

/** By `APP/ID`. */
export const streams = signal<ReadonlyMap<string, Stream>>(new Map());
/** Streams are known, though there may be none. */
export const known = signal(false);
export const link = signal<'connecting' | 'open' | 'lost'>('connecting');
export const server = signal<Server>({ version: '', applications: ['LiveApp'], listeners: [] });
/** `null`: somebody has to sign in. `undefined`: nothing is known yet. */
export const session = signal<Session | null | undefined>(undefined);
/** The server has accounts. */
export const hasAccounts = signal(false);
/** Changes each second. */
export const beat = signal(0);

const rates = new Map<string, number[]>();

/** Bit rates of a stream since the page was opened, the newest last. */
export const ratesOf = (key: string): readonly number[] => rates.get(key) ?? [];
export const may = (role: Session['role']): boolean => {
  const order = ['viewer', 'operator', 'admin'];
  return order.indexOf(session.value?.role ?? 'viewer') >= order.indexOf(role);
};

/** Finds out who is looking, and follows what goes on if that is allowed. */
export async function start() {
  await Promise.all([learnServer(), learnSession()]);
  setInterval(remember, 1_000);
  void follow();
}

async function learnServer() {
  try {
    server.value = await call<Server>('GET', 'server.json');
  } catch {
    // What most servers have is assumed.
  }
}

/** Who looks. A server without accounts answers local callers, and those with a token. */
export async function learnSession() {
  try {
    session.value = await call<Session>('GET', 'api/v1/session');
    hasAccounts.value = true;
    return;
  } catch (error) {
    const status = error instanceof Refusal ? error.status : 0;
    hasAccounts.value = status === 401 || status === 403;
    if (status === 401) {
      // One that has ended would be in the way of a password.
      token.set(null);
      session.value = null;
      return;
    }
  }
  try {
    await call('GET', 'api/v1/version');
    session.value = { name: null, role: 'admin', via: token.get() ? 'token' : 'local' };
  } catch (error) {
    const isRefused = error instanceof Refusal && (error.status === 401 || error.status === 403);
    session.value = isRefused ? null : { name: null, role: 'viewer', via: 'local' };
  }
}

async function follow() {
  let wait = FIRST_WAIT;
  for (;;) {
    if (session.value) {
      const stop = new AbortController();
      const unwatch = session.subscribe((present) => present === null && stop.abort());
      try {
        await listen('api/v1/events', stop.signal, hear, () => {
          link.value = 'open';
          wait = FIRST_WAIT;
        });
      } catch (error) {
        if (error instanceof Refusal && (error.status === 401 || error.status === 403)) await learnSession();
      }
      unwatch();
      if (session.value) link.value = 'lost';
      else known.value = false;
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
    wait = Math.min(wait * 2, LONGEST_WAIT);
    if (session.value === null) wait = FIRST_WAIT;
  }
}

function hear(name: string, data: string) {
  const told = JSON.parse(data) as Told;
  const next = new Map(name === 'all' ? [] : streams.value);
  for (const key of told.gone ?? []) {
    next.delete(key);
    rates.delete(key);
  }
  for (const [key, settled] of Object.entries(told.streams)) put(next, key, settled, told.now[key] ?? next.get(key)?.now ?? IDLE);
  for (const [key, now] of Object.entries(told.now)) {
    const before = next.get(key);
    if (before) put(next, key, before, now);
  }
  streams.value = next;
  known.value = true;
}

function put(map: Map<string, Stream>, key: string, settled: Settled, now: Now) {
  map.set(key, { ...settled, key, now });
}

function remember() {
  for (const stream of streams.value.values()) {
    const past = rates.get(stream.key) ?? [];
    if (stream.status !== 'broadcasting' && past.length === 0) continue;
    past.push(stream.now.bitrate);
    if (past.length > REMEMBERED) past.shift();
    rates.set(stream.key, past);
  }
  beat.value += 1;
}
