// Where somebody is in the panel: the part of the address behind `#`, which no server and no proxy has to know of.

import { signal } from '@preact/signals';

const read = (): string[] => location.hash.replace(/^#\/?/, '').split('/').filter(Boolean).map(decode);

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The words of the present address. */
export const route = signal(read());

export const to = (...words: string[]): string => `#/${words.map(encodeURIComponent).join('/')}`;
export const go = (...words: string[]) => { location.hash = to(...words); };

addEventListener('hashchange', () => {
  route.value = read();
  scrollTo(0, 0);
  // The keyboard and screen readers go on where the page has changed.
  requestAnimationFrame(() => document.querySelector<HTMLElement>('main h1')?.focus());
});
