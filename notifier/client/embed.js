/* For pages without modules: <script src="https://NOTIFIER/client/embed.js"></script> defines <call-notification>. */
import(new URL('element.js', document.currentScript.src).href);
