/**
 * @param {{closeMissed: () => void, unlock: () => void}} actions
 */
export function createNotes({ closeMissed, unlock }: {
    closeMissed: () => void;
    unlock: () => void;
}): {
    element: HTMLDivElement;
    /** @param {import('./card.js').Context} context @returns {boolean} whether anything is said */
    update({ t, state: now, lang, now: time }: import("./card.js").Context): boolean;
};
