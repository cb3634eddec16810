import assert from "node:assert/strict";
import { test } from "node:test";
import { isProblem, MessagingClient, type Tokens, type TokenStore, unwrap } from "ai-messaging-client";
import { baseUrl, made, password, problem, signUp } from "./people.js";

function keeping(tokens: Tokens | null = null): TokenStore & { tokens: Tokens | null } {
  const store = { tokens, get: () => store.tokens, set: (fresh: Tokens | null) => void (store.tokens = fresh) };
  return store;
}

function expire(store: TokenStore) {
  store.set({ ...store.get()!, access_token: "expired" });
}

test("an expired token is refreshed once, however many requests need it", async () => {
  const [store, asked] = [keeping(), [] as string[]];
  const fetch = (request: Request) => (asked.push(new URL(request.url).pathname), globalThis.fetch(request));
  const [chat, user] = await signUp("flora", { store, fetch });
  const before = store.tokens;
  expire(store);

  const found = await Promise.all(Array.from({ length: 10 }, () => unwrap(chat.api.GET("/auth/me"))));

  assert.deepEqual(new Set(found.map((one) => one.id)), new Set([user.id]));
  assert.equal(asked.filter((path) => path === "/auth/refresh").length, 1);
  assert.notEqual(store.tokens?.refresh_token, before?.refresh_token);
});

test("a request with a body is sent again after a refresh", async () => {
  const store = keeping();
  const [chat] = await signUp("gerd", { store });
  expire(store);

  const user = await unwrap(chat.api.PUT("/auth/me", { body: { full_name: "Gerd Graf" } }));

  assert.equal(user.full_name, "Gerd Graf");
});

test("two clients that share a store do not log each other out", async () => {
  const store = keeping();
  const [chat] = await signUp("hanna", { store });
  const other = new MessagingClient({ baseUrl, store });
  expire(store);

  await unwrap(chat.api.GET("/auth/me"));
  await unwrap(other.api.GET("/auth/me"));

  assert(store.tokens);
});

test("a session that has ended empties the store", async () => {
  const store = keeping();
  const [chat] = await signUp("ivo", { store });
  await unwrap(chat.api.POST("/auth/logout-all"));

  await assert.rejects(unwrap(chat.api.GET("/auth/me")), { code: "not_authenticated" });

  assert.equal(store.tokens, null);
});

test("logging out empties the store and ends the session", async () => {
  const store = keeping();
  const [chat] = await signUp("jana", { store });
  const kept = store.tokens;

  await chat.logOut();

  assert.equal(store.tokens, null);
  const thief = new MessagingClient({ baseUrl, store: keeping(kept) });
  await assert.rejects(unwrap(thief.api.GET("/auth/me")), { code: "not_authenticated" });
});

test("a refresh that has to wait keeps the tokens", async () => {
  const store = keeping({ access_token: "expired", refresh_token: "good" });
  const fetch = async ({ url }: Request) =>
    url.endsWith("/auth/refresh") ? problem(503, "unavailable") : problem(401, "not_authenticated");
  const chat = new MessagingClient({ baseUrl, store, fetch });

  await assert.rejects(unwrap(chat.api.GET("/auth/me")), { code: "unavailable" });

  assert.equal(store.tokens?.refresh_token, "good");
});

test("a refresh that another tab won goes on with its tokens", async () => {
  const store = keeping({ access_token: "expired", refresh_token: "spent" });
  const fetch = async (request: Request) => {
    if (request.headers.get("Authorization") === "Bearer fresh") return made({ id: 7 }, 200);
    if (!request.url.endsWith("/auth/refresh")) return problem(401, "not_authenticated");
    store.set({ access_token: "fresh", refresh_token: "next" });
    return problem(401, "invalid_token");
  };

  const me = await unwrap(new MessagingClient({ baseUrl, store, fetch }).api.GET("/auth/me"));

  assert.equal(me.id, 7);
});

test("credentials go where they belong", async () => {
  const asked: string[] = [];
  const fetch = async ({ url }: Request) => {
    asked.push(new URL(url).pathname);
    if (url.endsWith("/auth/login")) return problem(403, "second_factor_required", { login_token: "half" });
    return made({ access_token: "a", refresh_token: "r", token_type: "bearer", user: { id: 7 } }, 200);
  };
  const store = keeping();
  const chat = new MessagingClient({ baseUrl, store, fetch });

  const half = await chat.logIn({ username: "kai", password }).catch((error: unknown) => error);
  assert(isProblem(half, "second_factor_required"));
  assert.equal(store.tokens, null);
  await chat.logIn({ login_token: half.body.login_token ?? "", code: "123456" });
  await chat.logIn({ assertion: "signed" });

  assert.deepEqual(asked, ["/auth/login", "/auth/login/second-factor", "/auth/exchange"]);
  assert.equal(store.get()?.access_token, "a");
});
