// A request by which the server may ask the viewer for a login: the browser then shows its own question, and keeps the
// answer for what is asked for later. Who has said no is not asked again.

/** With these, calls of this page may change something for who has signed in (docs/ref/http.md, who may). */
export const OURS = { 'X-Requested-With': 'millstream' };

let refused = false;

/** As `fetch`, but that it asks the viewer for a login at most once. */
export async function ask(url, options) {
  const response = await fetch(url, { ...options, credentials: refused ? 'omit' : 'same-origin' });
  if (response.status === 401) refused = true;
  return response;
}
