/** Importing this module defines `<call-notification>`. */

export { CallNotificationElement } from './element/element.js';
