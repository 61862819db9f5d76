/** A few settings in localStorage; where that is denied (sandboxed frames), they last as long as the page. */

const PREFIX = 'zvonok.';

/**
 * @param {Window & typeof globalThis} window
 * @returns {{get: (name: string) => string|null, set: (name: string, value: string|null) => void}}
 */
export function createMemory(window) {
  /** @type {Map<string, string>} */
  const own = new Map();
  return {
    get(name) {
      try {
        return window.localStorage.getItem(PREFIX + name);
      } catch {
        return own.get(name) ?? null;
      }
    },
    set(name, value) {
      try {
        if (value === null) window.localStorage.removeItem(PREFIX + name);
        else window.localStorage.setItem(PREFIX + name, value);
      } catch {
        if (value === null) own.delete(name);
        else own.set(name, value);
      }
    },
  };
}
