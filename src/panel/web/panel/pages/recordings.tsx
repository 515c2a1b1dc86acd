// What has been recorded: files, and for each stream the time that they cover.

import { useMemo, useState } from 'preact/hooks';
import { broadcast, call, download, here, part, token, vods, words } from '../api';
import { bytes, clock, duration, local, moment, nameOf } from '../format';
import { beat, may, server, streams } from '../live';
import type { Timeline, Vod } from '../model';
import { go, to } from '../route';
import { texts } from '../texts';
import { Button, Card, Confirm, Dialog, Icon, IconButton, Page, TextField, attempt, say, useAnswer } from '../ui';

const copy = texts.recordings;
const PAGE = 250;
const SHOWN = 50;

interface Listed extends Vod {
  app: string;
}

/** The newest first, of all applications. */
async function listAll(signal: AbortSignal): Promise<Listed[]> {
  const lists = await Promise.all(server.value.applications.map(async (app) => {
    const list = await call<Vod[]>('GET', `${vods(app)}/list/0/${PAGE}?sort_by=date&order_by=desc`, undefined, signal);
    return list.map((vod) => ({ ...vod, app }));
  }));
  return lists.flat().sort((a, b) => b.startTime - a.startTime);
}

const fileOf = (vod: Listed): string => here(`${part(vod.app)}/${vod.filePath.split('/').map(part).join('/')}`).href;

export function Recordings({ app, stream }: { app: string | undefined; stream: string | undefined }) {
  // Recordings come and go with what is recorded, and are complete a moment after that ends.
  const turn = Math.floor(beat.value / 10);
  const now = [...streams.value.values()].filter((one) => one.recording);
  const running = now.map((one) => one.key).join();
  const { value, error, again } = useAnswer(listAll, `${server.value.applications.join()} ${running} ${turn}`);
  const [search, setSearch] = useState('');
  const [shown, setShown] = useState(SHOWN);
  const [playing, setPlaying] = useState<Listed>();
  const [deleting, setDeleting] = useState<Listed[]>();
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const key = app && stream ? `${app}/${stream}` : '';
  const keys = useMemo(() => {
    const all = new Set([...streams.value.keys(), ...(value ?? []).filter((vod) => vod.streamId).map((vod) => `${vod.app}/${vod.streamId}`)]);
    if (key) all.add(key);
    return [...all].sort();
  }, [streams.value, value, key]);
  const found = (value ?? []).filter((vod) => {
    const text = search.trim().toLowerCase();
    const isOf = key === '' || `${vod.app}/${vod.streamId}` === key;
    return isOf && (text === '' || [vod.vodName, vod.streamId, vod.streamName].some((one) => one?.toLowerCase().includes(text)));
  });
  // Whose files are not there yet.
  const unfinished = now.filter((one) => key === '' || one.key === key);
  const selected = found.filter((vod) => chosen.has(vod.vodId));
  const remove = async (all: Listed[]) => {
    let done = 0;
    for (const vod of all) {
      try {
        await call('DELETE', `${vods(vod.app)}/${part(vod.vodId)}`);
        done += 1;
      } catch (problem) {
        say(texts.common.failed(words(problem)), true);
      }
    }
    if (done > 0) say(copy.deleted(done));
    setChosen(new Set());
    again();
  };
  return (
    <Page title={copy.title}>
      <div class="toolbar" role="search">
        <label class="search"><span class="offscreen">{copy.search}</span><Icon name="search" />
          <input type="search" value={search} placeholder={copy.search} onInput={(event) => setSearch(event.currentTarget.value)} />
        </label>
        <select aria-label={copy.stream} value={key} onChange={(event) => go('recordings', ...event.currentTarget.value.split('/').filter(Boolean))}>
          <option value="">{copy.anyStream}</option>
          {keys.map((one) => <option key={one} value={one} selected={one === key}>{one}</option>)}
        </select>
        {may('operator') && selected.length > 0 && <Button icon="trash" kind="danger" act={() => setDeleting(selected)}>{texts.common.delete} ({selected.length})</Button>}
      </div>
      {app && stream ? <Times app={app} id={stream} running={`${running} ${turn}`} onPlay={(id) => setPlaying(value?.find((vod) => vod.vodId === id && vod.app === app))} />
        : (value?.length ?? 0) > 0 && <p class="soft">{copy.timelineChoose}</p>}
      {error && <p class="why bad">{error}</p>}
      {!value && !error && <p class="empty">{texts.common.loading}</p>}
      {unfinished.length > 0 && (
        <ul class="rows">
          {unfinished.map((one) => (
            <li key={one.key} class="row vod" data-recording={one.key}>
              <div class="row-name">
                <a href={to('stream', one.app, one.id)}>{nameOf(one)}</a>
                <span class="soft">{one.key} {copy.runningHow}</span>
              </div>
              <div class="row-viewers"><span class="rec" aria-hidden="true">REC</span></div>
            </li>
          ))}
        </ul>
      )}
      {value && found.length === 0 && (value.length > 0 || unfinished.length === 0) && <p class="empty">{value.length === 0 ? copy.none : copy.noneFound}</p>}
      <ul class="rows">
        {found.slice(0, shown).map((vod) => (
          <li key={`${vod.app}/${vod.vodId}`} class="row vod" data-vod={vod.vodId}>
            {may('operator') && <input type="checkbox" checked={chosen.has(vod.vodId)} aria-label={copy.select(vod.vodName)}
              onChange={(event) => { const next = new Set(chosen); if (event.currentTarget.checked) next.add(vod.vodId); else next.delete(vod.vodId); setChosen(next); }} />}
            <div class="row-name">
              <strong>{vod.vodName}</strong>
              <span class="soft">{[vod.streamId ? `${vod.app}/${vod.streamId}` : vod.app, moment(vod.startTime)].join(' · ')}</span>
            </div>
            <div class="row-viewers">{duration(vod.duration)}<span class="soft">{bytes(vod.fileSize)}</span></div>
            <div class="row-actions">
              <IconButton icon="play" kind="plain" label={`${copy.play}: ${vod.vodName}`} act={() => setPlaying(vod)} />
              <a class="button quiet" href={fileOf(vod)} download={vod.vodName} aria-label={`${copy.download}: ${vod.vodName}`} title={copy.download}><Icon name="download" /></a>
              {may('operator') && <IconButton icon="trash" label={`${texts.common.delete}: ${vod.vodName}`} act={() => setDeleting([vod])} />}
            </div>
          </li>
        ))}
      </ul>
      {found.length > shown && <Button act={() => setShown(shown + SHOWN)}>{texts.common.more(Math.min(SHOWN, found.length - shown))}</Button>}
      {playing && (
        <Dialog title={playing.vodName} onClose={() => setPlaying(undefined)}>
          <video class="picture" src={fileOf(playing)} controls autoplay playsInline />
          <footer><a class="button plain" href={fileOf(playing)} download={playing.vodName}><Icon name="download" />{copy.download}</a></footer>
        </Dialog>
      )}
      {deleting && (
        <Confirm title={copy.deleteTitle(deleting.length)} yes={texts.common.delete} onYes={() => remove(deleting)} onClose={() => setDeleting(undefined)}>
          <p>{copy.deleteWords}</p>
          <ul class="plain-list">{deleting.slice(0, 8).map((vod) => <li key={vod.vodId}>{vod.vodName}</li>)}{deleting.length > 8 && <li>…</li>}</ul>
        </Confirm>
      )}
    </Page>
  );
}

/** The time that a stream's recordings cover, and any stretch of it as one file. */
function Times({ app, id, running, onPlay }: { app: string; id: string; running: string; onPlay: (vod: string) => void }) {
  const path = `${broadcast(app, id)}/recordings`;
  const { value, error, again } = useAnswer((signal) => call<Timeline>('GET', path, undefined, signal), `${path} ${running}`);
  const stream = streams.value.get(`${app}/${id}`);
  const recorded = value?.recorded ?? [];
  const [first, last] = [recorded[0], recorded.at(-1)];
  return (
    <Card title={`${copy.timeline}: ${stream ? nameOf(stream) : id}`} aside={<Button act={again}>{texts.health.again}</Button>}>
      {error && <p class="why bad">{error}</p>}
      {value && <p class="soft">{app}/{id} {copy.states[value.state]}{value.reason ? `: ${value.reason}` : ''}</p>}
      {value && first && last && (
        <>
          <Bar timeline={value} from={first.start} until={last.end} onPlay={onPlay} />
          <Export key={`${first.start}`} path={path} from={first.start} until={last.end} />
        </>
      )}
    </Card>
  );
}

function Bar({ timeline, from, until, onPlay }: { timeline: Timeline; from: number; until: number; onPlay: (vod: string) => void }) {
  const span = Math.max(1, until - from);
  const at = (ms: number) => ((ms - from) / span) * 1000;
  const label = copy.timelineWords(timeline.recorded.length, moment(from), moment(until));
  return (
    <figure class="timeline">
      <svg viewBox="0 0 1000 40" preserveAspectRatio="none" role="group" aria-label={label}>
        <rect class="ground" x="0" y="0" width="1000" height="40" />
        {timeline.recorded.map((one) => {
          const words = `${copy.play}: ${moment(one.start)} – ${clock(one.end)}`;
          const play = () => one.finished && onPlay(one.vodId);
          return (
            <rect key={`${one.vodId} ${one.start}`} class={one.finished ? 'stretch' : 'stretch running'} x={at(one.start)} y="0" width={Math.max(2, at(one.end) - at(one.start))} height="40"
              {...(one.finished ? { role: 'button', tabIndex: 0, 'aria-label': words, onClick: play, onKeyDown: (event: KeyboardEvent) => { if (event.key === 'Enter') play(); } } : {})}>
              <title>{one.finished ? words : copy.running}</title>
            </rect>
          );
        })}
      </svg>
      <figcaption><span>{moment(from)}</span><span>{moment(until)}</span></figcaption>
    </figure>
  );
}

function Export({ path, from, until }: { path: string; from: number; until: number }) {
  const [start, setStart] = useState(local(from));
  // The whole of the last second.
  const [end, setEnd] = useState(local(Math.ceil(until / 1000) * 1000));
  const [begin, finish] = [Date.parse(start), Date.parse(end)];
  const isBad = !(begin < finish);
  const asked = `${path}/export?start=${begin}&end=${finish}`;
  const isLink = !isBad && token.get() === null;
  return (
    <div class="export">
      <div class="pair">
        <TextField label={copy.from} value={start} onValue={setStart} type="datetime-local" step="1" />
        <TextField label={copy.until} value={end} onValue={setEnd} type="datetime-local" step="1" error={isBad ? copy.exportBad : undefined} />
      </div>
      <div class="actions">
        {isLink ? <a class="button main" href={here(asked).href} download><Icon name="download" />{copy.export}</a>
          : <Button icon="download" kind="main" disabled={isBad} act={() => attempt(() => download(asked, `${begin}-${finish}.mp4`))}>{copy.export}</Button>}
        <span class="soft">{copy.exportHow}</span>
      </div>
    </div>
  );
}
