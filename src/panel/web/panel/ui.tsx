// The small parts that every section is made of.

import { signal } from '@preact/signals';
import type { ButtonHTMLAttributes, ComponentChildren } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { Refusal, words } from './api';
import type { Tone } from './format';
import { learnSession, server } from './live';
import { texts } from './texts';

// ---- icons ----

const PATHS = {
  streams: 'M4 6h16v12H4z M10 9.5v5l4.5-2.5z',
  new: 'M12 5v14 M5 12h14',
  restreams: 'M4 12h10 M11 8l4 4-4 4 M19 5v14',
  recordings: 'M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16z M12 9.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5z',
  settings: 'M4 7h10 M18 7h2 M4 17h2 M10 17h10 M16 4.5v5 M8 14.5v5',
  health: 'M3 12h4l3-7 4 14 3-7h4',
  accounts: 'M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8z M4.5 20c1-4 4-5.5 7.5-5.5s6.5 1.5 7.5 5.5',
  play: 'M8 5.500v13l10.5-6.500z',
  stop: 'M7 7h10v10H7z',
  record: 'M12 7a5 5 0 1 0 0 10 5 5 0 0 0 0-10z',
  edit: 'M5 19h3L19 8l-3-3L5 16z',
  trash: 'M5 7h14 M9 7V4h6v3 M7 7l1 13h8l1-13',
  download: 'M12 4v11 M7.5 11l4.5 4.5 4.5-4.5 M5 20h14',
  search: 'M10.5 5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11z M15 15l5 5',
  left: 'M15 5l-7 7 7 7',
  right: 'M9 5l7 7-7 7',
  up: 'M5 15l7-7 7 7',
  down: 'M5 9l7 7 7-7',
  plus: 'M12 5v14 M5 12h14',
  minus: 'M5 12h14',
  home: 'M4 12l8-7 8 7 M7 10v9h10v-9',
  sun: 'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8z M12 3v2 M12 19v2 M3 12h2 M19 12h2 M5.6 5.600l1.4 1.4 M17 17l1.4 1.4 M5.6 18.400L7 17 M17 7l1.4-1.4',
  moon: 'M19 14.500A7.5 7.5 0 0 1 9.5 5 7.5 7.5 0 1 0 19 14.500z',
  auto: 'M12 4a8 8 0 1 0 0 16z M12 4a8 8 0 0 1 0 16',
  pause: 'M9 6v12 M15 6v12',
  link: 'M14 5h5v5 M19 5l-8 8 M11 6H6v12h12v-5',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return <svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d={PATHS[name]} /></svg>;
}

// ---- words that pass ----

interface Toast {
  id: number;
  text: string;
  bad: boolean;
}

const toasts = signal<Toast[]>([]);
let lastToast = 0;

export function say(text: string, bad = false) {
  lastToast += 1;
  const toast = { id: lastToast, text, bad };
  toasts.value = [...toasts.value.slice(-3), toast];
  setTimeout(() => { toasts.value = toasts.value.filter((one) => one !== toast); }, bad ? 12_000 : 5_000);
}

/** Does something, and says what went wrong. Whether it worked. */
export async function attempt(work: () => Promise<unknown>, done?: string): Promise<boolean> {
  try {
    await work();
    if (done) say(done);
    return true;
  } catch (error) {
    say(texts.common.failed(words(error)), true);
    // A session or a token may have ended.
    if (error instanceof Refusal && (error.status === 401 || error.status === 403)) void learnSession();
    return false;
  }
}

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map((toast) => <div key={toast.id} class={toast.bad ? 'toast bad' : 'toast'}>{toast.text}</div>)}
    </div>
  );
}

// ---- buttons ----

type ButtonProps = {
  icon?: IconName;
  kind?: 'main' | 'plain' | 'danger' | 'quiet';
  children?: ComponentChildren;
  /** Does it, and shows that it is being done. */
  act?: () => unknown;
} & Omit<ButtonHTMLAttributes, 'icon' | 'act'>;

export function Button({ icon, kind = 'plain', act, children, ...rest }: ButtonProps) {
  const [busy, setBusy] = useState(false);
  const press = async () => {
    setBusy(true);
    try {
      await act?.();
    } finally {
      setBusy(false);
    }
  };
  return (
    <button type="button" class={`button ${kind}`} aria-busy={busy} {...(act ? { onClick: () => { if (!busy) void press(); } } : {})} {...rest}>
      {icon && <Icon name={icon} />}
      {children}
    </button>
  );
}

/** One without words on it. */
export function IconButton({ label, ...rest }: ButtonProps & { icon: IconName; label: string }) {
  return <Button {...rest} aria-label={label} title={label} kind={rest.kind ?? 'quiet'} />;
}

export function Badge({ tone, children }: { tone: Tone; children: ComponentChildren }) {
  return <span class={`badge ${tone}`}>{children}</span>;
}

// ---- copying ----

/** The clipboard of the browser exists on secure pages only, and a new server is reached by plain HTTP. */
async function toClipboard(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement('textarea');
    area.value = text;
    area.readOnly = true;
    area.className = 'offscreen';
    // In front of a modal dialog nothing outside of it can be selected.
    (document.querySelector('dialog[open]') ?? document.body).append(area);
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    return done;
  }
}

export function CopyButton({ text, what }: { text: string; what: string }) {
  const [said, setSaid] = useState<string>(texts.common.copy);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const copy = async (event: Event) => {
    const button = event.currentTarget as HTMLElement;
    const done = await toClipboard(text);
    button.focus();
    setSaid(done ? texts.common.copied : texts.common.copyFailed);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setSaid(texts.common.copy), 2_000);
  };
  return <button type="button" class="button plain copy" aria-label={texts.common.copyLabel(what)} onClick={(event) => void copy(event)}>{said}</button>;
}

/** A text to copy, with what it is. */
export function CopyLine({ label, text, opens = false }: { label?: string; text: string; opens?: boolean }) {
  return (
    <div class="copy-line">
      {label && <span class="caption">{label}</span>}
      <code>{opens ? <a href={text} target="_blank" rel="noreferrer">{text}</a> : text}</code>
      <CopyButton text={text} what={label ?? text} />
    </div>
  );
}

// ---- forms ----

interface FieldProps {
  label: string;
  hint?: string;
  /** What is wrong with what stands in it. */
  error?: string | undefined;
  children: (id: string, described: string | undefined) => ComponentChildren;
}

export function Field({ label, hint, error, children }: FieldProps) {
  const id = useId();
  const described = error || hint ? `${id}-more` : undefined;
  return (
    <div class={error ? 'field bad' : 'field'}>
      <label for={id}>{label}</label>
      {children(id, described)}
      {described && <span id={described} class="hint">{error || hint}</span>}
    </div>
  );
}

interface TextProps extends Omit<FieldProps, 'children'> {
  value: string;
  onValue: (value: string) => void;
  type?: 'text' | 'password' | 'number' | 'date' | 'datetime-local';
  required?: boolean;
  placeholder?: string;
  autoFocus?: boolean;
  autocomplete?: string;
  min?: string;
  max?: string;
  step?: string;
}

export function TextField({ label, hint, error, value, onValue, type = 'text', autocomplete = 'off', ...rest }: TextProps) {
  // Which type has which attributes is not known here.
  const attributes: object = { type, ...rest };
  return (
    <Field label={label} {...(hint ? { hint } : {})} error={error}>
      {(id, described) => (
        <input id={id} value={value} autocomplete={autocomplete} autocapitalize="off" spellcheck={false}
          aria-describedby={described} aria-invalid={error ? true : undefined}
          onInput={(event) => onValue(event.currentTarget.value)} {...attributes} />
      )}
    </Field>
  );
}

interface SelectProps<T extends string> {
  label: string;
  value: T;
  onValue: (value: T) => void;
  options: readonly (readonly [T, string])[];
  hint?: string;
}

export function SelectField<T extends string>({ label, value, onValue, options, hint }: SelectProps<T>) {
  return (
    <Field label={label} {...(hint ? { hint } : {})}>
      {(id, described) => (
        <select id={id} value={value} aria-describedby={described} onChange={(event) => onValue(event.currentTarget.value as T)}>
          {options.map(([key, text]) => <option key={key} value={key} selected={key === value}>{text}</option>)}
        </select>
      )}
    </Field>
  );
}

export function Check({ label, checked, onChecked, disabled = false }: { label: ComponentChildren; checked: boolean; onChecked: (on: boolean) => void; disabled?: boolean }) {
  return (
    <label class="check">
      <input type="checkbox" checked={checked} disabled={disabled} onChange={(event) => onChecked(event.currentTarget.checked)} />
      <span>{label}</span>
    </label>
  );
}

export function AppField({ value, onValue }: { value: string; onValue: (app: string) => void }) {
  const all = server.value.applications;
  if (all.length < 2) return null;
  return <SelectField label={texts.common.application} value={value} onValue={onValue} options={all.map((app) => [app, app] as const)} />;
}

/** Rules of docs/ref/http.md for IDs. */
export function isId(id: string): boolean {
  return /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}$/.test(id) && !id.includes('..') && !/(\.(m3u8|mpd|flv|ts|mp4)|_adaptive)$/i.test(id);
}

/** An ID made of a name. */
export const idOf = (name: string): string =>
  name.trim().normalize('NFKD').replace(/[\u0300-\u036f]/g, '').replace(/[^A-Za-z0-9_.-]+/g, '-').replace(/^[-.]+|[-.]+$/g, '').replace(/\.{2,}/g, '.').toLowerCase().slice(0, 64);

// ---- dialogs ----

/** The browser's own modal dialog: it keeps the focus, and Escape closes it. */
export function Dialog({ title, onClose, children }: { title: string; onClose: () => void; children: ComponentChildren }) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    ref.current?.showModal();
    return () => before?.focus();
  }, []);
  return (
    <dialog ref={ref} aria-labelledby={id} onClose={onClose}
      onClick={(event) => event.target === ref.current && onClose()}>
      <div class="dialog">
        <header>
          <h2 id={id}>{title}</h2>
          <button type="button" class="button quiet close" aria-label={texts.common.close} onClick={onClose}>×</button>
        </header>
        {children}
      </div>
    </dialog>
  );
}

export function Confirm({ title, children, yes, onYes, onClose }: { title: string; children?: ComponentChildren; yes: string; onYes: () => Promise<unknown>; onClose: () => void }) {
  return (
    <Dialog title={title} onClose={onClose}>
      {children}
      <footer>
        <Button act={onClose}>{texts.common.cancel}</Button>
        <Button kind="danger" act={async () => { await onYes(); onClose(); }}>{yes}</Button>
      </footer>
    </Dialog>
  );
}

// ---- pages ----

/** The heading takes the focus when the page is entered. */
export function Page({ title, aside, children }: { title: ComponentChildren; aside?: ComponentChildren; children: ComponentChildren }) {
  return (
    <>
      <div class="page-head">
        <h1 tabIndex={-1}>{title}</h1>
        {aside && <div class="actions">{aside}</div>}
      </div>
      {children}
    </>
  );
}

export function Card({ title, aside, children, className = '' }: { title?: string; aside?: ComponentChildren; children: ComponentChildren; className?: string }) {
  const id = useId();
  return (
    <section class={`card ${className}`} {...(title ? { 'aria-labelledby': id } : {})}>
      {title && <div class="card-head"><h2 id={id}>{title}</h2>{aside}</div>}
      {children}
    </section>
  );
}

/** What a call answers: asked for anew whenever `key` changes. */
export function useAnswer<T>(load: (signal: AbortSignal) => Promise<T>, key: unknown): { value: T | undefined; error: string; again: () => void } {
  const [state, setState] = useState<{ value: T | undefined; error: string }>({ value: undefined, error: '' });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const stop = new AbortController();
    load(stop.signal).then(
      (value) => !stop.signal.aborted && setState({ value, error: '' }),
      (error: unknown) => !stop.signal.aborted && setState((before) => ({ ...before, error: words(error) })),
    );
    return () => stop.abort();
  }, [key, turn]);
  return { ...state, again: () => setTurn((one) => one + 1) };
}
