/** Where `<call-notification token-url>` gets the user's token. */

/**
 * GET with the page's cookies; the answer is the token, as text or as JSON `{"token": "..."}`. '' says that nobody is
 * logged in. Throws if the address cannot be asked, which is tried again.
 * @param {string} url
 * @returns {Promise<string>}
 */
export async function fetchToken(url) {
  const answer = await fetch(url, { credentials: 'include', headers: { Accept: 'text/plain, application/json' } });
  if (answer.status === 401 || answer.status === 403) return '';
  if (!answer.ok) throw new Error(`token-url answered with HTTP ${answer.status}`);
  const text = (await answer.text()).trim();
  return text.startsWith('{') ? String(JSON.parse(text).token ?? '') : text;
}
