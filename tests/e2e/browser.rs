//! The play page in a real browser: pictures that move, sound that is not silence, and words that are true
//! when there is nothing to play. The checks themselves are in `tests/browser`.

use crate::support::clips::Clip;
use crate::support::limit;
use crate::support::media::publish;
use crate::support::peer::{Finished, Peer};
use crate::support::seconds;
use crate::support::server::Server;
use crate::support::tools::{browser, tool};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

#[test]
fn the_parts_that_need_no_browser() {
    let mut node = tool("node");
    node.arg("--test").current_dir(folder());
    let finished = Peer::start(&mut node).finish(seconds(60));
    assert!(
        finished.status.success(),
        "{}\n{}",
        finished.stdout,
        finished.stderr
    );
}

#[test]
fn a_published_stream_plays() {
    let server = Server::start();
    let _publisher = publish(&server, "demo2", Clip::Standard);
    let facts = watch(&server, "/LiveApp/play.html?id=demo2", &["--seconds", "6"]);
    assert_eq!(
        (&facts["width"], &facts["height"]),
        (&640.into(), &360.into())
    );
    assert!(
        facts["decodedFrames"].as_f64().unwrap() > 6.0 * 20.0,
        "{facts}"
    );
    assert!(facts["startMs"].as_f64().unwrap() < 10_000.0, "{facts}");
}

#[test]
fn the_servers_own_stream_plays() {
    let server = Server::with(&["--demo"]);
    server.wait_live("demo");
    watch(&server, "/LiveApp/play.html?id=demo", &["--seconds", "5"]);
}

#[test]
fn b_frames_play() {
    let server = Server::start();
    let _publisher = publish(&server, "cam", Clip::BFrames);
    watch(&server, "/LiveApp/play.html?id=cam", &["--seconds", "5"]);
}

#[test]
fn a_stream_of_sound_alone_or_of_pictures_alone_plays() {
    let server = Server::start();
    let _sound = publish(&server, "sound", Clip::SoundOnly);
    let _pictures = publish(&server, "pictures", Clip::Silent);
    watch(
        &server,
        "/LiveApp/play.html?id=sound",
        &["--seconds", "3", "--no-video"],
    );
    watch(
        &server,
        "/LiveApp/play.html?id=pictures",
        &["--seconds", "3", "--no-audio"],
    );
}

#[test]
fn the_page_says_what_is_wrong() {
    let server = Server::start();
    server.rest("POST", "/create", r#"{"streamId":"later"}"#);
    for (query, text) in [
        ("?id=nobody", "No such stream"),
        ("?id=later", "Not live yet"),
        ("", "Which stream?"),
        ("?id=a..b", "Not a stream’s name"),
        ("?id=%3Cscript%3E", "Not a stream’s name"),
        ("?id=later&playOrder=dash", "Not live yet"),
        ("?id=later&playOrder=theora", "Nothing to play it with"),
    ] {
        expect(&server, &format!("/LiveApp/play.html{query}"), text);
    }
}

#[test]
fn a_stream_that_starts_later_comes_by_itself() {
    let server = Server::start();
    server.rest("POST", "/create", r#"{"streamId":"later"}"#);
    let _place = limit::BROWSER.take();
    let path = "/LiveApp/play.html?id=later";
    let player = Peer::start(&mut play(
        &server,
        path,
        &["--seconds", "4", "--wait-playing", "40"],
    ));
    // The page has asked and been told.
    std::thread::sleep(seconds(4));
    let _publisher = publish(&server, "later", Clip::Standard);
    judge(&server, player.finish(seconds(70)));
}

#[test]
fn a_publisher_that_is_cut_off_and_returns_in_time_is_seen_again_without_a_reload() {
    comes_back(Server::start(), "hls", cut_off_for_a_moment);
}

#[test]
fn a_publisher_that_returns_after_the_stream_has_ended_is_seen_again_without_a_reload() {
    let server = Server::with(&["--set", "streams.grace=1s"]);
    comes_back(server, "hls", cut_off_until_it_has_ended);
}

#[test]
fn a_publisher_that_says_goodbye_and_starts_again_at_once_is_seen_again_without_a_reload() {
    comes_back(Server::start(), "hls", goodbye_and_back);
    comes_back(Server::start(), "webrtc,hls", goodbye_and_back);
}

#[test]
fn an_encoder_that_returns_with_other_parameters_is_seen_again_without_a_reload() {
    for order in ["hls", "webrtc"] {
        comes_back(Server::start(), order, |server, publisher, _| {
            publisher.kill();
            let publisher = publish(&server, "cam", Clip::Small);
            (server, publisher)
        });
    }
}

#[test]
fn an_encoder_that_returns_without_sound_is_seen_again_without_a_reload() {
    comes_back(Server::start(), "hls", |server, publisher, _| {
        publisher.kill();
        let publisher = publish(&server, "cam", Clip::Silent);
        (server, publisher)
    });
}

/// What may happen while a page plays: with the server, its publisher, and what the page is waited for to say.
pub(crate) type Happens = fn(Server, Peer, &dyn Fn(&str)) -> (Server, Peer);

pub(crate) fn cut_off_for_a_moment(
    server: Server,
    publisher: Peer,
    page: &dyn Fn(&str),
) -> (Server, Peer) {
    publisher.kill();
    page("stands still");
    let publisher = publish(&server, "cam", Clip::Standard);
    (server, publisher)
}

pub(crate) fn cut_off_until_it_has_ended(
    server: Server,
    publisher: Peer,
    page: &dyn Fn(&str),
) -> (Server, Peer) {
    publisher.kill();
    page("has ended");
    let publisher = publish(&server, "cam", Clip::Standard);
    (server, publisher)
}

pub(crate) fn goodbye_and_back(
    server: Server,
    publisher: Peer,
    _: &dyn Fn(&str),
) -> (Server, Peer) {
    publisher.signal("TERM");
    publisher.finish(seconds(5));
    let publisher = publish(&server, "cam", Clip::Standard);
    (server, publisher)
}

/// Starts a script of `tests/browser` that prints every second whether the picture of a page moves.
#[track_caller]
pub(crate) fn follow(server: &Server, path: &str, lossy_for: u32) -> Peer {
    follow_with(server, path, &lossy_for.to_string(), "")
}

/// As [`follow`], and whether its sound is heard.
#[track_caller]
pub(crate) fn follow_and_listen(server: &Server, path: &str) -> Peer {
    follow_with(server, path, "0", "listen")
}

#[track_caller]
fn follow_with(server: &Server, path: &str, lossy_for: &str, listen: &str) -> Peer {
    let mut script = node(server);
    script.args(["--input-type=module", "--eval", WATCH]).args([
        &server.url(path),
        lossy_for,
        listen,
    ]);
    Peer::start(&mut script)
}

/// Waits for a line of [`follow`] that holds all the words.
#[track_caller]
pub(crate) fn wait_line(page: &Peer, words: &[&str]) {
    let has = |line: &str| words.iter().all(|word| line.contains(word)).then_some(());
    let said = page.stdout.wait_for(seconds(30), has);
    assert!(
        said.is_some(),
        "the page does not say {words:?}: {}{}",
        page.stdout.text(),
        page.stderr.text()
    );
}

/// Plays in one page that is never loaded again, with the players of `order`, while something happens, and
/// after it.
#[track_caller]
pub(crate) fn comes_back(server: Server, order: &str, happens: Happens) {
    let publisher = publish(&server, "cam", Clip::Standard);
    comes_back_from(server, publisher, order, happens);
}

/// As [`comes_back`], whatever makes the stream `cam`. Gives back the server, and what makes the stream now.
#[track_caller]
pub(crate) fn comes_back_from<P>(
    server: Server,
    publisher: P,
    order: &str,
    happens: impl FnOnce(Server, P, &dyn Fn(&str)) -> (Server, P),
) -> (Server, P) {
    let _place = limit::BROWSER.take();
    let path = format!("/LiveApp/play.html?id=cam&playOrder={order}");
    let page = follow(&server, &path, 0);
    let says = |what: &str| wait_line(&page, &[what]);
    says("moves");
    std::thread::sleep(seconds(3));
    let (server, publisher) = happens(server, publisher, &says);
    let marked = page.stdout.count(|_| true);
    // Whatever was still buffered is over after this: DASH has most, 7 s.
    std::thread::sleep(seconds(8));
    let moves = |line: &str| line.starts_with("moves");
    let settled = page.stdout.count(|_| true);
    let begun = Instant::now();
    let plays = loop {
        let all = page.stdout.text();
        let lately: Vec<&str> = all.lines().skip(settled).collect();
        let plays = lately
            .windows(4)
            .any(|lines| lines.iter().all(|line| moves(line)));
        if plays || begun.elapsed() > seconds(30) {
            break plays;
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    let all = page.stdout.text();
    assert!(
        plays,
        "it does not play again; what the page did after the publisher was back:\n{}\n{}",
        all.lines().skip(marked).collect::<Vec<_>>().join("\n"),
        page.stderr.text()
    );
    assert_eq!(page.stderr.text(), "");
    (server, publisher)
}

/// Prints every second whether the picture `moves` or `stands still`, and what the page says. Arguments: the page,
/// for how many seconds all datagrams of WebRTC are lost, and `listen` where it shall tell whether sound is heard.
const WATCH: &str = r"
import { withPage, sleep } from './lib.mjs';
import { installMeter } from './meter.mjs';
import { relay } from './relay.mjs';
const [url, seconds, listen] = process.argv.slice(-3);
await withPage({}, async (page, errors) => {
  const until = Date.now() + Number(seconds) * 1000;
  if (until > Date.now()) await relay(page, () => (Date.now() < until ? 1 : 0));
  if (listen) await page.addInitScript(installMeter);
  await page.goto(url);
  await page.evaluate(() => { window.neverLoadedAgain = true; });
  let before;
  for (;;) {
    await sleep(1000);
    const now = await page.evaluate(async () => {
      const meter = window.millstreamMeter;
      const video = document.querySelector('video');
      const rms = meter?.sample()?.audioRms ?? 0;
      meter?.reset();
      const energy = (await meter?.received())?.audio?.totalAudioEnergy ?? 0;
      return {
        rms,
        energy,
        time: video?.currentTime ?? 0,
        frames: video?.getVideoPlaybackQuality().totalVideoFrames ?? 0,
        buffered: video?.buffered.length ? video.buffered.end(video.buffered.length - 1) : null,
        kept: window.neverLoadedAgain === true,
        player: document.documentElement.dataset.player,
        passedOver: document.documentElement.dataset.passedOver,
        words: document.body.innerText.replaceAll('\n', ' '),
      };
    });
    // Another player in the same page counts from zero again.
    const moves = before !== undefined && now.frames > 0 && now.frames !== before.frames && now.time !== before.time;
    // What comes out, and for WebRTC what is decoded.
    now.heard = now.rms > 0.001 || (before !== undefined && now.energy > before.energy);
    before = now;
    console.log(`${moves ? 'moves' : 'stands still'} ${JSON.stringify(now)}`);
    if (!now.kept) throw new Error('the page was loaded again');
    if (errors.length > 0) throw new Error(`the page logged an error: ${errors[0]}`);
  }
});
";

/// Pauses each of the pages for twelve seconds, and prints how far behind they were: before, after, when the page has been
/// out of sight, and at the live edge again.
const PAUSE: &str = r"
import { withPage, sleep } from './lib.mjs';
const urls = process.argv.slice(-2);
const latency = (page) => page.evaluate(() => Number(document.documentElement.dataset.latency));
const pause = async (page, url) => {
  await page.goto(url);
  await page.waitForFunction(() => document.documentElement.dataset.state === 'playing');
  await sleep(4000);
  const found = [await latency(page)];
  await page.evaluate(() => document.querySelector('video').pause());
  await sleep(12000);
  await page.evaluate(() => document.querySelector('video').play());
  await sleep(3000);
  found.push(await latency(page));
  await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
  await sleep(2000);
  found.push(await latency(page));
  await page.click('#live');
  await page.waitForFunction((most) => Number(document.documentElement.dataset.latency) < most, found[0] + 4);
  found.push(await latency(page));
  return found;
};
await withPage({}, async (first, errors) => {
  const second = await first.context().newPage();
  const found = await Promise.all([first, second].map((page, at) => pause(page, urls[at])));
  if (errors.length > 0) throw new Error(`the page logged an error: ${errors[0]}`);
  console.log(JSON.stringify(found));
});
";

#[test]
fn who_pauses_goes_on_from_there_until_the_live_edge_is_asked_for() {
    let server = Server::with(&["--set", "segments.window=1m"]);
    let _place = limit::BROWSER.take();
    let _publisher = publish(&server, "cam", Clip::Standard);
    let mut script = node(&server);
    script.args(["--input-type=module", "--eval", PAUSE]);
    for order in ["hls", "dash"] {
        script.arg(server.url(&format!("/LiveApp/play.html?id=cam&playOrder={order}")));
    }
    let finished = Peer::start(&mut script).finish(seconds(90));
    let (out, errors) = (&finished.stdout, &finished.stderr);
    assert!(finished.status.success(), "{out}\n{errors}");
    let found: Vec<[f64; 4]> = serde_json::from_str(out).unwrap();
    for [before, after, seen_again, live] in found {
        let expected = before + 8.0..before + 16.0;
        assert!(expected.contains(&after), "{out}");
        assert!(expected.contains(&seen_again), "{out}");
        assert!(live < before + 4.0, "{out}");
    }
}

/// Plays a page and gives what was seen.
#[track_caller]
pub(crate) fn watch(server: &Server, path: &str, more: &[&str]) -> Value {
    let _place = limit::BROWSER.take();
    let player = Peer::start(&mut play(server, path, more));
    judge(server, player.finish(seconds(60)))
}

/// The same for so many seconds, however many.
#[track_caller]
pub(crate) fn watch_for(server: &Server, path: &str, length: u32, more: &[&str]) -> Value {
    let _place = limit::BROWSER.take();
    let text = length.to_string();
    let arguments = [&["--seconds", &text], more].concat();
    let player = Peer::start(&mut play(server, path, &arguments));
    judge(server, player.finish(seconds(u64::from(length) + 60)))
}

/// Waits for a text to be shown on a page.
#[track_caller]
fn expect(server: &Server, path: &str, text: &str) -> Value {
    watch(server, path, &["--expect-text", text])
}

#[track_caller]
fn judge(server: &Server, finished: Finished) -> Value {
    let Finished {
        what,
        status,
        stdout,
        stderr,
    } = finished;
    if status.success() {
        return serde_json::from_str(&stdout).unwrap();
    }
    // The folder goes with the server; what is to be looked at stays.
    let kept =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("failed-{}.png", std::process::id()));
    let shot = match std::fs::copy(screenshot(server), &kept) {
        Ok(_) => format!("screenshot: {}", kept.display()),
        Err(error) => format!("no screenshot: {error}"),
    };
    panic!("{what}\n{stdout}\n{stderr}\n{shot}");
}

fn play(server: &Server, path: &str, more: &[&str]) -> Command {
    let mut node = node(server);
    node.args(["play.mjs", "--url", &server.url(path)])
        .arg("--screenshot")
        .arg(screenshot(server))
        .args(more);
    node
}

/// Node in the folder of the checks, with the browser that they shall use.
pub(crate) fn node(server: &Server) -> Command {
    assert!(
        folder().join("node_modules/playwright-core").is_dir(),
        "playwright-core is not installed; `cargo xtask setup` installs it"
    );
    let mut node = tool("node");
    node.current_dir(folder())
        .env("MILLSTREAM_CHROMIUM", browser())
        .env("TMPDIR", server.folder());
    node
}

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser")
}

fn screenshot(server: &Server) -> PathBuf {
    server.folder().join("page.png")
}
