// Servers for STUN and TURN, which the server names beside its answer (RFC 9725 section 4.6).

/** What a peer connection takes, from the header `Link`. */
export function iceServers(link) {
  const servers = [];
  for (const [, urls, parameters] of (link ?? '').matchAll(/<([^>]*)>((?:\s*;\s*[\w-]+="[^"]*")*)/g)) {
    const { rel, username, credential } = Object.fromEntries(
      [...parameters.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, name, value]) => [name, value]),
    );
    if (rel === 'ice-server') servers.push(username === undefined ? { urls } : { urls, username, credential });
  }
  return servers;
}

/**
 * Begins what was offered, now that there is an answer. Only now is it known through which servers paths may lead, and
 * who looks for paths before asks none of them.
 *
 * @param {RTCPeerConnection} peer
 * @param {string} sdp the offer
 * @param {Response} response
 * @param {string} answer its body
 */
export async function begin(peer, sdp, response, answer) {
  const servers = iceServers(response.headers.get('Link'));
  if (servers.length > 0) peer.setConfiguration({ ...peer.getConfiguration(), iceServers: servers });
  await peer.setLocalDescription({ type: 'offer', sdp });
  await peer.setRemoteDescription({ type: 'answer', sdp: answer });
}
