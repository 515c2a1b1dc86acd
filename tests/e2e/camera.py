"""A camera: GStreamer's RTSP server with a test picture and a tone.

    camera.py PORT VIDEO AUDIO [USER PASSWORD [digest|basic]]

VIDEO is h264, h265, one of them with B-frames (h264-b, h264-pyramid, h265-b), h264-small (a smaller picture), vp8, vp9,
jpeg, or ts (a transport stream of H.264 and AAC);
AUDIO is aac, aac-44 (at 44.1 kHz), latm, pcma, pcmu, opus, g722, g726, l16, mp3, ac3, speex, klv=FILE (not sound) or
none. Where VIDEO is the path of an FLV file, that is
sent with its sound; where it is record=FILE, it is no camera, but takes H.264 and AAC from a publisher and writes them
there as Matroska. It serves rtsp://127.0.0.1:PORT/cam, or at CAMERA_ADDRESS, asks for authentication (Digest,
unless Basic is said) where a user is given, and prints "ready" when it listens, "play" when somebody begins to
watch, and "closed" when a connection is over. Port 0 takes a free one, which is printed behind the first word.
With CAMERA_TLS=CERTIFICATE,KEY it speaks TLS alone; with CAMERA_GROUP=ADDRESS it sends to groups from that one on;
with CAMERA_DATAGRAMS=1 packets go in datagrams alone. With CAMERA_SPEAKER=CODEC,FILE it plays what is said to it in CODEC
(pcmu, pcma, aac-RATE): its samples, 16 bits little-endian and mono, are appended to FILE, and each who begins to talk or watch has a
medium of its own.
"""

import os
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gio, GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

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
    "vp8": "vp8enc deadline=1 keyframe-max-dist=25 ! rtpvp8pay name=pay0 pt=96",
    "vp9": "vp9enc deadline=1 cpu-used=8 keyframe-max-dist=25 ! rtpvp9pay name=pay0 pt=96",
    "jpeg": "jpegenc ! rtpjpegpay name=pay0",
    "ts": "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=25 ! h264parse config-interval=-1 "
    "! mpegtsmux name=mux ! rtpmp2tpay name=pay0 "
    "audiotestsrc is-live=true ! audio/x-raw,rate=48000,channels=2 ! avenc_aac ! aacparse ! mux.",
    "h265": "x265enc tune=zerolatency speed-preset=ultrafast key-int-max=25 "
    "! rtph265pay name=pay0 pt=96 config-interval=-1",
}
AUDIO = {
    "aac": "audio/x-raw,rate=48000,channels=2 ! avenc_aac ! aacparse ! rtpmp4gpay name=pay1 pt=97",
    "aac-44": "audio/x-raw,rate=44100,channels=2 ! avenc_aac ! aacparse ! rtpmp4gpay name=pay1 pt=97",
    "latm": "audio/x-raw,rate=48000,channels=2 ! avenc_aac ! aacparse ! rtpmp4apay name=pay1 pt=97",
    "g722": "audio/x-raw,rate=16000,channels=1 ! avenc_g722 ! rtpg722pay name=pay1",
    "g726": "audio/x-raw,rate=8000,channels=1 ! avenc_g726 bitrate=32000 ! rtpg726pay name=pay1 pt=97",
    "l16": "audio/x-raw,rate=44100,channels=2 ! audioconvert ! rtpL16pay name=pay1",
    "mp3": "audio/x-raw,rate=44100,channels=2 ! lamemp3enc ! mpegaudioparse ! rtpmpapay name=pay1",
    "ac3": "audio/x-raw,rate=48000,channels=2 ! avenc_ac3 ! ac3parse ! rtpac3pay name=pay1 pt=97",
    "pcma": "audio/x-raw,rate=8000,channels=1 ! alawenc ! rtppcmapay name=pay1",
    "pcmu": "audio/x-raw,rate=8000,channels=1 ! mulawenc ! rtppcmupay name=pay1",
    "opus": "audio/x-raw,rate=48000,channels=2 ! opusenc ! rtpopuspay name=pay1 pt=97",
    "speex": "audio/x-raw,rate=16000,channels=1 ! speexenc ! rtpspeexpay name=pay1 pt=97",
}
SPEAKER = {
    "pcmu": "application/x-rtp,media=audio,payload=0,clock-rate=8000,encoding-name=PCMU ! rtppcmudepay ! mulawdec",
    "pcma": "application/x-rtp,media=audio,payload=8,clock-rate=8000,encoding-name=PCMA ! rtppcmadepay ! alawdec",
    "g722": "application/x-rtp,media=audio,payload=9,clock-rate=8000,encoding-name=G722 ! rtpg722depay ! avdec_g722",
}
AAC_INDEX = {"48000": 3, "44100": 4, "22050": 7, "16000": 8, "8000": 11}


def loudspeaker(codec, path):
    """What becomes of what is said, as the factory takes it."""
    if codec.startswith("aac-"):
        rate = codec[4:]
        # Object type 2, the rate, one channel (ISO/IEC 14496-3 clause 1.6.2.1).
        config = f"{2 << 11 | AAC_INDEX[rate] << 7 | 1 << 3:04x}"
        caps, rest = (
            f"application/x-rtp,media=audio,payload=97,clock-rate={rate},encoding-name=MPEG4-GENERIC,"
            "streamtype=(string)5,profile-level-id=(string)1,mode=(string)AAC-hbr,sizelength=(string)13,"
            f"indexlength=(string)3,indexdeltalength=(string)3,config=(string){config}",
            "rtpmp4gdepay ! aacparse ! avdec_aac",
        )
    else:
        caps, rest = SPEAKER[codec].split(" ! ", 1)
    return (
        f'( capsfilter caps="{caps}" name=depay_backchannel ! {rest} ! audioconvert ! audio/x-raw,format=S16LE,channels=1 '
        f"! filesink location={path} append=true buffer-mode=unbuffered async=false sync=false )"
    )


def launch(video, audio):
    """The pipeline, as a media factory takes it."""
    if video.startswith("record="):
        return (
            "( rtph264depay name=depay0 ! h264parse ! queue ! matroskamux name=mux streamable=true ! filesink async=false location="
            + video[7:] + " rtpmp4gdepay name=depay1 ! aacparse ! queue ! mux. )"
        )
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
    if audio.startswith("klv="):
        parts.append(
            "multifilesrc location=" + audio[4:] + " loop=true caps=meta/x-klv,parsed=true do-timestamp=true "
            "! identity sleep-time=100000 ! rtpklvpay name=pay1 pt=98"
        )
    elif audio != "none":
        parts.append("audiotestsrc is-live=true freq=440 ! audioconvert ! audioresample ! " + AUDIO[audio])
    return "( " + " ".join(parts) + " )"


def on_client(_server, client):
    """Tells who comes and goes."""
    client.connect("play-request", lambda *_: print("play", flush=True))
    client.connect("record-request", lambda *_: print("record", flush=True))
    client.connect("closed", lambda *_: print("closed", flush=True))


def allow(auth, factory, give):
    """Lets those watch who are given the token, or everybody."""
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    (give or auth.set_default_token)(token)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role("viewer", "media.factory.access", True)
    permissions.add_permission_for_role("viewer", "media.factory.construct", True)
    factory.set_permissions(permissions)


def main():
    port, video, audio = sys.argv[1:4]
    Gst.init(None)
    speaker = os.environ.get("CAMERA_SPEAKER")
    server = GstRtspServer.RTSPOnvifServer() if speaker else GstRtspServer.RTSPServer.new()
    server.set_address(os.environ.get("CAMERA_ADDRESS", "127.0.0.1"))
    server.set_service(port)
    factory = GstRtspServer.RTSPOnvifMediaFactory.new() if speaker else GstRtspServer.RTSPMediaFactory.new()
    pipeline = launch(video, audio)
    if speaker:
        # GStreamer takes it for an error of a medium that nobody asked for its pictures.
        pipeline = pipeline.replace("! rtph264pay", "! errorignore ignore-error=false ignore-notlinked=true convert-to=ok ! rtph264pay")
    factory.set_launch(pipeline)
    factory.set_shared(not speaker)
    if speaker:
        factory.set_backchannel_launch(loudspeaker(*speaker.split(",", 1)))
        factory.set_media_gtype(GstRtspServer.RTSPOnvifMedia)
    if video.startswith("record="):
        factory.set_transport_mode(GstRtspServer.RTSPTransportMode.RECORD)
    if "CAMERA_DATAGRAMS" in os.environ:
        factory.set_protocols(GstRtsp.RTSPLowerTrans.UDP)
    if "CAMERA_GROUP" in os.environ:
        first = os.environ["CAMERA_GROUP"]
        pool = GstRtspServer.RTSPAddressPool.new()
        pool.add_range(first, first.rsplit(".", 1)[0] + ".250", 5000, 5100, 1)
        factory.set_address_pool(pool)
        factory.set_protocols(GstRtsp.RTSPLowerTrans.UDP_MCAST)
    if "CAMERA_TLS" in os.environ:
        auth = GstRtspServer.RTSPAuth.new()
        auth.set_tls_certificate(Gio.TlsCertificate.new_from_files(*os.environ["CAMERA_TLS"].split(",")))
        server.set_auth(auth)
        allow(auth, factory, None)
    if len(sys.argv) > 4:
        user, password = sys.argv[4:6]
        auth = GstRtspServer.RTSPAuth.new()
        if sys.argv[6:] == ["basic"]:
            auth.set_supported_methods(GstRtsp.RTSPAuthMethod.BASIC)
            allow(auth, factory, lambda token: auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token))
        else:
            auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
            allow(auth, factory, lambda token: auth.add_digest(user, password, token))
        server.set_auth(auth)
    server.get_mount_points().add_factory("/cam", factory)
    server.connect("client-connected", on_client)
    if server.attach(None) == 0:
        sys.exit("cannot listen on port " + port)
    print("ready", server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


main()
