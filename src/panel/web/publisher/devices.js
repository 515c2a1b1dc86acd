// Cameras, microphones and the screen: what there is, and a stream of what was chosen.

/** Sizes that can be chosen: width, height, and the most bits per second that are sent. */
export const QUALITIES = {
  low: [640, 360, 800_000],
  medium: [1280, 720, 2_500_000],
  high: [1920, 1080, 5_000_000],
};

/** Browsers give cameras, microphones and screens to secure pages alone. */
export const allowed = () => Boolean(navigator.mediaDevices?.getUserMedia);

/** @returns {Promise<{ cameras: MediaDeviceInfo[], microphones: MediaDeviceInfo[], screen: boolean }>} */
export async function list() {
  const devices = await navigator.mediaDevices.enumerateDevices();
  const of = (kind) => devices.filter((device) => device.kind === kind);
  return {
    cameras: of('videoinput'),
    microphones: of('audioinput'),
    screen: Boolean(navigator.mediaDevices.getDisplayMedia),
  };
}

/**
 * A stream of what was chosen: `picture` is `screen`, `none`, or a camera's id, empty for any; `sound` is `none`, or a
 * microphone's id, empty for any.
 */
export async function open({ picture, sound, quality }) {
  const [width, height] = QUALITIES[quality] ?? QUALITIES.medium;
  const size = { width: { ideal: width }, height: { ideal: height }, frameRate: { ideal: 30 } };
  const only = (id) => (id ? { deviceId: { exact: id } } : {});
  const audio = sound === 'none' ? false : { ...only(sound), echoCancellation: false, channelCount: { ideal: 2 } };
  const { mediaDevices } = navigator;
  if (picture === 'screen') {
    const stream = await mediaDevices.getDisplayMedia({ video: size, audio: false });
    try {
      const voice = audio ? await mediaDevices.getUserMedia({ audio }) : undefined;
      for (const track of voice?.getTracks() ?? []) stream.addTrack(track);
    } catch (error) {
      close(stream);
      throw error;
    }
    return stream;
  }
  return mediaDevices.getUserMedia({ video: picture === 'none' ? false : { ...size, ...only(picture) }, audio });
}

export function close(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}
