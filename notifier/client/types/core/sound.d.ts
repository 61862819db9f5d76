/**
 * @param {object} options
 * @param {string} options.ringtone 'synth', 'off', or the URL of a sound file
 * @param {() => void} options.onChange the context started or stopped running
 * @param {Window & typeof globalThis} options.window
 * @returns {Sound}
 */
export function createSound({ ringtone, onChange, window }: {
    ringtone: string;
    onChange: () => void;
    window: Window & typeof globalThis;
}): Sound;
export type Sound = {
    /**
     * whether a sound would be heard now
     */
    running: () => boolean;
    /**
     * whether it will be in a moment: the user has clicked, the browser still starts the audio
     */
    waking: () => boolean;
    supported: () => boolean;
    /**
     * call it from a click or a key press
     */
    unlock: () => void;
    /**
     * no-op if it rings already
     */
    startRing: () => void;
    stopRing: () => void;
    /**
     * one short, soft note: somebody else calls while the user talks
     */
    beep: () => void;
    ringing: () => boolean;
    close: () => void;
};
