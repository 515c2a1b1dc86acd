// Keeps one stream on one video element for as long as the page is open: tries the players in order, waits
// while the stream is away, begins again after a restart, and reports what it is doing as a state. While a later
// player shows the stream, an earlier one is tried out of sight from time to time, and takes over when it can.
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
const RETRY_BY_KIND = { unplayable: 10, unsuitable: 10, refused: 10, unsupported: 30, file_missing: 30 };
/** Kinds that say something about one way of playing, not about the stream: the next player may do better. */
const OF_THE_PLAYER = new Set(['unplayable', 'unsuitable', 'unsupported', 'failed', 'no_way', 'no_picture', 'network', 'restarted']);
/** Kinds that mean "begin again, say nothing" once there has been a picture. */
const AGAIN = new Set(['restarted', 'stalled']);
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
/** A player that was passed over is tried again after this long (ms), then after twice as long, up to a limit. */
const TRIAL = 5_000;
const LONGEST_TRIAL = 300_000;
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
    /** Why the first player is not the one that plays: its problem. */
    this.passedOver = undefined;
    this.#video = video;
    this.#target = target;
    this.#players = players;
    this.#onState = onState;
    // The event may come late, when the element has something else to play.
    video.addEventListener('ended', () => video.ended && this.#run && !target.file && this.#fail({ kind: 'ended' }));
    addEventListener('online', () => this.wake());
    this.#ticker = setInterval(() => this.#tick(), TICK);
  }

  #video;
  #target;
  #players;
  #onState;
  /** What plays, or is about to: `{ index, handle }`. */
  #run;
  /** What is tried out of sight: the same, with `video` and `since`. */
  #trial;
  #trialWait = TRIAL;
  #timer;
  #ticker;
  #hasPlayed = false;
  /** Nothing is known yet. */
  #connecting = false;
  #playing = false;
  #buffering = false;
  #lastPosition = 0;
  #lastProgress = 0;

  /** Begins with the first player. */
  start() {
    this.#connecting = true;
    this.#onState({ kind: 'connecting' });
    this.#begin(0);
  }

  /** Ends for good. */
  stop() {
    clearInterval(this.#ticker);
    this.#clear();
  }

  /** The page is seen again or the network is back: do not wait for the timer, do not stay behind. */
  wake() {
    if (this.#run === undefined && this.#timer !== undefined) this.#begin(0);
    else if (this.#playing && !this.#video.paused && this.behind() && !this.wentBack()) this.goLive();
    this.#lastProgress = performance.now();
  }

  goLive() {
    this.#run?.handle.goLive();
  }

  latency() {
    return this.#playing ? this.#run?.handle.latency() : undefined;
  }

  behind() {
    return this.#run?.handle.behind() ?? false;
  }

  /** The viewer wants to be behind. */
  wentBack() {
    return this.#run?.handle.wentBack?.() ?? false;
  }

  #begin(index) {
    this.#clear();
    if (index === 0) {
      this.passedOver = undefined;
      this.#trialWait = TRIAL;
    }
    const [name, player] = this.#players[index];
    this.playerName = name;
    this.#run = { index };
    if (!player.supported()) {
      this.#fail({ kind: 'unsupported' });
      return;
    }
    this.#run.handle = this.#start(this.#run, this.#video, index + 1 < this.#players.length);
    this.#watch();
  }

  /** What a player says after it was replaced must not end its successor. */
  #start(run, video, hurried) {
    const fail = (problem) => {
      if (run === this.#run) this.#fail(problem);
      else if (run === this.#trial) this.#endTrial();
    };
    return this.#players[run.index][1].start(video, { target: this.#target, hurried, fail });
  }

  /** Stops whatever runs or waits. */
  #clear() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#trial?.handle.stop();
    this.#trial = undefined;
    this.#run?.handle?.stop();
    this.#run = undefined;
  }

  /** Whatever comes from now on is of the present player. */
  #watch() {
    this.#playing = false;
    this.#buffering = false;
    this.#lastPosition = this.#position();
    this.#lastProgress = performance.now();
  }

  #fail(problem) {
    const played = this.#playing;
    const next = this.#run.index + 1;
    this.#playing = false;
    this.#clear();
    if (!played && OF_THE_PLAYER.has(problem.kind) && next < this.#players.length) {
      this.passedOver ??= problem;
      this.#begin(next);
      return;
    }
    if (played && AGAIN.has(problem.kind)) {
      this.#begin(0);
      return;
    }
    let { kind } = problem;
    if (this.#hasPlayed && OVER.has(kind)) kind = 'ended';
    if (AGAIN.has(kind)) kind = 'connecting';
    // After a picture the first try comes soon: most interruptions are a restart.
    const usual = played && kind !== 'ended' ? 0.5 : (RETRY_BY_KIND[kind] ?? RETRY);
    const wait = Math.min(problem.retryAfter ?? usual, 60) * 1000;
    this.#timer = setTimeout(() => this.#begin(0), wait);
    this.#connecting = false;
    this.#onState({ ...problem, kind, retryAt: performance.now() + wait });
  }

  #tick() {
    if (this.#trial) this.#judgeTrial();
    if (this.#run === undefined) return;
    const now = performance.now();
    const position = this.#position();
    if (position !== this.#lastPosition && this.#video.readyState >= 2) {
      this.#lastPosition = position;
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
    else if (this.#playing && still > BUFFERING && this.#run.handle.over()) this.#fail({ kind: 'ended' });
    else if (this.#playing && still > this.#patience()) this.#fail({ kind: 'stalled' });
    else if (this.#playing && still > BUFFERING && !this.#buffering) {
      this.#buffering = true;
      this.stalls += 1;
      this.#onState({ kind: 'buffering', narrow: this.#run.handle.narrow?.() ?? false });
    }
  }

  /** Changes as long as there is something new to see or hear. */
  #position() {
    return this.#run?.handle?.position?.() ?? this.#video.currentTime;
  }

  /** How long (ms) without progress is too long. A recording is never begun again while it loads. */
  #patience() {
    if (!this.#run.handle.starved()) return STALLED;
    return this.#target.file ? Infinity : STARVED;
  }

  #progress() {
    if (this.#playing && !this.#buffering) return;
    this.#connecting = false;
    this.#playing = true;
    this.#buffering = false;
    this.#hasPlayed = true;
    this.#planTrial();
    this.#onState({ kind: 'playing' });
  }

  /** A better player that can be moved to the element once it plays is worth a try later. */
  #planTrial() {
    if (this.#trial || this.#timer !== undefined) return;
    const better = this.#players.findIndex(([, player], at) => at < this.#run.index && player.movable && player.supported());
    if (better < 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#video.paused) this.#planTrial();
      else this.#tryOutOfSight(better);
    }, this.#trialWait);
  }

  #tryOutOfSight(index) {
    this.#trialWait = Math.min(this.#trialWait * 2, LONGEST_TRIAL);
    const video = this.#video.cloneNode();
    video.removeAttribute('id');
    video.autoplay = true;
    video.muted = true;
    this.#trial = { index, video, since: performance.now() };
    this.#trial.handle = this.#start(this.#trial, video, false);
  }

  #judgeTrial() {
    const { handle, index, video, since } = this.#trial;
    if (video.readyState >= 2 && handle.position() > 0) {
      this.#run.handle.stop();
      this.#run = this.#trial;
      this.#trial = undefined;
      [this.playerName] = this.#players[index];
      this.passedOver = undefined;
      handle.moveTo(this.#video);
      this.#watch();
    } else if (performance.now() - since > FIRST_PICTURE) {
      this.#endTrial();
    }
  }

  #endTrial() {
    this.#trial.handle.stop();
    this.#trial = undefined;
    this.#planTrial();
  }
}
