import createClient, { type Client } from "openapi-fetch";
import type { ExchangeRequest, LoginRequest, paths, SecondStepRequest, TokenPair, User } from "./api.js";
import { type EventOptions, type LiveEvent, type Open, readEvents } from "./events.js";
import { type Answer, isProblem, unwrap } from "./problems.js";

export type Tokens = Pick<TokenPair, "access_token" | "refresh_token">;
/** Stores the tokens. Tabs that share a store share a login. */
export type TokenStore = { get(): Tokens | null; set(tokens: Tokens | null): void };
/** A password, the second step of a login, or an assertion signed by your own backend. */
export type Credentials = LoginRequest | SecondStepRequest | ExchangeRequest;
type Fetch = (request: Request) => Promise<Response>;
export type ClientOptions = { baseUrl: string; store?: TokenStore; fetch?: Fetch };

export class MessagingClient {
  /** Every operation of the API. `unwrap` returns the data of an answer, or throws a Problem. */
  readonly api: Client<paths>;
  readonly #anyone: Client<paths>;
  readonly #fetch: Fetch;
  readonly #store: TokenStore;
  #refreshing: Promise<string | null> | null = null;

  /** Without a `store`, tokens are kept in memory. */
  constructor({ baseUrl, store = memory(), fetch = (request) => globalThis.fetch(request) }: ClientOptions) {
    [this.#store, this.#fetch] = [store, fetch];
    this.#anyone = createClient<paths>({ baseUrl, fetch });
    this.api = createClient<paths>({ baseUrl, fetch: (request) => this.#send(request) });
  }

  async logIn(body: Credentials): Promise<User> {
    const asked =
      "login_token" in body ? this.#anyone.POST("/auth/login/second-factor", { body })
      : "assertion" in body ? this.#anyone.POST("/auth/exchange", { body })
      : this.#anyone.POST("/auth/login", { body });
    const { user, ...tokens } = await unwrap(asked);
    this.#store.set(tokens);
    return user;
  }

  async logOut(): Promise<void> {
    await this.api.POST("/auth/logout").finally(() => this.#store.set(null));
  }

  /** Yields the pages of a list, from the given one to the last. */
  async *pages<T>(asked: PromiseLike<Answer<T[]>>, rel: "next" | "prev" = "next"): AsyncGenerator<T[]> {
    for (let answer = await asked; ; ) {
      yield await unwrap(answer);
      const { headers, url } = answer.response;
      const link = new RegExp(`<([^>]+)>; *rel="${rel}"`).exec(headers.get("Link") ?? "")?.[1];
      if (!link) return;
      if (new URL(link).origin !== new URL(url).origin) throw new Error(`${link} leads elsewhere`);
      const response = await this.#send(new Request(link));
      answer = { response, [response.ok ? "data" : "error"]: await response.json() };
    }
  }

  /** Yields the user's events as they happen. */
  events(options: EventOptions = {}): AsyncGenerator<LiveEvent> {
    const open = (cursor: string, signal: AbortSignal) => {
      const header = cursor ? { "Last-Event-ID": cursor } : {};
      return unwrap(this.api.GET("/events/stream", { params: { header }, parseAs: "stream", signal }));
    };
    return readEvents(open as Open, options);
  }

  async #send(request: Request): Promise<Response> {
    const used = this.#store.get()?.access_token;
    if (!used) return this.#fetch(request);
    const answer = await this.#fetch(withToken(request.clone(), used));
    if (answer.status !== 401) return answer;
    const problem = await answer.clone().json().catch(() => null);
    if (problem?.code !== "not_authenticated") return answer;
    // A refresh token works once, so all requests wait for the same refresh.
    this.#refreshing ??= exclusively(() => this.#refresh(used)).finally(() => (this.#refreshing = null));
    const fresh = await this.#refreshing;
    return fresh ? this.#fetch(withToken(request, fresh)) : answer;
  }

  /** Returns a fresh access token. If the session has ended, empties the store and returns null. */
  async #refresh(used: string): Promise<string | null> {
    const held = this.#store.get();
    if (held?.access_token !== used) return held?.access_token ?? null; // Another tab has refreshed.
    try {
      const body = { refresh_token: held.refresh_token };
      this.#store.set(await unwrap(this.#anyone.POST("/auth/refresh", { body })));
    } catch (error) {
      if (!isProblem(error, "invalid_token")) throw error;
      if (this.#store.get()?.refresh_token === held.refresh_token) this.#store.set(null);
    }
    return this.#store.get()?.access_token ?? null;
  }
}

function withToken(request: Request, token: string): Request {
  request.headers.set("Authorization", `Bearer ${token}`);
  return request;
}

/** Locks out the other tabs of the origin, if the browser supports it. */
async function exclusively<T>(work: () => Promise<T>): Promise<T> {
  const locks: LockManager | undefined = globalThis.navigator?.locks;
  return await (locks ? locks.request("ai-messaging-refresh", work) : work());
}

function memory(): TokenStore {
  let kept: Tokens | null = null;
  return { get: () => kept, set: (tokens) => void (kept = tokens) };
}
