export { CallNotificationElement } from "./element/element.js";
export { CallCheckElement } from "./element/checkbutton.js";
