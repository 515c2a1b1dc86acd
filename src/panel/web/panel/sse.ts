// Server-sent events by fetch: unlike EventSource it sends a token, and tells why it was refused.

import { ask } from './api';

/** Reads until the server or the signal ends it. */
export async function listen(path: string, signal: AbortSignal, onEvent: (name: string, data: string) => void, onOpen?: () => void) {
  const response = await ask('GET', path, undefined, signal);
  onOpen?.();
  if (!response.body) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
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
}
