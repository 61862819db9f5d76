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
export function listenForWakeups({ gesture, network, restored, checkClock, visibility, storage }: {
    gesture: () => void;
    network: () => void;
    restored: () => void;
    checkClock: () => void;
    visibility: () => void;
    storage: () => void;
}, window: Window & typeof globalThis): () => void;
