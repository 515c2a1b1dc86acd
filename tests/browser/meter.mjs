// Runs inside the page: looks at the <video> as a viewer would. Pictures are compared by what they show, sound
// by what comes out of the decoder.

/** Installed once per page as `window.millstreamMeter`; must not refer to anything outside itself. */
export function installMeter() {
  const canvas = document.createElement('canvas');
  canvas.width = 160;
  canvas.height = 90;
  const draw = canvas.getContext('2d', { willReadFrequently: true });
  const pictures = new Set();
  let flat = 0;
  let stalls = 0;
  let analyser;
  let audioPeak = 0;
  let squares = 0;
  let samples = 0;
  const video = () => document.querySelector('video');
  const watched = new WeakSet();
  const captures = new WeakMap();
  const peers = [];
  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...all) {
      super(...all);
      peers.push(this);
    }
  };

  function watch(element) {
    if (!element || watched.has(element)) return;
    watched.add(element);
    let started = false;
    element.addEventListener('playing', () => { started = true; });
    element.addEventListener('waiting', () => { if (started && !element.seeking) stalls += 1; });
  }

  /** Connects to the sound of the element. A capture follows the element: a new source gives it a new track. */
  function listen(element) {
    // Firefox has it under a name of its own.
    const capture = () => (element.captureStream ?? element.mozCaptureStream).call(element);
    if (!captures.has(element) && element.readyState >= 2) captures.set(element, capture());
    const track = captures.get(element)?.getAudioTracks().find((one) => one.readyState === 'live');
    if (!track || analyser?.track === track) return;
    analyser?.context.close();
    const context = new AudioContext();
    const node = context.createAnalyser();
    node.fftSize = 4096;
    context.createMediaStreamSource(new MediaStream([track])).connect(node);
    analyser = { context, node, track, data: new Float32Array(node.fftSize) };
  }

  /** FNV-1a over a small copy of the picture; a picture of one colour counts as flat. */
  function look(element) {
    draw.drawImage(element, 0, 0, canvas.width, canvas.height);
    const { data } = draw.getImageData(0, 0, canvas.width, canvas.height);
    let hash = 0x811c9dc5;
    let low = 255;
    let high = 0;
    for (let i = 0; i < data.length; i += 4) {
      for (let c = 0; c < 3; c += 1) {
        hash = Math.imul(hash ^ data[i + c], 0x01000193);
        low = Math.min(low, data[i + c]);
        high = Math.max(high, data[i + c]);
      }
    }
    if (high - low < 8) flat += 1;
    pictures.add(hash);
  }

  window.millstreamMeter = {
    watch: () => watch(video()),
    /** Forgets what was seen before playback was steady. */
    reset() {
      pictures.clear();
      flat = 0;
      stalls = 0;
      squares = 0;
      samples = 0;
      audioPeak = 0;
    },
    sample() {
      const element = video();
      if (!element) return undefined;
      watch(element);
      if (element.videoWidth > 0 && element.readyState >= 2) look(element);
      listen(element);
      if (analyser) {
        analyser.context.resume();
        analyser.node.getFloatTimeDomainData(analyser.data);
        for (const value of analyser.data) {
          squares += value * value;
          audioPeak = Math.max(audioPeak, Math.abs(value));
        }
        samples += analyser.data.length;
      }
      const quality = element.getVideoPlaybackQuality();
      const report = document.documentElement.dataset;
      return {
        decodedFrames: quality.totalVideoFrames,
        droppedFrames: quality.droppedVideoFrames,
        // Not counted for WebRTC, whose sound is judged by what comes out.
        audioBytes: element.srcObject ? null : (element.webkitAudioDecodedByteCount ?? null),
        time: element.currentTime,
        paused: element.paused,
        muted: element.muted,
        width: element.videoWidth,
        height: element.videoHeight,
        distinctPictures: pictures.size,
        flatPictures: flat,
        audioRms: samples > 0 ? Math.sqrt(squares / samples) : 0,
        audioPeak,
        stalls,
        state: report.state ?? null,
        player: report.player || null,
        passedOver: report.passedOver || null,
        latency: report.latency ? Number(report.latency) : null,
      };
    },
    /** What the newest WebRTC session has received, by kind. */
    async received() {
      const kinds = {};
      for (const report of (await peers.at(-1)?.getStats())?.values() ?? []) {
        if (report.type === 'inbound-rtp') kinds[report.kind] = report;
      }
      return kinds;
    },
  };
}
