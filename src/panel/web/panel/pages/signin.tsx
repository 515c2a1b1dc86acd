// Who may not look yet: signs in, with a name or a token, or only watches a stream.

import { useState } from 'preact/hooks';
import { Refusal, call, here, token, words } from '../api';
import { hasAccounts, learnSession, server, session } from '../live';
import { texts } from '../texts';
import { Button, Card, TextField, isId } from '../ui';
import { playPage } from '../urls';

const copy = texts.signIn;

export function SignIn() {
  const [byToken, setByToken] = useState(!hasAccounts.value);
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const [secret, setSecret] = useState('');
  const [error, setError] = useState('');
  const signIn = async () => {
    setError('');
    if (byToken) {
      token.set(secret.trim());
      await learnSession();
      if (session.value === null) {
        token.set(null);
        setError(copy.wrongToken);
      }
      return;
    }
    try {
      await call('POST', 'api/v1/session', { name, password });
      await learnSession();
    } catch (problem) {
      const refusal = problem instanceof Refusal ? problem : undefined;
      if (refusal?.status === 429) setError(copy.slow(refusal.retryAfter ?? 1));
      else if (refusal?.status === 401 || refusal?.status === 403) setError(copy.wrong);
      else setError(words(problem));
    }
  };
  return (
    <main class="sign-in" id="content">
      <div class="brand"><img src={here('assets/logo.svg').href} alt="" width="48" height="48" /><span>{texts.name}</span></div>
      <Card>
        <h1 tabIndex={-1}>{copy.title}</h1>
        <p class="soft">{hasAccounts.value ? copy.why : copy.whyToken}</p>
        <form onSubmit={(event) => { event.preventDefault(); void signIn(); }}>
          {byToken ? <TextField label={copy.token} value={secret} onValue={setSecret} type="password" autocomplete="off" required /> : (
            <>
              <TextField label={copy.name} value={name} onValue={setName} autocomplete="username" required autoFocus />
              <TextField label={copy.password} value={password} onValue={setPassword} type="password" autocomplete="current-password" required />
            </>
          )}
          {error && <p class="why bad" role="alert">{error}</p>}
          <footer>
            {hasAccounts.value && <button type="button" class="link" onClick={() => { setByToken(!byToken); setError(''); }}>{byToken ? copy.usePassword : copy.useToken}</button>}
            <Button kind="main" type="submit">{copy.go}</Button>
          </footer>
        </form>
        {hasAccounts.value && <p class="soft">{copy.first}</p>}
      </Card>
      <Watch />
    </main>
  );
}

function Watch() {
  const [id, setId] = useState('');
  const app = server.value.applications[0] ?? 'LiveApp';
  return (
    <Card>
      <p>{copy.watch}</p>
      <form class="inline" onSubmit={(event) => { event.preventDefault(); if (isId(id)) location.href = playPage(app, id); }}>
        <TextField label={copy.watchName} value={id} onValue={setId} />
        <Button type="submit" disabled={!isId(id)}>{copy.watchGo}</Button>
      </form>
    </Card>
  );
}
