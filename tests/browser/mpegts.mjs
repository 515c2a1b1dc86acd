// mpegts.js, playing a live FLV stream over HTTP or WebSocket on a page of the server's.

import { fileURLToPath } from 'node:url';

const LIBRARY = fileURLToPath(import.meta.resolve('mpegts.js/dist/mpegts.js'));

/** Puts a player of `source` on whatever page comes next. What it complains of goes to the console as an error. */
export async function addPlayer(page, source) {
  await page.addInitScript({ path: LIBRARY });
  await page.addInitScript((flv) => {
    if (location.protocol === 'about:') return;
    document.addEventListener('DOMContentLoaded', () => {
      const { mpegts } = window;
      const video = document.createElement('video');
      video.autoplay = true;
      document.body.replaceChildren(video);
      mpegts.LoggingControl.enableAll = false;
      const player = mpegts.createPlayer({ type: 'flv', isLive: true, url: flv });
      player.on(mpegts.Events.ERROR, (...what) => console.error('mpegts.js', ...what));
      player.attachMediaElement(video);
      player.load();
      player.play();
    });
  }, source);
}
