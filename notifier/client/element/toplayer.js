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
export function createTopLayer(host, later) {
  /** Each layer, and whether it is to be seen. @type {Map<HTMLElement, boolean>} */
  const layers = new Map();
  /** @type {Comment|null} */
  let place = null;
  let moving = false;
  let watching = false;
  const observer = new MutationObserver(() => later(settle));

  function modal() {
    try {
      return [...document.querySelectorAll('dialog:modal')].at(-1) ?? null;
    } catch {
      return null; // A browser without :modal.
    }
  }

  function settle() {
    const dialog = modal();
    if (dialog && host.parentNode !== dialog) {
      if (!place) {
        place = document.createComment('call-notification');
        host.before(place);
      }
      move(() => dialog.append(host));
    } else if (!dialog && place) {
      const back = place;
      place = null;
      move(() => (back.isConnected ? back.replaceWith(host) : document.body.append(host)));
    }
    watch();
  }

  /** @param {() => void} to */
  function move(to) {
    moving = true;
    to();
    moving = false;
    showAll();
  }

  function showAll() {
    for (const layer of layers.keys()) show(layer);
  }

  /** @param {HTMLElement} layer */
  function show(layer) {
    if (layer.popover !== 'manual' || !host.isConnected) return;
    if (layer.matches(':popover-open')) layer.hidePopover();
    if (layers.get(layer)) layer.showPopover();
  }

  /** Dialogs matter while something is to be seen, and while the host is within one. */
  function watch() {
    const wanted = place !== null || [...layers.values()].some(Boolean);
    if (wanted === watching) return;
    watching = wanted;
    if (wanted) observer.observe(document, { subtree: true, attributes: true, attributeFilter: ['open'] });
    else observer.disconnect();
  }

  return {
    /** @param {HTMLElement} layer @param {boolean} wanted */
    set(layer, wanted) {
      if (wanted === (layers.get(layer) ?? false)) return;
      layers.set(layer, wanted);
      show(layer);
      if (wanted) settle(); // a dialog may be open already
      else watch();
    },
    /** Show again what is to be seen: popovers are hidden when their element is taken out of the page. */
    show: showAll,
    /** Whether the element is only being moved, so that it need not start anew. */
    isMoving: () => moving,
    /** The dialog that held the element was removed with it: go back. @returns {boolean} whether there was a place */
    restore() {
      if (!place?.isConnected) return false;
      settle();
      return host.isConnected;
    },
    close() {
      layers.clear();
      watching = false;
      observer.disconnect();
      place?.remove();
      place = null;
    },
  };
}
