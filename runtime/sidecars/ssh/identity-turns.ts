import type { IdentityChoice } from "./identity-choices.ts";

/** Which identity of several is offered next, as only one is offered at a time. */
export class IdentityTurns {
  readonly #refused = new Set<string>();
  #accepted: string | undefined;

  /** The one that was accepted last; else the first that was not refused. */
  pick(choices: readonly IdentityChoice[]): IdentityChoice | undefined {
    return choices.find(({ name }) => name === this.#accepted) ??
      choices.find(({ name }) => !this.#refused.has(name));
  }

  accepted({ name }: IdentityChoice): void {
    this.#accepted = name;
    this.#refused.clear();
  }

  /**
   * @returns whether another one is left; where none is, all of them may be offered anew
   */
  refused({ name }: IdentityChoice, choices: readonly IdentityChoice[]): boolean {
    this.#accepted = undefined;
    this.#refused.add(name);
    if (this.pick(choices) !== undefined) return true;
    this.#refused.clear();
    return false;
  }
}
