// The frame of the panel: sections, who looks, colours, and the section that is shown.

import { signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { call, here, token } from './api';
import { hasAccounts, learnSession, link, may, server, session } from './live';
import type { Session } from './model';
import { Accounts, PasswordForm } from './pages/accounts';
import { Health } from './pages/health';
import { New } from './pages/new';
import { Recordings } from './pages/recordings';
import { Restreams } from './pages/restreams';
import { Settings } from './pages/settings';
import { SignIn } from './pages/signin';
import { StreamPage } from './pages/stream';
import { Streams } from './pages/streams';
import { go, route, to } from './route';
import { texts } from './texts';
import { Icon, type IconName, Toasts } from './ui';

const THEME = 'millstream-theme';
const THEMES = ['auto', 'light', 'dark'] as const;
type Theme = (typeof THEMES)[number];

const theme = signal<Theme>(THEMES.find((one) => one === localStorage.getItem(THEME)) ?? 'auto');

/** The switch counts before what the system says. */
export function applyTheme() {
  if (theme.value === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme.value;
}

function nextTheme() {
  theme.value = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length] ?? 'auto';
  localStorage.setItem(THEME, theme.value);
  applyTheme();
}

const SECTIONS: { key: keyof typeof texts.nav & IconName; role?: Session['role'] }[] = [
  { key: 'streams' },
  { key: 'new' },
  { key: 'restreams' },
  { key: 'recordings' },
  { key: 'settings', role: 'admin' },
  { key: 'health' },
  { key: 'accounts', role: 'admin' },
];

export function App() {
  if (session.value === undefined) return <p class="waiting">{texts.common.loading}</p>;
  if (session.value === null) return <><SignIn /><Toasts /></>;
  return (
    <div class="frame">
      <a class="skip" href="#content" onClick={(event) => { event.preventDefault(); document.querySelector<HTMLElement>('main h1')?.focus(); }}>{texts.skip}</a>
      <header class="side">
        <a class="brand" href={to('streams')} aria-label={texts.name}>
          <img src={here('assets/logo.svg').href} alt="" width="32" height="32" />
          <span>{texts.name}</span>
        </a>
        <nav aria-label={texts.nav.label}>
          {SECTIONS.filter((one) => may(one.role ?? 'viewer') && (one.key !== 'accounts' || hasAccounts.value)).map(({ key }) => (
            <a key={key} href={to(key)} aria-label={texts.nav[key]} title={texts.nav[key]} aria-current={isCurrent(key) ? 'page' : undefined}>
              <Icon name={key} /><span>{texts.nav[key]}</span>
            </a>
          ))}
        </nav>
        <Foot />
      </header>
      <main id="content">
        {link.value === 'lost' && <p class="banner" role="alert">{texts.link.lost}</p>}
        <Section />
      </main>
      <Toasts />
    </div>
  );
}

function isCurrent(key: string): boolean {
  const [first = 'streams'] = route.value;
  return first === key || (first === 'stream' && key === 'streams');
}

function Section(): ComponentChildren {
  const [first, second, third] = route.value;
  switch (first) {
    case 'stream':
      return <StreamPage key={`${second}/${third}`} app={second ?? ''} id={third ?? ''} />;
    case 'new':
      return <New tab={second} />;
    case 'restreams':
      return <Restreams />;
    case 'recordings':
      return <Recordings app={second} stream={third} key={`${second}/${third}`} />;
    case 'settings':
      return may('admin') ? <Settings /> : <Streams />;
    case 'health':
      return <Health />;
    case 'accounts':
      return may('admin') ? <Accounts /> : <Streams />;
    default:
      return <Streams />;
  }
}

function Foot() {
  const icons = { auto: 'auto', light: 'sun', dark: 'moon' } as const;
  const label = `${texts.theme.label}: ${texts.theme[theme.value]}`;
  return (
    <div class="foot">
      <Who />
      <button type="button" class="button quiet" aria-label={label} title={label} onClick={nextTheme}><Icon name={icons[theme.value]} /></button>
      <span class="version">{server.value.version}</span>
    </div>
  );
}

function Who() {
  const [changing, setChanging] = useState(false);
  const who = session.value;
  if (!who) return null;
  if (who.via === 'local') return <span class="who">{texts.localCaller}</span>;
  const isSignedIn = who.via === 'session' && who.name !== null;
  const leave = async () => {
    token.set(null);
    if (who.via === 'session') await call('DELETE', 'api/v1/session').catch(() => undefined);
    go('streams');
    await learnSession();
  };
  return (
    <span class="who">
      <span>{who.name ? texts.signedInAs(who.name, texts.roles[who.role]) : texts.tokenCaller}</span>
      {isSignedIn && <button type="button" class="link" onClick={() => setChanging(true)}>{texts.ownPassword}</button>}
      <button type="button" class="link" onClick={() => void leave()}>{texts.signOut}</button>
      {changing && who.name && <PasswordForm name={who.name} onClose={() => setChanging(false)} />}
    </span>
  );
}
