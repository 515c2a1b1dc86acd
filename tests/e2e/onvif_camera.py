"""A camera that answers as real ones do, with what is odd about them.

    onvif_camera.py PORT RTSP_URL QUIRK…

It answers at 127.0.0.1:PORT (port 0 takes a free one), prints "ready PORT" when it listens, and each operation that it
has answered. User and password are admin and pass#1. Quirks:

    digest        takes Digest of HTTP alone (SHA-256), and answers 401 with a page
    md5           the same with MD5, as RFC 2069 had it
    open          asks nobody for a password
    ahead=SECONDS its clock, by which it judges the password, is so far ahead
    old           knows no GetServices
    faults        sends faults with status 200
    deaf          ignores Stop, and moves on until it is given the speed of nothing
    fast          knows only speeds, from -100 to 100
    tls=CERT,KEY  speaks HTTPS
    media2        has version 2 of the media service
    bare          has a third profile, which has no stream
    lost=NAME     does once what an operation says, and does not answer
    tokens=X      its profiles have tokens that end so
    addressed     tells subscriptions apart by a header alone
    slow          has something to tell after 2 s
"""

import base64
import datetime
import hashlib
import http.server
import re
import ssl
import sys
import time

USER, PASSWORD = "admin", "pass#1"
REALM, NONCE = "IP Camera(51)", "4e4449794f544d344d7a6f"
PORT, RTSP_URL, *QUIRKS = sys.argv[1:]
OPTIONS = dict(quirk.split("=", 1) for quirk in QUIRKS if "=" in quirk)
JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffd9")
SPACE = "http://www.onvif.org/ver10/tptz/PanTiltSpaces/VelocityGenericSpace"
moving = False


class Refusal(Exception):
    """A fault: its code and its words."""


def profiles():
    end = OPTIONS.get("tokens", "")
    yield from (("main" + end, 1920, 1080), ("sub" + end, 640, 360))
    if "bare" in QUIRKS:
        yield "bare", 0, 0


def now():
    ahead = datetime.timedelta(seconds=int(OPTIONS.get("ahead", 0)))
    return datetime.datetime.now(datetime.timezone.utc) + ahead


def text(body, tag):
    found = re.search(rf"<(?:\w+:)?{tag}(?:\s[^>]*)?>([^<]*)<", body)
    return found.group(1) if found else ""


def token_proves(body):
    created = text(body, "Created")
    if not created:
        return False
    made = datetime.datetime.fromisoformat(created.replace("Z", "+00:00"))
    digest = hashlib.sha1(base64.b64decode(text(body, "Nonce")) + created.encode() + PASSWORD.encode())
    right = base64.b64encode(digest.digest()).decode()
    is_near = abs((made - now()).total_seconds()) < 30
    return is_near and text(body, "Username") == USER and text(body, "Password") == right


def digest_proves(method, field):
    if not field.startswith("Digest "):
        return False
    found = {name: quoted or bare for name, quoted, bare in re.findall(r'(\w+)=(?:"([^"]*)"|([^,\s]*))', field)}
    kind = hashlib.md5 if "md5" in QUIRKS else hashlib.sha256
    hashed = lambda *parts: kind(":".join(parts).encode()).hexdigest()  # noqa: E731
    secret, request = hashed(USER, REALM, PASSWORD), hashed(method, found.get("uri", ""))
    counted = () if "md5" in QUIRKS else (found.get("nc", ""), found.get("cnonce", ""), "auth")
    right = hashed(secret, NONCE, *counted, request)
    return found.get("response") == right and found.get("username") == USER


def services():
    namespaces = {
        "device": "ver10/device",
        "media": "ver10/media",
        "ptz": "ver20/ptz",
        "imaging": "ver20/imaging",
        "events": "ver10/events",
    }
    if "media2" in QUIRKS:
        namespaces["media2"] = "ver20/media"
    return namespaces


def encoder(token, width, height):
    return (
        f'<tt:VideoEncoderConfiguration token="{token}"><tt:Name>e</tt:Name><tt:Encoding>H264</tt:Encoding>'
        f"<tt:Resolution><tt:Width>{width}</tt:Width><tt:Height>{height}</tt:Height></tt:Resolution>"
        "<tt:Quality>4</tt:Quality><tt:RateControl><tt:FrameRateLimit>25</tt:FrameRateLimit>"
        "<tt:BitrateLimit>2048</tt:BitrateLimit></tt:RateControl></tt:VideoEncoderConfiguration>"
    )


def answer(name, body):
    global moving
    base = f"http://192.168.255.9:{PORT}/onvif"
    token = text(body, "ProfileToken")
    if token and token not in [known for known, _, _ in profiles()]:
        raise Refusal("NoProfile", "The profile token does not exist")
    if name == "GetSystemDateAndTime":
        at = now()
        return (
            "<tds:SystemDateAndTime><tt:DateTimeType>NTP</tt:DateTimeType><tt:UTCDateTime><tt:Time>"
            f"<tt:Hour>{at.hour}</tt:Hour><tt:Minute>{at.minute}</tt:Minute><tt:Second>{at.second}</tt:Second>"
            f"</tt:Time><tt:Date><tt:Year>{at.year}</tt:Year><tt:Month>{at.month}</tt:Month>"
            f"<tt:Day>{at.day}</tt:Day></tt:Date></tt:UTCDateTime></tds:SystemDateAndTime>"
        )
    if name == "GetServices" and "old" not in QUIRKS:
        return "".join(
            f"<tds:Service><tds:Namespace>http://www.onvif.org/{space}/wsdl</tds:Namespace>"
            f"<tds:XAddr>{base}/{place}</tds:XAddr></tds:Service>"
            for place, space in services().items()
        )
    if name == "GetCapabilities":
        places = {"Device": "device", "Media": "media", "PTZ": "ptz", "Imaging": "imaging", "Events": "events"}
        return "<tds:Capabilities>" + "".join(
            f"<tt:{kind}><tt:XAddr>{base}/{place}</tt:XAddr></tt:{kind}>" for kind, place in places.items()
        ) + "</tds:Capabilities>"
    if name == "GetDeviceInformation":
        return (
            "<tds:Manufacturer>Acme &amp; Co</tds:Manufacturer><tds:Model>PTZ-1</tds:Model>"
            "<tds:FirmwareVersion>V5.5</tds:FirmwareVersion><tds:SerialNumber>1</tds:SerialNumber>"
        )
    if name == "GetProfiles" and "media2" in QUIRKS:
        return "".join(
            f'<tr2:Profiles token="{token}"><tr2:Name>{token}</tr2:Name><tr2:Configurations><tr2:VideoSource>'
            "<tt:SourceToken>V0</tt:SourceToken></tr2:VideoSource><tr2:VideoEncoder token='e'><tt:Encoding>H264"
            f"</tt:Encoding><tt:Resolution><tt:Width>{width}</tt:Width><tt:Height>{height}</tt:Height></tt:Resolution>"
            "</tr2:VideoEncoder><tr2:PTZ token='p0'/></tr2:Configurations></tr2:Profiles>"
            for token, width, height in profiles()
        )
    if name == "GetProfiles":
        return "".join(
            f'<trt:Profiles token="{token}"><tt:Name>{token}</tt:Name><tt:VideoSourceConfiguration>'
            f"<tt:SourceToken>V0</tt:SourceToken></tt:VideoSourceConfiguration>{encoder('e-' + token, width, height)}"
            '<tt:PTZConfiguration token="p0"/></trt:Profiles>'
            for token, width, height in profiles()
        )
    if name == "SetVideoEncoderConfiguration":
        print("encoder", text(body, "Width"), text(body, "Height"), text(body, "BitrateLimit"), flush=True)
        return ""
    if name == "GetNetworkInterfaces":
        return (
            '<tds:NetworkInterfaces token="eth0"><tt:Enabled>true</tt:Enabled><tt:Info><tt:Name>eth0</tt:Name>'
            "<tt:HwAddress>00:11:22:33:44:55</tt:HwAddress></tt:Info><tt:IPv4><tt:Enabled>true</tt:Enabled><tt:Config>"
            "<tt:FromDHCP><tt:Address>192.168.255.9</tt:Address><tt:PrefixLength>24</tt:PrefixLength></tt:FromDHCP>"
            "<tt:DHCP>true</tt:DHCP></tt:Config></tt:IPv4></tds:NetworkInterfaces>"
        )
    if name == "GetUsers":
        return "<tds:User><tt:Username>admin</tt:Username><tt:UserLevel>Administrator</tt:UserLevel></tds:User>"
    if name == "GetPresets":
        return '<tptz:Preset token="p1"><tt:Name>Gate</tt:Name></tptz:Preset>'
    if name == "GotoPreset" and text(body, "PresetToken") != "p1":
        raise Refusal("InvalidArgVal", "The preset does not exist")
    if name in ("GotoPreset", "GotoHomePosition", "RemovePreset", "SetHomePosition"):
        print(name, text(body, "PresetToken"), flush=True)
        return ""
    if name == "GetStreamUri" and text(body, "ProfileToken") == "bare":
        raise Refusal("IncompleteConfiguration", "The profile is not whole")
    if name == "GetStreamUri":
        print("stream of", text(body, "ProfileToken"), flush=True)
        uri = RTSP_URL.replace("127.0.0.1", "192.168.255.9") + ("?sub" if "sub" in body else "")
        return f"<trt:MediaUri><tt:Uri>{uri}</tt:Uri></trt:MediaUri><tr2:Uri>{uri}</tr2:Uri>"
    if name == "GetSnapshotUri":
        return f"<trt:MediaUri><tt:Uri>http://192.168.255.9/snap?x=1</tt:Uri></trt:MediaUri>"
    if name == "GetConfigurationOptions":
        reach = 100 if "fast" in QUIRKS else 1
        axes = "".join(f"<tt:{a}><tt:Min>-{reach}</tt:Min><tt:Max>{reach}</tt:Max></tt:{a}>" for a in ("XRange", "YRange"))
        kinds = ["ContinuousPanTiltVelocitySpace"]
        if "fast" not in QUIRKS:
            kinds += ["RelativePanTiltTranslationSpace", "AbsolutePanTiltPositionSpace"]
        spaces = "".join(f"<tt:{kind}><tt:URI>{SPACE}</tt:URI>{axes}</tt:{kind}>" for kind in kinds)
        return f"<tptz:PTZConfigurationOptions><tt:Spaces>{spaces}</tt:Spaces></tptz:PTZConfigurationOptions>"
    if name in ("ContinuousMove", "RelativeMove", "AbsoluteMove"):
        x, y = re.search(r'PanTilt x="([^"]*)" y="([^"]*)"', body).groups()
        moving = name == "ContinuousMove" and (float(x) != 0 or float(y) != 0)
        print(name, x, y, flush=True)
        return ""
    if name == "Stop":
        moving = moving and "deaf" in QUIRKS
        return ""
    if name == "GetStatus":
        state = "MOVING" if moving else "IDLE"
        return (
            '<tptz:PTZStatus><tt:Position><tt:PanTilt x="0.5" y="0.25"/></tt:Position><tt:MoveStatus>'
            f"<tt:PanTilt>{state}</tt:PanTilt></tt:MoveStatus></tptz:PTZStatus>"
        )
    if name == "GetImagingSettings":
        return "<timg:ImagingSettings><tt:Brightness>50</tt:Brightness><tt:IrCutFilter>AUTO</tt:IrCutFilter></timg:ImagingSettings>"
    if name == "SetImagingSettings":
        print("brightness", text(body, "Brightness"), flush=True)
        return ""
    if name == "CreatePullPointSubscription" and "addressed" in QUIRKS:
        return (
            f"<tev:SubscriptionReference><wsa5:Address>{base}/events</wsa5:Address><wsa5:ReferenceParameters>"
            '<dom0:SubscriptionId xmlns:dom0="http://www.axis.com/2009/event">7</dom0:SubscriptionId>'
            "</wsa5:ReferenceParameters></tev:SubscriptionReference>"
        )
    if name == "CreatePullPointSubscription":
        return (
            f"<tev:SubscriptionReference><wsa5:Address>{base}/subscription?1</wsa5:Address></tev:SubscriptionReference>"
        )
    if name == "PullMessages" and "addressed" in QUIRKS and text(body, "SubscriptionId") != "7":
        return None
    if name == "PullMessages":
        time.sleep(2 if "slow" in QUIRKS else 0)
        return (
            '<wsnt:NotificationMessage><wsnt:Topic Dialect="d">tns1:VideoSource/tns1:MotionAlarm</wsnt:Topic><wsnt:Message>'
            '<tt:Message UtcTime="2026-11-27T11:00:00Z" PropertyOperation="Changed"><tt:Source><tt:SimpleItem Name="Source"'
            ' Value="V0"/></tt:Source><tt:Data><tt:SimpleItem Name="State" Value="true"/></tt:Data></tt:Message>'
            "</wsnt:Message></wsnt:NotificationMessage>"
        )
    if name == "SystemReboot":
        return "<tds:Message>Rebooting in 3 s</tds:Message>"
    return None


class Camera(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def reply(self, status, body, kind="application/soap+xml", fields=()):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in fields:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def challenge(self):
        kind = "" if "md5" in QUIRKS else ', qop="auth", algorithm=SHA-256'
        fields = [("WWW-Authenticate", f'Digest realm="{REALM}", nonce="{NONCE}"{kind}')]
        self.reply(401, b"<!DOCTYPE html><html><h2>Access Error: 401 -- Unauthorized", "text/html", fields)

    def envelope(self, status, body):
        text = f"<SOAP-ENV:Envelope><SOAP-ENV:Body>{body}</SOAP-ENV:Body></SOAP-ENV:Envelope>"
        self.reply(status, text.encode())

    def fault(self, code, reason):
        self.envelope(
            200 if "faults" in QUIRKS else 400,
            "<SOAP-ENV:Fault><SOAP-ENV:Code><SOAP-ENV:Value>SOAP-ENV:Sender</SOAP-ENV:Value><SOAP-ENV:Subcode>"
            f"<SOAP-ENV:Value>ter:{code}</SOAP-ENV:Value></SOAP-ENV:Subcode></SOAP-ENV:Code><SOAP-ENV:Reason>"
            f"<SOAP-ENV:Text>{reason}</SOAP-ENV:Text></SOAP-ENV:Reason></SOAP-ENV:Fault>",
        )

    def do_GET(self):
        if "open" not in QUIRKS and not digest_proves("GET", self.headers.get("Authorization", "")):
            return self.challenge()
        self.reply(200, JPEG, "image/jpeg")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        name = re.search(r"Body><(\w+)", body).group(1)
        if name != "GetSystemDateAndTime" and "open" not in QUIRKS:
            if "digest" in QUIRKS or "md5" in QUIRKS:
                if not digest_proves("POST", self.headers.get("Authorization", "")):
                    return self.challenge()
            elif not token_proves(body):
                return self.fault("NotAuthorized", "Sender not Authorized")
        try:
            said = answer(name, body)
        except Refusal as refusal:
            return self.fault(*refusal.args)
        if said is None:
            return self.fault("ActionNotSupported", "Optional Action Not Implemented")
        if OPTIONS.get("lost") == name:
            del OPTIONS["lost"]
            print("lost", name, flush=True)
            return None
        print(name, flush=True)
        self.envelope(200, f"<x:{name}Response>{said}</x:{name}Response>")


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(PORT)), Camera)
PORT = server.server_address[1]
if "tls" in OPTIONS:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*OPTIONS["tls"].split(","))
    server.socket = context.wrap_socket(server.socket, server_side=True)
print("ready", PORT, flush=True)
server.serve_forever()
