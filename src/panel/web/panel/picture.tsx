// The live picture: the server's own play page in a frame, muted, and only while somebody wants to see it.

import { here, part } from './api';
import { texts } from './texts';

export function Picture({ app, id }: { app: string; id: string }) {
  const url = here(`${part(app)}/play.html?id=${part(id)}&mute=true`).href;
  return <iframe class="picture" src={url} title={`${texts.stream.picture}: ${id}`} allow="autoplay; fullscreen; picture-in-picture" />;
}
