// Register, log in, send, page and run into errors, with the types that openapi-typescript makes.
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type Message = components["schemas"]["Message"];

const baseUrl = process.argv[2] ?? "";
const password = "violet-tractor-42";
const anyone = createClient<paths>({ baseUrl });

async function signUp(username: string) {
  const account = { username, email: `${username}@example.org`, password };
  const registered = await anyone.POST("/auth/register", { body: account });
  assert(registered.data);
  assert.equal(registered.data.username, username);
  const { data } = await anyone.POST("/auth/login", { body: { username, password } });
  assert(data);
  const headers = { Authorization: `Bearer ${data.access_token}` };
  return { id: data.user.id, client: createClient<paths>({ baseUrl, headers }), tokens: data };
}

const dora = await signUp("dora");
const emil = await signUp("emil");

// Five messages, the first of them sent twice under one key.
const sent: Message[] = [];
for (const content of ["one", "one", "two", "three", "four", "five"]) {
  const { data, response } = await dora.client.POST("/messages", {
    params: { header: { "Idempotency-Key": `key-${content}` } },
    body: { recipient_id: emil.id, content },
  });
  assert(data);
  assert.equal(response.headers.get("Idempotent-Replayed"), sent.some((one) => one.id === data.id) ? "true" : null);
  if (!sent.some((one) => one.id === data.id)) sent.push(data);
}
assert.deepEqual(sent.map((one) => one.content), ["one", "two", "three", "four", "five"]);

// Every page, along the cursors that the ids are.
const pages: string[][] = [];
let before: number | undefined;
for (;;) {
  const query = before === undefined ? { limit: 2 } : { limit: 2, before };
  const { data, response } = await emil.client.GET("/messages/received", { params: { query } });
  assert(data);
  pages.unshift(data.map((one) => one.content));
  before = data[0]?.id;
  if (!response.headers.get("Link")?.includes('rel="next"')) break;
}
assert.deepEqual(pages, [["one"], ["two", "three"], ["four", "five"]]);
const counted = await emil.client.GET("/messages/unread/count");
assert.equal(counted.data?.unread_count, 5);

// An edit, in a path that takes an id.
const first = sent[0];
assert(first);
const path = { id: first.id };
const edited = await dora.client.PUT("/messages/{id}", { params: { path }, body: { content: "uno" } });
assert.equal(edited.data?.content, "uno");

// Errors: what each is stands in `code`, whose values the compiler knows for every operation.
const refused = await emil.client.PUT("/messages/{id}", { params: { path }, body: { content: "eins" } });
switch (refused.error?.code) {
  case "not_sender":
    break;
  default:
    assert.fail(`${refused.error?.code}`);
}
// @ts-expect-error: no such code is listed for this operation.
assert(refused.error?.code !== "no_such_code");
const taken = await anyone.POST("/auth/register", {
  body: { username: "DORA", email: "other@example.org", password },
});
assert(taken.error?.code === "invalid");
assert.deepEqual(taken.error.codes, { username: ["taken"] });
const stranger = await anyone.GET("/auth/me");
assert.equal(stranger.error?.code, "not_authenticated");
const wrong = await anyone.POST("/auth/login", { body: { username: "dora", password: "wrong-password-9" } });
assert.equal(wrong.error?.code, "invalid_credentials");
const missing = await dora.client.GET("/messages/{id}", { params: { path: { id: 2 ** 50 } } });
assert.equal(missing.error?.code, "not_found");
const spent = { body: { refresh_token: dora.tokens.refresh_token } };
assert((await anyone.POST("/auth/refresh", spent)).data);
assert.equal((await anyone.POST("/auth/refresh", spent)).error?.code, "invalid_token");

console.log("The story went as it should.");
