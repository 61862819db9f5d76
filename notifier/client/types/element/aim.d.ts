/**
 * A click goes to the control that was pressed, also if a modal dialog of the page opens before the release (many a form
 * asks «Сохранить?» when its field loses the focus). The browser then gives the click to whatever both have in common.
 */
/**
 * @param {ShadowRoot} root
 * @param {AbortSignal} signal ends it
 */
export function keepAim(root: ShadowRoot, signal: AbortSignal): void;
