/* For pages without modules: <script src="https://NOTIFIER/client/embed.js"></script> defines <call-notification>. */
import(new URL('element.js', /** @type {HTMLScriptElement} */ (document.currentScript).src).href);
