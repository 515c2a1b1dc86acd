// The pad that moves a camera: shown where the link asks for it (ptz=true) and the server lets this page move it.
//
// A direction moves as long as it is pressed. The server ends a motion that nobody ends, so that a page that is closed
// leaves no camera turning.

import { OURS } from './ask.js';

/** By its key: x to the right, y upwards, z closer. */
const WAYS = {
  ArrowLeft: [-1, 0, 0],
  ArrowRight: [1, 0, 0],
  ArrowUp: [0, 1, 0],
  ArrowDown: [0, -1, 0],
  '+': [0, 0, 1],
  '-': [0, 0, -1],
};

/** How fast, of what the camera can. */
const SPEED = 0.5;

export class Pad {
  #calls;
  #element;
  /** The key of the motion under way. */
  #moving;
  /** Calls are made one after the other: a stop that overtook its motion would be none. */
  #last = Promise.resolve();

  /**
   * @param {HTMLElement} element buttons whose `data-way` is a key of WAYS, or `home`
   * @param {import('./params.js').Target} target
   */
  constructor(element, target) {
    this.#element = element;
    this.#calls = new URL(`rest/v2/broadcasts/${target.id}/ip-camera/`, target.base);
  }

  /** Asks whether there is a camera that may be moved from here, and shows the pad if so. */
  async show() {
    const answer = await fetch(new URL('status', this.#calls)).catch(() => undefined);
    if (!answer?.ok) return;
    this.#element.hidden = false;
    for (const button of this.#element.querySelectorAll('button')) this.#listen(button);
    addEventListener('keydown', (event) => {
      if (event.repeat || !this.#takes(event)) return;
      event.preventDefault();
      this.#move(event.key);
    });
    addEventListener('keyup', (event) => event.key === this.#moving && this.#stop());
    addEventListener('blur', () => this.#stop());
  }

  #listen(button) {
    const { way } = button.dataset;
    if (way === 'home') {
      button.addEventListener('click', () => this.#call('home'));
      return;
    }
    button.addEventListener('pointerdown', (event) => {
      button.setPointerCapture(event.pointerId);
      this.#move(way);
    });
    for (const end of ['pointerup', 'pointercancel']) button.addEventListener(end, () => this.#stop());
    // Who has no pointer presses it with a key: one step.
    button.addEventListener('click', (event) => {
      if (event.detail !== 0) return;
      const [x, y, z] = WAYS[way];
      this.#call(`move?valueX=${x * 0.1}&valueY=${y * 0.1}&valueZ=${z * 0.1}`);
    });
  }

  /** The keys of the video element itself stay its own. */
  #takes(event) {
    const plain = !event.ctrlKey && !event.altKey && !event.metaKey;
    return plain && Object.hasOwn(WAYS, event.key) && !(event.target instanceof HTMLVideoElement);
  }

  #move(way) {
    this.#moving = way;
    const [x, y, z] = WAYS[way].map((part) => part * SPEED);
    this.#call(`move?movement=continuous&valueX=${x}&valueY=${y}&valueZ=${z}`);
  }

  #stop() {
    if (this.#moving === undefined) return;
    this.#moving = undefined;
    this.#call('stop-move');
  }

  #call(name) {
    this.#last = this.#last.then(() => fetch(new URL(name, this.#calls), { method: 'POST', headers: OURS })).catch(() => undefined);
  }
}
