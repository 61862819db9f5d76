export { CallNotificationElement } from "./element/element.js";
