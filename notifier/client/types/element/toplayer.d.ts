/**
 * Keeps the card above everything and clickable, without taking the focus.
 *
 * A manual popover is in the top layer and does not move the focus. While the host page shows a modal dialog, all
 * outside it is inert, so the card's element moves into that dialog and back when it closes. (Dialogs within other
 * shadow roots cannot be seen from here.)
 */
/**
 * @param {HTMLElement} host the custom element, which moves; its layers are popovers in its shadow root
 * @param {(run: () => void) => void} later runs it when the user presses on nothing: a button that is moved gets no click
 */
export function createTopLayer(host: HTMLElement, later: (run: () => void) => void): {
    /** @param {HTMLElement} layer @param {boolean} wanted */
    set(layer: HTMLElement, wanted: boolean): void;
    /** Show again what is to be seen: popovers are hidden when their element is taken out of the page. */
    show: () => void;
    /** Whether the element is only being moved, so that it need not start anew. */
    isMoving: () => boolean;
    /** The dialog that held the element was removed with it: go back. @returns {boolean} whether there was a place */
    restore(): boolean;
    close(): void;
};
