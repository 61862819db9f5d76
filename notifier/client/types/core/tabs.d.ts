/**
 * @param {object} options
 * @param {string} options.id this tab's; elections compare it
 * @param {string} options.scope tabs of another user or server must not share a voice
 * @param {() => void} options.onChange `isRinger()` changed
 * @param {(message: any) => void} options.onMessage
 * @param {Window & typeof globalThis} options.window
 * @returns {Tabs}
 */
export function createTabs({ id, scope, onChange, onMessage, window }: {
    id: string;
    scope: string;
    onChange: () => void;
    onMessage: (message: any) => void;
    window: Window & typeof globalThis;
}): Tabs;
export type Tabs = {
    /**
     * whether this tab could be heard
     */
    setCandidate: (can: boolean) => void;
    /**
     * whether a call rings now; only the fallback needs to know
     */
    setRinging: (rings: boolean) => void;
    isRinger: () => boolean;
    /**
     * to this user's other tabs
     */
    post: (message: object) => void;
    close: () => void;
};
