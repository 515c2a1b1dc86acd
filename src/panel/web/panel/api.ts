// Calls of the server. All are made relative to the page, so that it works below a folder of a proxy too.

/** The folder in which the page is. */
const BASE = new URL('.', location.href);
const TOKEN = 'millstream-token';

export const here = (path: string): URL => new URL(path, BASE);
/** One segment of a path. */
export const part = encodeURIComponent;
/** The calls of Ant Media's API for broadcasts, and one of them. */
export const broadcasts = (app: string) => `${part(app)}/rest/v2/broadcasts`;
export const broadcast = (app: string, id: string) => `${broadcasts(app)}/${part(id)}`;
export const vods = (app: string) => `${part(app)}/rest/v2/vods`;

/** The server said no, or nothing. */
export class Refusal extends Error {
  constructor(readonly status: number, message: string, readonly retryAfter?: number) {
    super(message);
  }
}

/** A token that somebody has typed in, for this tab alone. */
export const token = {
  get: () => sessionStorage.getItem(TOKEN),
  set: (value: string | null) => (value ? sessionStorage.setItem(TOKEN, value) : sessionStorage.removeItem(TOKEN)),
};

export async function ask(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<Response> {
  const headers = new Headers();
  // What another site's page cannot send without being asked.
  if (method !== 'GET') headers.set('X-Requested-With', 'millstream');
  if (body !== undefined) headers.set('Content-Type', 'application/json');
  const known = token.get();
  if (known) headers.set('Authorization', `Bearer ${known}`);
  const init: RequestInit = { method, headers, cache: 'no-store' };
  if (body !== undefined) init.body = JSON.stringify(body);
  if (signal) init.signal = signal;
  const response = await fetch(here(path), init).catch((error: unknown) => {
    if (signal?.aborted) throw error;
    throw new Refusal(0, 'the server does not answer');
  });
  if (!response.ok) throw await refusal(response);
  return response;
}

/** What the server answers, as JSON. Its results that say no are refusals as well. */
export async function call<T = unknown>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  const response = await ask(method, path, body, signal);
  const text = await response.text();
  const answer = text === '' ? undefined : JSON.parse(text);
  if (answer && typeof answer === 'object' && answer.success === false) {
    throw new Refusal(response.status, answer.message || 'the server refused it');
  }
  return answer as T;
}

/** Saves what a call answers, for who has typed in a token: a link cannot send it. */
export async function download(path: string, name: string) {
  const file = URL.createObjectURL(await (await ask('GET', path)).blob());
  const link = document.createElement('a');
  link.href = file;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(file), 60_000);
}

async function refusal(response: Response): Promise<Refusal> {
  const text = await response.text().catch(() => '');
  let words = text.trim().slice(0, 500);
  try {
    const answer = JSON.parse(text);
    words = answer.error ?? answer.message ?? words;
  } catch {
    // It is a text, or nothing.
  }
  const after = Number(response.headers.get('Retry-After')) || undefined;
  return new Refusal(response.status, words || `${response.status} ${response.statusText}`, after);
}

export const words = (error: unknown): string => (error instanceof Error ? error.message : String(error));
