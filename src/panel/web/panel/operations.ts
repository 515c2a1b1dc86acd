// What can be done with streams, each as the one call that a script would make.

import { broadcast, call, part } from './api';
import type { Stream } from './model';

type Named = Pick<Stream, 'app' | 'id'>;

export const startStream = ({ app, id }: Named) => call('POST', `${broadcast(app, id)}/start`);
export const stopStream = ({ app, id }: Named) => call('POST', `${broadcast(app, id)}/stop`);
export const deleteStream = ({ app, id }: Named) => call('DELETE', broadcast(app, id));
export const record = ({ app, id }: Named, on: boolean) => call('PUT', `${broadcast(app, id)}/recording/${on}`);
export const addTarget = ({ app, id }: Named, endpointUrl: string) => call('POST', `${broadcast(app, id)}/endpoint`, { endpointUrl });
export const pauseTarget = ({ app, id }: Named, target: string, paused: boolean) =>
  call('PUT', `${broadcast(app, id)}/endpoint?endpointServiceId=${part(target)}&paused=${paused}`);
export const moveTarget = ({ app, id }: Named, target: string, endpointUrl: string) =>
  call('PUT', `${broadcast(app, id)}/endpoint?endpointServiceId=${part(target)}`, { endpointUrl });
export const removeTarget = ({ app, id }: Named, target: string) =>
  call('DELETE', `${broadcast(app, id)}/endpoint?endpointServiceId=${part(target)}`);

/** Whether there is something to stop. */
export const isRunning = (stream: Stream): boolean =>
  stream.publisher !== null || (stream.source !== null && stream.source.state !== 'stopped');
/** Whether there is something to start. */
export const canStart = (stream: Stream): boolean => stream.source !== null && stream.source.state === 'stopped' && stream.source.urls.length > 0;
/** Whether it is being recorded, or will be. */
export const isRecorded = (stream: Stream): boolean => stream.recording || stream.record === true;
