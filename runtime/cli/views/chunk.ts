import type { VariantResult } from "../../variants/report.ts";

/** A variant's result as `chunk validate variants` prints it. */
export interface ChunkResult {
  readonly id: string;
  readonly description: string;
  readonly killed: boolean;
  readonly command?: string;
  readonly stdout: string;
  readonly stderr: string;
  readonly exit_code: number;
  readonly error?: string;
}

/**
 * chunk's array, in the order of the input. `killed` and `error` exclude each other there: a survivor
 * has neither, everything else that was not killed has an error.
 */
export function chunkResults(results: readonly VariantResult[]): ChunkResult[] {
  return results.map((result) => {
    const { id, description, status, killed, command, stdout, stderr, exit_code } = result;
    const assessed = status === "killed" || status === "survived";
    const error = result.error ?? result.reason ?? status;
    return {
      id,
      description,
      killed,
      ...(command === undefined || status === "survived" ? {} : { command }),
      stdout,
      stderr,
      exit_code: exit_code ?? 0,
      ...(assessed ? {} : { error }),
    };
  });
}
