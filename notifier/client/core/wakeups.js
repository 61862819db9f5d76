/** The moments at which a page must act: a gesture unlocks sound, and whatever ends an absence ends the waiting too. */

const CLOCK_CHECK_MS = 5000;

/**
 * @param {object} actions
 * @param {() => void} actions.gesture a click or a key press: the only thing that lets a browser play sound
 * @param {() => void} actions.network the network is back, or somebody looks: do not wait out the back-off
 * @param {() => void} actions.restored the page comes out of the back-forward cache; its socket is dead
 * @param {() => void} actions.checkClock did the computer sleep?
 * @param {() => void} actions.visibility somebody looks at the page, or no longer does
 * @param {() => void} actions.storage another tab changed a setting
 * @param {Window & typeof globalThis} window
 * @returns {() => void} stops listening
 */
export function listenForWakeups({ gesture, network, restored, checkClock, visibility, storage }, window) {
  const { document } = window;
  const life = new AbortController();
  const always = { signal: life.signal };
  const early = { signal: life.signal, capture: true };
  window.addEventListener('pointerdown', gesture, early);
  window.addEventListener('keydown', gesture, early);
  window.addEventListener('online', network, always);
  window.addEventListener('pageshow', (event) => event.persisted && restored(), always);
  window.addEventListener('storage', (event) => event.key?.startsWith('zvonok.') && storage(), always);
  document.addEventListener(
    'visibilitychange',
    () => {
      visibility();
      if (document.visibilityState !== 'visible') return;
      checkClock();
      network();
    },
    always,
  );
  const timer = window.setInterval(checkClock, CLOCK_CHECK_MS);
  return () => {
    life.abort();
    window.clearInterval(timer);
  };
}
