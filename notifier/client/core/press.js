/**
 * A press: from the mouse button, the finger or the space bar going down until the click has been dealt with.
 *
 * Nothing that is seen may change meanwhile. What moves away from under a pressed pointer gets no click, and what moves
 * under it gets one that was meant for something else.
 */

/** Nobody presses for longer; a release that the page was never told of must not stop it for good. */
const LONGEST_MS = 3000;
/** After a finger is lifted, the browser sends the click in a task of its own. */
const TAP_MS = 400;

/**
 * @typedef {object} Press
 * @property {(run: () => void) => void} after run now, or once the press is over; the same function once only
 * @property {() => void} close what waits is dropped
 */

/**
 * @param {Window & typeof globalThis} window
 * @returns {Press}
 */
export function createPress(window) {
  let held = false;
  /** @type {any} */
  let timer = null;
  /** @type {Set<() => void>} */
  const waiting = new Set();
  const life = new AbortController();

  /** @param {number} ms */
  function endIn(ms) {
    window.clearTimeout(timer);
    timer = window.setTimeout(end, ms);
  }

  function end() {
    held = false;
    const runs = [...waiting];
    waiting.clear();
    for (const run of runs) run();
  }

  function begin() {
    held = true;
    endIn(LONGEST_MS);
  }

  /** @type {{[K in keyof WindowEventMap]?: (event: WindowEventMap[K]) => void}} */
  const listeners = {
    pointerdown: (event) => event.button === 0 && begin(),
    keydown: (event) => event.key === ' ' && !event.repeat && begin(),
    // Mouse and keyboard: the click comes in this very task. There, and only there, the press counts as over before
    // anybody hears of it, so that what the click does is seen at once.
    pointerup: (event) => held && endIn(event.pointerType === 'mouse' ? 0 : TAP_MS),
    keyup: (event) => held && event.key === ' ' && endIn(0),
    click() {
      held = false;
      endIn(0);
    },
    pointercancel: () => held && endIn(0),
    contextmenu: () => held && endIn(0),
    dragend: () => held && endIn(0),
    // The window's own: a field's comes by as well, because the press takes its focus.
    blur: (event) => held && event.target === window && endIn(0),
  };
  for (const [type, listener] of Object.entries(listeners)) {
    window.addEventListener(type, /** @type {EventListener} */ (listener), { capture: true, signal: life.signal });
  }

  return {
    after(run) {
      if (held) waiting.add(run);
      else run();
    },
    close() {
      life.abort();
      window.clearTimeout(timer);
      waiting.clear();
      held = false;
    },
  };
}
