// A new live stream: from an encoder, a source, a camera, or this browser.

import { useState } from 'preact/hooks';
import { broadcast, broadcasts, call, here, part, words } from '../api';
import { Profiles } from '../camera';
import { bits, describe, protocol as protocolName } from '../format';
import { may, server, streams } from '../live';
import type { Device, Probed, Profile } from '../model';
import { record } from '../operations';
import { go, to } from '../route';
import { texts } from '../texts';
import { AppField, Badge, Button, Card, Check, CopyLine, Field, Icon, Page, TextField, attempt, idOf, isId } from '../ui';
import { hostOf, publishPage, securePublishPage } from '../urls';

const copy = texts.new;
const form = texts.form;
const TABS = ['encoder', 'source', 'camera', 'browser'] as const;
const ICONS = { encoder: 'streams', source: 'restreams', camera: 'recordings', browser: 'accounts' } as const;
type Tab = (typeof TABS)[number];

export function New({ tab }: { tab: string | undefined }) {
  const present: Tab = TABS.find((one) => one === tab) ?? 'encoder';
  return (
    <Page title={copy.title}>
      {!may('operator') && <p class="why bad">{texts.common.notAllowed}</p>}
      <nav class="choices" aria-label={copy.title}>
        {TABS.map((one) => (
          <a key={one} href={to('new', one)} aria-current={one === present ? 'true' : undefined}>
            <Icon name={ICONS[one]} /><span><strong>{copy.tabs[one]}</strong><span class="soft">{copy.hints[one]}</span></span>
          </a>
        ))}
      </nav>
      {present === 'encoder' && <Encoder />}
      {present === 'source' && <Source />}
      {present === 'camera' && <Camera />}
      {present === 'browser' && <Browser />}
    </Page>
  );
}

const useApp = () => useState(server.value.applications[0] ?? 'LiveApp');

// ---- encoder ----

const ENCODE = '-c:v libx264 -preset veryfast -tune zerolatency -pix_fmt yuv420p -b:v 2500k -g 60 -c:a aac -b:a 128k';
const TEST = '-f lavfi -i testsrc2=size=1280x720:rate=30 -f lavfi -i sine=frequency=440:sample_rate=48000';
const GST_TEST = 'videotestsrc is-live=true ! video/x-raw,width=1280,height=720,framerate=30/1 ! x264enc tune=zerolatency bitrate=2500 key-int-max=60 ! h264parse';
const GST_TONE = 'audiotestsrc is-live=true ! audioconvert ! avenc_aac ! aacparse';

/** How to publish by a protocol: OBS's fields, ffmpeg's output, GStreamer's sink. */
function recipes(protocol: string, app: string, id: string) {
  const host = (name: string) => hostOf(server.value, name);
  const key = `${app}/${id}`;
  if (protocol === 'srt') {
    const url = `srt://${host('srt')}?streamid=publish:${key}`;
    return { obs: [url, ''], ffmpeg: `-f mpegts "${url}"`, gst: (v: string, a: string) => `gst-launch-1.0 mpegtsmux name=m ! srtsink uri="${url}" ${v} ! m. ${a} ! m.` };
  }
  if (protocol === 'rtsp') {
    const url = `rtsp://${host('rtsp')}/${key}`;
    return { obs: undefined, ffmpeg: `-f rtsp -rtsp_transport tcp ${url}`, gst: (v: string, a: string) => `gst-launch-1.0 rtspclientsink name=s location=${url} ${v} ! s. ${a} ! s.` };
  }
  if (protocol === 'whip') {
    const url = here(`${part(app)}/whip/${id}`).href;
    return { obs: [url, ''], ffmpeg: undefined, gst: (v: string) => `gst-launch-1.0 ${v.replace('! h264parse', '! h264parse ! rtph264pay')} ! whipsink whip-endpoint=${url}` };
  }
  const url = `rtmp://${host('rtmp')}/${app}`;
  return { obs: [url, id], ffmpeg: `-f flv ${url}/${id}`, gst: (v: string, a: string) => `gst-launch-1.0 flvmux name=m streamable=true ! rtmp2sink location=${url}/${id} ${v} ! m. ${a} ! m.` };
}

function Encoder() {
  const [app, setApp] = useApp();
  const [id, setId] = useState('mystream');
  const [protocol, setProtocol] = useState('rtmp');
  const isGood = isId(id);
  const known = ['rtmp', 'srt', 'rtsp'].filter((one) => hostOf(server.value, one) !== undefined);
  const recipe = recipes(protocol, app, isGood ? id : 'mystream');
  const isLive = streams.value.get(`${app}/${id}`)?.status === 'broadcasting';
  return (
    <>
      <Card>
        <p>{copy.encoderIntro}</p>
        <div class="pair">
          <AppField value={app} onValue={setApp} />
          <TextField label={form.id} hint={form.idRule} error={isGood ? undefined : form.idBad} value={id} onValue={setId} />
        </div>
        <div class="segments" role="group" aria-label={copy.protocol}>
          {[...known, 'whip'].map((one) => <button key={one} type="button" aria-pressed={protocol === one} onClick={() => setProtocol(one)}>{one.toUpperCase()}</button>)}
        </div>
        <p class="arrival" role="status">
          {isLive ? <><Badge tone="live">{texts.state.live}</Badge> {copy.arrived(id)} <a href={to('stream', app, id)}>{copy.look}</a></> : <span class="soft">{copy.waiting(id)}</span>}
        </p>
      </Card>
      {isGood && (
        <div class="recipes">
          {recipe.obs && (
            <Card title={copy.obs}>
              <p class="soft">{protocol === 'whip' ? copy.obsWhip : copy.obsHow}</p>
              <CopyLine label={copy.obsServer} text={recipe.obs[0] ?? ''} />
              {recipe.obs[1] && <CopyLine label={copy.obsKey} text={recipe.obs[1]} />}
              <p class="soft">{copy.obsOutput}</p>
            </Card>
          )}
          {recipe.ffmpeg && <Card title={copy.ffmpegTest}><CopyLine text={`ffmpeg -re ${TEST} ${ENCODE} ${recipe.ffmpeg}`} /></Card>}
          {recipe.ffmpeg && <Card title={copy.ffmpegFile}><CopyLine text={`ffmpeg -re -stream_loop -1 -i video.mp4 ${ENCODE} ${recipe.ffmpeg}`} /></Card>}
          <Card title={copy.gstreamer}><CopyLine text={recipe.gst(GST_TEST, GST_TONE)} /></Card>
        </div>
      )}
    </>
  );
}

// ---- source ----

/** Name and ID, the ID following the name until it is changed by hand. */
function useNames() {
  const [name, setName] = useState('');
  const [own, setOwn] = useState<string>();
  const id = own ?? idOf(name);
  return { name, setName, id, setId: (value: string) => setOwn(value), isGood: isId(id) };
}

function NameFields({ names, app, setApp }: { names: ReturnType<typeof useNames>; app: string; setApp: (app: string) => void }) {
  const bad = names.id !== '' && !names.isGood;
  return (
    <>
      <div class="pair">
        <TextField label={form.name} hint={form.nameHint} value={names.name} onValue={names.setName} />
        <TextField label={form.id} hint={form.idRule} error={bad ? form.idBad : undefined} value={names.id} onValue={names.setId} />
      </div>
      <AppField value={app} onValue={setApp} />
    </>
  );
}

/** A URL with user and password in it, for a source that is looked into before it is kept. */
function signedIn(url: string, username: string, password: string): string {
  try {
    const whole = new URL(url);
    if (username && !whole.username) Object.assign(whole, { username, password });
    return whole.href;
  } catch {
    return url;
  }
}

function Source() {
  const [app, setApp] = useApp();
  const names = useNames();
  const [url, setUrl] = useState('');
  const [username, setUsername] = useState('');
  const [password, setPassword] = useState('');
  const [fallbacks, setFallbacks] = useState('');
  const [onDemand, setOnDemand] = useState(false);
  const [recorded, setRecorded] = useState(false);
  const [probed, setProbed] = useState<Probed | string>();
  const [probing, setProbing] = useState(false);
  const place = url.trim();
  const isUrl = /^\w+:\/\/./.test(place);
  const look = async () => {
    setProbing(true);
    setProbed(undefined);
    try {
      setProbed(await call<Probed>('POST', 'api/v1/probe', { url: signedIn(place, username, password) }));
    } catch (error) {
      setProbed(words(error));
    }
    setProbing(false);
  };
  const add = async () => {
    const body = {
      type: 'streamSource',
      name: names.name || names.id,
      streamId: names.id,
      streamUrl: place,
      autoStartStopEnabled: onDemand,
      fallbackStreamUrls: fallbacks.split('\n').map((one) => one.trim()).filter(Boolean),
      ...(username ? { username, password } : {}),
    };
    if (!await attempt(() => call('POST', `${broadcasts(app)}/create?autoStart=true`, body), copy.added(names.id))) return;
    if (recorded) await attempt(() => record({ app, id: names.id }, true));
    go('stream', app, names.id);
  };
  return (
    <Card>
      <form onSubmit={(event) => { event.preventDefault(); if (isUrl && names.isGood) void add(); }}>
        <NameFields names={names} app={app} setApp={setApp} />
        <TextField label={form.url} hint={form.urlHint} error={place !== '' && !isUrl ? form.urlBad : undefined} value={url}
          onValue={(value) => { setUrl(value); setProbed(undefined); }} placeholder="rtsp://192.168.1.64/stream1" />
        <div class="pair">
          <TextField label={`${form.username} (${texts.common.optional})`} value={username} onValue={setUsername} />
          <TextField label={`${form.password} (${texts.common.optional})`} value={password} onValue={setPassword} type="password" autocomplete="new-password" />
        </div>
        <Field label={`${form.fallbacks} (${texts.common.optional})`} hint={form.fallbacksHint}>
          {(id, described) => <textarea id={id} rows={2} aria-describedby={described} value={fallbacks} spellcheck={false} onInput={(event) => setFallbacks(event.currentTarget.value)} />}
        </Field>
        <Check label={form.onDemand} checked={onDemand} onChecked={setOnDemand} />
        <Check label={form.record} checked={recorded} onChecked={setRecorded} />
        <div role="status">
          {probing && <p class="soft">{copy.probing}</p>}
          {typeof probed === 'string' && <p class="why bad">{copy.problem}: {probed}</p>}
          {probed && typeof probed !== 'string' && <Found probed={probed} />}
        </div>
        <footer>
          <Button act={look} disabled={!isUrl || probing}>{copy.probe}</Button>
          <Button kind="main" type="submit" disabled={!isUrl || !names.isGood || !may('operator')}>{copy.addSource}</Button>
        </footer>
      </form>
    </Card>
  );
}

/** What is in a source, and by what it can be watched. */
function Found({ probed }: { probed: Probed }) {
  return (
    <div class="found">
      <p><Badge tone="live">{copy.probed}</Badge> {protocolName(probed.protocol)}{probed.bitrate ? ` · ${bits(probed.bitrate)}` : ''}</p>
      <ul class="tracks">
        {probed.tracks.map((track) => {
          const outputs = Object.entries(track.outputs);
          const carried = outputs.filter(([, output]) => output.carries).map(([name]) => name);
          const more = [
            track.frameRate ? `${Math.round(track.frameRate * 100) / 100} fps` : '',
            track.gop ? `${texts.stream.gop} ${track.gop.longest.toFixed(1)} s` : '',
            track.bFrames ? texts.stream.bFrames : '',
          ].filter(Boolean).join(', ');
          return (
            <li key={track.id}>
              <span class="chip">{track.kind}</span> {describe(track)}{more && `, ${more}`}
              {carried.length > 0 && <span class="soft block">{copy.carriedBy} {carried.map(protocolName).join(', ')}</span>}
              {outputs.filter(([, output]) => !output.carries).map(([name, output]) => <span key={name} class="soft block">{copy.notBy(protocolName(name), output.reason ?? '')}</span>)}
            </li>
          );
        })}
      </ul>
      {probed.problems.map((problem) => <p key={problem} class="why bad">{problem}</p>)}
    </div>
  );
}

// ---- camera ----

function Camera() {
  const [app, setApp] = useApp();
  const names = useNames();
  const [address, setAddress] = useState('');
  const [username, setUsername] = useState('');
  const [password, setPassword] = useState('');
  const [onDemand, setOnDemand] = useState(false);
  const [devices, setDevices] = useState<Device[]>();
  const [searching, setSearching] = useState(false);
  const [added, setAdded] = useState<{ app: string; id: string; profiles: Profile[] }>();
  const discover = async () => {
    setSearching(true);
    await attempt(async () => setDevices(await call<Device[]>('GET', `${broadcasts(app)}/onvif-devices?details=true`)));
    setSearching(false);
  };
  const isReady = names.isGood && address.trim() !== '' && may('operator');
  const use = (device: Device) => {
    setAddress(device.address);
    if (names.name === '') names.setName(modelOf(device));
  };
  const add = async () => {
    const body = { type: 'ipCamera', name: names.name || names.id, streamId: names.id, ipAddr: address.trim(), username, password, autoStartStopEnabled: onDemand };
    const { id } = names;
    if (!await attempt(() => call('POST', `${broadcasts(app)}/create?autoStart=true`, body), copy.added(id))) return;
    const path = `${broadcast(app, id)}/ip-camera/device-profiles?details=true`;
    const profiles = await call<Profile[]>('GET', path).catch(() => []);
    if (profiles.length > 1) setAdded({ app, id, profiles });
    else go('stream', app, id);
  };
  if (added) {
    return (
      <Card title={copy.profileTitle(added.id)}>
        <p class="soft">{copy.profileWords}</p>
        <Profiles app={added.app} id={added.id} all={added.profiles} onDone={() => go('stream', added.app, added.id)} />
      </Card>
    );
  }
  return (
    <>
      <Card>
        <div class="discover">
          <Button icon="search" kind="main" act={discover} disabled={searching}>{copy.discover}</Button>
          <span role="status" class="soft">{searching ? copy.discovering : devices && devices.length > 0 ? copy.found(devices.length) : ''}</span>
        </div>
        {devices?.length === 0 && !searching && <p class="why">{copy.noCameras}</p>}
        {devices && devices.length > 0 && (
          <ul class="devices">
            {devices.map((device) => (
              <li key={device.reference || device.address}>
                <div class="row-name"><strong>{modelOf(device)}</strong><span class="soft">{[device.address, device.hardware, device.profiles.join(', ')].filter(Boolean).join(' · ')}</span></div>
                {device.added && <span class="chip">{copy.alreadyAdded}</span>}
                <Button aria-label={copy.useLabel(device.address)} act={() => use(device)}>{copy.use}</Button>
              </li>
            ))}
          </ul>
        )}
      </Card>
      <Card>
        <form onSubmit={(event) => { event.preventDefault(); if (isReady) void add(); }}>
          <NameFields names={names} app={app} setApp={setApp} />
          <TextField label={form.address} hint={form.addressHint} value={address} onValue={setAddress} placeholder="192.168.1.64" />
          <div class="pair">
            <TextField label={form.username} value={username} onValue={setUsername} />
            <TextField label={form.password} value={password} onValue={setPassword} type="password" autocomplete="new-password" />
          </div>
          <Check label={form.onDemand} checked={onDemand} onChecked={setOnDemand} />
          <footer><Submit ready={isReady} add={add} /></footer>
        </form>
      </Card>
    </>
  );
}

/** It is asked of the camera whether it is there, which takes a while. */
function Submit({ ready, add }: { ready: boolean; add: () => Promise<void> }) {
  const [busy, setBusy] = useState(false);
  const press = async () => {
    setBusy(true);
    await add();
    setBusy(false);
  };
  return <Button kind="main" disabled={!ready || busy} act={press}>{busy ? copy.connecting : copy.addCamera}</Button>;
}

const modelOf = (device: Device): string =>
  [...new Set([device.manufacturer, device.name ?? device.hardware].filter(Boolean))].join(' ') || device.address;

// ---- browser ----

function Browser() {
  const [app, setApp] = useApp();
  const [id, setId] = useState('mycamera');
  const isGood = isId(id);
  const secure = securePublishPage(server.value, app, id);
  return (
    <Card>
      <p>{copy.browserIntro}</p>
      <div class="pair">
        <AppField value={app} onValue={setApp} />
        <TextField label={form.id} hint={form.idRule} error={isGood ? undefined : form.idBad} value={id} onValue={setId} />
      </div>
      {isGood && (isSecureContext
        ? <p><a class="button main" href={publishPage(app, id)} target="_blank" rel="noreferrer">{copy.browserOpen}</a></p>
        : (
          <>
            <p class="soft">{copy.browserSecure}</p>
            {secure && <CopyLine label={copy.browserOpen} text={secure} opens />}
          </>
        ))}
    </Card>
  );
}
