// The players of this page by the name that `playOrder` calls them. A new one is a file and a line here.
//
// A player is `{ supported(), movable?, start(video, context) }`. `start` returns at once with a handle:
//
//   stop()      ends it, frees the video element; nothing is reported afterwards
//   latency()   seconds behind the newest picture, undefined when not known
//   narrow()    whether pictures stand still because too much is lost on the way; a player may be without it
//   behind()    true when a jump to the newest picture would be noticed
//   over()      true when the stream has ended and no more will come
//   starved()   true when there is nothing to play and the player goes on asking by itself; a player that
//               stands still for another reason is started anew
//   goLive()    jumps to the newest picture
//   position()  changes as long as there is something new; left out where that is the element's time
//   moveTo(video)  shows on this element from now on; what a `movable` player has
//
// `context` is `{ target, hurried, fail(problem) }`, `hurried` when another player waits for its turn. A player plays until it calls `fail` once, with
// `{ kind, retryAfter?, status?, codecs?, detail? }`; the kinds are the keys of `notices` in texts.js. Whether to
// try the next player or the same one again, and when, is the session's to decide (session.js).

import { dash } from './dash.js';
import { file } from './file.js';
import { hls } from './hls.js';
import { webrtc } from './webrtc.js';

export const players = { webrtc, hls, dash, file };
