// Bit rates over the last minutes, as a line.

import { useId } from 'preact/hooks';
import { bits } from './format';
import { REMEMBERED, beat, ratesOf } from './live';
import { texts } from './texts';

const [WIDTH, HEIGHT] = [REMEMBERED, 48];

function points(rates: readonly number[], high: number): [number, number][] {
  const first = WIDTH - rates.length;
  return rates.map((rate, at) => [first + at + 0.5, HEIGHT - 1.5 - (rate / high) * (HEIGHT - 4)]);
}

function Line({ points: all }: { points: [number, number][] }) {
  const line = all.map(([x, y]) => `${x},${y}`).join(' ');
  const [first, last] = [all[0], all.at(-1)];
  if (!first || !last) return null;
  return (
    <>
      <polygon points={`${first[0]},${HEIGHT} ${line} ${last[0]},${HEIGHT}`} />
      <polyline points={line} />
    </>
  );
}

/** In a row: the line alone. The number stands beside it. */
export function Spark({ stream }: { stream: string }) {
  void beat.value;
  const rates = ratesOf(stream).slice(-60);
  if (rates.length < 2) return <svg class="spark" aria-hidden="true" />;
  const high = Math.max(...rates, 1);
  const all = points(rates, high).map(([x, y]): [number, number] => [x - WIDTH + 60, y]);
  return <svg class="spark" viewBox={`0 0 60 ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true"><Line points={all} /></svg>;
}

export function Graph({ stream }: { stream: string }) {
  void beat.value;
  const fill = useId();
  const rates = ratesOf(stream);
  const high = Math.max(...rates, 1);
  const words = texts.stream.rateWords(bits(rates.at(-1) ?? 0), bits(Math.min(...rates, high)), bits(rates.length ? high : 0));
  return (
    <figure class="graph">
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-labelledby={fill}>
        <Line points={points(rates, high * 1.05)} />
      </svg>
      <figcaption id={fill}>{words}</figcaption>
    </figure>
  );
}
