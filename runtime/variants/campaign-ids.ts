/** A variant and which of its runs. */
export interface RunKey {
  readonly variant: string;
  /** From 1; the next one when a verdict was taken back. */
  readonly generation: number;
}

/** A variant's id without the characters that have a meaning in actor ids. */
export function escapeId(id: string): string {
  return encodeURIComponent(id).replaceAll("~", "%7E");
}

/** The id of a variant run: `<campaign>/<variant>`, from the second run on with `~<generation>`. */
export function variantRunId(campaign: string, { variant, generation }: RunKey): string {
  const id = `${campaign}/${escapeId(variant)}`;
  return generation === 1 ? id : `${id}~${generation}`;
}

/** The key of a run's own rows. */
export function runRowKey({ variant, generation }: RunKey): string {
  return `${escapeId(variant)}~${generation}`;
}

/** The id of a sidecar: `<campaign>#<worker>`. */
export function sidecarId(campaign: string, worker: number): string {
  return `${campaign}#${worker}`;
}

/** The name of a lease. {@link holderOf} finds the variant run again. */
export function leaseName(campaign: string, key: RunKey, attempt: number): string {
  return `${variantRunId(campaign, key)}#${attempt}`;
}

/** The variant run that a lease is named after, or `undefined` for a lease of the campaign's own. */
export function holderOf(campaign: string, by: string): string | undefined {
  if (!by.startsWith(`${campaign}/`)) return undefined;
  return by.slice(0, by.lastIndexOf("#"));
}

/** A piece of a file name that people can read: what else stands beside it makes it unique. */
export function slug(text: string): string {
  return text.replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[-.]+/, "").slice(0, 40);
}
