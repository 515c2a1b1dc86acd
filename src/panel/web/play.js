// The play page: puts what the session reports (player/session.js) on the stage, and what the viewer does
// into the session. No protocol here, and no sentence (texts.js).
//
// For embedding pages and tests, <html> carries what is going on: data-state, data-player, data-passed-over (why
// that player is not the first of the order), data-latency (seconds), data-stalls, data-talk (off, asking, connecting, on).

import { isPast } from './player/element.js';
import { players } from './player/index.js';
import { readTarget } from './player/params.js';
import { Pad } from './player/ptz.js';
import { Session } from './player/session.js';
import { Talk } from './player/talk.js';
import { notices, player as texts, talk as talking } from './texts.js';

const at = (id) => document.getElementById(id);
const video = at('video');
const target = readTarget(new URL(location.href));
const report = document.documentElement.dataset;

/** The viewer wants it to run: true until paused by hand. */
let wanted = target.autoplay;
/** What plays next goes on from where the viewer has paused it. */
let resumes = false;
/** Muted by this page, not by the viewer. */
let silenced = false;
/** The last state of the session. */
let state = { kind: 'idle' };

const order = target.order.filter((name) => Object.hasOwn(players, name)).map((name) => [name, players[name]]);
const session = new Session(video, target, order, show);

begin();

function begin() {
  at('live-word').textContent = target.file ? texts.recording : texts.live;
  at('play').lastElementChild.textContent = texts.play;
  at('unmute').lastElementChild.textContent = texts.unmute;
  if (target.id) {
    at('title').textContent = target.id;
    document.title = texts.title(target.id);
  }
  listen();
  if (target.problem) show({ kind: target.problem });
  else if (order.length === 0) show({ kind: 'no_player', order: target.order.join(','), known: Object.keys(players) });
  else if (wanted) session.start();
  else askToPlay();
  if (target.ptz) showPad();
  if (target.talk) new Talk(at('talk'), target, showTalk).show();
}

function showPad() {
  const pad = at('pad');
  pad.setAttribute('aria-label', texts.pad);
  for (const button of pad.querySelectorAll('button')) button.setAttribute('aria-label', texts.padWays[button.dataset.way]);
  new Pad(pad, target).show();
}

function showTalk(to, problem) {
  report.talk = to;
  at('talk').lastElementChild.textContent = to === 'off' ? talking.begin : talking.end;
  const words = problem ? (talking.problems[problem.kind] ?? talking.problems.interrupted)(problem) : talking.states[to];
  at('talk-note').hidden = words === '';
  setText(at('talk-note'), words);
}

function listen() {
  // Each (re)start of a player loads the element anew, and loading pauses it.
  video.addEventListener('loadstart', () => (wanted ? play() : askToPlay()));
  video.addEventListener('play', () => {
    wanted = true;
    at('play').hidden = true;
    // Who has paused goes on from there, as long as that can be had.
    if (resumes ? isPast(video) : session.behind()) session.goLive();
    resumes = false;
  });
  video.addEventListener('pause', () => {
    // A reload pauses too, but leaves nothing to show.
    if (state.kind !== 'playing' || video.readyState < 2 || video.ended) return;
    wanted = false;
    resumes = true;
  });
  video.addEventListener('volumechange', () => {
    if (!video.muted) silenced = false;
    showUnmute();
  });
  at('play').addEventListener('click', () => {
    wanted = true;
    at('play').hidden = true;
    if (state.kind === 'idle') session.start();
    else video.play().catch(() => askToPlay());
  });
  at('unmute').addEventListener('click', () => {
    video.muted = false;
    if (video.volume === 0) video.volume = 1;
    if (video.paused) video.play().catch(() => undefined);
    video.focus();
  });
  at('live').addEventListener('click', () => {
    session.goLive();
    video.play().catch(() => undefined);
  });
  document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && session.wake());
  setInterval(showLatency, 500);
  setInterval(showCountdown, 250);
}

/** With sound if the browser lets a page do that unasked, else muted, else when the viewer presses the button. */
async function play() {
  if (target.mute === true && state.kind !== 'playing' && !silenced && video.currentTime === 0) silence();
  try {
    await video.play();
  } catch (error) {
    if (error.name !== 'NotAllowedError') return;
    if (video.muted || target.mute === false) askToPlay();
    else {
      silence();
      video.play().catch((again) => again.name === 'NotAllowedError' && askToPlay());
    }
  }
}

function silence() {
  silenced = true;
  video.muted = true;
}

function askToPlay() {
  wanted = false;
  at('notice').hidden = true;
  at('play').hidden = false;
}

/** @param {object} next a state of the session, or a problem of the link itself */
function show(next) {
  state = next;
  report.state = next.kind;
  report.player = session.playerName ?? '';
  report.passedOver = session.passedOver?.kind ?? '';
  report.stalls = String(session.stalls ?? 0);
  const running = next.kind === 'playing' || next.kind === 'buffering';
  document.body.classList.toggle('running', running);
  video.controls = running;
  at('bar').hidden = !running;
  at('notice').hidden = running;
  at('play').hidden = true;
  if (running) {
    hint(next.kind !== 'buffering' ? silent() : next.narrow ? texts.narrow : texts.buffering);
  } else {
    hint('');
    const notice = notices[next.kind] ?? notices.failed;
    const { title, text } = notice({ ...next, app: target.app, id: target.id, hasToken: target.query.length > 0 });
    // The same words again would be read out again by a screen reader.
    setText(at('notice-title'), title);
    setText(at('notice-text'), text);
  }
  showUnmute();
  showWay();
  showLatency();
  showCountdown();
}

/** How it is played, where that is not the first way of the link, and why. */
function showWay() {
  const { playerName, passedOver } = session;
  setText(at('way'), passedOver ? texts.ways[playerName] ?? '' : '');
  at('way').title = passedOver ? texts.instead(texts.ways[order[0][0]], passedOver) : '';
}

function silent() {
  return video.videoWidth === 0 ? texts.soundOnly : '';
}

function hint(text) {
  at('hint').textContent = text;
  at('hint').hidden = text === '';
}

function showUnmute() {
  at('unmute').hidden = !(silenced && video.muted && document.body.classList.contains('running'));
}

function showLatency() {
  const latency = session.latency();
  const behind = session.behind() ?? false;
  report.latency = latency === undefined ? '' : latency.toFixed(3);
  at('live').classList.toggle('behind', behind || video.paused);
  at('live').disabled = target.file;
  at('live').setAttribute('aria-label', target.file ? texts.recording : behind ? texts.behindLabel : texts.liveLabel);
  setText(at('latency'), latency === undefined ? '' : texts.latency(latency));
  at('latency').title = latency === undefined ? '' : texts.latencyLabel(latency);
}

function showCountdown() {
  const left = state.retryAt === undefined ? undefined : Math.ceil((state.retryAt - performance.now()) / 1000);
  at('notice-next').hidden = left === undefined;
  if (left !== undefined) setText(at('notice-next'), left > 0 ? texts.again(left) : texts.againNow);
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
