/**
 * The tab says who rings: its title and icon change while a call rings, and are put back after.
 */
/**
 * @param {object} options
 * @param {Document} options.document
 * @param {string} options.icon URL of the ringing icon
 * @returns {{show: (text: string|null) => void}} null restores
 */
export function createBadge({ document, icon }: {
    document: Document;
    icon: string;
}): {
    show: (text: string | null) => void;
};
