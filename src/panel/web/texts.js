// Every sentence that the pages show, in one place.
//
// Values are plain strings or functions that return one. They are always put into the page as text,
// never as markup, so a stream may be called anything.

/** Why one way of playing was given up for another. */
const INSTEAD = {
  no_way: 'the server’s WebRTC port cannot be reached from here',
  no_picture: 'no pictures arrived',
  network: 'the server did not answer',
  restarted: 'the connection ended at once',
  unplayable: 'this browser cannot decode it',
  unsupported: 'this browser does not know it',
};

const seconds = (n) => (n === 1 ? '1 second' : `${n} seconds`);

/** What stands on the stage when there is no picture, by the kind of problem (see player/session.js). */
export const notices = {
  connecting: (p) => ({ title: 'Connecting…', text: `Opening “${p.id}”.` }),
  starting: (p) => ({ title: 'Starting…', text: `The server is starting “${p.id}”. The picture follows in a moment.` }),
  no_such_stream: (p) => ({
    title: 'No such stream',
    text: `The server does not know a stream called “${p.id}” in ${p.app}. Playback begins by itself when somebody publishes under this name.`,
  }),
  not_live: (p) => ({
    title: 'Not live yet',
    text: `“${p.id}” has not started. Playback begins by itself as soon as it does.`,
  }),
  ended: (p) => ({
    title: 'The stream has ended',
    text: `“${p.id}” is no longer live. Playback continues by itself if it returns.`,
  }),
  refused: (p) => ({
    title: 'Not allowed',
    text: p.hasToken
      ? `The server refused to play “${p.id}”: the link’s token is wrong, used up or out of date.`
      : `The server refused to play “${p.id}”: it asks for a link with a token.`,
  }),
  unplayable: (p) => ({
    title: 'This browser cannot play it',
    text: `“${p.id}” is sent as ${list(p.codecs)}, which this browser or device cannot decode. Another browser may, or publish as H.264 with AAC.`,
  }),
  unsuitable: (p) => ({
    title: 'Not over WebRTC',
    text: `The server does not send “${p.id}” over WebRTC: ${p.detail}.`,
  }),
  no_way: (p) => ({
    title: 'No connection for WebRTC',
    text: `The server has “${p.id}”, but its port for WebRTC cannot be reached from here. A firewall may be in between.`,
  }),
  unsupported: () => ({
    title: 'This browser cannot play it',
    text: 'It has none of the ways this page knows to play a live stream. A current Chrome, Edge, Firefox or Safari has.',
  }),
  network: () => ({
    title: 'Connection lost',
    text: 'The server does not answer. Playback continues by itself when the connection is back.',
  }),
  server: (p) => ({
    title: 'The server has a problem',
    text: `It answered with status ${p.status}. Playback continues by itself when it has recovered.`,
  }),
  no_picture: (p) => ({
    title: 'No picture arrives',
    text: `The server has “${p.id}”, but its pictures do not arrive. The sender or the network may be too slow.`,
  }),
  failed: (p) => ({
    title: 'Playback failed',
    text: `The browser could not go on playing “${p.id}”${p.detail ? ` (${p.detail})` : ''}.`,
  }),
  file_missing: (p) => ({ title: 'No such recording', text: `The server has no file “${p.id}”.` }),
  no_id: () => ({
    title: 'Which stream?',
    text: 'This link does not name a stream. It should end in “play.html?id=” and the stream’s name.',
  }),
  bad_id: () => ({
    title: 'Not a stream’s name',
    text: 'A name consists of up to 128 letters, digits, hyphens, underscores and dots.',
  }),
  no_player: (p) => ({
    title: 'Nothing to play it with',
    text: `This link asks for “${p.order}”, and this page knows: ${list(p.known)}.`,
  }),
};

export const player = {
  title: (id) => `${id} · Millstream`,
  again: (s) => `Trying again in ${seconds(s)}.`,
  againNow: 'Trying again…',
  live: 'LIVE',
  liveLabel: 'Live. Jump to the newest picture',
  behindLabel: 'Behind live. Jump to the newest picture',
  latency: (s) => (s < 1 ? `${Math.round(s * 1000)} ms` : `${s.toFixed(1)} s`),
  latencyLabel: (s) => (s < 1 ? `${Math.round(s * 1000)} milliseconds behind live` : `${s.toFixed(1)} seconds behind live`),
  ways: { webrtc: 'WebRTC', hls: 'HLS' },
  instead: (way, problem) => `Not over ${way}: ${problem.detail ?? INSTEAD[problem.kind] ?? 'it did not work'}`,
  recording: 'RECORDING',
  play: 'Play',
  unmute: 'Unmute',
  buffering: 'Waiting for the next picture…',
  narrow: 'The network is too slow for this stream. Pictures are left out until they fit through.',
  soundOnly: 'This stream has sound only',
  pad: 'Move the camera',
  padWays: {
    ArrowUp: 'Up',
    ArrowDown: 'Down',
    ArrowLeft: 'Left',
    ArrowRight: 'Right',
    '+': 'Closer',
    '-': 'Further away',
    home: 'Home position',
  },
};

/** Talking to a camera. */
export const talk = {
  begin: 'Talk',
  end: 'Stop talking',
  states: {
    off: '',
    asking: 'Allow this page to use your microphone.',
    connecting: 'Connecting to the camera…',
    on: 'You are heard at the camera.',
  },
  problems: {
    insecure: () => 'Browsers let pages use the microphone over HTTPS only.',
    forbidden: () => 'The browser does not let this page use the microphone.',
    no_microphone: () => 'There is no microphone, or another program has it.',
    refused: () => 'The server does not let you talk to this camera.',
    taken: () => 'Somebody is talking to this camera already.',
    busy: (p) => `The server is full: ${p.detail}.`,
    unsuitable: (p) => `The camera cannot be talked to: ${p.detail}.`,
    no_way: () => 'The server’s WebRTC port cannot be reached from here.',
    network: () => 'The server does not answer.',
    interrupted: () => 'The connection to the server was interrupted.',
    ended: () => 'The server has ended the conversation.',
    failed: (p) => `That did not work: ${p.detail}.`,
  },
};

export const publisher = {
  title: 'Publish from this browser',
  tagline: 'Camera, microphone or screen, live in a second',
  name: 'Stream name',
  picture: 'Picture',
  sound: 'Sound',
  quality: 'Quality',
  qualities: { low: '360p, 0.8 Mbit/s', medium: '720p, 2.5 Mbit/s', high: '1080p, 5 Mbit/s' },
  camera: (n) => `Camera ${n}`,
  microphone: (n) => `Microphone ${n}`,
  screen: 'Screen or window',
  noPicture: 'No picture',
  noSound: 'No sound',
  preview: 'What is sent',
  live: 'live',
  start: 'Go live',
  stop: 'Stop',
  watch: 'Open the play page',
  secure: 'Open this page over HTTPS',
  facts: (f) => [
    f.codecs.join(', '),
    f.width ? `${f.width}×${f.height}` : '',
    f.rate ? `${Math.round(f.rate)} pictures a second` : '',
    `${(f.bitrate / 1e6).toFixed(1)} Mbit/s`,
    f.lost > 0.005 ? `${Math.round(f.lost * 100)} % lost on the way` : '',
    f.limitation === 'bandwidth' ? 'held back by the network' : '',
    f.limitation === 'cpu' ? 'held back by this computer' : '',
  ].filter(Boolean).join(' · '),
  states: {
    idle: () => 'Ready. Nothing is sent yet.',
    asking: () => 'The browser asks whether this page may use the devices.',
    nothing: () => 'Choose a picture or sound to send.',
    connecting: (s) => `Connecting “${s.id}”…`,
    live: (s) => `“${s.id}” is live.`,
    stopped: () => 'Stopped. Nothing is sent any more.',
    lost: () => 'Stopped, because the device or the shared screen is gone.',
    insecure: () => 'Browsers give camera, microphone and screen only to pages over HTTPS, and to pages of this very machine (http://localhost).',
    not_allowed: () => 'The browser was not allowed to use the devices. Allow it in the address bar, then choose again.',
    no_device: (s) => `The device cannot be opened${s.detail ? `: ${s.detail}` : ''}. Another program may be using it.`,
    refused: (s) => `The server does not let this page publish “${s.id}”. It asks for a user and a password, or the link for a token.`,
    taken: (s) => `Somebody is publishing “${s.id}” already. Choose another name, or try again when that has stopped.`,
    busy: (s) => `The server is full: ${s.detail}. Trying again.`,
    unsuitable: (s) => `The server cannot take this stream: ${s.detail}.`,
    network: () => 'The server does not answer. Trying again.',
    interrupted: () => 'The connection was interrupted. Trying again.',
    no_way: () => 'The server’s WebRTC port cannot be reached from here; a firewall may be in between. Trying again.',
    ended: () => 'The server ended the stream. Trying again.',
    failed: (s) => `That failed${s.detail ? `: ${s.detail}` : ''}.`,
  },
};

/** “H.265”, “H.265 and AAC”, “A, B and C”. */
function list(items) {
  if (items.length < 2) return items.join('');
  return `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`;
}
