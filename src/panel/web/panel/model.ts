// What the server tells, as docs/ref/http.md describes it.

export type Status = 'created' | 'preparing' | 'broadcasting' | 'terminated_unexpectedly' | 'finished';
export type Kind = 'liveStream' | 'ipCamera' | 'streamSource' | 'VoD' | 'playlist';

export interface Track {
  id: number;
  kind: 'video' | 'audio' | 'data';
  codec: string;
  codecs: string | null;
  profile: string | null;
  width: number | null;
  height: number | null;
  sampleRate: number | null;
  channels: number | null;
}

export interface Target {
  id: string;
  name: string | null;
  url: string;
  state: 'waiting' | 'connecting' | 'live' | 'backoff' | 'failed' | 'paused';
  since: number;
  reconnects: number;
  lastError: string | null;
}

export interface Settled {
  app: string;
  id: string;
  title: string | null;
  type: Kind;
  status: Status;
  temporary: boolean;
  onDemand: boolean;
  recording: boolean;
  record: boolean | null;
  created: number;
  started: number | null;
  publisher: { protocol: string; address: string; agent: string | null; pulled: boolean } | null;
  tracks: Track[];
  bFrames: boolean | null;
  camera: boolean;
  source: {
    urls: string[];
    state: 'stopped' | 'connecting' | 'live' | 'pausing';
    active: number | null;
    attempts: number;
    lastError: string | null;
  } | null;
  targets: Target[];
}

export interface Now {
  bitrate: number;
  speed: number;
  receivedBytes: number;
  packetsLost: number;
  gop: number | null;
  viewers: Record<string, number>;
  timeRepairs: Record<string, number>;
  targets: Record<string, { bitrate: number; bytesSent: number; accessUnitsDropped: number }>;
}

export interface Stream extends Settled {
  /** `APP/ID`. */
  key: string;
  now: Now;
}

export interface Told {
  streams: Record<string, Settled>;
  now: Record<string, Now>;
  gone?: string[];
}

export interface Server {
  version: string;
  applications: string[];
  listeners: { protocol: string; port: number }[];
}

export interface Session {
  name: string | null;
  role: 'admin' | 'operator' | 'viewer';
  via: 'session' | 'token' | 'local';
}

export interface Probed {
  source: string;
  protocol: string;
  bitrate: number | null;
  problems: string[];
  tracks: (Track & {
    frameRate?: number | null;
    bFrames?: boolean;
    gop?: { shortest: number; longest: number; pictures: number } | null;
    bitrate: number | null;
    outputs: Record<string, { carries: boolean; reason?: string }>;
  })[];
}

export interface Device {
  address: string;
  name: string | null;
  manufacturer: string | null;
  hardware: string | null;
  profiles: string[];
  reference: string;
  added: boolean;
}

export interface Profile {
  token: string;
  name: string;
  video: { encoding?: string; width?: number; height?: number; frameRate?: number; bitrate?: number } | null;
  audio: unknown;
  movable: boolean;
  streamUrl: string | null;
}

export interface Vod {
  vodId: string;
  vodName: string;
  streamId: string | null;
  streamName: string | null;
  startTime: number;
  creationDate: number;
  duration: number;
  fileSize: number;
  filePath: string;
  type: string;
}

export interface Timeline {
  state: 'recording' | 'paused' | 'off';
  reason: string | null;
  recorded: { start: number; end: number; vodId: string; vodName: string; offset: number; finished: boolean }[];
  gaps: { start: number; end: number }[];
}

export interface Connection {
  protocol: string;
  id: number;
  state: string;
  remoteAddr: string;
  /** Named by their units: ms_rtt, packets_received_loss, mbps_receive_rate, and others. */
  figures: Record<string, number>;
}

export interface Check {
  check: string;
  state: 'ok' | 'warning' | 'problem';
  detail: string;
}

export interface LogLine {
  number: number;
  time: number;
  level: 'ERROR' | 'WARN' | 'INFO' | 'DEBUG' | 'TRACE';
  target: string;
  text: string;
}
