import ssh2 from "ssh2";
import type { IdentityCallback, ParsedKey, SignCallback, SigningRequestOptions } from "ssh2";

/** An agent that shows one key of another agent, so that a server counts one offer. */
export class OneKeyAgent extends ssh2.BaseAgent<ParsedKey> {
  readonly #agent: InstanceType<typeof ssh2.OpenSSHAgent>;
  readonly #publicKey: Uint8Array | undefined;

  /**
   * @param socket the path of the agent's socket
   * @param publicKey the key to show; the agent's first where it is `undefined`
   */
  constructor(socket: string, publicKey: Uint8Array | undefined) {
    super();
    this.#agent = new ssh2.OpenSSHAgent(socket);
    this.#publicKey = publicKey;
  }

  override getIdentities(callback: IdentityCallback<ParsedKey>): void {
    this.#agent.getIdentities((error, keys) => {
      if (error) return callback(error);
      const wanted = this.#publicKey;
      // The types allow for agents with other kinds of entries, which this one never answers.
      const parsed = (keys ?? []).flatMap((each) => "getPublicSSH" in each ? each : []);
      const key = parsed.find((each) =>
        wanted === undefined || Buffer.compare(each.getPublicSSH(), wanted) === 0
      );
      callback(undefined, key === undefined ? [] : [key]);
    });
  }

  override sign(
    key: ParsedKey,
    data: Buffer,
    options: SigningRequestOptions | SignCallback,
    callback?: SignCallback,
  ): void {
    if (typeof options === "function") this.#agent.sign(key, data, options);
    else this.#agent.sign(key, data, options, callback);
  }
}
