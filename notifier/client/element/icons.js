/** Line icons, drawn as SVG nodes (emoji are missing on many office computers). 24 x 24, stroke of the text's colour. */

const SVG = 'http://www.w3.org/2000/svg';

/** @type {Record<string, string>} */
const PATHS = {
  phone:
    'M6.6 3.5h2.6l1.5 4-2 1.6a12 12 0 0 0 6.2 6.2l1.6-2 4 1.5v2.6a2.1 2.1 0 0 1-2.3 2.1A16.6 16.6 0 0 1 4.5 5.8a2.1 2.1 0 0 1 2.1-2.3z',
  incoming: 'M20 4l-6 6M14 5v5h5M5.6 4.5h2.3l1.3 3.5-1.8 1.4a10.5 10.5 0 0 0 5.5 5.5l1.4-1.8 3.5 1.3v2.3a1.9 1.9 0 0 1-2 1.9A14.8 14.8 0 0 1 3.7 6.5a1.9 1.9 0 0 1 1.9-2z',
  missed: 'M14.5 4.5l5 5M19.5 4.5l-5 5M5.6 4.5h2.3l1.3 3.5-1.8 1.4a10.5 10.5 0 0 0 5.5 5.5l1.4-1.8 3.5 1.3v2.3a1.9 1.9 0 0 1-2 1.9A14.8 14.8 0 0 1 3.7 6.5a1.9 1.9 0 0 1 1.9-2z',
  close: 'M6 6l12 12M18 6L6 18',
  down: 'M6 9l6 6 6-6',
  up: 'M6 15l6-6 6 6',
  copy: 'M9 9h10.5v10.5H9zM15 9V4.5H4.5V15H9',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  user: 'M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.5 20.5a7.5 7.5 0 0 1 15 0',
  volume: 'M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM15.5 9a4 4 0 0 1 0 6M18 6.5a7.8 7.8 0 0 1 0 11',
  mute: 'M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM16 9.5l5 5M21 9.5l-5 5',
  help: 'M9.2 9.2a2.9 2.9 0 1 1 4.3 2.5c-1 .6-1.5 1.2-1.5 2.3M12 17.3v.1M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z',
  warning: 'M12 4L2.8 19.5h18.4zM12 10v4.5M12 17.2v.1',
  offline: 'M3 3l18 18M5 12.5a10 10 0 0 1 4.5-2.6M8.5 16a5 5 0 0 1 6-.7M12 19.5v.1M2 9a15 15 0 0 1 5-3.2M11 5a15 15 0 0 1 11 4M15.5 10.5a10 10 0 0 1 3.5 2',
};

/**
 * @param {keyof typeof PATHS} name
 * @returns {SVGSVGElement}
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  svg.setAttribute('class', 'icon');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', PATHS[name]);
  path.setAttribute('fill', 'none');
  path.setAttribute('stroke', 'currentColor');
  path.setAttribute('stroke-width', '1.8');
  path.setAttribute('stroke-linecap', 'round');
  path.setAttribute('stroke-linejoin', 'round');
  svg.append(path);
  return svg;
}
