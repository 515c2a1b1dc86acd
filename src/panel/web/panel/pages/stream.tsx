// One stream with all that is known of it, and everything that can be done with it.

import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { broadcast, call } from '../api';
import { CameraCard } from '../camera';
import { bytes, describe, moment, nameOf, protocol, roughly, stateOf, viewersOf } from '../format';
import { Graph } from '../graph';
import { beat, known, may, server, streams } from '../live';
import type { Connection, Stream } from '../model';
import { canStart, deleteStream, isRecorded, isRunning, record, startStream, stopStream } from '../operations';
import { Picture } from '../picture';
import { go, to } from '../route';
import { SlateCard } from '../slate';
import { AddTarget, TargetRow } from '../targets';
import { texts } from '../texts';
import { Badge, Button, Card, Check, Confirm, CopyLine, Dialog, Field, Icon, Page, TextField, attempt, useAnswer } from '../ui';
import { type Address, embedCode, playPage, publishing, watching } from '../urls';

const copy = texts.stream;
/** Key frames further apart are worth a word, in seconds. */
const LONG_GOP = 4;
/** Connections that are listed. */
const SHOWN = 20;

export function StreamPage({ app, id }: { app: string; id: string }) {
  const stream = streams.value.get(`${app}/${id}`);
  if (!stream) {
    return (
      <Page title={id}>
        <p class="empty">{known.value ? copy.gone : texts.common.loading}</p>
        <a class="button plain" href={to('streams')}>{copy.back}</a>
      </Page>
    );
  }
  const state = stateOf(stream);
  return (
    <Page title={nameOf(stream)} aside={<Actions stream={stream} />}>
      <p class="stream-line">
        <Badge tone={state.tone}>{state.word}</Badge>
        <span class="soft">{stream.key} · {texts.kinds[stream.type]}{stream.onDemand ? ` · ${texts.state.onDemand}` : ''}</span>
        {stream.recording && <span class="rec">REC</span>}
      </p>
      {state.why && <p class={state.tone === 'bad' ? 'why bad large' : 'why large'}>{state.why}</p>}
      <div class="columns">
        <div class="column">
          <PictureCard stream={stream} />
          <Card title={copy.rate}><Graph stream={stream.key} /></Card>
          <Facts stream={stream} />
        </div>
        <div class="column">
          <Viewers stream={stream} />
          {stream.source && stream.source.urls.length > 0 && <Sources stream={stream} />}
          <Targets stream={stream} />
          {stream.camera && <CameraCard app={app} id={id} />}
          <SlateCard stream={stream} />
          <Connections stream={stream} />
        </div>
      </div>
      <Addresses stream={stream} />
    </Page>
  );
}

function Actions({ stream }: { stream: Stream }) {
  const [editing, setEditing] = useState(false);
  const [deleting, setDeleting] = useState(false);
  const words = texts.streams;
  const recorded = isRecorded(stream);
  const remove = async () => {
    if (await attempt(() => deleteStream(stream), words.deleted(1))) go('streams');
  };
  return (
    <>
      <a class="button plain" href={playPage(stream.app, stream.id)} target="_blank" rel="noreferrer"><Icon name="link" />{copy.openPage}</a>
      {may('operator') && (
        <>
          {canStart(stream) && <Button icon="play" kind="main" act={() => attempt(() => startStream(stream))}>{words.start}</Button>}
          {isRunning(stream) && <Button icon="stop" act={() => attempt(() => stopStream(stream))}>{words.stop}</Button>}
          <Button icon="record" aria-pressed={recorded} act={() => attempt(() => record(stream, !recorded))}>{recorded ? words.stopRecording : words.record}</Button>
          <Button icon="edit" disabled={stream.temporary} title={stream.temporary ? copy.temporary : ''} act={() => setEditing(true)}>{copy.edit}</Button>
          <Button icon="trash" kind="danger" act={() => setDeleting(true)}>{texts.common.delete}</Button>
        </>
      )}
      <a class="button plain" href={to('recordings', stream.app, stream.id)}><Icon name="recordings" />{copy.recordings}</a>
      {editing && <Edit stream={stream} onClose={() => setEditing(false)} />}
      {deleting && (
        <Confirm title={words.deleteTitle(1)} yes={texts.common.delete} onYes={remove} onClose={() => setDeleting(false)}>
          <p>{nameOf(stream)}: {words.deleteWords}</p>
        </Confirm>
      )}
    </>
  );
}

function PictureCard({ stream }: { stream: Stream }) {
  const [open, setOpen] = useState(false);
  const can = stream.status === 'broadcasting' || stream.onDemand || open;
  return (
    <section class="card picture-card" aria-label={copy.picture}>
      {open ? <Picture app={stream.app} id={stream.id} /> : (
        <div class="picture closed">
          {can ? <Button icon="play" kind="main" act={() => setOpen(true)}>{copy.show}</Button> : <p>{copy.notLive}</p>}
          {stream.onDemand && stream.status !== 'broadcasting' && <p class="soft">{copy.onDemandPicture}</p>}
        </div>
      )}
      {open && <Button act={() => setOpen(false)}>{copy.hide}</Button>}
    </section>
  );
}

function Facts({ stream }: { stream: Stream }) {
  const { now } = stream;
  void beat.value;
  const isLive = stream.status === 'broadcasting';
  const repairs = Object.entries(now.timeRepairs);
  const rows: [string, ComponentChildren][] = [];
  if (stream.publisher) {
    const { protocol: name, address, agent } = stream.publisher;
    rows.push([copy.publisher, [protocol(name), address, agent].filter(Boolean).join(' · ')]);
  }
  if (isLive && stream.started) rows.push([copy.since, `${moment(stream.started)} (${roughly(Date.now() - stream.started)})`]);
  if (stream.bFrames !== null) rows.push([copy.bFrames, stream.bFrames ? <span class="why bad">{copy.withB}</span> : copy.withoutB]);
  if (now.gop !== null) {
    const words = `${now.gop.toFixed(1)} s`;
    rows.push([copy.gop, now.gop > LONG_GOP ? <span class="why bad">{copy.gopLong(words)}</span> : words]);
  }
  if (isLive && now.speed > 0) {
    const words = `${now.speed.toFixed(2)}×`;
    rows.push([copy.speed, now.speed < 0.9 ? <span class="why bad">{copy.slow(words)}</span> : words]);
  }
  if (isLive) {
    rows.push([copy.repairs, repairs.length === 0 ? copy.noRepairs : (
      <ul class="plain-list">{repairs.map(([kind, count]) => <li key={kind}>{count} × {copy.repairKinds[kind] ?? kind}</li>)}</ul>
    )]);
    rows.push([copy.received, bytes(now.receivedBytes)]);
  }
  if (now.packetsLost > 0) rows.push([copy.lost, String(now.packetsLost)]);
  return (
    <Card title={copy.facts}>
      {stream.tracks.length === 0 ? <p class="soft">{copy.noTracks}</p> : (
        <ul class="tracks">{stream.tracks.map((track) => <li key={track.id}><span class="chip">{track.kind}</span> {describe(track)}</li>)}</ul>
      )}
      <dl class="facts">{rows.map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}</dl>
    </Card>
  );
}

function Viewers({ stream }: { stream: Stream }) {
  const all = Object.entries(stream.now.viewers);
  const total = viewersOf(stream);
  return (
    <Card title={copy.viewers} aside={<span class="big">{total}</span>}>
      {all.length === 0 ? <p class="soft">{copy.noViewers}</p> : (
        <ul class="bars">
          {all.map(([name, count]) => (
            <li key={name}><span>{protocol(name)}</span><meter min={0} max={total} value={count} aria-label={protocol(name)} /><span>{count}</span></li>
          ))}
        </ul>
      )}
    </Card>
  );
}

function Sources({ stream }: { stream: Stream }) {
  const { source } = stream;
  if (!source) return null;
  const active = source.state === 'live' ? copy.activeSource : copy.lastTried;
  return (
    <Card title={copy.sources} aside={source.attempts > 0 && <span class="soft">{copy.attempts(source.attempts)}</span>}>
      <ol class="sources">
        {source.urls.map((url, at) => (
          <li key={at}><code>{url}</code>{source.active === at && source.state !== 'stopped' && <span class="chip">{active}</span>}</li>
        ))}
      </ol>
      {source.lastError && <p class="why bad">{source.lastError}</p>}
    </Card>
  );
}

/** Those that are measured: what the way to and from the far end does to the stream. */
function Connections({ stream }: { stream: Stream }) {
  const path = `${broadcast(stream.app, stream.id)}/connections`;
  const turn = Math.floor(beat.value / 5);
  const { value } = useAnswer((signal) => call<Connection[]>('GET', path, undefined, signal), `${path} ${turn}`);
  if (!value || value.length === 0) return null;
  return (
    <Card title={copy.connections}>
      <ul class="tracks">
        {value.slice(0, SHOWN).map(({ protocol: name, id, state, remoteAddr, figures }) => {
          const loss = figures.packets_received_loss_rate ?? figures.packets_send_loss_rate;
          const again = figures.packets_retrans ?? 0;
          const late = figures.packets_received_drop ?? 0;
          const words = [
            figures.ms_rtt === undefined ? '' : copy.roundTrip(figures.ms_rtt),
            loss === undefined ? '' : copy.lossRate(loss),
            again > 0 ? copy.retransmitted(again) : '',
            late > 0 ? copy.droppedLate(late) : '',
          ];
          return <li key={`${name} ${id}`}><span class="chip">{copy.connectionStates[state] ?? state}</span> {protocol(name)} · {remoteAddr}<span class="soft block">{words.filter(Boolean).join(' · ')}</span></li>;
        })}
      </ul>
      {value.length > SHOWN && <p class="soft">… {value.length - SHOWN}</p>}
    </Card>
  );
}

function Targets({ stream }: { stream: Stream }) {
  const [adding, setAdding] = useState(false);
  return (
    <Card title={copy.targets} aside={may('operator') && <Button icon="plus" act={() => setAdding(true)}>{texts.common.add}</Button>}>
      {stream.targets.length === 0 ? <p class="soft">{copy.noTargets}</p>
        : <ul class="targets">{stream.targets.map((target) => <TargetRow key={target.id} stream={stream} target={target} />)}</ul>}
      {adding && <AddTarget stream={stream} onClose={() => setAdding(false)} />}
    </Card>
  );
}

const Lines = ({ all }: { all: Address[] }) => (
  <div class="addresses">{all.map((one) => <CopyLine key={one.label} label={one.label} text={one.url} opens={one.opens ?? false} />)}</div>
);

function Addresses({ stream }: { stream: Stream }) {
  const { app, id } = stream;
  return (
    <Card title={copy.watch}>
      <Lines all={watching(server.value, app, id)} />
      <h3>{copy.embed}</h3>
      <CopyLine label={copy.embedCode} text={embedCode(app, id)} />
      {stream.type === 'liveStream' && <><h3>{copy.publish}</h3><Lines all={publishing(server.value, app, id)} /></>}
    </Card>
  );
}

interface Kept {
  name: string | null;
  streamUrl: string | null;
  ipAddr: string | null;
  username: string | null;
  fallbackStreamUrls: string[] | null;
  autoStartStopEnabled: boolean;
}

function Edit({ stream, onClose }: { stream: Stream; onClose: () => void }) {
  const path = broadcast(stream.app, stream.id);
  const { value, error } = useAnswer((signal) => call<Kept>('GET', path, undefined, signal), path);
  return (
    <Dialog title={copy.editTitle(nameOf(stream))} onClose={onClose}>
      {error && <p class="why bad">{error}</p>}
      {value ? <EditForm stream={stream} kept={value} onClose={onClose} /> : !error && <p>{texts.common.loading}</p>}
    </Dialog>
  );
}

function EditForm({ stream, kept, onClose }: { stream: Stream; kept: Kept; onClose: () => void }) {
  const words = texts.form;
  const [name, setName] = useState(kept.name ?? '');
  const [url, setUrl] = useState(kept.streamUrl ?? '');
  const [address, setAddress] = useState(kept.ipAddr ?? '');
  const [fallbacks, setFallbacks] = useState((kept.fallbackStreamUrls ?? []).join('\n'));
  const [username, setUsername] = useState(kept.username ?? '');
  const [password, setPassword] = useState('');
  const [onDemand, setOnDemand] = useState(kept.autoStartStopEnabled);
  const isPulled = stream.type !== 'liveStream';
  const isCamera = stream.type === 'ipCamera';
  const hasUrl = isPulled && (!isCamera || (kept.streamUrl ?? '') !== '');
  const isBad = hasUrl && !/^\w+:\/\/./.test(url.trim());
  const save = async () => {
    const changes: Record<string, unknown> = { name };
    if (hasUrl && url !== kept.streamUrl) changes.streamUrl = url.trim();
    if (isCamera && address !== kept.ipAddr) changes.ipAddr = address.trim();
    if (isPulled) {
      Object.assign(changes, { username, autoStartStopEnabled: onDemand });
      changes.fallbackStreamUrls = fallbacks.split('\n').map((one) => one.trim()).filter(Boolean);
      if (password) changes.password = password;
    }
    if (await attempt(() => call('PUT', broadcast(stream.app, stream.id), changes), texts.common.saved)) onClose();
  };
  return (
    <form onSubmit={(event) => { event.preventDefault(); if (!isBad) void save(); }}>
      <TextField label={words.name} value={name} onValue={setName} />
      {isCamera && <TextField label={words.address} hint={words.addressHint} value={address} onValue={setAddress} />}
      {hasUrl && <TextField label={words.url} hint={words.urlHint} error={isBad ? words.urlBad : undefined} value={url} onValue={setUrl} />}
      {isPulled && (
        <>
          <div class="pair">
            <TextField label={words.username} value={username} onValue={setUsername} />
            <TextField label={words.password} hint={words.passwordStays} value={password} onValue={setPassword} type="password" autocomplete="new-password" />
          </div>
          <Field label={words.fallbacks} hint={words.fallbacksHint}>
            {(id, described) => <textarea id={id} rows={2} aria-describedby={described} value={fallbacks} spellcheck={false} onInput={(event) => setFallbacks(event.currentTarget.value)} />}
          </Field>
          <Check label={words.onDemand} checked={onDemand} onChecked={setOnDemand} />
        </>
      )}
      <footer>
        <Button act={onClose}>{texts.common.cancel}</Button>
        <Button kind="main" type="submit" disabled={isBad}>{texts.common.save}</Button>
      </footer>
    </form>
  );
}

