/**
 * Keeps the card above everything and clickable, without taking the focus.
 *
 * A manual popover is in the top layer and does not move the focus. While the host page shows a modal dialog, all
 * outside it is inert, so the card's element moves into that dialog and back when it closes. (Dialogs within other
 * shadow roots cannot be seen from here.)
 */

/**
 * @param {HTMLElement} host the custom element, which moves
 * @param {HTMLElement} stack the popover in its shadow root
 */
export function createTopLayer(host, stack) {
  /** @type {Comment|null} */
  let place = null;
  let moving = false;
  let wanted = false;
  const observer = new MutationObserver(settle);

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
  }

  /** @param {() => void} to */
  function move(to) {
    moving = true;
    to();
    moving = false;
    show();
  }

  function show() {
    if (!('popover' in stack) || stack.popover !== 'manual' || !host.isConnected) return;
    if (stack.matches(':popover-open')) stack.hidePopover();
    if (wanted) stack.showPopover();
  }

  return {
    /** @param {boolean} show_ */
    set(show_) {
      if (show_ === wanted) {
        if (place) settle(); // Hidden within a dialog that has closed since: go back, to be found there next time.
        return;
      }
      wanted = show_;
      if (wanted) observer.observe(document, { subtree: true, childList: false, attributes: true, attributeFilter: ['open'] });
      else observer.disconnect();
      show();
      if (wanted || place) settle();
    },
    /** Whether the element is only being moved, so that it need not start anew. */
    isMoving: () => moving,
    /** The dialog that held the element was removed with it: go back. @returns {boolean} whether there was a place */
    restore() {
      if (!place?.isConnected) return false;
      settle();
      return host.isConnected;
    },
    close() {
      wanted = false;
      observer.disconnect();
      place?.remove();
      place = null;
    },
  };
}
