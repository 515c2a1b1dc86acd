// A button that copies a text. The clipboard API exists on secure pages only, and a new server is reached by
// plain HTTP, so the older way has to do there.

import { landing as texts } from './texts.js';

/** @param {string} text @param {string} what for screen readers */
export function copyButton(text, what) {
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = texts.copy;
  button.setAttribute('aria-label', texts.copyLabel(what));
  let back;
  button.addEventListener('click', async () => {
    button.textContent = (await copy(text, button)) ? texts.copied : texts.copyFailed;
    clearTimeout(back);
    back = setTimeout(() => { button.textContent = texts.copy; }, 2000);
  });
  return button;
}

async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text, button);
  }
}

function copyBySelection(text, button) {
  const area = document.createElement('textarea');
  area.value = text;
  area.readOnly = true;
  area.className = 'offscreen';
  document.body.append(area);
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  button.focus();
  return done;
}
