// Keeps one stream on one video element for as long as the page is open: tries the players in order, waits
// while the stream is away, begins again after a restart, and reports what it is doing as a state.
//
// It knows nothing of a protocol (the other files of this folder do) and nothing of the page's looks (play.js does).

/**
 * @typedef {object} Problem
 * @property {string} kind a key of `notices` in texts.js, or `restarted` / `stalled` (begin again, say nothing)
 * @property {number} [retryAfter] seconds, as the server asked
 * @property {number} [status] HTTP status
 * @property {string[]} [codecs] what cannot be decoded
 * @property {string} [detail] the browser's own words
 */

/** Seconds until the next try, by kind; others wait for RETRY. */
const RETRY = 3;
const RETRY_BY_KIND = { unplayable: 10, refused: 10, unsupported: 30, file_missing: 30 };
/** Kinds that say something about one way of playing, not about the stream: the next player may do better. */
const OF_THE_PLAYER = new Set(['unplayable', 'unsupported', 'failed', 'no_picture', 'network']);
/** Kinds that mean "over" once there has been a picture. */
const OVER = new Set(['no_such_stream', 'not_live']);
/** No first picture, or no further one though there is something to play, for this long (ms): begin again. */
const FIRST_PICTURE = 15_000;
const STALLED = 8_000;
/** Nothing to play for this long (ms): whatever the player waits for, begin again. */
const STARVED = 20_000;
/** No progress for this long (ms) is shown as buffering. */
const BUFFERING = 1_200;
/** No answer for this long (ms): the server holds the request until the stream is there. */
const HELD = 2_000;
const TICK = 250;

export class Session {
  /**
   * @param {HTMLVideoElement} video
   * @param {import('./params.js').Target} target
   * @param {[string, object][]} players names and players, in the order to try
   * @param {(state: object) => void} onState `{ kind, retryAt?, …Problem }`; `playing` and `buffering` beside the kinds
   */
  constructor(video, target, players, onState) {
    this.stalls = 0;
    this.playerName = undefined;
    this.#video = video;
    this.#target = target;
    this.#players = players;
    this.#onState = onState;
    video.addEventListener('ended', () => !target.file && this.#fail({ kind: 'ended' }));
    addEventListener('online', () => this.wake());
    this.#ticker = setInterval(() => this.#tick(), TICK);
  }

  #video;
  #target;
  #players;
  #onState;
  #handle;
  #index = 0;
  #attempt = 0;
  #timer;
  #ticker;
  #hasPlayed = false;
  /** Nothing is known yet. */
  #connecting = false;
  #playing = false;
  #buffering = false;
  #lastTime = 0;
  #lastProgress = 0;

  /** Begins with the first player. */
  start() {
    this.#connecting = true;
    this.#onState({ kind: 'connecting' });
    this.#begin(0);
  }

  /** Ends for good. */
  stop() {
    this.#attempt += 1;
    clearInterval(this.#ticker);
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#handle?.stop();
    this.#handle = undefined;
  }

  /** The page is seen again or the network is back: do not wait for the timer, do not stay behind. */
  wake() {
    if (this.#timer !== undefined) this.#begin(0);
    else if (this.#playing && !this.#video.paused && this.#handle?.behind()) this.goLive();
    this.#lastProgress = performance.now();
  }

  goLive() {
    this.#handle?.goLive();
  }

  latency() {
    return this.#playing ? this.#handle?.latency() : undefined;
  }

  behind() {
    return this.#handle?.behind() ?? false;
  }

  #begin(index) {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#index = index;
    this.#playing = false;
    this.#buffering = false;
    this.#lastTime = this.#video.currentTime;
    this.#lastProgress = performance.now();
    const [name, player] = this.#players[index];
    this.playerName = name;
    if (!player.supported()) {
      this.#fail({ kind: 'unsupported' });
      return;
    }
    // What a player says after it was replaced must not end its successor.
    const attempt = ++this.#attempt;
    this.#handle = player.start(this.#video, {
      target: this.#target,
      fail: (problem) => attempt === this.#attempt && this.#fail(problem),
    });
  }

  #fail(problem) {
    const played = this.#playing;
    this.#attempt += 1;
    this.#playing = false;
    this.#handle?.stop();
    this.#handle = undefined;
    const next = this.#index + 1;
    if (!played && OF_THE_PLAYER.has(problem.kind) && next < this.#players.length) {
      this.#begin(next);
      return;
    }
    if (problem.kind === 'restarted' || problem.kind === 'stalled') {
      this.#begin(0);
      return;
    }
    const kind = this.#hasPlayed && OVER.has(problem.kind) ? 'ended' : problem.kind;
    // After a picture the first try comes soon: most interruptions are a restart.
    const usual = played && kind !== 'ended' ? 0.5 : (RETRY_BY_KIND[kind] ?? RETRY);
    const wait = Math.min(problem.retryAfter ?? usual, 60) * 1000;
    this.#timer = setTimeout(() => this.#begin(0), wait);
    this.#connecting = false;
    this.#onState({ ...problem, kind, retryAt: performance.now() + wait });
  }

  #tick() {
    if (this.#handle === undefined) return;
    const now = performance.now();
    const time = this.#video.currentTime;
    if (time !== this.#lastTime && this.#video.readyState >= 2) {
      this.#lastTime = time;
      this.#lastProgress = now;
      // A seek to the start position is not a picture yet, a second step is.
      if (!this.#video.seeking && !this.#video.paused) this.#progress();
      return;
    }
    // A paused video makes no progress by the viewer's (or the browser's) wish.
    if (this.#video.paused && this.#video.readyState >= 2) this.#lastProgress = now;
    if (this.#video.ended) return;
    const still = now - this.#lastProgress;
    if (this.#connecting && still > HELD) {
      this.#connecting = false;
      this.#onState({ kind: 'starting' });
    }
    if (!this.#playing && still > FIRST_PICTURE) this.#fail({ kind: 'no_picture' });
    // The last seconds of a stream that is over may never come as the player wants them.
    else if (this.#playing && still > BUFFERING && this.#handle.over()) this.#fail({ kind: 'ended' });
    else if (this.#playing && still > this.#patience()) this.#fail({ kind: 'stalled' });
    else if (this.#playing && still > BUFFERING && !this.#buffering) {
      this.#buffering = true;
      this.stalls += 1;
      this.#onState({ kind: 'buffering' });
    }
  }

  /** How long (ms) without progress is too long. A recording is never begun again while it loads. */
  #patience() {
    if (!this.#handle.starved()) return STALLED;
    return this.#target.file ? Infinity : STARVED;
  }

  #progress() {
    if (this.#playing && !this.#buffering) return;
    this.#connecting = false;
    this.#playing = true;
    this.#buffering = false;
    this.#hasPlayed = true;
    this.#onState({ kind: 'playing' });
  }
}
