// What the server says of itself: what stands in its way, and its log as it goes on.

import { useEffect, useRef, useState } from 'preact/hooks';
import { call, part, words } from '../api';
import { clock, moment } from '../format';
import { may } from '../live';
import type { Check, LogLine } from '../model';
import { listen } from '../sse';
import { texts } from '../texts';
import { Badge, Button, Card, Icon, Page, useAnswer } from '../ui';

const copy = texts.health;
const KEPT = 1_000;
const TONES = { ok: 'live', warning: 'busy', problem: 'bad' } as const;
/** Clocks that differ by more are worth a word, in ms. */
const CLOCKS = 5_000;

export function Health() {
  return <Page title={copy.title}><Doctor />{may('operator') && <Log />}</Page>;
}

function Doctor() {
  const { value, error, again } = useAnswer((signal) => call<{ time: number; checks: Check[] }>('GET', 'api/v1/doctor', undefined, signal).then((found) => ({ ...found, asked: Date.now() })), 0);
  const off = value ? value.time - value.asked : 0;
  const shown = ({ check, state, detail }: Check): Check =>
    check === 'clock' && Math.abs(off) > CLOCKS ? { check, state: 'warning', detail: detail + copy.clockOff(Math.round(off / 1000)) } : { check, state, detail };
  return (
    <Card title={copy.doctor} aside={<Button act={again}>{copy.again}</Button>}>
      {error && <p class="why bad">{error}</p>}
      {!value && !error && <p class="soft">{texts.common.loading}</p>}
      <ul class="checks">
        {value?.checks.map(shown).map(({ check, state, detail }) => (
          <li key={check} data-check={check}><Badge tone={TONES[state]}>{copy.states[state]}</Badge><strong>{copy.checks[check] ?? check}</strong><span>{detail}</span></li>
        ))}
      </ul>
    </Card>
  );
}

function Log() {
  const [level, setLevel] = useState<keyof typeof copy.levels>('info');
  const [text, setText] = useState('');
  const [paused, setPaused] = useState(false);
  const [lines, setLines] = useState<LogLine[]>([]);
  const [error, setError] = useState('');
  const box = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const last = useRef(-1);

  useEffect(() => {
    setLines([]);
    last.current = -1;
  }, [level, text]);

  useEffect(() => {
    if (paused) return undefined;
    const stop = new AbortController();
    // Not with every letter.
    const timer = setTimeout(() => void follow(stop.signal), 300);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [level, text, paused]);

  const follow = async (signal: AbortSignal) => {
    while (!signal.aborted) {
      const after = last.current >= 0 ? `&after=${last.current}` : '';
      try {
        await listen(`api/v1/log?level=${level}&text=${part(text)}${after}`, signal, (_, data) => {
          const more = JSON.parse(data) as LogLine[];
          last.current = more.at(-1)?.number ?? last.current;
          setError('');
          setLines((before) => [...before, ...more].slice(-KEPT));
        });
      } catch (problem) {
        if (!signal.aborted) setError(words(problem));
      }
      await new Promise((resolve) => setTimeout(resolve, 2_000));
    }
  };

  useEffect(() => {
    if (atEnd.current && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [lines]);

  return (
    <Card title={copy.log}>
      <div class="toolbar">
        <label class="inline-field">{copy.level}
          <select value={level} onChange={(event) => setLevel(event.currentTarget.value as typeof level)}>
            {Object.entries(copy.levels).map(([key, name]) => <option key={key} value={key} selected={key === level}>{name}</option>)}
          </select>
        </label>
        <label class="search"><span class="offscreen">{copy.text}</span><Icon name="search" />
          <input type="search" value={text} maxLength={100} placeholder={copy.text} onInput={(event) => setText(event.currentTarget.value)} />
        </label>
        <Button icon={paused ? 'play' : 'pause'} aria-pressed={paused} act={() => setPaused(!paused)}>{paused ? copy.resume : copy.pause}</Button>
      </div>
      {error && <p class="why bad">{error}</p>}
      <div class="log" ref={box} tabIndex={0} role="log" aria-label={copy.logLabel} aria-live="off"
        onScroll={(event) => { const { scrollTop, clientHeight, scrollHeight } = event.currentTarget; atEnd.current = scrollTop + clientHeight > scrollHeight - 40; }}>
        {lines.length === 0 && <p class="soft">{copy.empty}</p>}
        {lines.map((line) => (
          <div key={line.number} class={`line ${line.level.toLowerCase()}`}>
            <time title={moment(line.time)}>{clock(line.time)}</time> <b>{line.level}</b> <span>{line.text}</span>
          </div>
        ))}
      </div>
    </Card>
  );
}
