export { useCallNotifications } from "./react/hook.js";
export { CallCheck, CallNotification } from "./react/component.js";
