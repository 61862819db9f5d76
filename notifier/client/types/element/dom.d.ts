/** Elements without markup: text is only ever text, so hostile names and strict content policies are no concern. */
/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string|boolean|EventListener|null|undefined>} [attributes] functions become listeners
 * @param {...(Node|string|null|undefined|false)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h<K extends keyof HTMLElementTagNameMap>(tag: K, attributes?: Record<string, string | boolean | EventListener | null | undefined>, ...children: (Node | string | null | undefined | false)[]): HTMLElementTagNameMap[K];
/**
 * Set text and hide what is empty; touches the page only where something changed.
 * @param {HTMLElement} element
 * @param {string|null|undefined} text
 */
export function setText(element: HTMLElement, text: string | null | undefined): void;
/**
 * @param {Element} element
 * @param {string} name
 * @param {string|null} value null removes it
 */
export function setAttribute(element: Element, name: string, value: string | null): void;
