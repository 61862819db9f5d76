/**
 * Attributes: `for`, the id of the `<call-notification>`, by default the page's first; `lang`. Its content replaces the
 * text «Почему я не вижу звонки?». Part: `button`.
 */
export class CallCheckElement extends HTMLElement {
    static observedAttributes: string[];
    connectedCallback(): void;
    attributeChangedCallback(): void;
    #private;
}
