// Calls the API: handles tokens and their refresh, pages of lists, and errors.

// This file is <root>/static/chat/api.js, wherever a proxy puts the root. In an app of yours: your server.
export const ROOT = new URL("../../", import.meta.url);

const KEPT = "aimessage.tokens";
// Per tab, so that two people can try the chat in two tabs.
let tokens = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
let refreshing = null;

/** `onEnd` is called when the session has ended, here or elsewhere. */
export const session = { onEnd() {}, isOpen: () => tokens !== null };

/** An error (RFC 9457): `code` is for programs, `message` for people. The status is 0 if no answer came. */
export class Problem extends Error {
  constructor(status, body, retryAfter = 0) {
    super(body.detail ?? "The server does not answer.");
    Object.assign(this, { status, body, code: body.code ?? "", retryAfter });
  }
  static async of(response) {
    const body = await response.json().catch(() => ({}));
    return new Problem(response.status, body, Number(response.headers.get("Retry-After")));
  }
  /** Whether the same request may succeed later. */
  get passes() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

function keep({ access_token, refresh_token }) {
  tokens = { access: access_token, refresh: refresh_token };
  sessionStorage.setItem(KEPT, JSON.stringify(tokens));
}

function endSession() {
  if (!tokens) return;
  tokens = null;
  sessionStorage.removeItem(KEPT);
  session.onEnd();
}

async function reach(path, init) {
  try {
    return await fetch(new URL(path, ROOT), { cache: "no-store", ...init });
  } catch (error) {
    throw error.name === "AbortError" ? error : new Problem(0, { detail: "No connection to the server." });
  }
}

function asJson(method, body, headers = {}) {
  if (body === undefined) return { method, headers };
  return { method, headers: { "Content-Type": "application/json", ...headers }, body: JSON.stringify(body) };
}

async function renew() {
  const response = await reach("auth/refresh", asJson("POST", { refresh_token: tokens.refresh }));
  if (response.ok) return keep(await response.json());
  if (response.status === 401) endSession();
  throw await Problem.of(response);
}

/** fetch() with the access token. After a 401, it refreshes the token (once for all requests) and tries again. */
export async function request(path, init = {}) {
  const attempt = () => {
    const authorization = tokens && { Authorization: `Bearer ${tokens.access}` };
    return reach(path, { ...init, headers: { ...init.headers, ...authorization } });
  };
  const used = tokens?.access;
  let response = await attempt();
  if (response.status === 401 && used) {
    if (tokens?.access === used) await (refreshing ??= renew().finally(() => (refreshing = null)));
    response = await attempt();
    if (response.status === 401) endSession();
  }
  if (!response.ok) throw await Problem.of(response);
  return response;
}

export async function call(method, path, body, headers) {
  const response = await request(path, asJson(method, body, headers));
  return response.status === 204 ? null : response.json();
}

export const get = (path) => call("GET", path);
/** One page of a list, with the URLs of the next older page (`next`) and newer page (`prev`), or null. */
export async function page(path) {
  const response = await request(path);
  const links = response.headers.get("Link") ?? "";
  const find = (rel) => links.match(`<([^>]+)>; rel="${rel}"`)?.[1] ?? null;
  return { items: await response.json(), next: find("next"), prev: find("prev") };
}

/** Throws a Problem `second_factor_required`, whose body has the `login_token` for enterCode(). */
export async function logIn(username, password) {
  keep(await call("POST", "auth/login", { username, password }));
}

export async function enterCode(loginToken, code) {
  const kind = /^\d{6}$/.test(code) ? "code" : "recovery_code";
  keep(await call("POST", "auth/login/second-factor", { login_token: loginToken, [kind]: code }));
}

export async function logOut() {
  await call("POST", "auth/logout", { refresh_token: tokens.refresh }).catch(() => {});
  endSession();
}

/** An Idempotency-Key: a request repeated with the same key creates nothing new. */
export const newKey = () => [...crypto.getRandomValues(new Uint32Array(4))].join("-");
