/** An answer that is no success. The title is for people and holds no secret. */
export class HttpProblem extends Error {
  override readonly name = "HttpProblem";
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, title: string, headers: Readonly<Record<string, string>> = {}) {
    super(title);
    this.status = status;
    this.headers = headers;
  }
}

/** Too much at once: try again after `seconds`. */
export function tooMany(title: string, seconds: number): HttpProblem {
  return new HttpProblem(429, title, { "retry-after": String(Math.max(1, Math.ceil(seconds))) });
}
