// A camera by ONVIF: moved by buttons and keys, its positions, its profiles.

import { useEffect, useRef, useState } from 'preact/hooks';
import { broadcast, call, part } from './api';
import { may } from './live';
import type { Profile } from './model';
import { texts } from './texts';
import { playPage } from './urls';
import { Button, Card, Confirm, Icon, type IconName, TextField, attempt, useAnswer } from './ui';

const copy = texts.ptz;
/** How fast, of what the camera can. */
const SPEED = 0.5;

interface Way {
  name: keyof typeof copy.ways & IconName;
  key: string;
  /** To the right, upwards, closer. */
  by: [number, number, number];
}

const WAYS: Way[] = [
  { name: 'up', key: 'ArrowUp', by: [0, 1, 0] },
  { name: 'left', key: 'ArrowLeft', by: [-1, 0, 0] },
  { name: 'right', key: 'ArrowRight', by: [1, 0, 0] },
  { name: 'down', key: 'ArrowDown', by: [0, -1, 0] },
];
const ZOOM: (Omit<Way, 'name'> & { name: 'near' | 'far'; icon: IconName })[] = [
  { name: 'near', icon: 'plus', key: '+', by: [0, 0, 1] },
  { name: 'far', icon: 'minus', key: '-', by: [0, 0, -1] },
];

interface Information {
  manufacturer: string | null;
  model: string | null;
  firmware: string | null;
}

export function CameraCard({ app, id }: { app: string; id: string }) {
  const base = `${broadcast(app, id)}/ip-camera`;
  const [asking, setAsking] = useState(false);
  const about = useAnswer((signal) => call<Information>('GET', `${base}/information`, undefined, signal), base);
  const profiles = useAnswer((signal) => call<Profile[]>('GET', `${base}/device-profiles?details=true`, undefined, signal), base);
  const title = [about.value?.manufacturer, about.value?.model].filter(Boolean).join(' ') || copy.information;
  const canMove = profiles.value?.some((one) => one.movable) ?? false;
  return (
    <Card title={title} aside={about.value?.firmware && <span class="soft">{about.value.firmware}</span>}>
      {about.error && <p class="why bad">{copy.unknown}{about.error}</p>}
      {may('operator') && <Talk app={app} id={id} />}
      {canMove && may('operator') && <Pad base={base} />}
      {canMove && <Positions base={base} />}
      {profiles.value && !canMove && <p class="soft">{copy.fixed}</p>}
      {profiles.value && profiles.value.length > 0 && (
        <>
          <h3>{copy.profiles}</h3>
          <Profiles app={app} id={id} all={profiles.value} />
        </>
      )}
      {about.value && may('admin') && <Button act={() => setAsking(true)}>{copy.reboot}</Button>}
      {asking && <Confirm title={copy.rebootTitle} yes={copy.reboot} onYes={() => attempt(() => call('POST', `${base}/reboot`))} onClose={() => setAsking(false)} />}
    </Card>
  );
}

/** The way to be heard at a camera that has a loudspeaker: the play page, where one sees to whom. */
function Talk({ app, id }: { app: string; id: string }) {
  const path = `api/v1/streams/${part(app)}/${part(id)}/talk`;
  const hearing = useAnswer((signal) => call<{ codec: string; taken: boolean }>('GET', path, undefined, signal), path);
  if (!hearing.value) return null;
  return <p><a class="button plain" href={`${playPage(app, id)}&ptz=true&talk=true`} target="_blank" rel="noreferrer">{copy.talk}</a></p>;
}

/** A direction moves as long as it is pressed and the page has the focus. The server ends a motion that nobody ends. */
function Pad({ base }: { base: string }) {
  const last = useRef<Promise<unknown>>(Promise.resolve());
  /** By what it is moved. */
  const moving = useRef<'pointer' | 'key' | null>(null);
  // One after the other: a stop that overtook its motion would be none.
  const tell = (what: string) => { last.current = last.current.then(() => attempt(() => call('POST', `${base}/${what}`))); };
  const move = ([x, y, z]: Way['by'], by: 'pointer' | 'key') => {
    if (moving.current) return;
    moving.current = by;
    tell(`move?movement=continuous&valueX=${x * SPEED}&valueY=${y * SPEED}&valueZ=${z * SPEED}`);
  };
  const stop = () => {
    if (!moving.current) return;
    moving.current = null;
    tell('stop-move');
  };
  // Who turns to another window is not told when a key is let go.
  useEffect(() => {
    window.addEventListener('blur', stop);
    return () => {
      window.removeEventListener('blur', stop);
      stop();
    };
  }, []);
  const onKeyDown = (event: KeyboardEvent) => {
    const way = [...WAYS, ...ZOOM].find((one) => one.key === event.key);
    if (!way || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    move(way.by, 'key');
  };
  const button = (name: keyof typeof copy.ways, icon: IconName, by: Way['by']) => (
    <button key={name} type="button" class={`button plain pad-${name}`} aria-label={copy.ways[name]} title={copy.ways[name]}
      onPointerDown={(event) => { event.currentTarget.setPointerCapture(event.pointerId); move(by, 'pointer'); }} onPointerUp={stop} onPointerCancel={stop}
      onClick={(event) => { if (event.detail === 0) tell(`move?valueX=${by[0] * 0.1}&valueY=${by[1] * 0.1}&valueZ=${by[2] * 0.1}`); }}>
      <Icon name={icon} />
    </button>
  );
  return (
    <>
      <div class="pad" role="group" aria-label={copy.title} onKeyDown={onKeyDown} onKeyUp={stop} onFocusOut={() => { if (moving.current === 'key') stop(); }}>
        {WAYS.map(({ name, by }) => button(name, name, by))}
        <button type="button" class="button plain pad-home" aria-label={copy.ways.home} title={copy.ways.home} onClick={() => tell('home')}><Icon name="home" /></button>
        {ZOOM.map(({ name, icon, by }) => button(name, icon, by))}
      </div>
      <p class="soft">{copy.how}</p>
    </>
  );
}

interface Preset {
  token: string;
  name: string | null;
}

function Positions({ base }: { base: string }) {
  const { value, again } = useAnswer((signal) => call<Preset[]>('GET', `${base}/presets`, undefined, signal), base);
  const [name, setName] = useState('');
  if (!value) return null;
  const keep = async () => {
    if (await attempt(() => call('POST', `${base}/presets?name=${part(name)}`), texts.common.saved)) {
      setName('');
      again();
    }
  };
  return (
    <>
      <h3>{copy.presets}</h3>
      {value.length === 0 && <p class="soft">{copy.noPresets}</p>}
      <ul class="presets">
        {value.map((preset) => (
          <li key={preset.token}>
            <span>{preset.name || preset.token}</span>
            {may('operator') && <Button aria-label={`${copy.go}: ${preset.name || preset.token}`} act={() => attempt(() => call('POST', `${base}/presets/${part(preset.token)}`))}>{copy.go}</Button>}
            {may('operator') && <Button kind="quiet" icon="trash" aria-label={`${texts.common.remove}: ${preset.name || preset.token}`}
              act={async () => { await attempt(() => call('DELETE', `${base}/presets/${part(preset.token)}`)); again(); }} />}
          </li>
        ))}
      </ul>
      {may('operator') && (
        <form class="inline" onSubmit={(event) => { event.preventDefault(); void keep(); }}>
          <TextField label={copy.presetName} value={name} onValue={setName} />
          <Button type="submit" disabled={name.trim() === ''}>{copy.keep}</Button>
        </form>
      )}
    </>
  );
}

const INDEX = 'profileIndex=';
const NAMED = 'profile=';

/** What stands in front of a mark, and what is joined by `&` behind it. */
const halves = (text: string, mark: string): [string, string[]] => {
  const at = text.indexOf(mark);
  return at < 0 ? [text, []] : [text.slice(0, at), text.slice(at + 1).split('&').filter(Boolean)];
};

/** Which of the profiles an address asks for; the first where it says nothing, none where it names one in another way. */
export const profileOf = (address: string): number | undefined => {
  const [place, options] = halves(address, '#');
  if (options.some((option) => option.startsWith(NAMED))) return undefined;
  const [, query] = halves(place, '?');
  return Number(query.find((one) => one.startsWith(INDEX))?.slice(INDEX.length) ?? 0);
};

/** The address with another profile and all else that it says. */
export const withProfile = (address: string, index: number): string => {
  const [place, options] = halves(address, '#');
  const [host, query] = halves(place, '?');
  const others = query.filter((one) => !one.startsWith(INDEX));
  const asked = index === 0 ? others : [...others, `${INDEX}${index}`];
  const kept = options.filter((option) => !option.startsWith(NAMED));
  const behind = (mark: string, all: string[]) => (all.length > 0 ? `${mark}${all.join('&')}` : '');
  return `${host}${behind('?', asked)}${behind('#', kept)}`;
};

/** The choice of a profile, which is kept in the camera's address. */
export function Profiles({ app, id, all, onDone }: { app: string; id: string; all: Profile[]; onDone?: () => void }) {
  const path = broadcast(app, id);
  const kept = useAnswer((signal) => call<{ ipAddr: string | null }>('GET', path, undefined, signal), path);
  const address = kept.value?.ipAddr ?? '';
  const present = kept.value && profileOf(address);
  const choose = async (index: number) => {
    const worked = index === present || await attempt(() => call('PUT', path, { ipAddr: withProfile(address, index) }), texts.common.saved);
    if (worked) {
      kept.again();
      onDone?.();
    }
  };
  return (
    <ul class="profiles">
      {all.map(({ token, name, video }, index) => (
        <li key={token}>
          <div class="row-name">
            <strong>{name || token}</strong>
            <span class="soft">
              {video && [video.encoding, video.width && `${video.width}×${video.height}`, video.frameRate && `${video.frameRate} fps`, video.bitrate && `${video.bitrate} kbit/s`].filter(Boolean).join(' · ')}
            </span>
          </div>
          {index === present && !onDone ? <span class="chip">{copy.inUse}</span>
            : may('operator') && kept.value && <Button aria-label={`${texts.new.profileDone}: ${name || token}`} act={() => choose(index)}>{texts.new.profileDone}</Button>}
        </li>
      ))}
    </ul>
  );
}
