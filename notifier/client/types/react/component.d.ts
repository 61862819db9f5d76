/**
 * @param {CallNotificationProps} props
 */
export function CallNotification(props: CallNotificationProps): import("react").ReactElement<{
    ref: import("react").RefObject<any>;
    lang: string | undefined;
    theme: "auto" | "dark" | "light" | undefined;
    position: "inline" | "bottom-right" | "bottom-left" | "top-right" | "top-left" | undefined;
}, string | import("react").JSXElementConstructor<any>>;
/**
 * A button that opens the self-check of the page's card; its children replace «Почему я не вижу звонки?».
 * @param {{lang?: string|null, children?: unknown}} props
 */
export function CallCheck({ lang, children }: {
    lang?: string | null;
    children?: unknown;
}): import("react").ReactElement<{
    lang: string | undefined;
}, string | import("react").JSXElementConstructor<any>>;
export type ShownCall = import("../core/state.js").ShownCall;
export type CardProps = {
    theme?: "auto" | "dark" | "light" | undefined;
    position?: "inline" | "bottom-right" | "bottom-left" | "top-right" | "top-left" | undefined;
    strings?: Record<string, import("../strings/ru.js").Text> | undefined;
    onRinging?: ((call: ShownCall) => void) | undefined;
    onTalking?: ((call: ShownCall) => void) | undefined;
    onEnded?: ((call: ShownCall) => void) | undefined;
    onDismissed?: ((call: ShownCall) => void) | undefined;
    /**
     * the user wants the caller's card; call
     * `event.preventDefault()` to open it yourself
     */
    onOpen?: ((call: ShownCall, event: Event) => void) | undefined;
    /**
     * elements with `slot="extra"` or `slot="actions"`
     */
    children?: unknown;
};
export type CallNotificationProps = import("./shared.js").SharedOptions & CardProps;
