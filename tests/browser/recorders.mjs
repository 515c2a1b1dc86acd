// Two clients of cameras, onvif and node-onvif, ask a camera what there is to record.
//
//   node recorders.mjs --port 8081 --user nvr --password s3cret
//
// Prints one line of JSON: of each what it found, or the error. No browser takes part.

import onvif from 'onvif';
import nodeOnvif from 'node-onvif';
import { readArguments } from './lib.mjs';

const { port, user, password } = readArguments(process.argv.slice(2), { port: 0, user: '', password: '' });

/** Calls a function that calls back. */
const called = (call) => new Promise((resolve, reject) => {
  call((error, result) => (error ? reject(error) : resolve(result)));
});

async function byOnvif() {
  const camera = new onvif.Cam({ hostname: '127.0.0.1', port, username: user, password, autoconnect: false });
  await called((done) => camera.connect(done));
  const information = await called((done) => camera.getDeviceInformation(done));
  const profiles = [];
  for (const profile of camera.profiles) {
    const { uri } = await called((done) => camera.getStreamUri({ protocol: 'RTSP', profileToken: profile.$.token }, done));
    profiles.push({ token: profile.$.token, url: uri });
  }
  const clock = Math.abs(await called((done) => camera.getSystemDateAndTime(done)) - Date.now());
  return { manufacturer: information.manufacturer, isMedia2: camera.media2Support === true, profiles, clock };
}

async function byNodeOnvif() {
  const place = `http://127.0.0.1:${port}/onvif/device_service`;
  const camera = new nodeOnvif.OnvifDevice({ xaddr: place, user, pass: password });
  const information = await camera.init();
  const profiles = camera.getProfileList().map(({ token, stream, video }) => ({
    token, url: stream.rtsp, encoding: video.encoder.encoding, width: video.encoder.resolution.width,
  }));
  return { manufacturer: information.Manufacturer, profiles };
}

const told = (promise) => promise.catch((error) => ({ error: String(error) }));
const facts = { onvif: await told(byOnvif()), nodeOnvif: await told(byNodeOnvif()) };
console.log(JSON.stringify(facts));
process.exit(0);
