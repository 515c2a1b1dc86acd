"""A camera: GStreamer's RTSP server with a test picture and a tone.

    camera.py PORT VIDEO AUDIO [USER PASSWORD [digest|basic]]

VIDEO is h264, h265, one of them with B-frames (h264-b, h264-pyramid, h265-b), or h264-small (a smaller picture);
AUDIO is aac, aac-44 (at 44.1 kHz), pcma, pcmu, opus, speex or none. Where VIDEO is the path of an FLV file, that is
sent with its sound. It serves rtsp://127.0.0.1:PORT/cam, or at CAMERA_ADDRESS, asks for authentication (Digest,
unless Basic is said) where a user is given, and prints "ready" when it listens, "play" when somebody begins to
watch, and "closed" when a connection is over. Port 0 takes a free one, which is printed behind the first word.
"""

import os
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

VIDEO = {
    "h264": "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=25 "
    "! rtph264pay name=pay0 pt=96 config-interval=-1",
    "h264-b": "x264enc speed-preset=veryfast bframes=2 b-adapt=false key-int-max=24 "
    "! video/x-h264,profile=main ! rtph264pay name=pay0 pt=96 config-interval=-1",
    "h264-pyramid": "x264enc speed-preset=veryfast bframes=3 b-adapt=false b-pyramid=true key-int-max=24 "
    "! video/x-h264,profile=high ! rtph264pay name=pay0 pt=96 config-interval=-1",
    "h265-b": "x265enc speed-preset=ultrafast key-int-max=24 option-string=bframes=3:b-adapt=0:open-gop=0 "
    "! rtph265pay name=pay0 pt=96 config-interval=-1",
    "h264-small": "videoscale ! video/x-raw,width=160,height=120 "
    "! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=25 "
    "! rtph264pay name=pay0 pt=96 config-interval=-1",
    "h265": "x265enc tune=zerolatency speed-preset=ultrafast key-int-max=25 "
    "! rtph265pay name=pay0 pt=96 config-interval=-1",
}
AUDIO = {
    "aac": "audio/x-raw,rate=48000,channels=2 ! avenc_aac ! aacparse ! rtpmp4gpay name=pay1 pt=97",
    "aac-44": "audio/x-raw,rate=44100,channels=2 ! avenc_aac ! aacparse ! rtpmp4gpay name=pay1 pt=97",
    "pcma": "audio/x-raw,rate=8000,channels=1 ! alawenc ! rtppcmapay name=pay1",
    "pcmu": "audio/x-raw,rate=8000,channels=1 ! mulawenc ! rtppcmupay name=pay1",
    "opus": "audio/x-raw,rate=48000,channels=2 ! opusenc ! rtpopuspay name=pay1 pt=97",
    "speex": "audio/x-raw,rate=16000,channels=1 ! speexenc ! rtpspeexpay name=pay1 pt=97",
}


def launch(video, audio):
    """The pipeline, as a media factory takes it."""
    if "/" in video:
        return (
            "( filesrc location=" + video + " ! flvdemux name=file "
            "file.video ! queue ! h264parse ! rtph264pay name=pay0 pt=96 config-interval=-1 "
            "file.audio ! queue ! aacparse ! rtpmp4gpay name=pay1 pt=97 )"
        )
    parts = [
        "videotestsrc is-live=true pattern=ball "
        "! video/x-raw,format=I420,width=320,height=240,framerate=25/1 ! " + VIDEO[video]
    ]
    if audio != "none":
        parts.append("audiotestsrc is-live=true freq=440 ! audioconvert ! audioresample ! " + AUDIO[audio])
    return "( " + " ".join(parts) + " )"


def on_client(_server, client):
    """Tells who comes and goes."""
    client.connect("play-request", lambda *_: print("play", flush=True))
    client.connect("closed", lambda *_: print("closed", flush=True))


def main():
    port, video, audio = sys.argv[1:4]
    Gst.init(None)
    server = GstRtspServer.RTSPServer.new()
    server.set_address(os.environ.get("CAMERA_ADDRESS", "127.0.0.1"))
    server.set_service(port)
    factory = GstRtspServer.RTSPMediaFactory.new()
    factory.set_launch(launch(video, audio))
    factory.set_shared(True)
    if len(sys.argv) > 4:
        user, password = sys.argv[4:6]
        auth = GstRtspServer.RTSPAuth.new()
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "viewer")
        if sys.argv[6:] == ["basic"]:
            auth.set_supported_methods(GstRtsp.RTSPAuthMethod.BASIC)
            auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
        else:
            auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
            auth.add_digest(user, password, token)
        server.set_auth(auth)
        permissions = GstRtspServer.RTSPPermissions()
        permissions.add_permission_for_role("viewer", "media.factory.access", True)
        permissions.add_permission_for_role("viewer", "media.factory.construct", True)
        factory.set_permissions(permissions)
    server.get_mount_points().add_factory("/cam", factory)
    server.connect("client-connected", on_client)
    if server.attach(None) == 0:
        sys.exit("cannot listen on port " + port)
    print("ready", server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


main()
