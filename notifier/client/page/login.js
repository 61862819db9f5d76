/**
 * The token of a login link, `/#token=...`.
 *
 * A fragment never reaches a server or its logs; it is taken out of the address bar at once, so that it is neither
 * bookmarked, nor copied with the address, nor left in the browser's history. It is kept in localStorage, not
 * sessionStorage: the page is opened in the morning in a new tab without the link, and several tabs must work. Anyone
 * who can read this origin's localStorage runs script on it and could use the socket anyway; links expire.
 */

const KEY = 'zvonok.token';

/**
 * @param {Window} window
 * @returns {string} '' without a token
 */
export function takeToken(window) {
  const fragment = new URLSearchParams(window.location.hash.slice(1));
  const offered = fragment.get('token')?.trim();
  try {
    if (offered) window.localStorage.setItem(KEY, offered);
  } catch {
    // Storage is denied: the token lasts as long as this page.
  }
  if (offered !== undefined) {
    window.history.replaceState(null, '', window.location.pathname + window.location.search);
  }
  if (offered) return offered;
  try {
    return window.localStorage.getItem(KEY) ?? '';
  } catch {
    return '';
  }
}

/**
 * @param {Window} window
 * @param {(token: string) => void} changed another tab of this browser took a link, or signed out ('')
 */
export function onTokenElsewhere(window, changed) {
  window.addEventListener('storage', (event) => {
    if (event.key === KEY) changed(event.newValue ?? '');
  });
}

/**
 * Whether both tokens name the same user. Nothing is verified here: that is the server's.
 * @param {string} one
 * @param {string} other
 */
export function sameUser(one, other) {
  const user = userOf(one);
  return user !== null && user === userOf(other);
}

/** @param {string} token a JWT @returns {string|null} */
function userOf(token) {
  try {
    const claims = JSON.parse(atob(token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/')));
    return claims.sub === undefined ? null : String(claims.sub);
  } catch {
    return null;
  }
}

/** @param {Window} window */
export function forgetToken(window) {
  try {
    window.localStorage.removeItem(KEY);
  } catch {
    // Nothing is stored then.
  }
}
