// The button by which one talks to a camera: shown where the link asks for it (talk=true), the camera takes sound, and the
// server lets this page talk.
//
// Pressed once, the microphone is heard at the camera; pressed again, or when the page goes, it is not.

import { publish } from '../publisher/whip.js';
import { OURS } from './ask.js';

/** What is asked of microphones: what the camera hears of its own must not come back to it. */
const SOUND = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: { ideal: 1 } };

export class Talk {
  #button;
  #url;
  #tell;
  #session;
  #microphone;
  /** The session before is over at the camera: until then it takes nobody, not even us. */
  #gone = Promise.resolve();
  /** `off`, `asking` (for the microphone), `connecting`, `on`. */
  #state = 'off';

  /**
   * @param {HTMLButtonElement} button
   * @param {import('./params.js').Target} target
   * @param {(state: string, problem?: { kind: string, detail?: string }) => void} tell what it comes to
   */
  constructor(button, target, tell) {
    this.#button = button;
    this.#url = new URL(`../api/v1/streams/${target.app}/${target.id}/talk`, target.base);
    this.#tell = tell;
  }

  /** Asks whether the camera can be talked to from here, and shows the button if so. */
  async show() {
    const answer = await fetch(this.#url).catch(() => undefined);
    if (!answer?.ok) return;
    this.#button.hidden = false;
    this.#button.addEventListener('click', () => (this.#state === 'off' ? this.#begin() : this.#end()));
    this.#set('off');
  }

  async #begin() {
    if (!navigator.mediaDevices?.getUserMedia) {
      this.#set('off', { kind: 'insecure' });
      return;
    }
    this.#set('asking');
    let microphone;
    try {
      microphone = await navigator.mediaDevices.getUserMedia({ audio: SOUND });
    } catch (error) {
      if (this.#state === 'asking') this.#set('off', { kind: error.name === 'NotAllowedError' ? 'forbidden' : 'no_microphone' });
      return;
    }
    await this.#gone;
    if (this.#state !== 'asking') {
      close(microphone);
      return;
    }
    this.#microphone = microphone;
    this.#set('connecting');
    this.#session = publish(this.#url, microphone, 0, {
      live: () => this.#set('on'),
      measured: () => undefined,
      over: (problem) => this.#over(problem),
    }, OURS);
  }

  #end() {
    this.#gone = Promise.resolve(this.#session?.stop()).catch(() => undefined);
    this.#release();
    this.#set('off');
  }

  /** It has ended from there; where the camera is why, it says so when it is asked. */
  async #over(problem) {
    this.#release();
    this.#set('off', problem);
    if (problem.kind !== 'ended') return;
    const answer = await fetch(this.#url).catch(() => undefined);
    const words = await answer?.json().catch(() => undefined);
    if (answer && !answer.ok && words?.error && this.#state === 'off') this.#set('off', { kind: 'unsuitable', detail: words.error });
  }

  #release() {
    close(this.#microphone);
    this.#microphone = undefined;
    this.#session = undefined;
  }

  #set(state, problem) {
    this.#state = state;
    this.#button.setAttribute('aria-pressed', String(state !== 'off'));
    this.#tell(state, problem);
  }
}

function close(microphone) {
  for (const track of microphone?.getTracks() ?? []) track.stop();
}
