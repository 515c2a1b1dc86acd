// Settings of the applications, as the API has them.

import { useState } from 'preact/hooks';
import { call, part } from '../api';
import { may, server } from '../live';
import { texts } from '../texts';
import { Button, Card, Check, Page, TextField, attempt, useAnswer } from '../ui';

const copy = texts.settings;
const LONGEST = 31_536_000;

interface AppSettings {
  startStreamFetcherAutomatically: boolean;
  restartStreamFetcherPeriod: number;
}

export function Settings() {
  return (
    <Page title={copy.title}>
      <p class="soft">{copy.intro}</p>
      {server.value.applications.map((app) => <Application key={app} app={app} />)}
    </Page>
  );
}

function Application({ app }: { app: string }) {
  const path = `rest/v2/applications/settings/${part(app)}`;
  const { value, error } = useAnswer((signal) => call<AppSettings>('GET', path, undefined, signal), path);
  return (
    <Card title={copy.app(app)}>
      {error && <p class="why bad">{error}</p>}
      {value && <Form path={path} kept={value} />}
    </Card>
  );
}

function Form({ path, kept }: { path: string; kept: AppSettings }) {
  const [before, setBefore] = useState(kept);
  const [starts, setStarts] = useState(kept.startStreamFetcherAutomatically);
  const [period, setPeriod] = useState(String(kept.restartStreamFetcherPeriod));
  const seconds = Number(period);
  const isBad = !/^\d+$/.test(period.trim()) || seconds > LONGEST;
  const changed = { ...before, startStreamFetcherAutomatically: starts, restartStreamFetcherPeriod: seconds };
  const isSame = starts === before.startStreamFetcherAutomatically && seconds === before.restartStreamFetcherPeriod;
  const save = async () => {
    if (await attempt(() => call('POST', path, changed), texts.common.saved)) setBefore(changed);
  };
  return (
    <form onSubmit={(event) => { event.preventDefault(); if (!isBad && !isSame) void save(); }}>
      <Check label={<><strong>{copy.autoStart}</strong><span class="hint">{copy.autoStartHow}</span></>} checked={starts} onChecked={setStarts} disabled={!may('admin')} />
      <TextField label={copy.restart} hint={copy.restartHow} error={isBad ? copy.restartBad : undefined} value={period} onValue={setPeriod} type="number" min="0" max={String(LONGEST)} step="1" />
      <footer><Button kind="main" type="submit" disabled={isBad || isSame || !may('admin')}>{texts.common.save}</Button></footer>
    </form>
  );
}
