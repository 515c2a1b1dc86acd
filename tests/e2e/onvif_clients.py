"""Clients of cameras that nobody here wrote: WSDiscovery and onvif-zeep.

    onvif_clients.py FOLDER search SECONDS
    onvif_clients.py FOLDER ask PORT USER PASSWORD
    onvif_clients.py FOLDER digest PORT USER PASSWORD

FOLDER is where they are installed. `search` prints each device that it finds, `ask` what the camera at that port of
127.0.0.1 says of itself and of its profiles, or which fault it answers with, `digest` the status with which it answers
to requests without a password and to one that proves it by HTTP; all as JSON.
"""

import glob
import json
import os
import sys

folder = sys.argv[1]
for packages in ("site-packages", "dist-packages"):
    sys.path[:0] = glob.glob(f"{folder}/**/{packages}", recursive=True)


def search(seconds):
    from wsdiscovery import QName, Scope
    from wsdiscovery.discovery import ThreadedWSDiscovery

    search = ThreadedWSDiscovery()
    search.start()
    network = "http://www.onvif.org/ver10/network/wsdl"
    found = search.searchServices(
        types=[QName(network, "NetworkVideoTransmitter")],
        scopes=[Scope("onvif://www.onvif.org/Profile/Streaming")],
        timeout=float(seconds),
    )
    print(
        json.dumps(
            [
                {
                    "reference": one.getEPR(),
                    "places": one.getXAddrs(),
                    "types": [kind.getLocalname() for kind in one.getTypes()],
                    "scopes": [scope.getValue() for scope in one.getScopes()],
                }
                for one in found
            ]
        )
    )
    search.stop()


# What is held against the schema by reading it.
READABLE = """GetServiceCapabilities GetAudioSources GetVideoSourceConfigurations GetVideoEncoderConfigurations
    GetAudioSourceConfigurations GetAudioEncoderConfigurations GetVideoSourceConfigurationOptions
    GetAudioSourceConfigurationOptions GetAudioEncoderConfigurationOptions""".split()


def ask(port, user, password):
    import onvif
    import zeep

    wsdl = glob.glob(f"{folder}/**/wsdl/devicemgmt.wsdl", recursive=True)[0]
    try:
        # It asks for the capabilities and the time at once.
        camera = onvif.ONVIFCamera("127.0.0.1", int(port), user, password, os.path.dirname(wsdl), adjust_time=True)
        information = camera.devicemgmt.GetDeviceInformation()
        media = camera.create_media_service()
        setup = {"Stream": "RTP-Unicast", "Transport": {"Protocol": "RTSP"}}
        profiles = []
        for profile in media.GetProfiles():
            asked = {"StreamSetup": setup, "ProfileToken": profile.token}
            encoder = profile.VideoEncoderConfiguration
            options = media.GetVideoEncoderConfigurationOptions({"ProfileToken": profile.token})
            profiles.append(
                {
                    "token": profile.token,
                    "encoding": encoder.Encoding,
                    "width": encoder.Resolution.Width,
                    "height": encoder.Resolution.Height,
                    "sound": profile.AudioEncoderConfiguration and profile.AudioEncoderConfiguration.Encoding,
                    "sizes": [size.Width for size in options.H264.ResolutionsAvailable],
                    "url": media.GetStreamUri(asked).Uri,
                }
            )
        answer = {
            "manufacturer": information.Manufacturer,
            "host": camera.devicemgmt.GetHostname().Name,
            "scopes": [scope.ScopeItem for scope in camera.devicemgmt.GetScopes()],
            "interfaces": [interface.token for interface in camera.devicemgmt.GetNetworkInterfaces()],
            "services": [service.Namespace for service in camera.devicemgmt.GetServices({"IncludeCapability": True})],
            "sources": [source.token for source in media.GetVideoSources()],
            "profiles": profiles,
            "read": sum(1 for name in READABLE if getattr(media, name)()),
            "ports": {one.Name: one.Port for one in camera.devicemgmt.GetNetworkProtocols()},
        }
    except onvif.ONVIFError as error:
        answer = {"fault": str(error)}
    except zeep.exceptions.Fault as error:
        answer = {"fault": error.message}
    print(json.dumps(answer))


def digest(port, user, password):
    import requests

    url = f"http://127.0.0.1:{port}/onvif/media_service"
    body = (
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>'
        '<GetProfiles xmlns="http://www.onvif.org/ver10/media/wsdl"/></s:Body></s:Envelope>'
    )
    session = requests.Session()
    without = session.post(url, data=body)
    session.auth = requests.auth.HTTPDigestAuth(user, password)
    # The second is proven without being asked for it again.
    answers = [session.post(url, data=body) for _ in range(2)]
    print(
        json.dumps(
            {
                "without": without.status_code,
                "fault": "ter:NotAuthorized" in without.text,
                "with": [answer.status_code for answer in answers],
                "asked": [len(answer.history) for answer in answers],
                "profiles": answers[1].text.count("<r:Profiles "),
            }
        )
    )


{"search": search, "ask": ask, "digest": digest}[sys.argv[2]](*sys.argv[3:])
