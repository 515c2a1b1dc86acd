"""A WHIP publisher that is no browser: GStreamer's webrtcbin, with libnice, OpenSSL and libsrtp.

    whip.py URL SECONDS CODEC [TOKEN]

Publishes a moving picture in CODEC (h264, vp8, vp9) and a tone to URL, for so many seconds from the connection on, and
prints a line of JSON: the status of each request.
"""

import json
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

CODECS = {
    "h264": "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=30 bitrate=600 ! video/x-h264,profile=baseline"
    " ! rtph264pay config-interval=-1 aggregate-mode=zero-latency"
    " ! application/x-rtp,media=video,encoding-name=H264,payload=96",
    "vp8": "vp8enc deadline=1 cpu-used=8 keyframe-max-dist=30 target-bitrate=600000 ! rtpvp8pay"
    " ! application/x-rtp,media=video,encoding-name=VP8,payload=96",
    "vp9": "vp9enc deadline=1 cpu-used=8 keyframe-max-dist=30 target-bitrate=600000 ! rtpvp9pay"
    " ! application/x-rtp,media=video,encoding-name=VP9,payload=96",
}
PIPELINE = """
    webrtcbin name=peer bundle-policy=max-bundle
    videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=30/1 ! queue ! %s ! peer.
    audiotestsrc is-live=true freq=440 ! audioconvert ! audioresample ! audio/x-raw,rate=48000,channels=2 ! queue
        ! opusenc ! rtpopuspay ! application/x-rtp,media=audio,encoding-name=OPUS,payload=97 ! peer.
"""
LIMIT = 30


class Publisher:
    """One session."""

    def __init__(self, url, seconds, codec, token):
        self.url = url
        self.seconds = seconds
        self.headers = {"Authorization": "Bearer " + token} if token else {}
        self.resource = None
        self.statuses = []
        self.loop = GLib.MainLoop()
        self.pipeline = Gst.parse_launch(PIPELINE % CODECS[codec])
        self.peer = self.pipeline.get_by_name("peer")
        # It leaves out the loopback interface unless told otherwise. The agent has to be kept.
        self.ice = self.peer.get_property("ice-agent")
        self.ice.emit("add-local-ip-address", "127.0.0.1")
        self.peer.connect("on-negotiation-needed", self.offer)
        self.peer.connect("notify::ice-gathering-state", lambda *_: self.post())
        self.peer.connect("notify::connection-state", lambda *_: self.changed())

    def run(self):
        self.limit = GLib.timeout_add_seconds(LIMIT, self.loop.quit)
        self.pipeline.set_state(Gst.State.PLAYING)
        self.loop.run()
        if self.resource:
            self.ask(urllib.request.Request(self.resource, headers=self.headers, method="DELETE"))
        self.pipeline.set_state(Gst.State.NULL)

    def connected(self):
        return self.peer.get_property("connection-state") == GstWebRTC.WebRTCPeerConnectionState.CONNECTED

    def changed(self):
        if self.connected():
            print("live", flush=True)
            GLib.source_remove(self.limit)
            GLib.timeout_add_seconds(self.seconds, self.loop.quit)

    def offer(self, _):
        def made(promise, *_):
            promise.wait()
            reply = promise.get_reply()
            offer = reply.get_value("offer")
            self.peer.emit("set-local-description", offer, Gst.Promise.new())

        for index in range(2):
            transceiver = self.peer.emit("get-transceiver", index)
            transceiver.set_property("direction", GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY)
            transceiver.set_property("do-nack", True)
        self.peer.emit("create-offer", None, Gst.Promise.new_with_change_func(made))

    def post(self):
        """Once all candidates are in the offer: it goes to the server in a thread that may wait."""
        complete = GstWebRTC.WebRTCICEGatheringState.COMPLETE
        if self.resource is None and self.peer.get_property("ice-gathering-state") == complete:
            self.resource = ""
            threading.Thread(target=self.exchange).start()

    def ask(self, request):
        try:
            with urllib.request.urlopen(request) as response:
                self.statuses.append(response.status)
                return response.headers, response.read()
        except urllib.error.HTTPError as refused:
            self.statuses.append(refused.code)
            self.loop.quit()
            return None, refused.read()

    def exchange(self):
        text = self.peer.get_property("local-description").sdp.as_text()
        headers = {"Content-Type": "application/sdp", **self.headers}
        headers, answer = self.ask(urllib.request.Request(self.url, text.encode(), headers, method="POST"))
        if headers is None:
            return
        self.resource = urllib.parse.urljoin(self.url, headers["Location"])
        _, message = GstSdp.SDPMessage.new()
        GstSdp.sdp_message_parse_buffer(answer, message)
        answer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, message)
        self.peer.emit("set-remote-description", answer, Gst.Promise.new())


def main():
    Gst.init(None)
    publisher = Publisher(sys.argv[1], int(sys.argv[2]), sys.argv[3], "".join(sys.argv[4:]))
    publisher.run()
    print(json.dumps(publisher.statuses))


main()
