/** The version of this package; the one in package.json, which a spec keeps equal. */
export const VERSION = "0.1.0";
