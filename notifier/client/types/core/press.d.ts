/**
 * @typedef {object} Press
 * @property {(run: () => void) => void} after run now, or once the press is over; the same function once only
 * @property {() => void} close what waits is dropped
 */
/**
 * @param {Window & typeof globalThis} window
 * @returns {Press}
 */
export function createPress(window: Window & typeof globalThis): Press;
export type Press = {
    /**
     * run now, or once the press is over; the same function once only
     */
    after: (run: () => void) => void;
    /**
     * what waits is dropped
     */
    close: () => void;
};
