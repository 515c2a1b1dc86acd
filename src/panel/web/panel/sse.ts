// Server-sent events by fetch: unlike EventSource it sends a token, and tells why it was refused.

import { Refusal, ask } from './api';

/** The server says something every 15 s. One that is not heard for so long (ms) is gone, without a word. */
const SILENCE = 40_000;

/** Reads until the server or the signal ends it, or nothing comes any more. */
export async function listen(path: string, signal: AbortSignal, onEvent: (name: string, data: string) => void, onOpen?: () => void) {
  const stop = new AbortController();
  const obey = () => stop.abort(signal.reason);
  signal.addEventListener('abort', obey);
  if (signal.aborted) obey();
  let silence: ReturnType<typeof setTimeout> | undefined;
  const heard = () => {
    clearTimeout(silence);
    silence = setTimeout(() => stop.abort(new Refusal(0, 'the server does not answer')), SILENCE);
  };
  try {
    heard();
    const response = await ask('GET', path, undefined, stop.signal);
    onOpen?.();
    if (!response.body) return;
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let waiting = '';
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      heard();
      waiting += value;
      const events = waiting.split('\n\n');
      waiting = events.pop() ?? '';
      for (const event of events) {
        let name = 'message';
        const data: string[] = [];
        for (const line of event.split('\n')) {
          if (line.startsWith('event:')) name = line.slice(6).trim();
          else if (line.startsWith('data:')) data.push(line.slice(5).trimStart());
        }
        if (data.length > 0) onEvent(name, data.join('\n'));
      }
    }
  } finally {
    clearTimeout(silence);
    signal.removeEventListener('abort', obey);
  }
}
