import type { components } from "./api.js";

type Schemas = components["schemas"];
/** All values of `code`. A newer server may have others: handle those by their status. */
export type ProblemCode = Schemas[Extract<keyof Schemas, `${string}Problem`>]["code"];
/** `errors` and `codes` come with 400s, `login_token` with `second_factor_required`. */
export type ProblemBody<C extends string = ProblemCode> = { code: C } &
  Omit<Schemas["NotFoundProblem"], "code"> &
  Partial<Pick<Schemas["InvalidProblem"], "errors" | "codes">> &
  Partial<Pick<Schemas["ResetRequiredOrSecondFactorRequiredProblem"], "login_token" | "methods" | "expires_in">>;

/** An error answer. Its message is a sentence for people. */
export class Problem<C extends string = ProblemCode> extends Error {
  override readonly name = "Problem";

  constructor(readonly body: ProblemBody<C>, readonly response: Response) {
    super(body.detail);
  }

  get code(): C {
    return this.body.code;
  }
}

/** Whether `error` is a Problem with one of these codes, or with any code if none is named. */
export function isProblem<C extends ProblemCode>(error: unknown, ...codes: C[]): error is Problem<C> {
  return error instanceof Problem && (codes.length === 0 || codes.includes(error.code as C));
}

export type Answer<T> = { data?: T; error?: unknown; response: Response };

/** The data of an answer; throws a Problem if it is an error. */
export async function unwrap<T>(asked: Answer<T> | PromiseLike<Answer<T>>): Promise<T> {
  const { data, error, response } = await asked;
  if (response.ok) return data as T;
  const isOurs = typeof error === "object" && error !== null && "code" in error;
  if (isOurs) throw new Problem(error as ProblemBody, response);
  // A proxy in between may answer in another form.
  const { status, statusText: title } = response;
  const detail = `The answer was HTTP ${status}`;
  throw new Problem({ type: "about:blank", status, title, detail, code: "unavailable" }, response);
}
