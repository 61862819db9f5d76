/** Importing this module defines `<call-notification>` and `<call-check>`. */

export { CallNotificationElement } from './element/element.js';
export { CallCheckElement } from './element/checkbutton.js';
