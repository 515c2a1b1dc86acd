"""A WHEP player that is no browser: GStreamer's webrtcbin, with libnice, OpenSSL and libsrtp.

    whep.py URL SECONDS [ask]

Plays URL for so many seconds from the first picture on, decodes it, and prints a line of JSON: pictures, distinct pictures,
samples of sound, and the loudest of them. With "ask" it asks for a key frame (RFC 4585 section 6.3.1) twice a second.
"""

import json
import sys
import threading
import urllib.parse
import urllib.request
import zlib
from array import array

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstVideo", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstVideo, GstWebRTC  # noqa: E402

CAPS = {
    "video": "application/x-rtp,media=video,encoding-name=H264,payload=96,clock-rate=90000,"
    "packetization-mode=(string)1,profile-level-id=(string)42e01f,rtcp-fb-nack=true,rtcp-fb-nack-pli=true",
    "audio": "application/x-rtp,media=audio,encoding-name=OPUS,payload=97,clock-rate=48000,encoding-params=(string)2",
}
DECODERS = {
    "video": "rtph264depay ! avdec_h264 ! videoconvert ! video/x-raw,format=I420",
    "audio": "rtpopusdepay ! opusdec ! audioconvert ! audio/x-raw,format=S16LE,channels=1",
}
LIMIT = 30


class Player:
    """One session."""

    def __init__(self, url, seconds, asks):
        self.url = url
        self.asks = asks
        self.seconds = seconds
        self.resource = None
        self.sums = []
        self.samples = 0
        self.peak = 0
        self.loop = GLib.MainLoop()
        self.pipeline = Gst.Pipeline()
        self.peer = Gst.ElementFactory.make("webrtcbin")
        self.peer.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
        # It leaves out the loopback interface unless told otherwise. The agent has to be kept.
        self.ice = self.peer.get_property("ice-agent")
        self.ice.emit("add-local-ip-address", "127.0.0.1")
        self.pipeline.add(self.peer)
        self.peer.connect("pad-added", self.show)
        self.peer.connect("on-negotiation-needed", self.offer)
        self.peer.connect("notify::ice-gathering-state", lambda *_: self.post())
        for caps in CAPS.values():
            direction = GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY
            self.peer.emit("add-transceiver", direction, Gst.Caps.from_string(caps))

    def run(self):
        GLib.timeout_add_seconds(LIMIT, self.give_up)
        self.pipeline.set_state(Gst.State.PLAYING)
        self.loop.run()
        if self.resource:
            urllib.request.urlopen(urllib.request.Request(self.resource, method="DELETE"))
        self.pipeline.set_state(Gst.State.NULL)

    def give_up(self):
        if not self.sums:
            sys.exit("nothing to see within %d s" % LIMIT)

    def offer(self, _):
        def made(promise, *_):
            promise.wait()
            reply = promise.get_reply()
            offer = reply.get_value("offer")
            self.peer.emit("set-local-description", offer, Gst.Promise.new())

        self.peer.emit("create-offer", None, Gst.Promise.new_with_change_func(made))

    def post(self):
        """Once all candidates are in the offer: it goes to the server in a thread that may wait."""
        complete = GstWebRTC.WebRTCICEGatheringState.COMPLETE
        if self.resource is None and self.peer.get_property("ice-gathering-state") == complete:
            self.resource = ""
            threading.Thread(target=self.exchange).start()

    def exchange(self):
        text = self.peer.get_property("local-description").sdp.as_text()
        headers = {"Content-Type": "application/sdp"}
        request = urllib.request.Request(self.url, text.encode(), headers, method="POST")
        with urllib.request.urlopen(request) as response:
            self.resource = urllib.parse.urljoin(self.url, response.headers["Location"])
            answer = response.read()
        _, message = GstSdp.SDPMessage.new()
        GstSdp.sdp_message_parse_buffer(answer, message)
        answer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, message)
        self.peer.emit("set-remote-description", answer, Gst.Promise.new())

    def show(self, _, pad):
        kind = pad.get_current_caps().get_structure(0).get_string("media")
        decoder = Gst.parse_bin_from_description(
            "queue ! %s ! fakesink name=sink sync=false signal-handoffs=true" % DECODERS[kind], True
        )
        sink = decoder.get_by_name("sink")
        sink.connect("handoff", self.picture if kind == "video" else self.sound)
        self.pipeline.add(decoder)
        decoder.sync_state_with_parent()
        pad.link(decoder.get_static_pad("sink"))
        if self.asks and kind == "video":
            GLib.timeout_add(500, self.ask, pad)

    def ask(self, pad):
        pad.send_event(GstVideo.video_event_new_upstream_force_key_unit(Gst.CLOCK_TIME_NONE, True, 0))
        return True

    def picture(self, _sink, buffer, _pad):
        if not self.sums:
            GLib.timeout_add_seconds(self.seconds, self.loop.quit)
        self.sums.append(zlib.crc32(buffer.extract_dup(0, buffer.get_size())))

    def sound(self, _sink, buffer, _pad):
        samples = array("h", buffer.extract_dup(0, buffer.get_size()))
        self.samples += len(samples)
        self.peak = max(self.peak, max(samples, default=0))


def main():
    Gst.init(None)
    player = Player(sys.argv[1], int(sys.argv[2]), sys.argv[3:] == ["ask"])
    player.run()
    print(
        json.dumps(
            {
                "pictures": len(player.sums),
                "distinct": len(set(player.sums)),
                "samples": player.samples,
                "peak": player.peak,
            }
        )
    )


main()
