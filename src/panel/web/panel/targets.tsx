// Restreams of a stream: how each is, and adding one.

import { useState } from 'preact/hooks';
import { bits, bytes, nameOf } from './format';
import { may, streams } from './live';
import type { Stream, Target } from './model';
import { addTarget, moveTarget, pauseTarget, removeTarget } from './operations';
import { texts } from './texts';
import { Badge, Button, Confirm, Dialog, IconButton, SelectField, TextField, attempt } from './ui';

const copy = texts.restreams;
const TONES = { waiting: 'off', connecting: 'busy', live: 'live', backoff: 'bad', failed: 'bad', paused: 'off' } as const;

/** Where the services take streams. Kick names the server that is its own for each channel on the same page as the key. */
export const SERVICES = [
  { key: 'youtube', name: 'YouTube', url: 'rtmps://a.rtmps.youtube.com/live2', host: 'youtube.com' },
  { key: 'twitch', name: 'Twitch', url: 'rtmps://live.twitch.tv/app', host: 'twitch.tv' },
  { key: 'facebook', name: 'Facebook', url: 'rtmps://live-api-s.facebook.com:443/rtmp', host: 'facebook.com' },
  { key: 'kick', name: 'Kick', url: 'rtmps://fa723fc1b171.global-contribute.live-video.net/app', host: 'global-contribute.live-video.net' },
] as const;

/** What people call a target: its own name, its service, or where it is. */
export function titleOf(target: Target): string {
  if (target.name) return target.name;
  const place = target.url.replace(/^\w+:\/\//, '').split(/[/?#]/)[0]?.replace(/^.*@/, '').replace(/:\d+$/, '') ?? target.url;
  const service = SERVICES.find((one) => place === one.host || place.endsWith(`.${one.host}`));
  return service?.name ?? place;
}

export function TargetRow({ stream, target }: { stream: Stream; target: Target }) {
  const [removing, setRemoving] = useState(false);
  const [moving, setMoving] = useState(false);
  const now = stream.now.targets[target.id];
  const isPaused = target.state === 'paused';
  const facts = [
    target.url,
    now && target.state === 'live' ? bits(now.bitrate) : '',
    now && now.bytesSent > 0 ? copy.sent(bytes(now.bytesSent)) : '',
    target.reconnects > 0 ? copy.reconnects(target.reconnects) : '',
    now && now.accessUnitsDropped > 0 ? copy.dropped(now.accessUnitsDropped) : '',
  ];
  return (
    <li class="target" data-target={target.id}>
      <Badge tone={TONES[target.state] ?? 'off'}>{copy.states[target.state] ?? target.state}</Badge>
      <div class="row-name">
        <strong>{titleOf(target)}</strong>
        <span class="soft">{facts.filter(Boolean).join(' · ')}</span>
        {target.lastError && <span class="why bad">{target.lastError}</span>}
      </div>
      {may('operator') && (
        <div class="row-actions">
          <Button icon={isPaused ? 'play' : 'pause'} act={() => attempt(() => pauseTarget(stream, target.id, !isPaused))}>{isPaused ? copy.resume : copy.pause}</Button>
          <IconButton icon="edit" label={`${copy.edit}: ${titleOf(target)}`} act={() => setMoving(true)} />
          <IconButton icon="trash" label={`${texts.common.remove}: ${titleOf(target)}`} act={() => setRemoving(true)} />
        </div>
      )}
      {moving && <MoveTarget stream={stream} target={target} onClose={() => setMoving(false)} />}
      {removing && (
        <Confirm title={copy.removeTitle} yes={texts.common.remove} onYes={() => attempt(() => removeTarget(stream, target.id))} onClose={() => setRemoving(false)}>
          <p>{titleOf(target)} · {target.url}</p>
        </Confirm>
      )}
    </li>
  );
}

function MoveTarget({ stream, target, onClose }: { stream: Stream; target: Target; onClose: () => void }) {
  const [url, setUrl] = useState('');
  const isReady = /^\w+:\/\/./.test(url.trim());
  const save = async () => {
    if (await attempt(() => moveTarget(stream, target.id, url.trim()), copy.changed)) onClose();
  };
  return (
    <Dialog title={`${copy.edit}: ${titleOf(target)}`} onClose={onClose}>
      <form onSubmit={(event) => { event.preventDefault(); if (isReady) void save(); }}>
        <p class="soft">{target.url}</p>
        <TextField label={copy.fullUrl} hint={copy.editHint} value={url} onValue={setUrl} placeholder="rtmp://host/app/key" />
        <footer>
          <Button act={onClose}>{texts.common.cancel}</Button>
          <Button kind="main" type="submit" disabled={!isReady}>{texts.common.save}</Button>
        </footer>
      </form>
    </Dialog>
  );
}

export function AddTarget({ stream, onClose }: { stream?: Stream; onClose: () => void }) {
  const all = [...streams.value.values()];
  const [key, setKey] = useState(stream?.key ?? all[0]?.key ?? '');
  const [service, setService] = useState<string>(SERVICES[0].key);
  const [server, setServer] = useState<string>(SERVICES[0].url);
  const [secret, setSecret] = useState('');
  const [url, setUrl] = useState('');
  const chosen = streams.value.get(key);
  const choose = (next: string) => {
    setService(next);
    setServer(SERVICES.find((one) => one.key === next)?.url ?? '');
  };
  const isCustom = service === 'custom';
  const target = isCustom ? url.trim() : `${server.trim().replace(/\/+$/, '')}/${secret.trim()}`;
  const isReady = chosen !== undefined && (isCustom ? /^\w+:\/\/./.test(target) : secret.trim() !== '' && /^\w+:\/\/./.test(server));
  const save = async () => {
    if (chosen && await attempt(() => addTarget(chosen, target), copy.added)) onClose();
  };
  if (all.length === 0) return <Dialog title={copy.add} onClose={onClose}><p>{copy.noStreams}</p></Dialog>;
  return (
    <Dialog title={copy.add} onClose={onClose}>
      <form onSubmit={(event) => { event.preventDefault(); if (isReady) void save(); }}>
        {!stream && <SelectField label={copy.stream} value={key} onValue={setKey} options={all.map((one) => [one.key, `${nameOf(one)} (${one.key})`] as const)} />}
        <SelectField label={copy.service} value={service} onValue={choose}
          options={[...SERVICES.map((one) => [one.key as string, one.name as string] as const), ['custom', copy.custom] as const]} />
        {isCustom ? <TextField label={copy.fullUrl} hint={copy.fullHint} value={url} onValue={setUrl} placeholder="rtmp://host/app/key" />
          : (
            <>
              <TextField label={copy.serverUrl} value={server} onValue={setServer} />
              <TextField label={copy.key} hint={copy.keyHint} value={secret} onValue={setSecret} type="password" autocomplete="new-password" />
            </>
          )}
        <footer>
          <Button act={onClose}>{texts.common.cancel}</Button>
          <Button kind="main" type="submit" disabled={!isReady}>{texts.common.add}</Button>
        </footer>
      </form>
    </Dialog>
  );
}
