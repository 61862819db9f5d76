/**
 * @param {Window & typeof globalThis} window
 * @returns {{get: (name: string) => string|null, set: (name: string, value: string|null) => void}}
 */
export function createMemory(window: Window & typeof globalThis): {
    get: (name: string) => string | null;
    set: (name: string, value: string | null) => void;
};
