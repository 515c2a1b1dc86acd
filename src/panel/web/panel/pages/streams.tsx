// All streams: searched, filtered, changed one by one or many at once.

import { useMemo, useState } from 'preact/hooks';
import { words } from '../api';
import { bits, nameOf, protocol, stateOf, summary, viewersOf } from '../format';
import { Spark } from '../graph';
import { known, may, streams } from '../live';
import type { Kind, Stream } from '../model';
import { canStart, deleteStream, isRecorded, isRunning, record, startStream, stopStream } from '../operations';
import { Picture } from '../picture';
import { to } from '../route';
import { texts } from '../texts';
import { Badge, Button, Confirm, Dialog, IconButton, Icon, Page, attempt, say } from '../ui';

const PAGE = 50;
const copy = texts.streams;

type Filter = keyof typeof copy.filters;

const FILTERS: Record<Filter, (stream: Stream) => boolean> = {
  all: () => true,
  live: (stream) => stream.status === 'broadcasting',
  trouble: (stream) => stateOf(stream).tone === 'bad' || stream.targets.some((target) => ['backoff', 'failed'].includes(target.state)),
  off: (stream) => stream.status !== 'broadcasting',
  recording: (stream) => stream.recording,
};

const ORDER = { live: 0, bad: 1, busy: 2, off: 3 };

function sorted(all: Iterable<Stream>): Stream[] {
  return [...all].sort((a, b) => ORDER[stateOf(a).tone] - ORDER[stateOf(b).tone] || nameOf(a).localeCompare(nameOf(b)) || a.key.localeCompare(b.key));
}

function matches(stream: Stream, search: string): boolean {
  const places = [stream.title, stream.key, stream.publisher?.address, ...(stream.source?.urls ?? [])];
  return places.some((place) => place?.toLowerCase().includes(search));
}

export function Streams() {
  const [search, setSearch] = useState('');
  const [filter, setFilter] = useState<Filter>('all');
  const [kind, setKind] = useState<Kind | ''>('');
  const [shown, setShown] = useState(PAGE);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [deleting, setDeleting] = useState<Stream[]>();
  const [playing, setPlaying] = useState<Stream>();
  const all = streams.value;
  const found = useMemo(() => {
    const text = search.trim().toLowerCase();
    return sorted(all.values()).filter((one) => FILTERS[filter](one) && (kind === '' || one.type === kind) && (text === '' || matches(one, text)));
  }, [all, search, filter, kind]);
  const live = [...all.values()].filter(FILTERS.live).length;
  const viewers = [...all.values()].reduce((sum, one) => sum + viewersOf(one), 0);
  const page = found.slice(0, shown);
  const selected = found.filter((one) => chosen.has(one.key));
  const choose = (key: string, on: boolean) => {
    const next = new Set(chosen);
    if (on) next.add(key);
    else next.delete(key);
    setChosen(next);
  };
  const add = may('operator') && <a class="button main" href={to('new')}><Icon name="plus" />{copy.add}</a>;

  return (
    <Page title={copy.title} aside={add}>
      {all.size === 0 ? <Empty /> : (
        <>
          <p class="soft">{copy.summary(live, all.size, viewers)}</p>
          <div class="toolbar" role="search">
            <label class="search"><span class="offscreen">{copy.search}</span><Icon name="search" />
              <input type="search" value={search} placeholder={copy.searchHint} onInput={(event) => setSearch(event.currentTarget.value)} />
            </label>
            <div class="segments" role="group" aria-label={copy.filter}>
              {(Object.keys(copy.filters) as Filter[]).map((one) => (
                <button key={one} type="button" aria-pressed={filter === one} onClick={() => setFilter(one)}>
                  {copy.filters[one]} <span class="count">{[...all.values()].filter(FILTERS[one]).length}</span>
                </button>
              ))}
            </div>
            <select aria-label={copy.kind} value={kind} onChange={(event) => setKind(event.currentTarget.value as Kind | '')}>
              <option value="">{copy.anyKind}</option>
              {(['liveStream', 'streamSource', 'ipCamera'] as const).map((one) => <option key={one} value={one}>{texts.kinds[one]}</option>)}
            </select>
          </div>
          {may('operator') && found.length > 0 && <Bulk page={page} selected={selected} setChosen={setChosen} onDelete={() => setDeleting(selected)} />}
          {found.length === 0 && <p class="empty">{copy.noneFound}</p>}
          <ul class="rows">
            {page.map((stream) => (
              <Row key={stream.key} stream={stream} chosen={chosen.has(stream.key)} onChosen={(on) => choose(stream.key, on)}
                onPlay={() => setPlaying(stream)} onDelete={() => setDeleting([stream])} />
            ))}
          </ul>
          {found.length > shown && <Button act={() => setShown(shown + PAGE)}>{texts.common.more(Math.min(PAGE, found.length - shown))}</Button>}
        </>
      )}
      {deleting && <Delete streams={deleting} onClose={() => { setDeleting(undefined); setChosen(new Set()); }} />}
      {playing && (
        <Dialog title={nameOf(playing)} onClose={() => setPlaying(undefined)}>
          <Picture app={playing.app} id={playing.id} />
          <footer><a class="button plain" href={to('stream', playing.app, playing.id)}>{texts.stream.facts}</a></footer>
        </Dialog>
      )}
    </Page>
  );
}

function Empty() {
  if (!known.value) return <p class="empty">{texts.common.loading}</p>;
  return (
    <div class="empty">
      <p><strong>{copy.none}</strong></p>
      <p>{copy.noneHow}</p>
      {may('operator') && (
        <div class="actions">
          {(['encoder', 'source', 'camera', 'browser'] as const).map((tab) => <a key={tab} class="button plain" href={to('new', tab)}>{texts.new.tabs[tab]}</a>)}
        </div>
      )}
    </div>
  );
}

/** What is done with all that are selected. */
function Bulk({ page, selected, setChosen, onDelete }: { page: Stream[]; selected: Stream[]; setChosen: (keys: Set<string>) => void; onDelete: () => void }) {
  const all = selected.length > 0 && selected.length >= page.length;
  const each = (fits: (stream: Stream) => boolean, work: (stream: Stream) => Promise<unknown>) => () => many(selected.filter(fits), work);
  return (
    <div class="bulk">
      <label class="check">
        <input type="checkbox" checked={all} aria-label={copy.selectAll}
          onChange={(event) => setChosen(new Set(event.currentTarget.checked ? page.map((one) => one.key) : []))} />
        <span>{selected.length > 0 ? copy.selected(selected.length) : copy.selectAll}</span>
      </label>
      {selected.length > 0 && (
        <div class="actions">
          <Button icon="play" disabled={!selected.some(canStart)} act={each(canStart, startStream)}>{copy.start}</Button>
          <Button icon="stop" disabled={!selected.some(isRunning)} act={each(isRunning, stopStream)}>{copy.stop}</Button>
          <Button icon="record" disabled={selected.every(isRecorded)} act={each((one) => !isRecorded(one), (one) => record(one, true))}>{copy.record}</Button>
          <Button icon="trash" kind="danger" act={onDelete}>{texts.common.delete}</Button>
        </div>
      )}
    </div>
  );
}

/** Some at a time, so that a server with a thousand streams is not asked a thousand things at once. */
async function many(all: Stream[], work: (stream: Stream) => Promise<unknown>): Promise<number> {
  let failed = 0;
  let why = '';
  const queue = [...all];
  const worker = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      try {
        await work(next);
      } catch (error) {
        failed += 1;
        why = words(error);
      }
    }
  };
  await Promise.all([worker(), worker(), worker(), worker()]);
  if (failed > 0) say(copy.someFailed(failed, why), true);
  return all.length - failed;
}

function Delete({ streams: all, onClose }: { streams: Stream[]; onClose: () => void }) {
  const go = async () => {
    const done = await many(all, deleteStream);
    if (done > 0) say(copy.deleted(done));
  };
  return (
    <Confirm title={copy.deleteTitle(all.length)} yes={texts.common.delete} onYes={go} onClose={onClose}>
      <p>{copy.deleteWords}</p>
      <ul class="plain-list">{all.slice(0, 8).map((one) => <li key={one.key}>{nameOf(one)}</li>)}{all.length > 8 && <li>…</li>}</ul>
    </Confirm>
  );
}

interface RowProps {
  stream: Stream;
  chosen: boolean;
  onChosen: (on: boolean) => void;
  onPlay: () => void;
  onDelete: () => void;
}

function Row({ stream, chosen, onChosen, onPlay, onDelete }: RowProps) {
  const name = nameOf(stream);
  const state = stateOf(stream);
  const count = viewersOf(stream);
  const byProtocol = Object.entries(stream.now.viewers).map(([name, n]) => `${protocol(name)} ${n}`).join(', ');
  const isLive = stream.status === 'broadcasting';
  return (
    <li class={`row ${state.tone}`} data-stream={stream.key}>
      {may('operator') && <input type="checkbox" checked={chosen} aria-label={copy.select(name)} onChange={(event) => onChosen(event.currentTarget.checked)} />}
      <div class="row-state">
        <Badge tone={state.tone}>{state.word}</Badge>
        {stream.recording && <span class="rec" title={copy.recording}><span class="offscreen">{copy.recording}</span>REC</span>}
      </div>
      <div class="row-name">
        <a href={to('stream', stream.app, stream.id)}>{name}</a>
        <span class="soft">{[stream.key, texts.kinds[stream.type], isLive ? summary(stream) : ''].filter(Boolean).join(' · ')}</span>
        {state.why && <span class={state.tone === 'bad' ? 'why bad' : 'why'}>{state.why}</span>}
        {stream.targets.length > 0 && <Targets stream={stream} />}
      </div>
      <div class="row-viewers" title={byProtocol}>{isLive && copy.viewers(count)}{isLive && byProtocol && <span class="soft">{byProtocol}</span>}</div>
      <div class="row-rate">{isLive && <><Spark stream={stream.key} /><span>{bits(stream.now.bitrate)}</span></>}</div>
      <div class="row-actions">
        {(isLive || stream.onDemand) && <IconButton icon="play" kind="plain" label={`${copy.play}: ${name}`} act={onPlay} />}
        {may('operator') && (
          <>
            {canStart(stream) && <Button act={() => attempt(() => startStream(stream))}>{copy.start}</Button>}
            {isRunning(stream) && <IconButton icon="stop" label={`${copy.stop}: ${name}`} act={() => attempt(() => stopStream(stream))} />}
            <IconButton icon="record" class={isRecorded(stream) ? 'button quiet on' : 'button quiet'} aria-pressed={isRecorded(stream)}
              label={`${isRecorded(stream) ? copy.stopRecording : copy.record}: ${name}`} act={() => attempt(() => record(stream, !isRecorded(stream)))} />
            <IconButton icon="trash" label={`${texts.common.delete}: ${name}`} act={onDelete} />
          </>
        )}
      </div>
    </li>
  );
}

/** How its restreams are, in one line. */
function Targets({ stream }: { stream: Stream }) {
  const live = stream.targets.filter((target) => target.state === 'live').length;
  const bad = stream.targets.some((target) => ['backoff', 'failed'].includes(target.state));
  return <span class={bad ? 'why bad' : 'soft'}>{texts.stream.targets}: {live}/{stream.targets.length}</span>;
}
