// Numbers and times as people read them.

import type { Stream, Track } from './model';
import { texts } from './texts';

export const bits = (rate: number): string => {
  if (rate >= 1e6) return `${(rate / 1e6).toFixed(rate >= 1e8 ? 0 : 1)} Mbit/s`;
  return `${Math.round(rate / 1e3)} kbit/s`;
};

export const bytes = (count: number): string => {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let [value, unit] = [count, 0];
  while (value >= 1000 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${value.toFixed(unit === 0 || value >= 100 ? 0 : 1)} ${units[unit]}`;
};

export const duration = (ms: number): string => {
  const s = Math.max(0, Math.round(ms / 1000));
  const two = (n: number) => String(n).padStart(2, '0');
  if (s < 3600) return `${Math.floor(s / 60)}:${two(s % 60)}`;
  return `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
};

/** How long ago or for how long, roughly. */
export const roughly = (ms: number): string => {
  const minutes = Math.floor(Math.max(0, ms) / 60_000);
  if (minutes < 1) return '< 1 min';
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 2880) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `${Math.floor(minutes / 1440)} d`;
};

export const moment = (ms: number): string => new Date(ms).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
export const clock = (ms: number): string => new Date(ms).toLocaleTimeString(undefined, { hour12: false });

/** For an input of type datetime-local, in the browser's own zone. */
export const local = (ms: number): string => {
  const at = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000);
  return at.toISOString().slice(0, 19);
};

/** What people call a protocol. */
export const protocol = (name: string): string => texts.protocols[name] ?? name;

export const nameOf = (stream: { title: string | null; id: string }): string => stream.title || stream.id;
export const viewersOf = (stream: Stream): number => Object.values(stream.now.viewers).reduce((sum, count) => sum + count, 0);

export const describe = (track: Track): string => {
  const words = [track.codec];
  if (track.profile) words.push(track.profile);
  if (track.width && track.height) words.push(`${track.width}×${track.height}`);
  if (track.sampleRate) words.push(`${track.sampleRate / 1000} kHz`);
  if (track.channels) words.push(texts.units.channels[track.channels] ?? texts.units.channelCount(track.channels));
  return words.join(', ');
};

/** Codecs and size, in a few words. */
export const summary = (stream: Stream): string => {
  const words: string[] = [];
  for (const track of stream.tracks) {
    if (track.kind === 'video') words.push(track.width ? `${track.codec} ${track.width}×${track.height}` : track.codec);
    else if (track.kind === 'audio') words.push(track.codec);
  }
  return words.join(' · ');
};

export type Tone = 'live' | 'busy' | 'bad' | 'off';

/** What a stream is at, and why. */
export function stateOf(stream: Stream): { tone: Tone; word: string; why: string } {
  const words = texts.state;
  const error = stream.source?.lastError ?? '';
  switch (stream.status) {
    case 'broadcasting':
      return { tone: 'live', word: words.live, why: '' };
    case 'preparing':
      if (stream.source?.state === 'pausing') return { tone: 'bad', word: words.pausing, why: error };
      if (stream.source) return { tone: error ? 'bad' : 'busy', word: words.connecting, why: error };
      return { tone: 'busy', word: words.starting, why: words.noTracksYet };
    case 'terminated_unexpectedly':
      return { tone: 'bad', word: words.lost, why: error || (stream.source ? words.cutOff : words.publisherGone) };
    default: {
      const word = stream.status === 'created' ? words.idle : stream.source ? words.stopped : words.ended;
      if (stream.onDemand && stream.source) return { tone: 'off', word: words.idle, why: words.onDemand };
      if (stream.type === 'liveStream') return { tone: 'off', word, why: words.waitsForPublisher };
      return { tone: 'off', word, why: stream.status === 'created' ? words.notStarted : words.stoppedByHand };
    }
  }
}
