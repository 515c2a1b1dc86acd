"""WebRTC by a stack that nobody here wrote: aiortc, as a player, a publisher, and a server for both.

    aiortc_peer.py FOLDER play URL SECONDS
    aiortc_peer.py FOLDER publish URL SECONDS CLIP
    aiortc_peer.py FOLDER serve SECONDS CLIP

FOLDER is where aiortc is installed. `play` asks a WHEP endpoint and prints what it has decoded; `publish` sends CLIP, again
and again, to a WHIP endpoint. `serve` is a server for one session: it prints "ready PORT", plays CLIP to who comes by
WHEP (/whep), and decodes what comes by WHIP (/whip), with the token "word". They
print "seen" once they have decoded 60 pictures, and a line of JSON at the end.
"""

import asyncio
import hashlib
import json
import sys
import urllib.parse
import urllib.request

sys.path.insert(0, sys.argv[1])

from aiortc import RTCPeerConnection, RTCSessionDescription  # noqa: E402
from aiortc.contrib.media import MediaPlayer  # noqa: E402
from aiortc.mediastreams import MediaStreamError  # noqa: E402


class Seen:
    """What was decoded."""

    def __init__(self):
        self.pictures, self.samples, self.peak = 0, 0, 0
        self.distinct = set()
        self.tasks = []

    def watch(self, peer):
        @peer.on("track")
        def on_track(track):
            self.tasks.append(asyncio.ensure_future(self.take(track)))

    async def take(self, track):
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            plane = bytes(frame.planes[0])
            if track.kind == "video":
                self.pictures += 1
                self.distinct.add(hashlib.md5(plane).digest())
                if self.pictures == 60:
                    print("seen", flush=True)
            else:
                self.samples += frame.samples
                self.peak = max(self.peak, max(memoryview(plane).cast("h"), default=0))

    def facts(self):
        return {
            "pictures": self.pictures,
            "distinct": len(self.distinct),
            "samples": self.samples,
            "peak": self.peak,
        }


def ask(url, method, body=None):
    request = urllib.request.Request(url, body, {"Content-Type": "application/sdp"}, method=method)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.read().decode(), answer.headers.get("Location"), answer.url


async def call(peer, url, seconds):
    await peer.setLocalDescription(await peer.createOffer())
    loop = asyncio.get_running_loop()
    offer = peer.localDescription.sdp.encode()
    sdp, place, base = await loop.run_in_executor(None, ask, url, "POST", offer)
    await peer.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
    await asyncio.sleep(seconds)
    await loop.run_in_executor(None, ask, urllib.parse.urljoin(base, place), "DELETE")
    await peer.close()


async def play(url, seconds):
    peer, seen = RTCPeerConnection(), Seen()
    seen.watch(peer)
    peer.addTransceiver("video", direction="recvonly")
    peer.addTransceiver("audio", direction="recvonly")
    await call(peer, url, float(seconds))
    print(json.dumps(seen.facts()), flush=True)


def add_clip(peer, clip):
    player = MediaPlayer(clip, loop=True)
    for track in (player.video, player.audio):
        if track:
            peer.addTrack(track)
    return player


async def publish(url, seconds, clip):
    peer = RTCPeerConnection()
    player = add_clip(peer, clip)
    await call(peer, url, float(seconds))
    del player
    print(json.dumps({"state": peer.iceConnectionState}), flush=True)


async def serve(seconds, clip):
    seen, over, kept = Seen(), asyncio.Event(), []

    async def begin(path, offer):
        peer = RTCPeerConnection()
        kept.append(peer)
        if path == "/whep":
            kept.append(add_clip(peer, clip))
        else:
            seen.watch(peer)
        await peer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await peer.setLocalDescription(await peer.createAnswer())
        return peer.localDescription.sdp

    async def answer(reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line, *fields = head.split("\r\n")
        method, path, _ = line.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
        body = (await reader.readexactly(int(headers.get("content-length", 0)))).decode()
        status, extra = "200 OK", ""
        if method == "DELETE":
            over.set()
            body = ""
        elif headers.get("authorization") != "Bearer word":
            status, body = "401 Unauthorized", "a token is wanted"
        else:
            status, body = "201 Created", await begin(path, body)
            extra = f"Location: {path}/session\r\nContent-Type: application/sdp\r\n"
        writer.write(f"HTTP/1.1 {status}\r\n{extra}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print("ready", server.sockets[0].getsockname()[1], flush=True)
    try:
        await asyncio.wait_for(over.wait(), float(seconds))
    except asyncio.TimeoutError:
        pass
    for peer in kept:
        if isinstance(peer, RTCPeerConnection):
            await peer.close()
    print(json.dumps({**seen.facts(), "deleted": over.is_set()}), flush=True)


if __name__ == "__main__":
    what, *arguments = sys.argv[2:]
    asyncio.run({"play": play, "publish": publish, "serve": serve}[what](*arguments))
