// Every address at which a stream is watched or published.

import { here, part } from './api';
import type { Server } from './model';
import { texts } from './texts';

export interface Address {
  label: string;
  url: string;
  /** A browser opens it. */
  opens?: boolean;
}

const USUAL: Record<string, number> = { rtmp: 1935, rtmps: 443, rtsp: 554, rtsps: 322 };

/** `HOST` or `HOST:PORT` of a listener; none where the server has none. */
export function hostOf(server: Server, protocol: string): string | undefined {
  const listener = server.listeners.find((one) => one.protocol === protocol);
  if (!listener) return undefined;
  return listener.port === USUAL[protocol] ? location.hostname : `${location.hostname}:${listener.port}`;
}

export const playPage = (app: string, id: string): string => here(`${part(app)}/play.html?id=${part(id)}`).href;
export const publishPage = (app: string, id: string): string => here(`${part(app)}/publish.html?id=${part(id)}`).href;

/** The publish page over TLS, where browsers give it a camera. */
export function securePublishPage(server: Server, app: string, id: string): string | undefined {
  if (isSecureContext) return publishPage(app, id);
  const https = hostOf(server, 'https');
  return https && `https://${https}/${part(app)}/publish.html?id=${part(id)}`;
}

export function watching(server: Server, app: string, id: string): Address[] {
  const { urls } = texts.stream;
  const file = (name: string) => here(`${part(app)}/streams/${name}`).href;
  const all: (Address | undefined)[] = [
    { label: urls.page, url: playPage(app, id), opens: true },
    { label: urls.hls, url: file(`${id}.m3u8`) },
    { label: urls.whep, url: here(`${part(app)}/whep/${id}`).href },
    { label: urls.dash, url: file(`${id}/${id}.mpd`) },
    { label: urls.dashLow, url: file(`${id}/${id}_low.mpd`) },
    { label: urls.flv, url: file(`${id}.flv`) },
    { label: urls.ws, url: file(`${id}.flv`).replace(/^http/, 'ws') },
    { label: urls.ts, url: file(`${id}.live.ts`) },
    { label: urls.hlsTs, url: file(`${id}/ts.m3u8`) },
    ...streaming(server, app, id, 'read'),
  ];
  return all.filter((one) => one !== undefined);
}

export function publishing(server: Server, app: string, id: string): Address[] {
  const { urls } = texts.stream;
  const page = securePublishPage(server, app, id);
  const all: (Address | undefined)[] = [
    ...streaming(server, app, id, 'publish'),
    { label: urls.whip, url: here(`${part(app)}/whip/${id}`).href },
    page ? { label: urls.publishPage, url: page, opens: true } : undefined,
  ];
  return all.filter((one) => one !== undefined);
}

/** By the protocols that are no HTTP. */
function streaming(server: Server, app: string, id: string, mode: 'read' | 'publish'): (Address | undefined)[] {
  const { urls } = texts.stream;
  const plain = (protocol: 'rtmp' | 'rtmps' | 'rtsp' | 'rtsps') => {
    const host = hostOf(server, protocol);
    return host === undefined ? undefined : { label: urls[protocol], url: `${protocol}://${host}/${app}/${id}` };
  };
  const srt = hostOf(server, 'srt');
  return [
    plain('rtmp'),
    plain('rtmps'),
    plain('rtsp'),
    plain('rtsps'),
    srt === undefined ? undefined : { label: urls.srt, url: `srt://${srt}?streamid=${mode}:${app}/${id}` },
  ];
}

export const embedCode = (app: string, id: string): string =>
  `<iframe src="${playPage(app, id)}&mute=true" width="640" height="360" style="border:0" allow="autoplay; fullscreen; picture-in-picture" title="${id}"></iframe>`;
