"""A player: GStreamer's RTSP source and decoders.

    player.py URL [PROPERTY=VALUE...]

Plays until 60 pictures and 60 buffers of sound have been decoded, and ends well then. The properties are those of
rtspsrc. (`gst-launch-1.0` links the pads of a source by two threads at once, and now and then forgets one.)
"""

import sys
import threading

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst  # noqa: E402

COUNT = 60
DECODERS = {
    "video": "rtph264depay ! h264parse ! avdec_h264",
    "audio": "rtpmp4gdepay ! aacparse ! avdec_aac",
}


def main():
    Gst.init(None)
    loop = GLib.MainLoop()
    pipeline = Gst.Pipeline.new(None)
    source = Gst.ElementFactory.make("rtspsrc", None)
    source.set_property("location", sys.argv[1])
    for argument in sys.argv[2:]:
        name, value = argument.split("=", 1)
        Gst.util_set_object_arg(source, name, value)
    pipeline.add(source)
    lock = threading.Lock()
    counts = dict.fromkeys(DECODERS, 0)

    def decoded(_pad, _info, kind):
        with lock:
            counts[kind] += 1
            if min(counts.values()) >= COUNT:
                GLib.idle_add(loop.quit)
        return Gst.PadProbeReturn.OK

    def added(_source, pad):
        kind = pad.get_current_caps().get_structure(0).get_string("media")
        with lock:
            branch = Gst.parse_bin_from_description(
                DECODERS[kind] + " ! fakesink name=sink sync=false async=false", True
            )
            pipeline.add(branch)
            branch.sync_state_with_parent()
            sink = branch.get_by_name("sink").get_static_pad("sink")
            sink.add_probe(Gst.PadProbeType.BUFFER, decoded, kind)
            pad.link(branch.get_static_pad("sink"))

    def failed(_bus, message):
        error, detail = message.parse_error()
        print(error.message, detail, counts, file=sys.stderr)
        sys.exit(1)

    source.connect("pad-added", added)
    bus = pipeline.get_bus()
    bus.add_signal_watch()
    bus.connect("message::error", failed)
    pipeline.set_state(Gst.State.PLAYING)
    loop.run()
    pipeline.set_state(Gst.State.NULL)


main()
