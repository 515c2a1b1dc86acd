// Who may use the panel and the API: accounts, tokens for scripts, and what has been changed by whom.

import { useState } from 'preact/hooks';
import { call, part } from '../api';
import { moment } from '../format';
import { server, session } from '../live';
import type { Session } from '../model';
import { texts } from '../texts';
import { Button, Card, Confirm, CopyLine, Dialog, Page, SelectField, TextField, attempt, useAnswer } from '../ui';

const copy = texts.accounts;
const ROLES = (['viewer', 'operator', 'admin'] as const).map((role) => [role, texts.roles[role]] as const);
type Role = Session['role'];

interface Account {
  name: string;
  role: Role;
  passwordChanged: number;
  sessions: number;
}

interface Token {
  id: string;
  name: string;
  role: Role;
  /** None for all. */
  applications: string[];
  /** Milliseconds since 1970. */
  expires: number | null;
}

interface Entry {
  number: number;
  time: number;
  who: string | null;
  via: string;
  from: string;
  action: string;
  status: number;
}

export function Accounts() {
  return (
    <Page title={copy.title}>
      <p class="soft">{copy.intro}</p>
      <List />
      <Tokens />
      <Audit />
    </Page>
  );
}

const load = <T,>(path: string) => (signal: AbortSignal) => call<T[]>('GET', path, undefined, signal);

function List() {
  const { value, error, again } = useAnswer(load<Account>('api/v1/accounts'), 0);
  const [removing, setRemoving] = useState<Account>();
  const [changing, setChanging] = useState<Account>();
  const [adding, setAdding] = useState(false);
  const change = async (work: () => Promise<unknown>, done: string) => {
    const worked = await attempt(work, done);
    again();
    return worked;
  };
  return (
    <Card title={copy.title} aside={<Button icon="plus" act={() => setAdding(true)}>{copy.add}</Button>}>
      {error && <p class="why bad">{error}</p>}
      <ul class="people">
        {value?.map((account) => (
          <li key={account.name} data-account={account.name}>
            <strong>{account.name}</strong>{session.value?.name === account.name && <span class="chip">{copy.you}</span>}
            <span class="soft">{copy.sessions(account.sessions)} · {copy.since(moment(account.passwordChanged))}</span>
            <select aria-label={copy.changeRole(account.name)} value={account.role}
              onChange={(event) => void change(() => call('PATCH', `api/v1/accounts/${part(account.name)}`, { role: event.currentTarget.value }), texts.common.saved)}>
              {ROLES.map(([role, word]) => <option key={role} value={role} selected={role === account.role}>{word}</option>)}
            </select>
            <Button act={() => setChanging(account)}>{copy.setPassword}</Button>
            <Button icon="trash" kind="quiet" aria-label={`${texts.common.remove}: ${account.name}`} act={() => setRemoving(account)} />
          </li>
        ))}
      </ul>
      {adding && <AccountForm onClose={() => setAdding(false)} onSave={(account) => change(() => call('POST', 'api/v1/accounts', account), copy.added)} />}
      {changing && <PasswordForm name={changing.name} onClose={() => setChanging(undefined)} onDone={again} />}
      {removing && <Confirm title={copy.removeTitle(removing.name)} yes={texts.common.remove} onClose={() => setRemoving(undefined)}
        onYes={() => change(() => call('DELETE', `api/v1/accounts/${part(removing.name)}`), texts.common.saved)} />}
    </Card>
  );
}

function AccountForm({ onClose, onSave }: { onClose: () => void; onSave: (account: { name: string; password: string; role: Role }) => Promise<boolean> }) {
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const [role, setRole] = useState<Role>('viewer');
  const save = async () => { if (await onSave({ name: name.trim(), password, role })) onClose(); };
  return (
    <Dialog title={copy.add} onClose={onClose}>
      <form onSubmit={(event) => { event.preventDefault(); void save(); }}>
        <TextField label={copy.name} value={name} onValue={setName} required />
        <TextField label={copy.password} hint={copy.passwordRule} value={password} onValue={setPassword} type="password" autocomplete="new-password" required />
        <SelectField label={copy.role} value={role} onValue={setRole} options={ROLES} />
        <footer><Button act={onClose}>{texts.common.cancel}</Button><Button kind="main" type="submit" disabled={!name.trim() || !password}>{texts.common.add}</Button></footer>
      </form>
    </Dialog>
  );
}

/** Of one's own, the password before is asked for. */
export function PasswordForm({ name, onClose, onDone }: { name: string; onClose: () => void; onDone?: () => void }) {
  const isOwn = session.value?.name === name;
  const [password, setPassword] = useState('');
  const [oldPassword, setOldPassword] = useState('');
  const save = async () => {
    const change = isOwn ? { password, oldPassword } : { password };
    if (!await attempt(() => call('PATCH', `api/v1/accounts/${part(name)}`, change), texts.common.saved)) return;
    onDone?.();
    onClose();
  };
  return (
    <Dialog title={`${copy.setPassword}: ${name}`} onClose={onClose}>
      <form onSubmit={(event) => { event.preventDefault(); void save(); }}>
        {isOwn && <TextField label={copy.oldPassword} value={oldPassword} onValue={setOldPassword} type="password" autocomplete="current-password" required />}
        <TextField label={copy.newPassword} hint={copy.passwordRule} value={password} onValue={setPassword} type="password" autocomplete="new-password" required />
        <footer><Button act={onClose}>{texts.common.cancel}</Button><Button kind="main" type="submit" disabled={!password}>{texts.common.save}</Button></footer>
      </form>
    </Dialog>
  );
}

function Tokens() {
  const { value, error, again } = useAnswer(load<Token>('api/v1/tokens'), 0);
  const [name, setName] = useState('');
  const [role, setRole] = useState<Role>('operator');
  const [application, setApplication] = useState('');
  const [expires, setExpires] = useState('');
  const [made, setMade] = useState('');
  const [removing, setRemoving] = useState<Token>();
  const make = async () => {
    await attempt(async () => {
      const applications = application ? [application] : [];
      const wish = { name: name.trim(), role, applications, expires: expires ? Date.parse(expires) : null };
      const answer = await call<{ token: string }>('POST', 'api/v1/tokens', wish);
      setMade(answer.token);
      setName('');
    });
    again();
  };
  return (
    <Card title={copy.tokens}>
      <p class="soft">{copy.tokensIntro}</p>
      {error && <p class="why bad">{error}</p>}
      {value?.length === 0 && <p class="soft">{copy.noTokens}</p>}
      <ul class="people">
        {value?.map((token) => (
          <li key={token.id}>
            <strong>{token.name}</strong><span class="chip">{texts.roles[token.role] ?? token.role}</span>
            <span class="soft">{copy.reach}: {token.applications.join(', ') || copy.everywhere}</span>
            <span class="soft">{copy.expires}: {token.expires ? moment(token.expires) : copy.never}</span>
            <Button icon="trash" kind="quiet" aria-label={`${texts.common.remove}: ${token.name}`} act={() => setRemoving(token)} />
          </li>
        ))}
      </ul>
      {made && <div role="status"><p>{copy.tokenOnce}</p><CopyLine text={made} /></div>}
      <form class="inline" onSubmit={(event) => { event.preventDefault(); void make(); }}>
        <TextField label={copy.name} value={name} onValue={setName} />
        <SelectField label={copy.role} value={role} onValue={setRole} options={ROLES} />
        <SelectField label={copy.reach} value={application} onValue={setApplication}
          options={[['', copy.everywhere], ...server.value.applications.map((app) => [app, app] as const)]} />
        <TextField label={`${copy.expires} (${texts.common.optional})`} value={expires} onValue={setExpires} type="date" />
        <Button type="submit" disabled={!name.trim()}>{copy.tokenAdd}</Button>
      </form>
      {removing && <Confirm title={copy.removeTitle(removing.name)} yes={texts.common.remove} onClose={() => setRemoving(undefined)}
        onYes={async () => { await attempt(() => call('DELETE', `api/v1/tokens/${part(removing.id)}`)); again(); }} />}
    </Card>
  );
}

function Audit() {
  const { value, error } = useAnswer(load<Entry>('api/v1/audit'), 0);
  return (
    <Card title={copy.audit}>
      {error && <p class="why bad">{error}</p>}
      {value?.length === 0 && <p class="soft">{copy.noAudit}</p>}
      <ul class="audit">
        {value?.map(({ number, time, who, via, from, action, status }) => (
          <li key={number} class={status >= 400 ? 'why bad' : ''}><time>{moment(time)}</time> {[who ?? via, from, action, status].join(' · ')}</li>
        ))}
      </ul>
    </Card>
  );
}
