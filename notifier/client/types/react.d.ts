export { CallNotification } from "./react/component.js";
export { useCallNotifications } from "./react/hook.js";
