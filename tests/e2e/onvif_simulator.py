"""A camera by ONVIF that nobody here wrote: ipycam, without its pictures.

    onvif_simulator.py FOLDER PORT RTSP_PORT [USER PASSWORD]

FOLDER is where ipycam is installed. It answers at 127.0.0.1:PORT (port 0 takes a free one) and to searches, names the
stream rtsp://198.51.100.1:RTSP_PORT/cam, and all its services at that address, where nobody is. It prints "ready PORT"
when it listens, then what its motors are told: "continuous PAN TILT ZOOM", "stop", and so on.
"""

import http.server
import sys
from unittest.mock import MagicMock

# Pictures are not made here, so that what makes them is not needed.
sys.modules["cv2"] = sys.modules["numpy"] = MagicMock()
sys.path.insert(0, sys.argv[1])

import ipycam  # noqa: E402


class Motors:
    def __getattr__(self, name):
        if not name.startswith("on_"):
            raise AttributeError(name)

        def told(*values):
            words = (f"{value:g}" if isinstance(value, float) else str(value) for value in values)
            print(name.removeprefix("on_").removesuffix("_move"), *words, flush=True)

        return told


def main():
    port, rtsp_port, *login = sys.argv[2:]
    user, password = login or ("", "")
    config = ipycam.CameraConfig(
        name="Simulated Camera",
        local_ip="127.0.0.1",
        rtsp_port=int(rtsp_port),
        username=user,
        password=password,
        main_stream_name="cam",
    )
    handler = ipycam.IPCameraHTTPHandler
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), handler)
    config.onvif_port = server.server_address[1]
    motors = ipycam.PTZController(enable_digital_ptz=False)
    motors.add_hardware_handler(Motors())
    camera = MagicMock()
    camera.config = config
    camera.onvif = ipycam.ONVIFService(config, motors)
    handler.camera = camera
    # It listens for searches on the loopback interface.
    search = ipycam.WSDiscoveryServer(camera.onvif)
    config.local_ip = "198.51.100.1"
    search.start()
    print("ready", config.onvif_port, flush=True)
    server.serve_forever()


main()
