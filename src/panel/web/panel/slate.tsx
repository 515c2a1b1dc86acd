// What is shown of a stream while its sources are gone, chosen among the recordings and uploads of its application.

import { useState } from 'preact/hooks';
import { call, part, vods } from './api';
import { may } from './live';
import type { Stream, Vod } from './model';
import { texts } from './texts';
import { Card, SelectField, attempt, useAnswer } from './ui';

const copy = texts.slate;
/** Files that are offered, the newest first. */
const OFFERED = 50;

interface Slate {
  file: string | null;
  /** Whether it is on. */
  shown: boolean;
}

export function SlateCard({ stream }: { stream: Stream }) {
  const path = `api/v1/streams/${part(stream.app)}/${part(stream.id)}/slate`;
  const slate = useAnswer((signal) => call<Slate>('GET', path, undefined, signal), `${stream.key} ${stream.status}`);
  const files = useAnswer((signal) => call<Vod[]>('GET', `${vods(stream.app)}/list/0/${OFFERED}?sort_by=date&order_by=desc`, undefined, signal), stream.app);
  const [chosen, setChosen] = useState<string>();
  if (!slate.value) return null;
  const file = chosen ?? slate.value.file ?? '';
  const choose = async (name: string) => {
    setChosen(name);
    await attempt(() => (name ? call('PUT', path, { file: name }) : call('DELETE', path)), copy.done);
    setChosen(undefined);
    slate.again();
  };
  const names = (files.value ?? []).map((vod) => vod.filePath.replace(/^streams\//, '')).filter((name) => name.endsWith('.mp4'));
  // One that is older than those that are offered.
  if (file && !names.includes(file)) names.unshift(file);
  return (
    <Card title={copy.title}>
      <p class="soft">{copy.intro}</p>
      {may('operator') && !stream.temporary ? (
        <SelectField label={copy.file} value={file} onValue={(name) => void choose(name)}
          options={[['', copy.none], ...names.map((name) => [name, name] as const)]} />
      ) : <p>{file || copy.none}</p>}
      {slate.value.shown && <p class="why">{copy.shown}</p>}
    </Card>
  );
}
