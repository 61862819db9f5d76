/**
 * @param {keyof typeof PATHS} name
 * @returns {SVGSVGElement}
 */
export function icon(name: keyof typeof PATHS): SVGSVGElement;
/** @type {Record<string, string>} */
declare const PATHS: Record<string, string>;
export {};
