/**
 * Desktop notifications: one for each ringing call, alive exactly as long as it rings.
 *
 * All tabs would show the same, so only the tab that holds a Web Lock does (notifications need a secure context, and
 * where that is there are locks); `tag` makes the browser fold what still comes twice. Permission is only ever asked for
 * on a click.
 */
/** @typedef {'unsupported'|'insecure'|'default'|'granted'|'denied'} Permission */
/**
 * @typedef {object} Desktop
 * @property {() => Permission} permission
 * @property {() => Promise<Permission>} request call it from a click
 * @property {(wanted: ReadonlyMap<string, {title: string, body: string}>) => void} show shows these, by call_id, and
 *   closes the others
 * @property {() => void} close
 */
/**
 * @param {object} options
 * @param {boolean} options.enabled
 * @param {string} options.scope
 * @param {string} options.icon URL
 * @param {Window & typeof globalThis} options.window
 * @returns {Desktop}
 */
export function createDesktop({ enabled, scope, icon, window }: {
    enabled: boolean;
    scope: string;
    icon: string;
    window: Window & typeof globalThis;
}): Desktop;
export type Permission = "unsupported" | "insecure" | "default" | "granted" | "denied";
export type Desktop = {
    permission: () => Permission;
    /**
     * call it from a click
     */
    request: () => Promise<Permission>;
    /**
     * shows these, by call_id, and
     * closes the others
     */
    show: (wanted: ReadonlyMap<string, {
        title: string;
        body: string;
    }>) => void;
    close: () => void;
};
