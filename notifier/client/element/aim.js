/**
 * A click goes to the control that was pressed, also if a modal dialog of the page opens before the release (many a form
 * asks «Сохранить?» when its field loses the focus). The browser then gives the click to whatever both have in common.
 */

/**
 * @param {ShadowRoot} root
 * @param {AbortSignal} signal ends it
 */
export function keepAim(root, signal) {
  /** @type {{control: HTMLElement, place: DOMRect}|null} */
  let aimed = null;
  const listen = { capture: true, signal };

  window.addEventListener('pointerdown', () => void (aimed = null), listen);
  root.addEventListener('pointerdown', (event) => {
    const { button, target } = /** @type {PointerEvent} */ (event);
    const control = button === 0 && target instanceof Element ? target.closest('button, a, summary') : null;
    if (control instanceof HTMLElement) aimed = { control, place: control.getBoundingClientRect() };
  }, listen);
  window.addEventListener('click', (event) => {
    const was = aimed;
    aimed = null;
    if (!was || !event.isTrusted || event.composedPath().includes(was.control)) return;
    const { control, place } = was;
    const within = event.clientX >= place.left && event.clientX <= place.right
      && event.clientY >= place.top && event.clientY <= place.bottom;
    if (!within || !control.isConnected) return;
    event.stopImmediatePropagation();
    event.preventDefault();
    control.click();
  }, listen);
}
