/** React binding (18 and 19): `useCallNotifications`, `<CallNotification/>`, `<CallCheck/>`. React is the host's. */

export { CallCheck, CallNotification } from './react/component.js';
export { useCallNotifications } from './react/hook.js';
