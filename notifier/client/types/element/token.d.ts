/** Where `<call-notification token-url>` gets the user's token. */
/**
 * GET with the page's cookies; the answer is the token, as text or as JSON `{"token": "..."}`. '' says that nobody is
 * logged in. Throws if the address cannot be asked, which is tried again.
 * @param {string} url
 * @returns {Promise<string>}
 */
export function fetchToken(url: string): Promise<string>;
