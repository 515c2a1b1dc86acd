// Where streams go on to: every target with its state.

import { useState } from 'preact/hooks';
import { nameOf } from '../format';
import { known, may, streams } from '../live';
import { to } from '../route';
import { AddTarget, TargetRow } from '../targets';
import { texts } from '../texts';
import { Button, Page } from '../ui';

const copy = texts.restreams;

export function Restreams() {
  const [adding, setAdding] = useState(false);
  const pushed = [...streams.value.values()].filter((stream) => stream.targets.length > 0);
  const add = may('operator') && <Button icon="plus" kind="main" act={() => setAdding(true)}>{copy.add}</Button>;
  return (
    <Page title={copy.title} aside={add}>
      <p class="soft">{copy.intro}</p>
      {pushed.length === 0 && <p class="empty">{known.value ? copy.none : texts.common.loading}</p>}
      {pushed.map((stream) => (
        <section key={stream.key} class="card" aria-label={nameOf(stream)}>
          <div class="card-head"><h2><a href={to('stream', stream.app, stream.id)}>{nameOf(stream)}</a></h2><span class="soft">{stream.key}</span></div>
          <ul class="targets">{stream.targets.map((target) => <TargetRow key={target.id} stream={stream} target={target} />)}</ul>
        </section>
      ))}
      {adding && <AddTarget onClose={() => setAdding(false)} />}
    </Page>
  );
}
